package imageset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/patch"
)

// greyPNG is a grey image of values v, v+1, ...
func greyPNG(t testing.TB, height, width int, v uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = v + uint8(i)
	}
	return encodePNG(t, img)
}

func colourPNG(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.RGBA{10, 20, 30, 255})
	return encodePNG(t, img)
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write makes a file below dir and returns its path.
func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// A seen image is what a test compares.
type seen struct {
	name   string // without the folder of the test
	shape  string
	values string
	extra  string // label and kept columns
}

// readAll reads a set.
func readAll(t testing.TB, inputs []string, o Options) ([]seen, *Set, error) {
	t.Helper()
	s, err := Open(inputs, o)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { s.Close() })
	var all []seen
	columns := s.Columns()
	err = Run(context.Background(), s, func(im *Image) (seen, error) {
		if err := im.Picture.Check(); err != nil {
			t.Error(err)
		}
		values := fmt.Sprint(im.Picture.Bytes)
		if im.Picture.Bytes == nil {
			values = fmt.Sprint(im.Picture.Floats)
		}
		return seen{filepath.Base(im.Name), im.Picture.Shape.String(), values, ""}, nil
	}, func(im *Image, out seen) error {
		columns.Append(im, 1)
		all = append(all, out)
		return nil
	})
	if err != nil {
		return all, s, err
	}
	if columns.Len() != len(all) {
		t.Errorf("%d rows of columns for %d images", columns.Len(), len(all))
	}
	arrays, err := columns.Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrays {
		if a.Len() != len(all) {
			t.Fatalf("%d values for %d images", a.Len(), len(all))
		}
		for i := range all {
			all[i].extra = strings.TrimSpace(all[i].extra + " " + a.ValueStr(i))
		}
		a.Release()
	}
	return all, s, nil
}

func check(t *testing.T, got []seen, err error, want ...seen) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// Folders are read in the natural order of names; what holds no image is
// passed over, unless it is named.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "set/b/10.png", greyPNG(t, 1, 2, 30))
	write(t, dir, "set/b/9.png", greyPNG(t, 1, 2, 20))
	write(t, dir, "set/a/picture", greyPNG(t, 1, 2, 10)) // by its first bytes
	write(t, dir, "set/.hidden.png", nil)
	text := write(t, dir, "set/a/readme.txt", []byte("words"))
	write(t, dir, "set/a/none", nil)
	got, s, err := readAll(t, []string{filepath.Join(dir, "set")}, Options{Label: Label{Folder: true}})
	check(t, got, err, seen{"picture", "1x2", "[10 11]", "a"}, seen{"9.png", "1x2", "[20 21]", "b"}, seen{"10.png", "1x2", "[30 31]", "b"})
	if s.PassedOver() != 2 {
		t.Errorf("%d files passed over, want 2", s.PassedOver())
	}
	if s.Extra()[0].Name != LabelName || s.Extra()[0].Type.ID() != arrow.STRING {
		t.Errorf("label %v", s.Extra())
	}
	got, _, err = readAll(t, []string{filepath.Join(dir, "set", "b", "*.png")}, Options{})
	check(t, got, err, seen{"9.png", "1x2", "[20 21]", ""}, seen{"10.png", "1x2", "[30 31]", ""})
	if _, _, err := readAll(t, []string{text}, Options{}); err == nil || !strings.Contains(err.Error(), "readme.txt: neither an image") {
		t.Errorf("text: %v", err)
	}
	var named *arrowio.FileError
	if _, _, err := readAll(t, []string{filepath.Join(dir, "missing.png")}, Options{}); !errors.As(err, &named) {
		t.Errorf("missing: %v", err)
	}
}

