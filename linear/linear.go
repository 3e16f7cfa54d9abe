// Package linear answers one question about features: how well does a linear
// classifier read the labels from them?
//
// Fit trains a multinomial logistic regression (softmax regression) on rows of
// float32 features, raw pixels or learned codes alike. The Classifier it
// returns gives labels to new rows with Predict, and Accuracy and Confusion
// compare them with the true ones.
//
// # The model
//
// With K classes, n features and m rows, features are standardised first,
// x' = (x - mean) / deviation, with mean and deviation of each column learned
// from the rows given to Fit. A column that is constant there, or that varies
// by less than float32 can tell at its mean, becomes 0. With weights W (K,n)
// and intercepts b (K), the class probabilities of a row are
//
//	p = softmax(W x' + b)
//
// and W and b minimise the convex cost
//
//	J = -(1/m) sum_k log p[k, label_k] + (lambda/2) |W|^2
//
// by L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd edition, section
// 7.2). The cost ends about a share of 1e-5 above the minimum, and up to 1e-3
// at penalties below 1e-5. lambda is Config.Penalty; intercepts are not
// penalised. As the data term is a mean, one lambda suits small and large data
// alike; scikit-learn's C corresponds to 1/(lambda m).
//
// # Guarantees
//
// Equal inputs give bit-identical classifiers whatever GOMAXPROCS, on one
// kind of processor: products are in float32 over chunks of 512 rows, which
// are added in float64 in a fixed order. Wrong data (a label out of range, a
// length that is no whole number of rows, NaN, an infinity) is an error that
// names the row, never a panic.
package linear

import (
	"context"
	"fmt"
	"math"

	"github.com/aefeat/aefeat/internal/f32"
)

// Config holds the settings of Fit. The zero value works.
type Config struct {
	// Penalty is lambda, the weight of the L2 penalty on the standardised
	// scale. 0 means the one that gives the best accuracy on a fifth of the
	// rows, which is held out. The decades from 10 to 1e-6 are tried, until two
	// in a row are worse by more than chance, and then the two halfway to the
	// neighbours of the best. Of fewer than five rows none is held out, and it
	// is 0.1. Negative is an error.
	Penalty float64

	// Iterations caps the iterations of L-BFGS. 0 means DefaultIterations;
	// negative is an error.
	Iterations int

	// Observe, if not nil, is told of every penalty that was tried, while Fit
	// runs and on its goroutine.
	Observe func(Trial)
}

// Validate returns an error that says which setting is wrong.
func (c Config) Validate() error {
	if !(c.Penalty >= 0) || math.IsInf(c.Penalty, 1) {
		return fmt.Errorf("linear: penalty %v is not a finite number >= 0", c.Penalty)
	}
	if c.Iterations < 0 {
		return fmt.Errorf("linear: %d iterations are fewer than none", c.Iterations)
	}
	return nil
}

// Stats says how the minimisation went.
type Stats struct {
	Iterations  int     // iterations of L-BFGS
	Evaluations int     // of cost and gradient: passes over the rows
	Cost        float64 // J at the weights found
	Converged   bool    // false when the cap on iterations ended the search
}

// A Classifier predicts one of K labels from n features. It does not change
// after Fit and is safe for concurrent use.
type Classifier struct {
	scaler  scaler
	weight  []float32 // (K,n), on standardised features
	bias    []float32 // (K)
	penalty float64
	stats   Stats
}

// Fit trains a classifier on the rows of x (m,n), whose labels (m) lie in
// [0, classes). It keeps neither, leaves both unchanged, and copies no row:
// beside x it holds, of each weight, some 40 float64, and a block of rows for
// each core. It returns the error of ctx soon after that has ended.
//
// Standardised values reach sqrt(m) at most, so no finite x overflows.
func Fit(ctx context.Context, x []float32, n int, labels []int, classes int, c Config) (*Classifier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if classes < 2 {
		return nil, fmt.Errorf("linear: %d classes leave nothing to tell apart", classes)
	}
	if n < 1 {
		return nil, fmt.Errorf("linear: rows of %d features", n)
	}
	if err := checkRows(x, n); err != nil {
		return nil, err
	}
	if len(x) == 0 {
		return nil, fmt.Errorf("linear: no rows to learn from")
	}
	if err := checkLabels(labels, len(x)/n, classes); err != nil {
		return nil, err
	}
	if c.Iterations == 0 {
		c.Iterations = DefaultIterations
	}
	s := newScaler(x, n)
	o := newObjective(x, n, labels, classes, s)
	w := make([]float64, len(o.gradient))
	if c.Penalty == 0 {
		var err error
		if c.Penalty, w, err = choosePenalty(ctx, o, c); err != nil {
			return nil, err
		}
	}
	o.penalise(c.Penalty)
	w, stats, err := minimise(ctx, o, w, c.Iterations, tolerance)
	if err != nil {
		return nil, err
	}
	weight, bias := o.split(w)
	return &Classifier{scaler: s, weight: weight, bias: bias, penalty: c.Penalty, stats: stats}, nil
}

