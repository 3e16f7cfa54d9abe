package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
	"github.com/aefeat/aefeat/testdata"
)

// digits returns a part of the digits in testdata: two lines of pixels in the
// middle of each.
var digits = sync.OnceValue(func() model.Rows {
	from, err := arrowio.OpenReaderAt(strings.NewReader(testdata.DigitsTrain), int64(len(testdata.DigitsTrain)), "digits", arrowio.OpenOptions{})
	if err != nil {
		panic(err)
	}
	defer from.Close()
	r, err := from.Reader(context.Background(), nil)
	if err != nil {
		panic(err)
	}
	defer r.Release()
	binding, err := patch.Bind(from.Schema(), patch.BindOptions{Columns: []string{"image"}})
	if err != nil {
		panic(err)
	}
	all := model.Rows{Kind: model.Uint8, Width: 56}
	for r.Next() {
		rows, _, err := binding.Rows(r.RecordBatch(), int64(all.Len()))
		if err != nil {
			panic(err)
		}
		for lo := 0; lo < len(rows.Data); lo += 784 {
			all.Data = append(all.Data, rows.Data[lo+13*28:lo+15*28]...)
		}
	}
	return all
})

// some returns rows lo up to hi, the first again where there are no more.
func some(lo, hi int) model.Rows {
	all := digits()
	r := model.Rows{Kind: all.Kind, Width: all.Width}
	for i := lo; i < hi; i++ {
		at := i % all.Len() * all.Width
		r.Data = append(r.Data, all.Data[at:at+all.Width]...)
	}
	return r
}

// object returns a row of uint8 as a message.
func object(r model.Rows, i int) []byte {
	x := make([]int, r.Width)
	for j, v := range r.Data[i*r.Width : (i+1)*r.Width] {
		x[j] = int(v)
	}
	b, err := json.Marshal(map[string]any{"id": i, "image": x})
	if err != nil {
		panic(err)
	}
	return b
}

// rowMessages returns rows as JSON messages.
func rowMessages(r model.Rows) (all service.MessageBatch) {
	for i := range r.Len() {
		all = append(all, service.NewMessage(object(r, i)))
	}
	return all
}

// fitted returns the file of the model that a fit of rows has.
func fitted(t *testing.T, r model.Rows, c stage.Config) []byte {
	t.Helper()
	b := batch(form{r.Kind, r.Width}.schema(c.Columns[0]), r)
	defer b.Release()
	reader, err := array.NewRecordReader(b.Schema(), []arrow.RecordBatch{b})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	m, _, err := stage.Fit(context.Background(), reader, c)
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, m)
}

// config returns settings for files in a folder, and more lines of them.
func config(dir string, more ...string) string {
	lines := []string{
		"checkpoint: '" + filepath.Join(dir, "state") + "'", "model: '" + filepath.Join(dir, "model") + "'",
		"patch: image", "hidden: 5", "seed: 3", "max_in_flight: 1",
	}
	return strings.Join(append(lines, more...), "\n")
}

// several leaves max_in_flight to later lines.
func several(settings string) string { return strings.Replace(settings, "max_in_flight: 1\n", "", 1) }

// newOutput returns an output of the given settings.
func newOutput(settings string) (*fitOutput, error) {
	conf, err := fitSpec().ParseYAML(settings, nil)
	if err != nil {
		return nil, err
	}
	o, _, _, err := newFitOutput(conf, service.MockResources())
	if err != nil {
		return nil, err
	}
	return o.(*fitOutput), nil
}

func start(t *testing.T, settings string) *fitOutput {
	t.Helper()
	o, err := newOutput(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.trainer.close() })
	return o
}

func stop(t *testing.T, o *fitOutput) []byte {
	t.Helper()
	if err := o.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return file(t, o.settings.model)
}

