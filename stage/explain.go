package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/internal/rng"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// ExplainConfig says where the patch is and which rows are kept.
type ExplainConfig struct {
	EvaluateConfig

	// Top is how many rows are kept of each unit. 0: DefaultTop. The h*Top rows
	// that are kept take their n values, as they are stored, and about 200
	// bytes each, and the values of Keep. Without these it may be 1 GiB at
	// most.
	Top int

	// Sample is how many rows are drawn by lot, whatever their codes are. 0:
	// none.
	Sample int

	// Keep names columns of integers, strings or booleans: their values go with
	// the rows that are kept. Text of more than 4,096 bytes is an error.
	Keep []string
}

// DefaultTop is a line of patches that fits beside a filter.
const DefaultTop = 9

// maxKept bounds the bytes of the rows that Explain keeps, each of which takes
// keptBytes beside its patch.
const (
	maxKept   = 1 << 30
	keptBytes = 200
)

// Explanation tells which rows excite the units of a model.
type Explanation struct {
	Rows  int64             // that the model takes
	Units []UnitExplanation // (h)

	// Sample are rows drawn by lot, each as likely as any other, in their
	// order. The lot depends on the seed of the model and the row's number.
	Sample []KeptRow

	Skipped int64 // bad rows left out

	// BadRows tells why they were, and which came first.
	BadRows patch.BadRows
}

// UnitExplanation is what is known of one hidden unit.
type UnitExplanation struct {
	model.Unit

	// Best are the rows with the largest codes, the largest first; of equal
	// codes that of the first row. Largest is by value: a unit that answers
	// with negative codes shows what makes it least negative. Rows on which a
	// relu unit is at 0, or whose code a k-sparse model does not keep, do not
	// count, so there may be fewer than Top, and none of a unit that is never
	// active.
	Best []KeptRow
}

// KeptRow is a row of the input.
type KeptRow struct {
	Row  int64   // its number
	Code float32 // of the unit; 0 in a sample

	// Patch is this row alone, as it came: before preprocessing.
	Patch model.Rows

	Kept []patch.Label // the values of ExplainConfig.Keep
}