// Lines of names and labels match whole paths, those from the folder of the
// lines, and bare names.
func TestLabelLines(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "x/a.png", greyPNG(t, 1, 1, 1))
	write(t, dir, "x/b.png", greyPNG(t, 1, 1, 2))
	write(t, dir, "c.png", greyPNG(t, 1, 1, 3))
	csv := write(t, dir, "labels.csv", []byte("name,label\n"+a+",first\nx/b.png,\"second, quoted\"\nc.png,third\n"))
	got, _, err := readAll(t, []string{filepath.Join(dir, "x"), filepath.Join(dir, "c.png")}, Options{Label: Label{File: csv}})
	check(t, got, err, seen{"a.png", "1x1", "[1]", "first"}, seen{"b.png", "1x1", "[2]", "second, quoted"}, seen{"c.png", "1x1", "[3]", "third"})

	d := write(t, dir, "d.png", greyPNG(t, 1, 1, 4))
	if _, _, err := readAll(t, []string{d}, Options{Label: Label{File: csv}}); err == nil || !strings.Contains(err.Error(), "d.png: has no label in ") {
		t.Errorf("without a label: %v", err)
	}
	for name, text := range map[string]string{"two labels": "a,b\na,c\n", "three fields": "a,b,c\n"} {
		if _, _, err := readAll(t, []string{d}, Options{Label: Label{File: write(t, dir, "bad.csv", []byte(text))}}); err == nil || !strings.Contains(err.Error(), "bad.csv") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseLabel(t *testing.T) {
	for text, want := range map[string]Label{"": {}, "folder": {Folder: true}, "column:a:b": {Column: "a:b"}, "file:x.csv": {File: "x.csv"}} {
		if got, err := ParseLabel(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"column", "column:", "file:", "folders", "label"} {
		if _, err := ParseLabel(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// The first image decides whether a set is grey: colours are never lost
// unasked.
func TestChannels(t *testing.T) {
	dir := t.TempDir()
	grey, colour := write(t, dir, "grey.png", greyPNG(t, 1, 2, 7)), write(t, dir, "colour.png", colourPNG(t))
	got, _, err := readAll(t, []string{colour, grey}, Options{})
	check(t, got, err, seen{"colour.png", "1x2x3", "[10 20 30 0 0 0]", ""}, seen{"grey.png", "1x2x3", "[7 7 7 8 8 8]", ""})
	got, _, err = readAll(t, []string{grey, colour}, Options{Channels: 1})
	check(t, got, err, seen{"grey.png", "1x2", "[7 8]", ""}, seen{"colour.png", "1x2", "[18 0]", ""})
	got, _, err = readAll(t, []string{grey, colour}, Options{Channels: 3})
	check(t, got, err, seen{"grey.png", "1x2x3", "[7 7 7 8 8 8]", ""}, seen{"colour.png", "1x2x3", "[10 20 30 0 0 0]", ""})
	if _, _, err = readAll(t, []string{grey, colour}, Options{}); err == nil || !strings.Contains(err.Error(), "colour.png: the image is in colour") {
		t.Errorf("grey first: %v", err)
	}
}

// manyFiles are images whose first value is their number.
func manyFiles(t testing.TB, n int) []string {
	dir := t.TempDir()
	var names []string
	for i := range n {
		names = append(names, write(t, dir, fmt.Sprintf("%d.png", i), greyPNG(t, 1+i%5, 3, uint8(i))))
	}
	return names
}

// Results come in order whatever the cores, and the key of an image depends on
// its bytes alone.
func TestRunOrder(t *testing.T) {
	names := manyFiles(t, 200)
	names = append(names, names[3])
	for _, cores := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(cores)
		s, err := Open(names, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := s.Count(); n != 201 || !ok {
			t.Errorf("%d images, %v", n, ok)
		}
		first, err := s.First(context.Background())
		if err != nil || first.Name != names[0] {
			t.Fatalf("first is %v, %v", first, err)
		}
		var order []string
		keys := map[uint64]int{}
		err = Run(context.Background(), s, func(im *Image) (uint64, error) { return im.Key, nil }, func(im *Image, key uint64) error {
			order = append(order, im.Name)
			keys[key]++
			return nil
		})
		if err != nil || !slices.Equal(order, names) {
			t.Errorf("%d cores: %v, %d images", cores, err, len(order))
		}
		if len(keys) != 200 {
			t.Errorf("%d keys of 200 images", len(keys))
		}
		s.Close()
		runtime.GOMAXPROCS(old)
	}
}

func TestRunErrors(t *testing.T) {
	names := manyFiles(t, 100)
	before := runtime.NumGoroutine()
	open := func() *Set {
		s, err := Open(names, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	id := func(im *Image) (int, error) { return 0, nil }

	stop := errors.New("stop")
	written := 0
	err := Run(context.Background(), open(), id, func(*Image, int) error {
		if written++; written == 10 {
			return stop
		}
		return nil
	})
	if err != stop || written != 10 {
		t.Errorf("error of write: %v after %d", err, written)
	}

	ctx, cancel := context.WithCancel(context.Background())
	err = Run(ctx, open(), id, func(*Image, int) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}

	// Of two bad images the first is told of, named and with a way out.
	err = Run(context.Background(), open(), func(im *Image) (int, error) {
		if im.Name == names[40] || im.Name == names[41] {
			return 0, fmt.Errorf("bad %s", filepath.Base(im.Name))
		}
		return 0, nil
	}, func(*Image, int) error { return nil })
	var named *arrowio.FileError
	if !errors.As(err, &named) || named.File != names[40] || !strings.Contains(named.Hint, "`Skip`") {
		t.Errorf("bad image: %v", err)
	}
	for wait := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(wait) > 20*time.Second { // a busy machine takes its time
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// Skip counts images that cannot be read, and those that the work refuses.
func TestSkip(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.png", greyPNG(t, 1, 2, 7))
	cut := write(t, dir, "cut.png", greyPNG(t, 9, 9, 7)[:50])
	text := write(t, dir, "text.png", []byte("words"))
	inputs := []string{text, good, cut, good}
	got, s, err := readAll(t, inputs, Options{Skip: true})
	check(t, got, err, seen{"good.png", "1x2", "[7 8]", ""}, seen{"good.png", "1x2", "[7 8]", ""})
	bad := s.Bad()
	if bad.Counts[patch.Unreadable] != 2 || bad.Total() != 2 || !slices.Equal(bad.First, []patch.BadRow{{Row: 0, Reason: patch.Unreadable}, {Row: 2, Reason: patch.Unreadable}}) {
		t.Errorf("bad %+v", bad)
	}
	s, err = Open([]string{good, good}, Options{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), s, func(*Image) (int, error) { return 0, errors.New("no") }, func(*Image, int) error { return nil })
	if err != nil || s.Bad().Counts[Unfit] != 2 {
		t.Errorf("unfit: %v, %+v", err, s.Bad())
	}
	s, err = Open([]string{text}, Options{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.First(context.Background()); !errors.Is(err, ErrNoImages) || !strings.Contains(err.Error(), "text.png") || s.Bad().Counts[patch.Unreadable] != 1 {
		t.Errorf("no images: %v, %+v", err, s.Bad())
	}
}

// Columns repeats rows, and starts again after Take.
func TestColumns(t *testing.T) {
	got, want := "", "[\"0\" \"0\" \"1\" \"2\"]"
	names := manyFiles(t, 3)
	csv := write(t, t.TempDir(), "l.csv", []byte("0.png,0\n1.png,1\n2.png,2\n"))
	s, err := Open(names, Options{Label: Label{File: csv}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Columns()
	times := 2
	err = Run(context.Background(), s, func(*Image) (int, error) { return 0, nil }, func(im *Image, _ int) error {
		c.Append(im, times)
		times = 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		arrays, err := c.Take()
		if err != nil {
			t.Fatal(err)
		}
		if got = fmt.Sprint(arrays[0]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if _, ok := arrays[0].(*array.String); !ok {
			t.Errorf("%T", arrays[0])
		}
		want = "[]"
	}
}