// Inputs returns n, the number of features in a row.
func (c *Classifier) Inputs() int { return len(c.scaler.mean) }

// Classes returns K, the number of classes.
func (c *Classifier) Classes() int { return len(c.bias) }

// Penalty returns the penalty that the weights were found with.
func (c *Classifier) Penalty() float64 { return c.penalty }

// Stats returns how the minimisation went.
func (c *Classifier) Stats() Stats { return c.stats }

// predictRows is the number of rows that Predict takes at a time: few enough
// for 784 standardised features of them to stay in a second-level cache.
const predictRows = 256

// Predict writes the most probable label of every row of x (m,n) to dst (m);
// of equally probable ones, the lowest. It panics when dst is too short.
func (c *Classifier) Predict(dst []int, x []float32) error {
	n, classes := c.Inputs(), c.Classes()
	if err := checkRows(x, n); err != nil {
		return err
	}
	m := len(x) / n
	if len(dst) < m {
		panic("linear: dst is shorter than the number of rows")
	}
	rows := make([]float32, min(m, predictRows)*n)
	logits := make([]float32, min(m, predictRows)*classes)
	for first := 0; first < m; first += predictRows {
		k := min(predictRows, m-first)
		c.scaler.apply(rows, x[first*n:(first+k)*n])
		f32.Gemm(false, true, k, classes, n, 1, rows, n, c.weight, n, 0, logits, classes)
		for i := range k {
			dst[first+i] = argmax(logits[i*classes:(i+1)*classes], c.bias)
		}
	}
	return nil
}

// argmax returns the lowest index of the largest z+bias.
func argmax(z, bias []float32) int {
	best, top := 0, z[0]+bias[0]
	for j, v := range z {
		if v += bias[j]; v > top {
			best, top = j, v
		}
	}
	return best
}

// Accuracy returns the share, in [0,1], of the rows of x (m,n) whose predicted
// label is the one in labels (m).
func (c *Classifier) Accuracy(x []float32, labels []int) (float64, error) {
	confusion, err := c.Confusion(x, labels)
	if err != nil {
		return 0, err
	}
	return confusion.Accuracy(), nil
}

// Confusion counts the rows of x (m,n) by their label in labels (m) and by the
// label predicted for them.
func (c *Classifier) Confusion(x []float32, labels []int) (Confusion, error) {
	classes := c.Classes()
	if err := checkRows(x, c.Inputs()); err != nil {
		return nil, err
	}
	if err := checkLabels(labels, len(x)/c.Inputs(), classes); err != nil {
		return nil, err
	}
	predicted := make([]int, len(labels))
	if err := c.Predict(predicted, x); err != nil {
		return nil, err
	}
	confusion := make(Confusion, classes)
	for i := range confusion {
		confusion[i] = make([]int, classes)
	}
	for i, label := range labels {
		confusion[label][predicted[i]]++
	}
	return confusion, nil
}

// Confusion is a square table of counts: Confusion[i][j] rows of class i were
// taken for class j.
type Confusion [][]int

// Accuracy returns the share of rows on the diagonal; NaN when there are no
// rows.
func (c Confusion) Accuracy() float64 {
	right, all := 0, 0
	for i, row := range c {
		right += row[i]
		for _, count := range row {
			all += count
		}
	}
	return float64(right) / float64(all)
}

// checkRows returns an error unless x is whole rows of n finite features.
func checkRows(x []float32, n int) error {
	if len(x)%n != 0 {
		return fmt.Errorf("linear: %d values are no whole number of rows of %d features", len(x), n)
	}
	if f32.AllFinite(x) {
		return nil
	}
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("linear: row %d: feature %d is %v", i/n, i%n, v)
		}
	}
	return nil
}

// checkLabels returns an error unless there are m labels in [0, classes).
func checkLabels(labels []int, m, classes int) error {
	if len(labels) != m {
		return fmt.Errorf("linear: %d labels for %d rows", len(labels), m)
	}
	for i, label := range labels {
		if label < 0 || label >= classes {
			return fmt.Errorf("linear: row %d: label %d is outside 0..%d", i, label, classes-1)
		}
	}
	return nil
}