// Explain finds, in one pass over all rows of r, which it does not release,
// those with the largest codes for each unit of m. Equal rows give an equal
// result on any number of cores. Without rows it returns [ErrNoRows]. It has
// ended all goroutines when it returns; ctx is looked at between batches.
func Explain(ctx context.Context, m *model.Model, r array.RecordReader, c ExplainConfig) (*Explanation, error) {
	s, err := newScan(ctx, m, r, c.EvaluateConfig)
	if err != nil {
		return nil, err
	}
	if c.Top == 0 {
		c.Top = DefaultTop
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if s.in.tags, err = newTags(r.Schema(), c.Keep); err != nil {
		return nil, err
	}
	defer s.in.tags.release()
	e := &explainer{
		scan: s, encoder: model.NewEncoder(s.model), units: model.NewUnitSums(s.model.Config),
		gated:  s.model.K > 0 || s.model.Activation == model.ReLU,
		best:   slices.Repeat([]ranking{{most: c.Top}}, s.model.Hidden),
		least:  slices.Repeat([]float32{float32(math.Inf(-1))}, s.model.Hidden),
		sample: ranking{most: c.Sample},
		codes:  make([]float32, encodeRows*s.model.Hidden),
	}
	if err := s.run(ctx, e.add); err != nil {
		return nil, err
	}
	return e.explanation(), nil
}

// check reports settings that are out of bounds.
func (c ExplainConfig) check(s *scan) error {
	rowBytes := float64(s.model.Inputs*s.in.binding.Kind().Size() + keptBytes)
	switch {
	case c.Top < 0:
		return &model.ConfigError{Setting: "Top", Reason: fmt.Sprintf("%d is not a positive number", c.Top)}
	case c.Sample < 0:
		return &model.ConfigError{Setting: "Sample", Reason: fmt.Sprintf("%d is negative", c.Sample)}
	case (float64(s.model.Hidden)*float64(c.Top)+float64(c.Sample))*rowBytes > maxKept:
		return &model.ConfigError{Setting: "Top",
			Reason: fmt.Sprintf("%d rows for each of %d units take more than 1 GiB", c.Top, s.model.Hidden), Hint: "ask for a smaller `Top`"}
	}
	return nil
}

// explainer gathers an Explanation.
type explainer struct {
	*scan
	encoder *model.Encoder
	codes   []float32 // (encodeRows,h)
	units   *model.UnitSums
	gated   bool      // a code of 0 is no answer
	best    []ranking // (h)
	least   []float32 // (h): codes up to these are not among the best
	sample  ranking
}

// add takes a block of rows in.
func (e *explainer) add(rows model.Rows) error {
	if rows.Len() == 0 {
		return nil
	}
	e.in.tags.from(rows.Number[0])
	for lo := 0; lo < rows.Len(); lo += encodeRows {
		chunk := cut(rows, lo, min(lo+encodeRows, rows.Len()))
		err := e.encode(chunk)
		var overflow *model.RangeError
		switch {
		case err == nil:
			continue
		case !e.skip || !errors.As(err, &overflow):
			return located(err, e.columns, e.model, nil)
		}
		// A row's code does not depend on the rows beside it.
		for i := range chunk.Len() {
			err := e.encode(cut(chunk, i, i+1))
			if errors.As(err, &overflow) {
				e.bad.Add(patch.BadRow{Row: chunk.Number[i], Reason: patch.OutOfRange})
				e.rows--
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// encode ranks rows by their codes. After an error of the encoder none of them
// has been ranked.
func (e *explainer) encode(rows model.Rows) error {
	h := e.model.Hidden
	codes := e.codes[:rows.Len()*h]
	if err := e.encoder.Encode(codes, rows); err != nil {
		return err
	}
	e.units.Add(codes)
	for i, number := range rows.Number {
		for unit, code := range codes[i*h : (i+1)*h] {
			if code <= e.least[unit] || e.gated && code == 0 {
				continue
			}
			best := &e.best[unit]
			if err := e.rank(best, float64(code), rows, i); err != nil {
				return err
			}
			if n := len(best.rows); n == best.most {
				e.least[unit] = float32(best.rows[n-1].score)
			}
		}
		if e.sample.most == 0 {
			continue
		}
		lot := rng.New(e.model.Seed, rng.Shuffle, 0, uint64(number))
		if err := e.rank(&e.sample, lot.Float64(), rows, i); err != nil {
			return err
		}
	}
	return nil
}

// rank keeps row i of rows in r if it is among the best there.
func (e *explainer) rank(r *ranking, score float64, rows model.Rows, i int) error {
	if !r.takes(score) {
		return nil
	}
	kept, err := e.in.tags.at(rows.Number[i])
	if err != nil {
		return err
	}
	r.insert(score, rows, i, kept)
	return nil
}

// explanation is what the rows so far tell.
func (e *explainer) explanation() *Explanation {
	x := &Explanation{Rows: e.rows, Units: make([]UnitExplanation, e.model.Hidden), Skipped: e.bad.Total(), BadRows: e.bad.BadRows}
	for i, u := range e.units.Units() {
		x.Units[i].Unit = u
		for _, r := range e.best[i].rows {
			row := r.KeptRow
			row.Code = float32(r.score)
			x.Units[i].Best = append(x.Units[i].Best, row)
		}
	}
	for _, r := range e.sample.rows {
		x.Sample = append(x.Sample, r.KeptRow)
	}
	slices.SortFunc(x.Sample, func(a, b KeptRow) int { return cmp.Compare(a.Row, b.Row) })
	return x
}

// ranking keeps the rows with the largest scores, the largest first, and of
// equal ones the first.
type ranking struct {
	most int
	rows []ranked
}

type ranked struct {
	KeptRow
	score float64
}

// takes reports whether a row with the score, after those before, is kept.
func (r *ranking) takes(score float64) bool {
	n := len(r.rows)
	return n < r.most || n > 0 && score > r.rows[n-1].score
}

// insert keeps a copy of row i of rows, in the memory of the one that it
// displaces.
func (r *ranking) insert(score float64, rows model.Rows, i int, kept []patch.Label) {
	row := cut(rows, i, i+1)
	var old []byte
	if n := len(r.rows); n == r.most {
		old = r.rows[n-1].Patch.Data
		r.rows = r.rows[:n-1]
	}
	row.Data = append(old[:0], row.Data...)
	row.Number = slices.Clone(row.Number)
	at := len(r.rows)
	for at > 0 && score > r.rows[at-1].score {
		at--
	}
	r.rows = slices.Insert(r.rows, at, ranked{KeptRow{Row: row.Number[0], Patch: row, Kept: kept}, score})
}
