package model

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/aefeat/aefeat/internal/f32"
)

// Statistics gathers, in one pass over any number of rows, what a rule of
// preprocessing learns from them: means, squares of distances from them and,
// for zca, their products.
//
// Rows are worked on in chunks, of 4,096 for zca and otherwise of 1,024, or as
// many as have 2^20 values. Each chunk is taken about its own mean, in float64
// except that products are summed in float32 inside it. Chunks join by the
// formulas of T. Chan, G. Golub and R. LeVeque, "Updating formulae and a
// pairwise algorithm for computing sample variances", 1979: values that are
// large beside their deviations lose nothing. How the rows are split over calls
// of Add does not matter. Learn, Drift, Merge and MarshalBinary end the current
// chunk early. So statistics of parts of the data, merged in their order, agree
// with those of one pass to rounding in float64 where all parts but the last
// are whole chunks, and to rounding in float32 otherwise.
//
// It is not safe for concurrent use.
type Statistics struct {
	p     Preprocess
	n     int
	chunk []float32 // rows scaled, on their way to the sums (rows,n)
	wait  int       // how many there are

	rows     int64
	mean     []float64 // (n); zeros for patch, where rows have none
	squares  []float64 // sums of squares of the distances from mean (n)
	products []float64 // sums of their products (n,n); nil unless for zca

	sums, parts, delta []float64 // of a chunk (n)
	centre             []float32 // (n)
	product            []float32 // (n,n); nil like products

	learned *moments // what Learn saw; nil before
}

// moments are the means and standard deviations of the inputs.
type moments struct{ mean, deviation []float64 }

// NewStatistics returns empty statistics for rule p, which is settled and has
// nothing learned yet, over rows of n values. It panics when p learns nothing.
func NewStatistics(p Preprocess, n int) *Statistics {
	if !p.Learns() {
		panic("model: statistics for a rule that learns nothing")
	}
	p.Learned = nil
	s := &Statistics{
		p: p, n: n,
		chunk:   make([]float32, p.chunkRows(n)*n),
		mean:    make([]float64, n),
		squares: make([]float64, n),
		sums:    make([]float64, n),
		parts:   make([]float64, n),
		delta:   make([]float64, n),
		centre:  make([]float32, n),
	}
	if p.Method == PreprocessZCA {
		s.products = make([]float64, n*n)
		s.product = make([]float32, n*n)
	}
	return s
}

// chunkRows is the number of rows of n values whose sums are formed at once.
func (p Preprocess) chunkRows(n int) int {
	if p.Method == PreprocessZCA {
		return chunkRows
	}
	return blockRows(n)
}

// Memory returns how many bytes it takes at most to learn the rule for rows of
// n values: a chunk of rows and, for zca, three square matrices in float64.
func (p Preprocess) Memory(n int) int64 {
	if !p.Learns() {
		return 0
	}
	size, rows := float64(n), float64(p.chunkRows(n))
	bytes := 4*rows*size + 52*size
	if p.Method == PreprocessZCA {
		bytes += 24*size*size + 2000*size
	}
	return int64(min(bytes, math.MaxInt64/2))
}

// Rows is the number of rows added, merged ones included.
func (s *Statistics) Rows() int64 { return s.rows + int64(s.wait) }

// Add adds the rows of r. Nothing of r is kept. Values are trusted; see
// [Model.Check].
func (s *Statistics) Add(r Rows) error {
	if err := r.check(s.n); err != nil {
		return err
	}
	scale, offset := s.p.factors()
	capacity := len(s.chunk) / s.n
	for i := 0; i < r.Len(); {
		taken := min(r.Len()-i, capacity-s.wait)
		r.convert(s.chunk[s.wait*s.n:(s.wait+taken)*s.n], nil, i, scale, offset)
		i += taken
		if s.wait += taken; s.wait == capacity {
			s.fold()
		}
	}
	return nil
}

// fold adds the chunk gathered so far to the sums.
func (s *Statistics) fold() {
	m, n := s.wait, s.n
	if m == 0 {
		return
	}
	s.wait = 0
	x := s.chunk[:m*n]
	switch {
	case s.p.Method == PreprocessPatch:
		f32.Clip(x, n, float32(math.Inf(1)), 1, 0)
		f32.ColumnSumSquares(s.squares, x)
		s.rows += int64(m)
		return
	case s.p.Contrast > 0:
		f32.Contrast(x, n, s.p.Contrast, nil)
	}
	rows := float64(m)
	clear(s.sums)
	f32.ColumnSums(s.sums, x)
	for j, sum := range s.sums {
		s.centre[j] = float32(sum / rows)
	}
	f32.Standardize(x, s.centre, nil)
	clear(s.sums) // from here on of what the rounded centre leaves
	f32.ColumnSums(s.sums, x)
	clear(s.parts)
	f32.ColumnSumSquares(s.parts, x)
	if s.products != nil {
		f32.Gemm(true, false, n, n, m, 1, x, n, x, n, 0, s.product, n)
	}
	for j, sum := range s.sums {
		s.delta[j] = float64(s.centre[j]) + sum/rows
	}
	weight := s.join(int64(m))
	for j, sum := range s.sums {
		s.squares[j] += s.parts[j] - float64(sum/rows*sum) + float64(weight*s.delta[j]*s.delta[j])
		if s.products == nil {
			continue
		}
		to, from := s.products[j*n:(j+1)*n], s.product[j*n:(j+1)*n]
		for i, product := range from {
			to[i] += float64(product) - float64(sum/rows*s.sums[i]) + float64(weight*s.delta[j]*s.delta[i])
		}
	}
}

