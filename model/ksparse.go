package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/aefeat/aefeat/internal/f32"
)

// k-sparse codes: of each row the k largest z, bias included, are the code,
// with their sign, and the others are 0. Among equals the lowest index wins.
// The gradient flows only through what was kept, and not through a z that is
// exactly 0, where kept and not kept look alike.
//
// A. Makhzani and B. Frey, "k-Sparse autoencoders", ICLR 2014.

// KSparse returns the k-sparse autoencoder of A. Makhzani and B. Frey,
// "k-Sparse autoencoders", ICLR 2014: tied weights, linear codes and output, k
// 25, but at most a quarter of the units, and twice as many in encoding. Weight
// decay is not in the paper: a lambda of 0.01 makes better features of rows
// like those of digits. Where values are smaller, or units more,
// [Config.KSparseDecay] is less.
func KSparse(hidden int) Config {
	return Config{Objective: ObjectiveKSparse, Hidden: hidden, Activation: Linear, Output: Linear, Tied: true,
		WeightDecay: 0.01, K: max(1, min(25, hidden/4)), KEncode: 2}
}

// ksparseDecay times the variance of a row and the share of codes kept is the
// lambda of k-sparse codes, as far as it is below the usual one. What a unit
// gains of the cost grows with the variance and with how often it is kept, what
// its weights add does not, and a unit that gains less than it adds is best at
// 0. The factor was chosen by dead units, error and features of three kinds of
// data: see Dead units in bench/SEARCHES.md.
const ksparseDecay = 2e-3

// KSparseDecay returns the weight decay that suits k-sparse codes of c of rows
// like r, which p preprocesses: the usual 0.01 of [KSparse] or, where that
// would leave many units dead, 2e-3 K/Hidden times the variance of a row,
// summed over its n values, to two digits. What p learns need not be learned
// yet. After standardize and zca it is the usual one. Values are trusted.
func (c Config) KSparseDecay(p Preprocess, r Rows) float64 {
	usual := KSparse(c.Hidden).WeightDecay
	variance := math.Inf(1)
	switch p.Method {
	case PreprocessNone, PreprocessScale:
		if r.Len() > 0 {
			variance = p.variance(r)
		}
	case PreprocessPatch: // which gives all values one deviation
		deviation := patchReach / patchDeviations
		variance = float64(r.Width) * float64(deviation*deviation)
	}
	decay := ksparseDecay * float64(c.K) / float64(c.Hidden) * variance
	if !(decay < usual) { // or NaN
		return usual
	}
	decay, _ = strconv.ParseFloat(strconv.FormatFloat(decay, 'g', 2, 64), 64)
	return decay
}

// variance is the variance of the values of rows after scaling, summed over
// them.
func (p Preprocess) variance(r Rows) float64 {
	s, x := newSpread(r.Width), make([]float32, r.Width)
	scale, offset := p.factors()
	for i := range r.Len() {
		r.convert(x, nil, i, scale, offset)
		s.add(x)
	}
	sum := 0.0
	for _, d := range s.deviations(int64(r.Len())) {
		sum += float64(d * d)
	}
	return sum
}

// checkKSparse reports what in c does not go with k-sparse codes.
func (c Config) checkKSparse() error {
	hint := "choose `Objective` k-sparse, which has them"
	if c.Objective == ObjectiveKSparse {
		hint = "choose `Activation` linear, which the k-sparse objective has"
	}
	switch {
	case c.K == 0:
	case c.K < 0 || c.K > c.Hidden:
		return &ConfigError{"K",
			fmt.Sprintf("%d is not a number of hidden units from 1 to %d", c.K, c.Hidden),
			"keep fewer codes with `K`, or ask for more units with `Hidden`"}
	case c.Activation != Linear:
		return &ConfigError{"K",
			fmt.Sprintf("k-sparse codes need linear hidden units, not %s", c.Activation),
			hint}
	case c.Contraction > 0:
		return &ConfigError{"Contraction",
			"the contraction term does not go with k-sparse codes",
			"set `Contraction` to 0, or `K` to 0, which keeps all codes"}
	}
	return nil
}

func (c Config) ksparseWords() Term {
	if c.K == 0 {
		return Term{}
	}
	return Term{"codes kept", fmt.Sprintf("the largest %d in training, %g times as many in encoding", c.K, cmp.Or(c.KEncode, 1))}
}

