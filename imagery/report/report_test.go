package report_test

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/imagery/report"
	"github.com/aefeat/aefeat/model"
)

// picture is a small tile that no other number gives.
func picture(n int) image.Image {
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range m.Pix {
		m.Pix[i] = uint8(n * (i + 1))
	}
	return m
}

// full is a page that has everything.
func full() report.Page {
	p := report.Page{
		Title: "digits", Summary: "A summary.", Error: "Near.", UnitsOf: 70, Notes: []string{"A note."},
		Facts:    []report.Fact{{Name: "dead units", Value: "1"}},
		Settings: []report.Fact{{Name: "seed", Value: "7"}},
		Filters:  report.Filters{Of: 500, About: "encoder", Dead: make([]bool, 500)},
		Activity: report.Activity{Rows: 12345, Target: 0.1},
		Probe: &report.Probe{Label: "digit", TrainRows: 80, TestRows: 20, Classes: []string{"a", "b"}, Scores: []report.Score{
			{Features: "codes", Width: 3, Accuracy: 0.9375, Errors: 1, Confusion: [][]int{{9, 1}, {0, 10}}},
			{Features: "raw", Width: 6, Accuracy: 0.5, Errors: 10},
		}},
	}
	for i := range 500 {
		p.Filters.Tiles = append(p.Filters.Tiles, picture(i%40))
	}
	p.Filters.Dead[1] = true
	for i := range 70 {
		p.Units = append(p.Units, report.Unit{Number: i, Filter: picture(i), Note: "a unit", Patches: []report.Patch{{Tile: picture(2), Caption: "row 9"}}})
		p.Activity.Units = append(p.Activity.Units, model.Unit{Mean: float64(i) / 100, Dead: i == 1, Dense: i > 30})
	}
	for i := range 3 {
		cost := model.Cost{Reconstruction: 10 / float64(i+1), Sparsity: 1, Total: 10/float64(i+1) + 1}
		held := cost
		held.Total += 0.5
		p.History.Epochs = append(p.History.Epochs, model.Epoch{Epoch: i + 1, Cost: cost, Validation: &held})
	}
	p.History.Best = 2
	p.Examples = []report.Example{{Caption: "row 4", Original: picture(1), Corrupted: picture(2), Reconstructed: picture(3)}}
	return p
}

func write(t *testing.T, p report.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// text is what a page says, without its markup.
func text(page string) string {
	body := regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(page, "")
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " "))
}

