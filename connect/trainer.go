package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// trainer is a fit of one pass over rows that nobody keeps. What save has put
// on disk is there for good: another trainer goes on from it. It is for one
// goroutine.
//
// The checkpoint file is one of stage.Fitter, or, while there is none of these,
// an Arrow file of the rows that have come so far.
type trainer struct {
	config     stage.Config // of one epoch; Columns has one name
	checkpoint string       // path
	form       form         // what is known of it
	fitter     *stage.Fitter
	schema     *arrow.Schema
	settled    bool                // the fitter has a checkpoint on disk
	ahead      []arrow.RecordBatch // all rows, until it has
}

// open goes on from the checkpoint, if there is one.
func (t *trainer) open(ctx context.Context) error {
	file, err := os.Open(t.checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var magic [6]byte
	if n, _ := file.ReadAt(magic[:], 0); string(magic[:n]) == "ARROW1" {
		err = t.openAhead(ctx, file)
	} else {
		err = t.resume(file)
	}
	if err != nil {
		t.close()
		return fmt.Errorf("checkpoint %s: %w", t.checkpoint, err)
	}
	return nil
}

// resume goes on from a checkpoint of stage.Fitter.
func (t *trainer) resume(r io.Reader) error {
	from, err := stage.ReadCheckpoint(r)
	if err != nil {
		return err
	}
	b := from.Model.Binding
	if err := t.settle(form{model.Kind(b.Source), from.Model.Inputs}); err != nil {
		return err
	}
	if had := from.Model.Seed; had != t.config.Model.Seed { // a seed of 0 asks for one as well
		return fmt.Errorf("it is of a fit with seed %d, and now it is %d", had, t.config.Model.Seed)
	}
	t.settled = true
	t.schema = t.form.schema(t.config.Columns[0])
	c := t.config
	if c.FitDecay {
		c.Model.WeightDecay = 0 // the checkpoint has what it was lowered to
	}
	t.fitter, err = stage.ResumeForward(from, t.schema, c)
	return err
}

// settle takes over the form of rows, unless it contradicts what is known.
func (t *trainer) settle(f form) error {
	if err := t.fits(f); err != nil {
		return err
	}
	t.form = f
	return nil
}

// fits reports a form that contradicts what is known.
func (t *trainer) fits(f form) error {
	if elements[f.kind] == nil {
		return fmt.Errorf("its rows are of type %q, and a fit of messages has none of these", f.kind)
	}
	if want := (form{cmp.Or(t.form.kind, f.kind), cmp.Or(t.form.width, f.width)}); f != want {
		return fmt.Errorf("rows of %d values of type %s, where those of the fit have %d of type %s", f.width, f.kind, want.width, want.kind)
	}
	return nil
}

// settingsKey is where the settings are in the metadata of an Arrow file of
// rows.
const settingsKey = "aefeat.fit"

// openAhead begins with the rows of an Arrow file.
func (t *trainer) openAhead(ctx context.Context, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	from, err := arrowio.OpenReaderAt(file, info.Size(), t.checkpoint, arrowio.OpenOptions{})
	if err != nil {
		return err
	}
	defer from.Close()
	schema := from.Schema()
	text, ok := schema.Metadata().GetValue(settingsKey)
	if !ok {
		return errors.New("it holds no rows of a fit")
	}
	if err := t.agree(text); err != nil {
		return err
	}
	list, ok := schema.Field(0).Type.(*arrow.FixedSizeListType)
	if !ok {
		return errors.New("it holds no rows of a fit")
	}
	if err := t.settle(form{model.Kind(list.Elem().Name()), int(list.Len())}); err != nil {
		return err
	}
	r, err := from.Reader(ctx, nil)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		b := r.RecordBatch()
		b.Retain()
		if err := t.add(ctx, b); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// agree reports the first setting that is another than in JSON.
func (t *trainer) agree(text string) error {
	now, err := json.Marshal(t.config)
	if err != nil {
		return err
	}
	var is, was map[string]any
	if err := errors.Join(json.Unmarshal(now, &is), json.Unmarshal([]byte(text), &was)); err != nil {
		return err
	}
	if key, a, b := differ(is, was); key != "" {
		return fmt.Errorf("%s: %v was asked for, and the rows in it wait for a fit with %v: leave it so, or remove the file", key, a, b)
	}
	return nil
}

// differ returns the first key, in their order, whose values are not equal.
func differ(is, was map[string]any) (key string, a, b any) {
	for _, k := range slices.Sorted(maps.Keys(is)) {
		x, isMap := is[k].(map[string]any)
		y, wasMap := was[k].(map[string]any)
		if isMap && wasMap {
			if key, a, b := differ(x, y); key != "" {
				return key, a, b
			}
		} else if !reflect.DeepEqual(is[k], was[k]) {
			return k, is[k], was[k]
		}
	}
	return "", nil, nil
}

// check reports rows that the fit cannot take. The first that it can settle the
// form of all.
func (t *trainer) check(r model.Rows) error {
	f := form{r.Kind, r.Width}
	if err := t.fits(f); err != nil {
		return err
	}
	rule, err := model.NewPreprocess(t.config.Preprocess, string(f.kind), 0, model.Rows{})
	if err != nil {
		return err
	}
	m := model.Model{Config: t.config.Model, Preprocess: rule}
	m.Inputs = f.width
	if err := m.Check(r); err != nil {
		return err
	}
	t.form = f
	return nil
}

// write trains on rows that check has passed. It keeps their memory.
func (t *trainer) write(ctx context.Context, r model.Rows) error {
	if t.schema == nil {
		t.schema = t.form.schema(t.config.Columns[0])
	}
	return t.add(ctx, batch(t.schema, r))
}

// add trains on a batch, which it takes over.
func (t *trainer) add(ctx context.Context, b arrow.RecordBatch) error {
	if t.fitter == nil {
		t.schema = b.Schema()
		f, err := stage.NewFitter(t.schema, t.config)
		if err != nil {
			b.Release()
			return err
		}
		t.fitter = f
	}
	if t.settled {
		defer b.Release()
	} else {
		t.ahead = append(t.ahead, b)
	}
	return t.fitter.Write(ctx, b)
}

// save makes a checkpoint on disk that holds all rows. On an error the one
// before stays, and the trainer is to be closed: of the rows since then nobody
// is to know.
func (t *trainer) save() error {
	err := atomicfile.Write(t.checkpoint, t.fitter.Checkpoint)
	if errors.Is(err, stage.ErrTooEarly) {
		return t.saveAhead()
	}
	if err == nil {
		t.settled = true
		t.drop()
	}
	return err
}

// saveAhead writes all rows as they are.
func (t *trainer) saveAhead() error {
	settings, err := json.Marshal(t.config)
	if err != nil {
		return err
	}
	metadata := arrow.NewMetadata([]string{settingsKey}, []string{string(settings)})
	schema := arrow.NewSchema(t.schema.Fields(), &metadata)
	w, err := arrowio.Create(t.checkpoint, schema, arrowio.WriteOptions{Format: arrowio.Arrow})
	if err != nil {
		return err
	}
	for _, b := range t.ahead {
		if err := w.Write(b); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	return w.Close()
}

// finish returns the model of all rows, and ends the trainer.
func (t *trainer) finish(ctx context.Context) (*model.Model, error) {
	m, _, err := t.fitter.Finish(ctx)
	return m, err
}

// close gives back what the trainer holds. What is on disk stays.
func (t *trainer) close() {
	t.drop()
	if t.fitter != nil {
		t.fitter.Close()
	}
	t.fitter, t.schema, t.settled = nil, nil, false
}

// drop gives back the rows that are in a checkpoint.
func (t *trainer) drop() {
	for _, b := range t.ahead {
		b.Release()
	}
	t.ahead = nil
}
