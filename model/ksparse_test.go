package model

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// The number of codes kept falls from 4k to k, between the end of the first
// epoch and half of those planned.
func TestKeepAt(t *testing.T) {
	c := Config{Hidden: 1000, K: 25}
	for _, v := range []struct {
		done, planned float64
		want          int
	}{
		{0, 0, 25}, {0, 1, 25}, {1, 1, 25},
		{0, 2, 100}, {1, 2, 25}, {1.5, 2, 25},
		{0, 10, 100}, {1, 10, 100}, {1.01, 10, 100}, {2, 10, 81}, {3, 10, 63}, {4.99, 10, 25}, {5, 10, 25}, {12, 10, 25},
		{1.25, 3, 63},
	} {
		if got := c.keepAt(v.done, v.planned); got != v.want {
			t.Errorf("after %v of %v epochs %d codes are kept, want %d", v.done, v.planned, got, v.want)
		}
	}
	c.Hidden = 60
	if got := c.keepAt(0, 10); got != 60 {
		t.Errorf("%d of 60 codes are kept at first, want all", got)
	}
}

func TestKeepEncoding(t *testing.T) {
	for _, v := range []struct {
		c    Config
		want int
	}{
		{Config{Hidden: 10}, 0},
		{Config{Hidden: 10, KEncode: 3}, 0},
		{Config{Hidden: 10, K: 4}, 4},
		{Config{Hidden: 10, K: 4, KEncode: 1}, 4},
		{Config{Hidden: 10, K: 4, KEncode: 1.6}, 6},
		{Config{Hidden: 10, K: 5, KEncode: 0.5}, 2}, // half to even
		{Config{Hidden: 10, K: 4, KEncode: 3}, 10},
		{Config{Hidden: 10, K: 4, KEncode: 1e300}, 10},
		{Config{Hidden: 10, K: 1, KEncode: 0.1}, 1},
	} {
		if got := v.c.Kept(); got != v.want {
			t.Errorf("%+v keeps %d codes, want %d", v.c, got, v.want)
		}
	}
}