func file(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, o *fitOutput, b service.MessageBatch) {
	t.Helper()
	if err := o.WriteBatch(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// The model is that of a fit of the same rows, to the byte, however they are
// cut into batches and wherever the program was started again: before the first
// checkpoint of training, while preprocessing is learned, and later.
func TestModelIsThatOfAFit(t *testing.T) {
	for name, c := range map[string]struct {
		rows, cut, restart int
		more               string
	}{
		"few rows":                 {300, 100, 1000, ""},
		"few rows, again":          {300, 100, 1, ""},
		"many rows":                {5000, 512, 1000, ""},
		"many rows, again":         {5000, 700, 1, ""},
		"learned ahead":            {3000, 512, 1000, "preprocess: standardize\npreprocess_rows: 1500"},
		"learned ahead, again":     {3000, 400, 1, "preprocess: standardize\npreprocess_rows: 1500"},
		"too few to learn, again":  {1400, 400, 1, "preprocess: standardize\npreprocess_rows: 1500"},
		"k-sparse, at every third": {2500, 300, 3, "objective: k-sparse"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := config(t.TempDir(), c.more)
			o := start(t, settings)
			of := o.trainer.config
			for i, lo := 0, 0; lo < c.rows; i, lo = i+1, lo+c.cut {
				write(t, o, rowMessages(some(lo, min(lo+c.cut, c.rows))))
				if (i+1)%c.restart == 0 {
					if i%2 == 0 {
						stop(t, o) // otherwise it just goes away
					}
					o = start(t, settings)
				}
			}
			if got := stop(t, o); !bytes.Equal(got, fitted(t, some(0, c.rows), of)) {
				t.Error("the model is another")
			}
		})
	}
}

// The model is written after so many rows, too.
func TestModelSoFar(t *testing.T) {
	dir := t.TempDir()
	o := start(t, config(dir, "every_rows: 1500"))
	write(t, o, rowMessages(some(0, 1200)))
	if _, err := os.Stat(filepath.Join(dir, "model")); err == nil {
		t.Error("a model after 1,200 rows")
	}
	write(t, o, rowMessages(some(1200, 2000)))
	if !bytes.Equal(file(t, o.settings.model), fitted(t, some(0, 2000), o.trainer.config)) {
		t.Error("the model so far is another")
	}
	write(t, o, rowMessages(some(2000, 2500)))
	if !bytes.Equal(stop(t, o), fitted(t, some(0, 2500), o.trainer.config)) {
		t.Error("the model at the end is another")
	}
}

// failures returns the errors of messages.
func failures(t *testing.T, b service.MessageBatch, err error) []error {
	t.Helper()
	all := make([]error, len(b))
	var e *service.BatchError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of single messages", err)
	}
	e.WalkMessages(func(i int, _ *service.Message, err error) bool {
		all[i] = err
		return true
	})
	return all
}

// A bad message fails alone, with the reason; the model has the rows of the
// others.
func TestFitBadMessages(t *testing.T) {
	for name, c := range map[string]struct {
		more string
		good string
		bad  map[string]string // and what its error says
	}{
		"uint8": {"", `{"image":[0, 255, 1e1]}`, map[string]string{
			`{"image":[0,300,1]}`:     "image[1] is 300, expected uint8, a whole number from 0 to 255",
			`{"image":[0,-1,1]}`:      "is -1, expected uint8",
			`{"image":[0,1.5,1]}`:     "is 1.5, expected uint8",
			`{"image":[0,1e999,1]}`:   "is 1e999, expected uint8",
			`{"image":[0,"7",1]}`:     "image[1] is a string, expected uint8",
			`{"image":[0,null,1]}`:    "is null, expected uint8",
			`{"image":[0,[1],1]}`:     "is an array, expected a number",
			`{"image":[0,{"a":1},1]}`: "is an object, expected uint8",
			`{"image":[0,1]}`:         "rows of 2 values of type uint8, where those of the fit have 3",
			`{"image":[0,1,2,3]}`:     "rows of 4 values",
			`{"image":[]}`:            `"image" has no numbers`,
			`{"image":[[]]}`:          "has no numbers",
			`{"image":"AAAA"}`:        "is a string, expected an array of numbers",
			`{"image":null}`:          "is null, expected an array of numbers",
			`{"patch":[0,1,2]}`:       `"image" is missing`,
			`{"image":[0,1,2]`:        "not valid JSON",
			`[0,1,2]`:                 "neither a JSON object nor",
			`nonsense`:                "neither a JSON object nor",
			``:                        "is empty",
		}},
		"uint16": {"type: uint16", `{"image":[0,65535,1]}`, map[string]string{`{"image":[0,65536,1]}`: "expected uint16, a whole number from 0 to 65535"}},
		"float32": {"type: float32\npreprocess: none", `{"image":[0,1,0.5]}`, map[string]string{
			`{"image":[0,1e39,1]}`: "beyond the range of float32",
			`{"image":[0,1.5,1]}`:  "outside 0 to 1",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := start(t, config(t.TempDir(), c.more))
			var all service.MessageBatch
			var want []string
			for bad, says := range c.bad {
				if len(all) == 0 {
					all, want = append(all, service.NewMessage([]byte(c.good))), append(want, "")
				}
				all, want = append(all, service.NewMessage([]byte(bad))), append(want, says)
				all, want = append(all, service.NewMessage([]byte(c.good))), append(want, "")
			}
			for i, err := range failures(t, all, o.WriteBatch(context.Background(), all)) {
				text, _ := all[i].AsBytes()
				if (err != nil) != (want[i] != "") || err != nil && !strings.Contains(err.Error(), want[i]) {
					t.Errorf("%s: %v; want %q", text, err, want[i])
				}
			}
			one, err := o.source.rows([]byte(c.good))
			if err != nil {
				t.Fatal(err)
			}
			good := one
			for range c.bad {
				good.Data = append(good.Data, one.Data...)
			}
			if !bytes.Equal(stop(t, o), fitted(t, good, o.trainer.config)) {
				t.Error("the model is not that of the good rows")
			}
		})
	}
}

