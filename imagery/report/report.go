// Package report writes what a model has learned as one web page.
//
// A [Page] says what is to be shown, and [Write] makes HTML of it: one file
// that needs no network and no script, follows the reader's choice of light or
// dark, fits a phone and a desk, and prints. Parts of a Page that are empty are
// left out. Equal pages give equal bytes.
//
// All text of a Page is foreign to it: it is escaped, and cannot become markup.
package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"io"
	"unicode"

	"github.com/aefeat/aefeat/model"
)

// How many of each a page shows at most, so that its size is bounded: about
// two megabytes with patches of 28x28 pixels. Callers need not draw more.
const (
	MaxFilters = 400
	MaxUnits   = 64
	maxEpochs  = 100 // in the table; curves have maxPoints
)

// Page is what a report shows.
type Page struct {
	Title   string // of the model
	Summary string // a sentence about it
	Facts   []Fact // the numbers to look at first

	Filters  Filters
	History  History
	Activity Activity
	Examples []Example
	Error    string // a sentence on how near reconstructions come
	Units    []Unit // the first that are not dead; more than MaxUnits are not shown
	UnitsOf  int    // how many are not dead
	Probe    *Probe
	Settings []Fact

	// Notes say what else a reader must know, such as rows that were left out.
	Notes []string
}

// Fact is a value and its name.
type Fact struct{ Name, Value string }

// Filters are pictures of the weights of units, tile by tile.
type Filters struct {
	Tiles []image.Image // of the first units; more than MaxFilters are not shown
	Dead  []bool        // of each tile; nil: none
	Of    int           // how many units there are
	About string        // which weights are shown: "encoder, model space"

	// Whitened: the weights are for whitened patches, not for these as they
	// came.
	Whitened bool
}

// History is the training of a model.
type History struct {
	Epochs []model.Epoch
	Unit   string // what an epoch is called; "": epoch
	Best   int    // the epoch that was kept; 0: the last
}

// Activity is what each unit does over the rows that were looked at.
type Activity struct {
	Units  []model.Unit
	Rows   int64
	Target float64 // rho, the wanted mean; 0: there is none
}

// Example is a row beside what the model makes of it.
type Example struct {
	Caption       string
	Original      image.Image
	Corrupted     image.Image // nil: the model has no noise
	Reconstructed image.Image
}

// Unit is a unit and the rows that excite it most.
type Unit struct {
	Number  int
	Filter  image.Image
	Note    string
	Patches []Patch
}

// Patch is a row that excites a unit.
type Patch struct {
	Tile    image.Image
	Caption string
}

// Probe is how well a linear classifier reads labels.
type Probe struct {
	Label               string
	TrainRows, TestRows int
	Scores              []Score
	Classes             []string // as in the confusion matrices
	Note                string
}

// Score is a classifier on one set of features.
type Score struct {
	Features  string
	Width     int
	Accuracy  float64 // in [0,1]
	Errors    int
	Confusion [][]int // rows of each label, by the label predicted
}

//go:embed page.html.tmpl
var pageSource string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent": func(x float64) string { return fmt.Sprintf("%.2f%%", 100*x) },
	"count":   count,
	"style":   func() template.CSS { return template.CSS(style) },
}).Parse(pageSource))

// Write writes the page as HTML. Every error is one of w, or of a picture that
// cannot be encoded.
func Write(w io.Writer, p Page) error {
	v, err := newView(p)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(bytes.Map(visible, out.Bytes()))
	return err
}

// visible puts a sign in the place of a rune that would upset the text around
// it, or a terminal.
func visible(r rune) rune {
	if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Bidi_Control) {
		return unicode.ReplacementChar
	}
	return r
}

// tile is a picture as the template shows it.
type tile struct {
	URL           template.URL
	Width, Height int // in pixels of the page
	Alt           string
	Link          string // "": none
	Dead          bool
}

// side is about how large a tile is on the page: a multiple of its pixels, so
// that none is blurred.
const side = 52

// tiles makes tiles.
type tiles struct{ encoder png.Encoder }

func newTiles() *tiles {
	return &tiles{png.Encoder{CompressionLevel: png.BestCompression, BufferPool: &oneBuffer{}}}
}

// oneBuffer is the memory that each picture is encoded in. It is for one
// goroutine.
type oneBuffer struct{ b *png.EncoderBuffer }

func (o *oneBuffer) Get() *png.EncoderBuffer  { return o.b }
func (o *oneBuffer) Put(b *png.EncoderBuffer) { o.b = b }

// tile encodes a picture. Its pixels stay as they are; the page enlarges it.
func (t *tiles) tile(m image.Image, alt string) (tile, error) {
	var b bytes.Buffer
	if err := t.encoder.Encode(&b, m); err != nil {
		return tile{}, fmt.Errorf("report: %s: %w", alt, err)
	}
	size := m.Bounds().Size()
	scale := max(1, (side+size.X/2)/size.X)
	return tile{
		URL:   template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())),
		Width: size.X * scale, Height: size.Y * scale, Alt: alt,
	}, nil
}

// count writes an integer with its thousands apart.
func count(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
