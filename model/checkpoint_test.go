package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/internal/f32"
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
		if p, err = s.Learn(t.Context()); err != nil {
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
					f.o.Validate, f.o.Patience, f.o.Spread = true, 2, true
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

// smallFits are one of each engine, with all that a checkpoint may hold.
func smallFits() []fit {
	c := Sparse(3)
	c.Corruption = 0.25
	k := KSparse(4)
	return []fit{
		{"mini-batches", c, TrainOptions{BatchSize: 16, Validate: true, Patience: 9}, PreprocessScale, 3},
		{"k-sparse", k, TrainOptions{Optimizer: SGD, BatchSize: 16}, PreprocessStandardize, 3},
		{"full batch", c, TrainOptions{BatchSize: FullBatch}, PreprocessScale, 3},
		{"lbfgs", Plain(3), TrainOptions{Optimizer: LBFGS}, PreprocessScale, 3},
	}
}

// interrupted returns a trainer that was resumed in the second epoch, if there
// is one: in mini-batches with rows that wait.
func (f fit) interrupted(t testing.TB) *Trainer {
	t.Helper()
	var at *Trainer
	f.run(t, func(trainer *Trainer) *Trainer {
		b, ok := trainer.engine.(*miniBatch)
		if at == nil && len(trainer.m.History) > 0 && (!ok || b.seen > 0 && b.pass.rows() > 1) {
			at = resumed(t, checkpointOf(t, trainer, Host{}), 0)
		}
		return trainer
	})
	if at == nil {
		t.Fatalf("%s: not interrupted", f.name)
	}
	return at
}

func TestCheckpointFile(t *testing.T) {
	for _, f := range smallFits() {
		trainer := f.interrupted(t)
		host := Host{json.RawMessage(`{"rows":7}`), map[string][]byte{"digests": {1, 2, 3}, "none": {}, "ä": {9}}}
		data := checkpointOf(t, trainer, host)
		if !bytes.Equal(checkpointOf(t, trainer, host), data) {
			t.Errorf("%s: two checkpoints differ", f.name)
		}
		c, err := ReadCheckpoint(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if c.Options != trainer.o || c.Kernels != f32.Kernels() || string(c.Host.State) != string(host.State) ||
			len(c.Host.Data) != 3 || !bytes.Equal(c.Host.Data["digests"], []byte{1, 2, 3}) || !bytes.Equal(c.Host.Data["ä"], []byte{9}) {
			t.Errorf("%s: read %+v", f.name, c)
		}
		m, info, err := ReadInfo(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if !isDigest(info.Checksum) {
			t.Errorf("%s: the checksum is %q", f.name, info.Checksum)
		}
		for what, m := range map[string]*Model{"Read": m, "ReadCheckpoint": c.Model} {
			if !bytes.Equal(bytesOf(t, m), bytesOf(t, trainer.m)) {
				t.Errorf("%s: %s gives another model", f.name, what)
			}
		}
		if _, err := c.Trainer(0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Trainer(0); err == nil {
			t.Errorf("%s: two trainers of one checkpoint", f.name)
		}
	}
}

// The package comment names every tensor, some by their last word.
func TestCheckpointLayoutIsDocumented(t *testing.T) {
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(comment), "# The checkpoint file")
	words := strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune(" \t\n,;", r) })
	for _, f := range smallFits() {
		s := &stateForm{}
		f.interrupted(t).state(s)
		for _, tensor := range s.tensors {
			name := strings.TrimPrefix(tensor.name, optimizerPrefix)
			if strings.HasPrefix(name, "epoch.cost.") {
				name = "epoch.cost.TERM"
			}
			if last := name[strings.LastIndex(name, ".")+1:]; !slices.Contains(words, name) && !slices.Contains(words, last) {
				t.Errorf("nothing tells of %s", name)
			}
		}
	}
}

// Writing takes the tensors from where they are.
func TestCheckpointMemory(t *testing.T) {
	for _, o := range []TrainOptions{{BatchSize: 8, Validate: true}, {Optimizer: LBFGS}} {
		m := newModel(t, Config{}, 500, 400)
		trainer := newTrainer(t, m, o)
		for range 3 {
			if err := trainer.Add(Float32Rows(randomRows(1, 8, 500), 500), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := trainer.EndEpoch(); err != nil {
				t.Fatal(err)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := trainer.WriteCheckpoint(io.Discard, Host{}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		const parameters = 4 * (2*500*400 + 900)
		if got := after.TotalAlloc - before.TotalAlloc; got > parameters {
			t.Errorf("%v: writing allocates %d bytes, the parameters have %d", o.Optimizer, got, parameters)
		}
	}
}

// Reading allocates nothing for what a file only claims, such as a batch.
func TestReadCheckpointAllocatesWhatIsThere(t *testing.T) {
	trainer := smallFits()[0].interrupted(t)
	trainer.o.BatchSize = maxBatchSize
	data := checkpointOf(t, trainer, Host{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadCheckpoint(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", got, len(data))
	}
}

func TestCheckpointErrors(t *testing.T) {
	f := smallFits()
	rows := Uint8Rows(f[0].rows(), fitInputs)
	for _, f := range f[2:] {
		trainer := f.start(t)
		if err := trainer.Add(rows, nil); err != nil {
			t.Fatal(err)
		}
		if err := trainer.WriteCheckpoint(io.Discard, Host{}); !errors.Is(err, errMidPass) {
			t.Errorf("%s: error %v in the midst of a pass", f.name, err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
		if err := trainer.WriteCheckpoint(io.Discard, Host{}); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		if _, err := trainer.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := trainer.WriteCheckpoint(io.Discard, Host{}); (err != nil) != (f.name == "lbfgs") {
			t.Errorf("%s: error %v once a pass was begun", f.name, err)
		}
	}
	trainer := f[0].interrupted(t)
	for what, host := range map[string]Host{"no name": {nil, map[string][]byte{"": nil}}, "bad name": {nil, map[string][]byte{"\xff": nil}}, "bad JSON": {json.RawMessage("{"), nil}} {
		if err := trainer.WriteCheckpoint(io.Discard, host); err == nil {
			t.Errorf("%s: written", what)
		}
	}
	for name, spoil := range map[string]func(*Trainer){
		"parameter": func(t *Trainer) { t.m.Params.Flat[1] = float32(math.NaN()) },
		"moment":    func(t *Trainer) { t.engine.(*miniBatch).optimizer.second[1] = float32(math.Inf(1)) },
		"mean code": func(t *Trainer) { t.engine.(*miniBatch).rhohat.means[1] = math.NaN() },
	} {
		trainer := f[0].interrupted(t)
		spoil(trainer)
		var b bytes.Buffer
		var diverged *DivergedError
		if err := trainer.WriteCheckpoint(&b, Host{}); !errors.As(err, &diverged) || b.Len() > 0 {
			t.Errorf("%s that is not finite: error %v after %d bytes", name, err, b.Len())
		}
	}
	trainer.Finish()
	if err := trainer.WriteCheckpoint(io.Discard, Host{}); err == nil {
		t.Error("a checkpoint after Finish")
	}
}

// More epochs are as if they had been planned from the start, as far as the
// training had not acted on the old plan.
func TestMoreEpochs(t *testing.T) {
	for i, f := range fits() {
		if i%3 > 0 {
			continue
		}
		passes := f.o.Optimizer.WholePasses() || f.o.BatchSize == FullBatch
		if !passes && f.config.K > 0 {
			continue // k begins to fall in the second epoch
		}
		t.Run(f.name, func(t *testing.T) {
			short, long, done := f, f, 3
			short.epochs, long.epochs = 3, 9
			if !passes {
				short.epochs = 7 // the rate falls from 3.5 on
			}
			start, more := true, false
			parts := long.run(t, func(trainer *Trainer) *Trainer {
				if start {
					start = false
					return short.start(t)
				}
				if more || len(trainer.m.History) < done || trainer.Stopped() == OutOfPatience {
					return trainer
				}
				more = true
				if want := passes; (trainer.Stopped() == OutOfEpochs) != want {
					t.Errorf("stopped by %v", trainer.Stopped())
				}
				return resumed(t, checkpointOf(t, trainer, Host{}), long.epochs)
			})
			whole := long.run(t, func(trainer *Trainer) *Trainer { return trainer })
			parts.Finish()
			whole.Finish()
			if !bytes.Equal(bytesOf(t, parts.m), bytesOf(t, whole.m)) {
				t.Error("another model than with all epochs from the start")
			}
		})
	}
}

// Schedules follow the epochs that are planned now.
func TestOtherEpochs(t *testing.T) {
	for _, f := range smallFits() {
		trainer := f.run(t, func(trainer *Trainer) *Trainer { return trainer })
		data := checkpointOf(t, trainer, Host{})
		if trainer.Stopped() != OutOfEpochs {
			t.Fatalf("%s: stopped by %v", f.name, trainer.Stopped())
		}
		if got := resumed(t, data, 0).Stopped(); got != OutOfEpochs {
			t.Errorf("%s: without more epochs stopped by %v", f.name, got)
		}
		if got := resumed(t, data, 1).Stopped(); got != OutOfEpochs {
			t.Errorf("%s: with fewer epochs stopped by %v", f.name, got)
		}
		more := resumed(t, data, 12)
		if got := more.Stopped(); got != NotStopped {
			t.Errorf("%s: with more epochs stopped by %v", f.name, got)
		}
		if b, ok := more.engine.(*miniBatch); ok {
			if got, want := b.rate(), float32(more.o.LearningRate); got != want {
				t.Errorf("%s: a rate of %v after 3 of 12 epochs, want %v", f.name, got, want)
			}
			eight := resumed(t, data, 4).engine.(*miniBatch)
			if got, want := eight.rate(), float32(more.o.LearningRate/2); got != want {
				t.Errorf("%s: a rate of %v after 3 of 4 epochs, want %v", f.name, got, want)
			}
		}
		for _, epochs := range []int{-1, maxEpochs + 1} {
			c, err := ReadCheckpoint(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			var wrong *ConfigError
			if _, err := c.Trainer(epochs); !errors.As(err, &wrong) || wrong.Setting != "Epochs" {
				t.Errorf("%s: %d epochs: error %v", f.name, epochs, err)
			}
		}
	}
}

func TestOtherKernels(t *testing.T) {
	trainer := smallFits()[0].interrupted(t)
	s := &stateForm{}
	trainer.state(s)
	read := func(kernels string) *Checkpoint {
		var b bytes.Buffer
		if err := trainer.m.writeCheckpoint(&b, slices.Concat(s.tensors, trainer.m.tensors()), checkpointText{1, kernels, trainer.o, nil}); err != nil {
			t.Fatal(err)
		}
		c, err := ReadCheckpoint(&b)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := read("abacus")
	_, err := c.Trainer(0)
	var other *KernelsError
	if !errors.As(err, &other) || other.Want != "abacus" || other.Have != f32.Kernels() {
		t.Errorf("error %v", err)
	}
	c.OtherKernels = true
	if _, err := c.Trainer(0); err != nil {
		t.Error(err)
	}
	if _, err := read(f32.Kernels()).Trainer(0); err != nil {
		t.Error(err)
	}
}

// spoiled returns the checkpoint of a trainer with one tensor of its state
// changed, and right checksums.
func spoiled(t testing.TB, trainer *Trainer, name string, data any, shape ...int64) []byte {
	t.Helper()
	s := &stateForm{}
	trainer.state(s)
	tensors := slices.DeleteFunc(append(s.tensors, trainer.m.tensors()...), func(t filledTensor) bool { return t.name == optimizerPrefix+name })
	if len(tensors) == len(s.tensors)+len(trainer.m.tensors()) && data == nil {
		t.Fatalf("no tensor %s", name)
	}
	if data != nil {
		tensors = append(tensors, filledTensor{namedShape{optimizerPrefix + name, append([]int64{}, shape...)}, data})
	}
	var b bytes.Buffer
	if err := trainer.m.writeCheckpoint(&b, tensors, checkpointText{1, f32.Kernels(), trainer.o, nil}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// refused fails the test unless the bytes are at fault.
func refused(t testing.TB, what string, data []byte) {
	t.Helper()
	_, err := ReadCheckpoint(bytes.NewReader(data))
	var format *FormatError
	if !errors.As(err, &format) {
		t.Errorf("%s: error %v", what, err)
	}
}

// A state that no training can have had is refused, checksums or not.
func TestStateOutOfBounds(t *testing.T) {
	nan, infinity := math.NaN(), math.Inf(1)
	f := smallFits()
	long := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	for _, c := range []struct {
		fit   int
		name  string
		data  any // nil: none
		shape []int64
	}{
		{0, "steps", []int64{-1}, nil},
		{0, "steps", []int64{1 << 60}, nil},
		{0, "steps", []int64{0}, nil}, // fewer than at the last epoch's end
		{0, "steps", []float64{3}, nil},
		{0, "steps", nil, nil},
		{0, "first", []float32{1, 2}, []int64{2}},
		{0, "guard.scale", []float64{nan}, nil},
		{0, "guard.started", []int64{2}, nil},
		{0, "epochs", []int64{-1}, nil},
		{0, "epochs", []int64{4}, nil}, // more than the history has
		{0, "epochs", []int64{0}, nil}, // but one has a length
		{0, "epoch.steps_of_first", []int64{0}, nil},
		{0, "epoch.rows", []int64{-5}, nil},
		{0, "epoch.units", []float64{1, nan, 3}, []int64{3}},
		{0, "epoch.units", []float64{1, 2}, []int64{2}},
		{0, "rhohat.means", []float64{1, 2, infinity}, []int64{3}},
		{0, "rhohat.weight", []float64{nan}, nil},
		{0, "waiting", []int64{16}, nil},
		{0, "waiting", []int64{-1}, nil},
		{0, "waiting.numbers", []int64{1}, []int64{1}},
		{0, "waiting.rows", []float32{1}, []int64{1}},
		{0, "best.epoch", []int64{9}, nil},
		{0, "best.cost", []float64{nan}, nil},
		{0, "best.parameters", []float32{float32(nan)}, []int64{1}},
		{0, "out_of_patience", []int64{7}, nil},
		{0, "search.x", []float64{1}, []int64{1}}, // of another engine
		{0, "host.digests", []int64{1}, nil},
		{1, "idle", []int64{1, 2, -3, 4}, []int64{4}},
		{2, "second", nil, nil},
		{3, "search.pairs", []int64{11}, nil},
		{3, "search.steps", []float64{1}, []int64{1}},
		{3, "search.trials", []int64{1 << 40}, nil},
		{3, "search.recent", []int64{20}, nil},
		{3, "search.recent_costs", long, []int64{20}},
		{3, "search.iterations", []int64{100}, nil},
		{3, "search.evaluations", []int64{-1}, nil},
		{3, "search.step", []float64{-1}, nil},
		{3, "search.step", []float64{1e300}, nil},
		{3, "search.cost", []float64{infinity}, nil},
		{3, "search.length", []float64{nan}, nil},
		{3, "search.stop", []int64{3}, nil},
	} {
		trainer := f[c.fit].interrupted(t)
		refused(t, fmt.Sprint(c.name, " ", c.data), spoiled(t, trainer, c.name, c.data, c.shape...))
	}
}

// Whatever byte is damaged, a checkpoint is refused or as it was.
func TestDamagedCheckpoint(t *testing.T) {
	for k, f := range smallFits() {
		trainer := f.interrupted(t)
		data := checkpointOf(t, trainer, Host{})
		step := 1
		if k > 0 {
			step = 31
		}
		for i := 0; i < len(data); i += step {
			b := bytes.Clone(data)
			b[i] ^= []byte{0x81, 0x20, 0x04}[i%3]
			c, err := ReadCheckpoint(bytes.NewReader(b))
			var format *FormatError
			switch {
			case err != nil && !errors.As(err, &format):
				t.Fatalf("%s: byte %d: error %v", f.name, i, err)
			case err == nil:
				again, err := c.Trainer(0)
				if err != nil || !bytes.Equal(checkpointOf(t, again, Host{}), data) {
					t.Fatalf("%s: byte %d turned: read as another, error %v", f.name, i, err)
				}
			}
		}
		for length := 0; length < len(data); length += 1 + length/50 {
			refused(t, fmt.Sprintf("%s: %d of %d bytes", f.name, length, len(data)), data[:length])
		}
		refused(t, "a byte more", append(bytes.Clone(data), 0))
		refused(t, "a model", bytesOf(t, trainer.m))
		newer := bytes.Replace(data, []byte(`{\"version\":1`), []byte(`{\"version\":2`), 1)
		_, err := ReadCheckpoint(bytes.NewReader(newer))
		if err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s: version 2: error %v", f.name, err)
		}
	}
}

// repaired returns the bytes of a file with right checksums, so that fuzzing
// gets past them.
func repaired(data []byte) []byte {
	h, err := readHeader(bytes.NewReader(data))
	if err != nil || h.metadata == nil {
		return data
	}
	body := data[8+binary.LittleEndian.Uint64(data):]
	header := map[string]any{}
	for name, t := range h.tensors {
		header[name] = t
		if t.Offsets[1] <= int64(len(body)) {
			h.data[name] = digestOf(body[t.Offsets[0]:t.Offsets[1]])
		}
	}
	h.metadata["checksum"] = checksum(h.metadata["config"], h.tensors, h.data)
	h.metadata[checkpointChecksumKey] = checkpointChecksum(h.metadata)
	header["__metadata__"] = h.metadata
	b, err := json.Marshal(header)
	if err != nil {
		return data
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b, body)
}

// FuzzReadCheckpoint feeds arbitrary bytes, also with right checksums. What is
// read must be a training that goes on without a panic, whatever its numbers.
func FuzzReadCheckpoint(f *testing.F) {
	for _, fit := range smallFits() {
		f.Add(checkpointOf(f, fit.interrupted(f), Host{json.RawMessage("[1]"), map[string][]byte{"a": {1}}}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, repaired(data)} {
			c, err := ReadCheckpoint(bytes.NewReader(data))
			var format *FormatError
			switch {
			case err != nil && !errors.As(err, &format):
				t.Errorf("error %v is not the file's fault", err)
				continue
			case err != nil:
				continue
			case c.Options.Memory(c.Model.Config) > 32<<20:
				continue
			}
			c.OtherKernels = true
			trainer, err := c.Trainer(0)
			if err != nil {
				t.Errorf("read, but not resumed: %v", err)
				continue
			}
			goOn(t, trainer)
		}
	})
}

// goOn trains on, as far as the numbers allow, with a checkpoint in between.
func goOn(t *testing.T, trainer *Trainer) {
	n := trainer.m.Inputs
	rows := Float32Rows(make([]float32, 5*n), n)
	for range 3 {
		var b bytes.Buffer
		if err := trainer.WriteCheckpoint(&b, Host{}); err != nil {
			return
		}
		trainer = resumed(t, b.Bytes(), 0)
		if trainer.Add(rows, nil) != nil {
			return
		}
		if _, err := trainer.EndEpoch(); err != nil {
			return
		}
		if trainer.o.Validate && len(trainer.m.History) > 0 {
			trainer.Validate(Cost{})
		}
	}
	trainer.Finish()
}