// annealFrom times k codes are kept at first. If few were kept from the start,
// the units that begin best would learn everything, and the others nothing
// (section 4.2 of the paper).
const annealFrom = 4

// keepAt is how many codes of a row training keeps when done of the planned
// epochs are over. It starts at annealFrom times k and stays there in the
// first epoch, whose length is not known before its end; then it falls
// linearly, to k at half the planned epochs.
func (c Config) keepAt(done, planned float64) int {
	first := min(c.Hidden, annealFrom*c.K)
	switch half := planned / 2; {
	case planned <= 1 || done >= half && done >= 1:
		return c.K
	case done <= 1:
		return first
	default:
		return c.K + int(math.Round(float64(first-c.K)*(half-done)/(half-1)))
	}
}

// Kept is how many codes of a row encoding keeps, round(alpha k), half to even,
// but at least one; 0: all.
func (c Config) Kept() int {
	if c.K == 0 {
		return 0
	}
	alpha := c.KEncode
	if alpha == 0 {
		alpha = 1
	}
	return int(min(float64(c.Hidden), max(1, math.RoundToEven(alpha*float64(c.K)))))
}

// idleRows is after how many rows that did not keep a unit it is woken: some
// steps of batches of any size, and before weight decay has undone the unit.
const idleRows = 1024

// waker wakes units that the rows of mini-batches have not kept for long: each
// gets its largest code of a batch back, and with it a gradient. Otherwise such
// a unit would learn nothing more. Under weight decay it would even vanish
// within some tens of steps of Adam, which knows no small ones. That a unit may
// keep codes by what it does over a batch is from A. Makhzani and B. Frey,
// "Winner-take-all autoencoders", NIPS 2015.
type waker struct {
	idle   []int64       // rows since the unit was last kept (h)
	woken  []int         // units that were woken in the batch at hand
	larger []f32.Element // their largest z
}

func newWaker(hidden int) *waker {
	return &waker{idle: make([]int64, hidden), woken: make([]int, 0, hidden), larger: make([]f32.Element, 0, hidden)}
}

// state lists what a checkpoint keeps.
func (w *waker) state(s *stateForm) { s.integers("idle", &w.idle, len(w.idle)) }

// wakerFloats is the size of a waker for a unit, in float32 numbers.
const wakerFloats = 7

// memory is the size in bytes.
func (w *waker) memory() int64 { return 4 * wakerFloats * int64(len(w.idle)) }

// keep leaves of each row of z (m,h) the k largest, and of each idle unit the
// largest z, among equals that of the first row. It overwrites scratch (m,h).
func (w *waker) keep(z, scratch []float32, k int) {
	h := len(w.idle)
	copy(scratch, z)
	f32.KeepLargest(z, h, k)
	w.pass(len(z) / h)
	for row := z; len(row) > 0; row = row[h:] {
		for i, a := range row[:h] {
			if a != 0 {
				w.idle[i] = 0
			}
		}
	}
	w.find(len(z)/h, func(e []f32.Element) { f32.LargestOfColumns(e, scratch, h) })
	for _, e := range w.larger {
		z[int(e.Row)*h+int(e.Column)] = e.Value
	}
}

// wake adds to code (m,h), which holds the k largest of each row of z, what
// keep would leave of idle units.
func (w *waker) wake(code *f32.Sparse, z *f32.Shortlist) {
	w.pass(code.Rows())
	for _, i := range code.Column {
		w.idle[i] = 0
	}
	w.find(code.Rows(), z.LargestOfColumns)
	code.Insert(w.larger)
}

// pass counts rows for all units.
func (w *waker) pass(rows int) {
	for i := range w.idle {
		w.idle[i] += int64(rows)
	}
}

// find sets woken to the units that were idle before so many rows and in them,
// and larger to their largest z, which largest looks up.
func (w *waker) find(rows int, largest func([]f32.Element)) {
	w.woken, w.larger = w.woken[:0], w.larger[:0]
	for i, idle := range w.idle {
		if idle-int64(rows) >= idleRows {
			w.woken = append(w.woken, i)
			w.larger = append(w.larger, f32.Element{Column: int32(i)})
		}
	}
	largest(w.larger)
	w.larger = slices.DeleteFunc(w.larger, func(e f32.Element) bool { return e.Value == 0 })
}