// join takes rows into the mean whose own mean delta holds. It leaves there
// the distance of the two means, and returns the weight of its square in the
// sum of squares.
func (s *Statistics) join(rows int64) (weight float64) {
	total := s.rows + rows
	share := float64(rows) / float64(total)
	for j, mean := range s.delta {
		s.delta[j] = mean - s.mean[j]
		s.mean[j] += float64(share * s.delta[j])
	}
	weight = share * float64(s.rows)
	s.rows = total
	return weight
}

// Merge adds what b has gathered; b keeps its own. Both must be for one rule,
// and neither have learned it. The result depends, in the last digits, on
// which rows were whose and on the order of the merges, and on nothing else.
func (s *Statistics) Merge(b *Statistics) error {
	switch {
	case s == b:
		return errOwnSums
	case s.n == 0 || b == nil || b.n == 0:
		return errNoSums
	case s.learned != nil || b.learned != nil:
		return errLearned
	case s.p.meaning() != b.p.meaning() || s.n != b.n:
		return errors.New("the statistics are for another rule")
	}
	s.fold()
	b.fold()
	if b.rows == 0 {
		return nil
	}
	copy(s.delta, b.mean)
	weight := s.join(b.rows)
	for j, squares := range b.squares {
		s.squares[j] += squares + float64(weight*s.delta[j]*s.delta[j])
	}
	for i, product := range b.products {
		s.products[i] += product + float64(weight*s.delta[i/s.n]*s.delta[i%s.n])
	}
	return nil
}

var errLearned = errors.New("the statistics have been learned from")

// MarshalBinary returns what was gathered as bytes, for statistics of the same
// rule in another process. It keeps every bit. The layout is in the package
// comment. After Learn it is an error.
func (s *Statistics) MarshalBinary() ([]byte, error) { return marshalSums(s.settle()) }

// settle takes in the rows that wait and returns what the bytes hold.
func (s *Statistics) settle() (sumsForm, error) {
	switch {
	case s.n == 0:
		return sumsForm{}, errNoSums
	case s.learned != nil:
		return sumsForm{}, errLearned
	}
	s.fold()
	return s.form(), nil
}

// UnmarshalBinary replaces what s has gathered by what MarshalBinary wrote, for
// the same rule and width; anything else is an error that leaves s as it was. s
// must come from [NewStatistics] and not have been learned from.
func (s *Statistics) UnmarshalBinary(data []byte) error {
	switch {
	case s.n == 0:
		return errNoSums
	case s.learned != nil:
		return errLearned
	}
	if err := s.form().unmarshal(data); err != nil {
		return err
	}
	s.wait = 0
	return nil
}

// form is what the bytes of what was gathered hold.
func (s *Statistics) form() sumsForm {
	return sumsForm{kindStatistics, s.p.fingerprint(s.n), []any{&s.rows, s.mean, s.squares, s.products}}
}

// MarshalState returns all that s holds as bytes, from which
// [RestoreStatistics] goes on to the same bits: also the rows of the chunk that
// is not full, and what Learn saw. It changes nothing.
func (s *Statistics) MarshalState() ([]byte, error) {
	if s.n == 0 {
		return nil, errNoSums
	}
	return s.stateForm().marshal(), nil
}

// RestoreStatistics returns the statistics for rule p over rows of n values
// that MarshalState wrote. Bytes that were damaged, or are for another rule,
// are an error. It panics when p learns nothing.
func RestoreStatistics(p Preprocess, n int, data []byte) (*Statistics, error) {
	s := NewStatistics(p, n)
	learned := int64(0)
	if err := s.lengths(&learned, data); err != nil {
		return nil, err
	}
	if learned == 1 {
		inputs := n
		if p.Method == PreprocessPatch {
			inputs = 1
		}
		s.learned = &moments{make([]float64, inputs), make([]float64, inputs)}
		s.products, s.product = nil, nil
	}
	if err := s.stateForm().unmarshal(data); err != nil {
		return nil, err
	}
	return s, nil
}

