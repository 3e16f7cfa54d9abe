package model

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// fit is a training whose rows come in pieces.
type fit struct {
	name   string
	config Config
	o      TrainOptions
	method string // of preprocessing
	epochs int    // that are made; more where an iteration takes several passes
}

const fitInputs, fitHidden, fitRows = 9, 6, 75

// pieces cuts a pass over the rows where a checkpoint may come.
func (f fit) pieces(pass int) [][2]int {
	if f.o.Optimizer.WholePasses() || f.o.BatchSize == FullBatch {
		return [][2]int{{0, fitRows}}
	}
	r := rand.New(rand.NewPCG(uint64(pass), 1))
	var cuts [][2]int
	for at := 0; at < fitRows; {
		end := min(fitRows, at+1+r.IntN(30))
		cuts = append(cuts, [2]int{at, end})
		at = end
	}
	return cuts
}

func (f fit) rows() []uint8 {
	r := rand.New(rand.NewPCG(5, 6))
	x := make([]uint8, fitRows*fitInputs)
	for i := range x {
		x[i] = uint8(r.IntN(256))
	}
	return x
}

func (f fit) start(t testing.TB) *Trainer {
	t.Helper()
	c := f.config
	c.Inputs = fitInputs
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	rows := Uint8Rows(f.rows(), fitInputs)
	p, err := NewPreprocess(f.method, "uint8", 0, rows)
	if err != nil {
		t.Fatal(err)
	}
	if p.Learns() {
		s := NewStatistics(p, fitInputs)
		if err := s.Add(rows); err != nil {
			t.Fatal(err)
		}
		if p, err = s.Learn(); err != nil {
			t.Fatal(err)
		}
	}
	m.Preprocess = p
	o := f.o
	o.Epochs = f.epochs
	trainer, err := NewTrainer(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// run trains to the end. Before each piece, and before the end of an epoch and
// after it, interrupt may put another trainer in the place of its own.
func (f fit) run(t testing.TB, interrupt func(*Trainer) *Trainer) *Trainer {
	t.Helper()
	x := f.rows()
	trainer := interrupt(f.start(t))
	for pass := 0; trainer.Stopped() == NotStopped && pass < 3*f.epochs; pass++ {
		for i, cut := range f.pieces(pass) {
			if i > 0 {
				trainer = interrupt(trainer)
			}
			rows := Uint8Rows(x[cut[0]*fitInputs:cut[1]*fitInputs], fitInputs)
			for k := cut[0]; k < cut[1]; k++ {
				rows.Number = append(rows.Number, int64(k))
			}
			if err := trainer.Add(rows, nil); err != nil {
				t.Fatal(err)
			}
		}
		e, err := trainer.EndEpoch()
		if err != nil {
			t.Fatal(err)
		}
		if trainer.o.Validate && e.Rows > 0 {
			v := NewValidator(trainer.m)
			if err := v.Add(Uint8Rows(x[:20*fitInputs], fitInputs), nil); err != nil {
				t.Fatal(err)
			}
			trainer.Validate(v.Cost())
		}
		trainer = interrupt(trainer)
	}
	return trainer
}

func checkpointOf(t testing.TB, trainer *Trainer, host Host) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := trainer.WriteCheckpoint(&b, host); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// resumed returns the trainer that the bytes are of.
func resumed(t testing.TB, data []byte, epochs int) *Trainer {
	t.Helper()
	c, err := ReadCheckpoint(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := c.Trainer(epochs)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

func fits() []fit {
	adam, lbfgs := TrainOptions{BatchSize: 16}, TrainOptions{Optimizer: LBFGS}
	optimizers := []struct {
		name string
		o    TrainOptions
	}{
		{"adam", adam},
		{"sgd", TrainOptions{Optimizer: SGD, BatchSize: 16, Momentum: NoMomentum}},
		{"momentum", TrainOptions{Optimizer: SGD, BatchSize: 16}},
		{"full batch adam", TrainOptions{BatchSize: FullBatch}},
		{"full batch sgd", TrainOptions{Optimizer: SGD, BatchSize: FullBatch}},
		{"lbfgs", lbfgs},
	}
	sparse, tied, crossEntropy, emphasised := Sparse(fitHidden), Sparse(fitHidden), Denoising(fitHidden), Denoising(fitHidden)
	tied.Tied = true
	crossEntropy.Loss = CrossEntropy
	emphasised.Emphasis = 2
	objectives := []struct {
		name string
		c    Config
	}{
		{"sparse", sparse}, {"tied", tied}, {"denoising", Denoising(fitHidden)}, {"cross-entropy", crossEntropy},
		{"emphasis", emphasised}, {"contractive", Contractive(fitHidden)}, {"k-sparse", KSparse(fitHidden)}, {"plain", Plain(fitHidden)},
	}
	var all []fit
	for _, o := range optimizers {
		for i, c := range objectives {
			for j, method := range []string{PreprocessScale, PreprocessPatch, PreprocessStandardize, PreprocessZCA} {
				config := c.c
				if method == PreprocessStandardize || method == PreprocessZCA {
					if config.Loss == CrossEntropy {
						continue
					}
					config.Output = Linear
				}
				f := fit{fmt.Sprint(o.name, "/", c.name, "/", method), config, o.o, method, 5}
				if (i+j)%2 == 1 {
					f.name += "/held out"
					f.o.Validate, f.o.Patience = true, 2
				}
				all = append(all, f)
			}
		}
	}
	return all
}

// A training that is interrupted at any points goes on to the same bits.
func TestResume(t *testing.T) {
	for i, f := range fits() {
		t.Run(f.name, func(t *testing.T) {
			whole := f.run(t, func(trainer *Trainer) *Trainer { return trainer })
			r := rand.New(rand.NewPCG(uint64(i), 2))
			next := r.IntN(4)
			parts := f.run(t, func(trainer *Trainer) *Trainer {
				if next--; next >= 0 {
					return trainer
				}
				next = r.IntN(4)
				return resumed(t, checkpointOf(t, trainer, Host{}), 0)
			})
			if !bytes.Equal(checkpointOf(t, parts, Host{}), checkpointOf(t, whole, Host{})) {
				t.Error("another training than the one that was not interrupted")
			}
			if parts.Stopped() != whole.Stopped() || parts.Evaluations() != whole.Evaluations() {
				t.Errorf("stopped by %v after %d evaluations, not by %v after %d", parts.Stopped(), parts.Evaluations(), whole.Stopped(), whole.Evaluations())
			}
			parts.Finish()
			whole.Finish()
			if !bytes.Equal(bytesOf(t, parts.m), bytesOf(t, whole.m)) {
				t.Error("another model than that of the training that was not interrupted")
			}
		})
	}
}