func TestPage(t *testing.T) {
	page := write(t, full())
	said := strings.Join(strings.Fields(text(page)), " ")
	for _, want := range []string{
		"A summary.", "A note.", "dead units 1", "These are the first 400 of 500 units.", "Faded tiles in a dashed frame are dead units.",
		"epoch cost reconstruction sparsity held-out cost mean activation dead units 1 11.00 10.00 1.000 11.50 0.000 0",
		"with the noise that training adds", "Near.", "over 12,345 rows", "row 4",
		"dead the code hardly tells rows apart 1 1 dense active on more than half of the rows 39 31, 32, 33,", ", and more",
		"codes 3 93.75% 1 raw 6 50.00% 10", "a b a 9 1 b 0 10", "learned from 80 rows", "on 20 others",
		"Unit 63 a unit", "These are the first 64 of 70 units that are not dead.", "seed 7", "wanted, 0.1", "kept",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(said, "Unit 64") || strings.Count(page, `href="#unit-`) != 64 {
		t.Errorf("%d links to units", strings.Count(page, `href="#unit-`))
	}
	if n := strings.Count(page, "<img"); n != 400+2*64+3 {
		t.Errorf("%d pictures", n)
	}
	if n := strings.Count(page, `class="dead"`); n != 1 {
		t.Errorf("%d dead tiles", n)
	}
	if other := write(t, full()); other != page {
		t.Error("equal pages give other bytes")
	}
}

// The markup is well formed, each picture has an alternative text, each link
// within the page a target, and headings leave no level out.
func TestMarkup(t *testing.T) {
	page := write(t, full())
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false
	d.AutoClose = []string{"meta", "img"} // not closed in HTML
	d.Entity = xml.HTMLEntity
	ids, links, level := map[string]bool{}, []string{}, 0
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = append(open, e.Name.Local)
			has := attributes(t, e)
			if id := has["id"]; id != "" {
				if ids[id] {
					t.Errorf("two elements with the id %s", id)
				}
				ids[id] = true
			}
			if e.Name.Local == "a" {
				links = append(links, has["href"])
			}
			if e.Name.Local == "img" && has["alt"] == "" {
				t.Errorf("a picture without alternative text: %v", has)
			}
			if e.Name.Local == "svg" && has["aria-label"] == "" && has["aria-hidden"] == "" {
				t.Error("a chart that says nothing")
			}
			if name := e.Name.Local; len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' {
				if next := int(name[1] - '0'); next > level+1 {
					t.Errorf("%s after h%d", name, level)
				} else {
					level = next
				}
			}
		case xml.EndElement:
			if top := open[len(open)-1]; top != e.Name.Local {
				t.Fatalf("</%s> ends <%s>", e.Name.Local, top)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || level == 0 || len(links) < 64 {
		t.Errorf("left open: %v; %d links", open, len(links))
	}
	for _, link := range links {
		if id, ok := strings.CutPrefix(link, "#"); !ok || !ids[id] {
			t.Errorf("a link to %s, which is not there", link)
		}
	}
}

// attributes returns those of an element, each of which it has once.
func attributes(t *testing.T, e xml.StartElement) map[string]string {
	has := map[string]string{}
	for _, a := range e.Attr {
		if _, twice := has[a.Name.Local]; twice {
			t.Errorf("<%s> has %s twice", e.Name.Local, a.Name.Local)
		}
		has[a.Name.Local] = a.Value
	}
	return has
}

// Nothing on the page comes from elsewhere.
func TestNoNetwork(t *testing.T) {
	page := write(t, full())
	markup := regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(page, "")
	if found := regexp.MustCompile(`(?i)(https?:|//[a-z]|url\(|@import|<script|<link|<iframe|javascript:|\son[a-z]+=)`).FindString(markup); found != "" {
		t.Errorf("the page has %q", found)
	}
	for _, m := range regexp.MustCompile(`src="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:image/png;base64,") {
			t.Errorf("a picture from %.40s", m[1])
		}
	}
}

// Pictures are on the page as they are, and enlarged by a whole number.
func TestPictures(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 5, 4))
	m.SetRGBA(2, 3, color.RGBA{1, 2, 3, 255})
	page := write(t, report.Page{Filters: report.Filters{Tiles: []image.Image{m}, Of: 1}})
	found := regexp.MustCompile(`src="data:image/png;base64,([^"]*)" width="(\d+)" height="(\d+)" alt="unit 0"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("no picture")
	}
	data, err := base64.StdEncoding.DecodeString(html.UnescapeString(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != m.Rect || color.RGBAModel.Convert(got.At(2, 3)) != m.At(2, 3) {
		t.Errorf("%v, %v", got.Bounds(), got.At(2, 3))
	}
	if found[2] != "50" || found[3] != "40" {
		t.Errorf("%s by %s pixels", found[2], found[3])
	}
}

// Whatever text comes from the data stays text.
func TestEscaping(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}]]>javascript:`
	p := full()
	p.Title, p.Summary, p.Error, p.Notes, p.Filters.About = evil, evil, evil, []string{evil}, evil
	p.Facts, p.Settings = []report.Fact{{Name: evil, Value: evil}}, []report.Fact{{Name: evil, Value: evil}}
	p.History.Unit = evil
	p.Examples[0].Caption, p.Units[0].Note, p.Units[0].Patches[0].Caption = evil, evil, evil
	p.Probe.Label, p.Probe.Note, p.Probe.Classes, p.Probe.Scores[0].Features = evil, evil, []string{evil, "b"}, evil
	page := write(t, p)
	if strings.Contains(page, "<script") || strings.Contains(page, "onerror=alert(1)>") && strings.Contains(page, "<img src=x") {
		t.Error("foreign text became markup")
	}
	if n := strings.Count(page, "<img"); n != 400+2*64+3 {
		t.Errorf("%d pictures", n)
	}
	if n := strings.Count(text(page), evil); n < 15 {
		t.Errorf("the text is there %d times", n)
	}
}

// Text of the data neither moves a cursor nor turns the text after it around.
func TestControlCharacters(t *testing.T) {
	p := full()
	p.Title, p.Probe.Label = "a\x1b]0;b\x07c\r\u009b2J", "\u202egnp\u2066"
	page := write(t, p)
	if strings.ContainsAny(page, "\x1b\x07\r\u009b\u202e\u2066") || !strings.Contains(page, "a\ufffd]0;b\ufffdc") {
		t.Error("control characters are in the page")
	}
}

// Odd histories make charts all the same.
func TestOddHistories(t *testing.T) {
	nan := 0.
	nan /= nan
	many := make([]model.Epoch, 5000)
	for i := range many {
		many[i] = model.Epoch{Epoch: i + 1, Cost: model.Cost{Total: 1e6 / float64(i+1), Reconstruction: 1}}
	}
	for name, epochs := range map[string][]model.Epoch{
		"none": nil, "one": many[:1], "many": many, "equal": {{Epoch: 1, Cost: model.Cost{Total: 3}}, {Epoch: 2, Cost: model.Cost{Total: 3}}},
		"zero": {{Epoch: 1}, {Epoch: 2}}, "not finite": {{Epoch: 1, Cost: model.Cost{Total: nan}}, {Epoch: 2, Cost: model.Cost{Total: 1}}},
		"huge":     {{Epoch: 1, Cost: model.Cost{Total: 1.7e308}}, {Epoch: 2, Cost: model.Cost{Total: -1.7e308}}},
		"tiny":     {{Epoch: 1, Cost: model.Cost{Total: 1}}, {Epoch: 2, Cost: model.Cost{Total: 1e-15}}},
		"negative": {{Epoch: 5, Cost: model.Cost{Total: -3}}, {Epoch: 9, Cost: model.Cost{Total: 1}}},
	} {
		page := write(t, report.Page{History: report.History{Epochs: epochs}})
		if got := strings.Contains(page, "<svg"); got != (epochs != nil) {
			t.Errorf("%s: a chart: %t", name, got)
		}
		for _, path := range regexp.MustCompile(`( d|points|[xy][12]?|c[xy])="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if strings.ContainsAny(path[2], "NI") {
				t.Errorf("%s: a coordinate %.60s", name, path[2])
			}
		}
		if len(page) > 60_000 {
			t.Errorf("%s: %d bytes", name, len(page))
		}
	}
	units := []model.Unit{{Mean: nan}, {Mean: 2}, {Mean: -3}}
	if page := write(t, report.Page{Activity: report.Activity{Units: units}}); !strings.Contains(page, "<rect") {
		t.Error("no histogram")
	}
}

func TestEmptyPage(t *testing.T) {
	page := write(t, report.Page{Title: "nothing"})
	if strings.Contains(page, "<section") || !strings.Contains(page, "<h1>nothing</h1>") {
		t.Error(page)
	}
	if err := report.Write(failing{}, report.Page{}); !errors.Is(err, errFailed) {
		t.Errorf("got %v", err)
	}
}

var errFailed = errors.New("failed")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFailed }

func ExampleWrite() {
	var b strings.Builder
	err := report.Write(&b, report.Page{
		Title: "digits.safetensors",
		Facts: []report.Fact{{Name: "dead units", Value: "0"}},
	})
	fmt.Println(err, strings.Contains(b.String(), "<h1>digits.safetensors</h1>"))
	// Output: <nil> true
}