// lengths sets how many rows of the chunk the state in data has, and whether
// it was learned from: the first two words, on which its length depends.
func (s *Statistics) lengths(learned *int64, data []byte) error {
	if len(data) < sumsHeader+16 {
		return errors.New("not the state of statistics")
	}
	words := data[sumsHeader:]
	wait := int64(binary.LittleEndian.Uint64(words))
	*learned = int64(binary.LittleEndian.Uint64(words[8:]))
	if wait < 0 || wait >= int64(len(s.chunk)/s.n) || *learned < 0 || *learned > 1 {
		return fmt.Errorf("statistics with %d rows in their chunk, learned from %d times", wait, *learned)
	}
	s.wait = int(wait)
	return nil
}

// stateForm is what the bytes of the state hold. It depends on how many rows
// wait, and on whether anything was learned.
func (s *Statistics) stateForm() sumsForm {
	wait, learned := int64(s.wait), int64(0)
	l := &moments{}
	if s.learned != nil {
		learned, l = 1, s.learned
	}
	return sumsForm{kindLearning, s.p.fingerprint(s.n), []any{&wait, &learned,
		&s.rows, s.mean, s.squares, s.products, s.chunk[:s.wait*s.n], l.mean, l.deviation}}
}

// Learn returns the rule with what it has learned from the rows so far. It is
// called once. More rows may follow, for [Statistics.Drift].
//
// For zca it takes about 5 n^3 operations, some seconds for 3,000 inputs; when
// ctx ends meanwhile it returns ctx.Err() within a fraction of a second, and s
// is of no more use. Any other error is a [*ConfigError]: the rows are too
// large to be squared, or there are none.
func (s *Statistics) Learn(ctx context.Context) (Preprocess, error) {
	if s.learned != nil {
		panic("model: statistics are learned from once")
	}
	s.fold()
	if s.rows == 0 {
		return Preprocess{}, &ConfigError{"Preprocess", fmt.Sprintf("%s has no rows to learn from", s.p.Method), ""}
	}
	s.learned = s.moments()
	l := &Learned{Rows: s.rows}
	p := s.p
	p.Learned = l
	switch p.Method {
	case PreprocessPatch:
		l.Deviation = s.learned.deviation[0]
	case PreprocessStandardize:
		l.Mean = narrowed(s.mean)
		l.Scale = make([]float32, s.n)
		for j, deviation := range s.learned.deviation {
			// Rounding leaves a constant input no deviation at all.
			if deviation > 0 {
				l.Scale[j] = float32(1 / math.Sqrt(float64(deviation*deviation)+p.Epsilon))
			}
		}
	case PreprocessZCA:
		products := s.products
		s.products, s.product = nil, nil
		l.Mean = narrowed(s.mean)
		var err error
		if l.Whiten, err = whitening(ctx, products, s.n, s.rows, p.Epsilon); err != nil {
			return Preprocess{}, err
		}
	}
	if err := p.validate(); err != nil || !f32.AllFinite(l.Mean) || !f32.AllFinite(l.Scale) || !f32.AllFinite(l.Whiten) {
		return Preprocess{}, &ConfigError{"Preprocess",
			fmt.Sprintf("the values are too large for %s", p.Method),
			"scale them first, for instance with `PixelMax`"}
	}
	return p, nil
}

func narrowed(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// moments returns the means and deviations of the chunks that are folded. For
// patch all values are those of one input.
func (s *Statistics) moments() *moments {
	if s.p.Method == PreprocessPatch {
		sum := 0.0
		for _, squares := range s.squares {
			sum += squares
		}
		return &moments{[]float64{0}, []float64{math.Sqrt(sum / float64(s.rows) / float64(s.n))}}
	}
	m := &moments{slices.Clone(s.mean), make([]float64, s.n)}
	for j, squares := range s.squares {
		m.deviation[j] = math.Sqrt(max(0, squares) / float64(s.rows))
	}
	return m
}

// Drift tells how far what Learn saw is from all rows so far, in standard
// deviations: for each input the distance of the two means over the deviation,
// or the share by which the deviations differ, whichever is more, and of the
// inputs that vary the median. Chance makes it about 1/sqrt(rows learned from);
// rows that are sorted, or change as they come, make it much more. It is 0
// before Learn.
func (s *Statistics) Drift() float64 {
	if s.learned == nil {
		return 0
	}
	s.fold()
	now := s.moments()
	var drifts []float64
	for j, deviation := range now.deviation {
		if deviation > 0 {
			drifts = append(drifts, max(math.Abs(s.learned.mean[j]-now.mean[j]), math.Abs(s.learned.deviation[j]-deviation))/deviation)
		}
	}
	if len(drifts) == 0 {
		return 0
	}
	slices.Sort(drifts)
	return drifts[len(drifts)/2]
}