// Training keeps what the schedule says: a row's codes of a trainer count as
// many, in each phase, and in a full batch they are k throughout.
func TestTrainingKeeps(t *testing.T) {
	const n, h, rows = 12, 40, 64
	x := randomRows(1, 4*rows, n)
	kept := func(p *pass, m int) int {
		count := 0
		p.number = p.number[:m] // the rows at hand, though they are done
		defer p.reset()
		for _, v := range p.codes() {
			if v != 0 {
				count++
			}
		}
		if count%m != 0 {
			t.Errorf("%d codes of %d rows are kept", count, m)
		}
		return count / m
	}
	c := Config{Activation: Linear, Output: Linear, K: 5}
	trainer := newTrainer(t, newModel(t, c, n, h), TrainOptions{BatchSize: rows, LearningRate: 1e-4, Epochs: 4})
	for epoch, want := range [][]int{{20, 20, 20, 20}, {20, 16, 13, 9}, {5, 5, 5, 5}, {5, 5, 5, 5}} {
		for step, want := range want {
			if err := trainer.Add(Float32Rows(x[step*rows*n:(step+1)*rows*n], n), nil); err != nil {
				t.Fatal(err)
			}
			if got := kept(trainer.engine.(*miniBatch).pass, rows); got != want {
				t.Errorf("epoch %d, step %d: %d codes are kept, want %d", epoch+1, step, got, want)
			}
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	full := newTrainer(t, newModel(t, c, n, h), TrainOptions{BatchSize: FullBatch, Epochs: 4})
	if err := full.Add(Float32Rows(x, n), nil); err != nil {
		t.Fatal(err)
	}
	sums := full.engine.(*fullBatch).sums
	sums.fold()
	if got := kept(sums.pass, 4*rows); got != 5 {
		t.Errorf("a full batch keeps %d codes, want 5", got)
	}
}

// Units that 1,024 rows did not keep get their largest code of the batch, from
// the first row that has it. The other codes are those that the rows keep.
func TestWaker(t *testing.T) {
	const h, rows = 3, 600
	w := newWaker(h)
	for batch, want := range [][]int{{}, {}, {2}, {2}, {}, {}, {2}} {
		z := make([]float32, rows*h)
		for r := range rows {
			copy(z[r*h:], []float32{float32(1 + r%2), 1.5, -9 + float32(r%5)})
		}
		if batch == 3 {
			z[7*h+2] = 3 // the row keeps it, and it is idle no more
			want = nil
		}
		wanted := narrow(nil)
		for r := range rows {
			wanted = append(wanted, narrow(largest(widen(z[r*h:(r+1)*h]), 1))...)
		}
		for _, i := range want {
			wanted[4*h+i] = -5 // of rows 4, 9, ...
		}
		w.keep(z, make([]float32, rows*h), 1)
		equalFloats(t, z, wanted)
		if !slices.Equal(w.woken, want) {
			t.Errorf("batch %d: units %v are woken, want %v", batch, w.woken, want)
		}
	}
}

// A unit that no row keeps learns all the same, and is told as dead until one
// does.
func TestTrainingWakes(t *testing.T) {
	const n, h, rows, below = 12, 40, 2048, -30
	x := Float32Rows(randomRows(1, rows, n), n)
	m := newModel(t, Config{Activation: Linear, Output: Linear, Tied: true, K: 2}, n, h)
	m.Params.EncoderBias[5] = below
	trainer := newTrainer(t, m, TrainOptions{BatchSize: 64, Epochs: 4})
	for range 2 {
		if err := trainer.Add(x, nil); err != nil {
			t.Fatal(err)
		}
		e, err := trainer.EndEpoch()
		if err != nil {
			t.Fatal(err)
		}
		if e.Dead < 1 {
			t.Errorf("epoch %d: no unit is dead", e.Epoch)
		}
	}
	if b := m.Params.EncoderBias[5]; b < below+0.05 {
		t.Errorf("the bias of a unit that began at %v is %v, and has not learned", below, b)
	}
}

// A code is the largest z of its row with their sign, on any number of
// processors, and the evaluator measures what the encoder gives.
func TestKSparseEncoding(t *testing.T) {
	const n, h, rows = 20, 30, 300
	x := randomRows(2, rows, n)
	for _, alpha := range []float64{0, 2, 20} {
		c := Config{Activation: Linear, Output: Linear, K: 4, KEncode: alpha}
		m := newModel(t, c, n, h)
		for i := range m.Params.EncoderBias {
			m.Params.EncoderBias[i] -= 1 // so some of the kept are negative
		}
		dense := *m
		dense.K, dense.KEncode = 0, 0
		z, code := make([]float32, rows*h), make([]float32, rows*h)
		if err := NewEncoder(&dense).Encode(z, Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		if err := NewEncoder(m).Encode(code, Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		keep := m.Kept()
		var want []float32
		for i := range rows {
			want = append(want, narrow(largest(widen(z[i*h:(i+1)*h]), keep))...)
		}
		equalFloats(t, code, want)
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			again := make([]float32, rows*h)
			if err := NewEncoder(m).Encode(again, Float32Rows(x, n)); err != nil {
				t.Fatal(err)
			}
			equalFloats(t, again, code)
		}()
		e := NewEvaluator(m)
		if err := e.Add(Float32Rows(x, n)); err != nil {
			t.Fatal(err)
		}
		all := m.Config
		all.K = keep
		r := newReference(all, widen(m.Params.Flat), rowsOf(x, n), rowsOf(x, n))
		checkCost(t, e.Result().Cost, r.cost, 1e-6)
	}
}

// k and alpha are in the file under names of their own; files without them
// are as they were.
func TestKSparseFile(t *testing.T) {
	m := trainedModel(t, Config{Hidden: 9, Activation: Linear, Output: Linear, K: 3, KEncode: 2.5})
	data := bytesOf(t, m)
	for _, want := range []string{`\"k\":3`, `\"k_encode\":2.5`, `\"objective\":\"k-sparse\"`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("the file does not hold %s", want)
		}
	}
	got, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got.K != 3 || got.KEncode != 2.5 {
		t.Errorf("read k %d, alpha %v", got.K, got.KEncode)
	}
	if data := bytesOf(t, trainedModel(t, Plain(3))); bytes.Contains(data, []byte(`\"k`)) {
		t.Error("the file of a model without k names it")
	}
}

// The weight decay follows the variance of rows and the share of codes kept, up
// to the usual one, by a brute-force variance.
func TestKSparseDecay(t *testing.T) {
	const n, rows, h, k = 20, 300, 400, 8
	c := KSparse(h)
	c.K = k
	x := randomRows(9, rows, n)
	for i := range x {
		x[i] = 0.2*x[i] + float32(i%n) // each input has a mean of its own
	}
	variance := 0.0
	for j := range n {
		sum, squares := 0.0, 0.0
		for i := j; i < len(x); i += n {
			sum += float64(x[i])
		}
		for i := j; i < len(x); i += n {
			squares += math.Pow(float64(x[i])-sum/rows, 2)
		}
		variance += squares / rows
	}
	nan := Float32Rows(slices.Repeat([]float32{float32(math.NaN())}, n), n)
	for _, v := range []struct {
		name string
		p    Preprocess
		r    Rows
		want float64
	}{
		{"as they are", Preprocess{Method: PreprocessNone}, Float32Rows(x, n), 2e-3 * k / h * variance},
		{"scaled", Preprocess{Method: PreprocessScale, Scale: 0.5, Offset: 3}, Float32Rows(x, n), 2e-3 * k / h * variance / 4},
		{"large", Preprocess{Method: PreprocessScale, Scale: 100}, Float32Rows(x, n), 0.01},
		{"patch", Preprocess{Method: PreprocessPatch, Scale: 100}, Float32Rows(x, n), 2e-3 * k / h * n * 4 / 225},
		{"standardize", Preprocess{Method: PreprocessStandardize}, Float32Rows(x, n), 0.01},
		{"no rows", Preprocess{Method: PreprocessNone}, Rows{}, 0.01},
		{"one row", Preprocess{Method: PreprocessNone}, Float32Rows(x[:n], n), 0},
		{"not a number", Preprocess{Method: PreprocessNone}, nan, 0.01},
	} {
		if got, want := c.KSparseDecay(v.p, v.r), fmt.Sprintf("%.2g", v.want); fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %v", v.name, got, want)
		}
	}
}