// A batch of nothing but bad messages leaves no state, and what is wrong with
// the first does not settle the width.
func TestNothingButBadMessages(t *testing.T) {
	dir := t.TempDir()
	o := start(t, config(dir, "type: float32"))
	bad := service.MessageBatch{service.NewMessage([]byte(`{"image":[2,3]}`))}
	for range 2 {
		if err := o.WriteBatch(context.Background(), bad); err == nil {
			t.Error("a bad message was taken")
		}
	}
	write(t, o, service.MessageBatch{service.NewMessage([]byte(`{"image":[0,1,1]}`))})
	stop(t, o)
	if o := start(t, config(t.TempDir())); o.Close(context.Background()) != nil {
		t.Error("an end without rows")
	}
}

// Batches that come at the same time wait for one checkpoint, and all are in
// the model.
func TestBatchesInFlight(t *testing.T) {
	for name, more := range map[string]string{
		"half of them": "max_in_flight: 15\ncheckpoint_every: 1h",
		"fewer":        "max_in_flight: 100\ncheckpoint_every: 10ms",
	} {
		t.Run(name, func(t *testing.T) {
			o := start(t, several(config(t.TempDir(), more)))
			var group sync.WaitGroup
			for worker := range 8 {
				group.Go(func() {
					for i := range 5 {
						lo := 100 * (5*worker + i)
						if err := o.WriteBatch(context.Background(), rowMessages(some(lo, lo+100))); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			m, err := model.Read(bytes.NewReader(stop(t, o)))
			if err != nil || m.RowsSeen != 4000 {
				t.Errorf("a model of %d rows, %v", m.RowsSeen, err)
			}
		})
	}
}

// A context that ends while a batch waits does not leave open whether it was
// taken: its checkpoint is made at once.
func TestEndOfContext(t *testing.T) {
	o := start(t, several(config(t.TempDir(), "max_in_flight: 4", "checkpoint_every: 1h")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.WriteBatch(ctx, rowMessages(some(0, 100))); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(stop(t, o), fitted(t, some(0, 100), o.trainer.config)) {
		t.Error("the model is another")
	}
}

// While no checkpoint can be written messages fail, those that were sent again
// are in the model once, and none is lost.
func TestFullDisk(t *testing.T) {
	for _, c := range []struct{ before, after int }{{0, 500}, {500, 700}, {3000, 4000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			settings := config(t.TempDir())
			o := start(t, settings)
			if c.before > 0 {
				write(t, o, rowMessages(some(0, c.before)))
			}
			restore := disk.Inject(func(call disk.Call) disk.Fault {
				if call.Op == "write" && strings.Contains(call.Name, filepath.Dir(o.trainer.checkpoint)) {
					return disk.Fault{Err: syscall.ENOSPC}
				}
				return disk.Fault{}
			})
			err := o.WriteBatch(context.Background(), rowMessages(some(c.before, c.after)))
			restore()
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%v, want a full disk", err)
			}
			write(t, o, rowMessages(some(c.before, c.after)))
			if !bytes.Equal(stop(t, o), fitted(t, some(0, c.after), o.trainer.config)) {
				t.Error("the model is another")
			}
		})
	}
}

func TestMissingFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	o := start(t, config(dir))
	if err := o.WriteBatch(context.Background(), rowMessages(some(0, 10))); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, o, rowMessages(some(0, 10)))
	if !bytes.Equal(stop(t, o), fitted(t, some(0, 10), o.trainer.config)) {
		t.Error("the model is another")
	}
}

// Other settings, and files that are not of this fit, are refused at the start.
func TestRefusals(t *testing.T) {
	for _, rows := range []int{100, 2000} { // with a checkpoint of rows, and one of training
		dir := t.TempDir()
		o := start(t, config(dir))
		write(t, o, rowMessages(some(0, rows)))
		stop(t, o)
		for more, says := range map[string]string{
			"hidden: 6":                  "6",
			"seed: 4":                    "4",
			"seed: 0":                    "seed",
			"objective: denoising":       "was asked for",
			"preprocess: patch":          "patch",
			"inputs: 55":                 "56",
			"patch: patch":               "patch",
			"model: '" + dir + "/state'": "one file",
		} {
			key, _, _ := strings.Cut(more, ":")
			settings := []string{more}
			for _, line := range strings.Split(config(dir), "\n") {
				if !strings.HasPrefix(line, key+":") {
					settings = append(settings, line)
				}
			}
			if _, err := newOutput(strings.Join(settings, "\n")); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%d rows, %s: %v", rows, more, err)
			}
		}
		start(t, config(dir))

		other := t.TempDir()
		for name, c := range map[string]struct{ from, to, says string }{
			"a model for a checkpoint": {"model", "state", "checkpoint"},
			"no checkpoint":            {"model", "model", "is there and checkpoint"},
		} {
			into := filepath.Join(other, name)
			if err := os.Mkdir(into, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(into, c.to), file(t, filepath.Join(dir, c.from)), 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := newOutput(config(into)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d rows, %s: %v", rows, name, err)
			}
		}
		into := filepath.Join(other, "another model")
		o = start(t, strings.ReplaceAll(config(into), "hidden: 5", "hidden: 4"))
		if err := os.Mkdir(into, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, o, rowMessages(some(0, rows)))
		stop(t, o)
		if err := os.WriteFile(filepath.Join(into, "model"), file(t, filepath.Join(dir, "model")), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := newOutput(strings.ReplaceAll(config(into), "hidden: 5", "hidden: 4")); err == nil || !strings.Contains(err.Error(), "another fit") {
			t.Errorf("%d rows, another model: %v", rows, err)
		}
	}
}

// rowsFile returns rows as a file.
func rowsFile(t *testing.T, r model.Rows, format arrowio.Format) []byte {
	t.Helper()
	b := batch(form{r.Kind, r.Width}.schema("image"), r)
	defer b.Release()
	return dataFile(t, b, format)
}

// Arrow and Parquet files have many rows, and are taken whole or not at all.
func TestFitPayloads(t *testing.T) {
	o := start(t, config(t.TempDir()))
	wrong := model.Float32Rows([]float32{1, 2}, 2)
	damaged := rowsFile(t, some(0, 100), arrowio.Parquet)
	damaged[len(damaged)/2] ^= 1
	all := service.MessageBatch{
		service.NewMessage(rowsFile(t, some(0, 700), arrowio.Arrow)),
		service.NewMessage(rowsFile(t, wrong, arrowio.Arrow)),
		service.NewMessage(rowsFile(t, some(700, 1400), arrowio.Parquet)),
		service.NewMessage(damaged),
		service.NewMessage(rowsFile(t, some(1400, 2000), arrowio.Stream)),
		service.NewMessage(object(some(2000, 2001), 0)),
	}
	for i, err := range failures(t, all, o.WriteBatch(context.Background(), all)) {
		if bad := i == 1 || i == 3; bad != (err != nil) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if !bytes.Equal(stop(t, o), fitted(t, some(0, 2001), o.trainer.config)) {
		t.Error("the model is another")
	}
}

// Rows beyond the window that the first epoch shuffles in are trained on before
// the end. Going on in the midst of that changes nothing.
func TestBeyondTheWindow(t *testing.T) {
	const n, width = 70_000, 2 // a window has 65,536 rows
	all := model.Rows{Kind: model.Uint8, Width: width}
	for i := range n * width {
		all.Data = append(all.Data, uint8(i*i>>3))
	}
	settings := config(t.TempDir())
	o := start(t, settings)
	of := o.trainer.config
	lo := 0
	for _, hi := range []int{n - 4000, n - 5, n} {
		part := all
		part.Data = all.Data[lo*width : hi*width]
		lo = hi
		if err := o.trainer.check(part); err != nil {
			t.Fatal(err)
		}
		if err := o.trainer.write(context.Background(), part); err != nil {
			t.Fatal(err)
		}
		if err := o.trainer.save(); err != nil {
			t.Fatal(err)
		}
		o = start(t, settings)
	}
	if !o.trainer.settled || !bytes.Equal(stop(t, o), fitted(t, all, of)) {
		t.Error("the model is another")
	}
}
