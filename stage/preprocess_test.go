package stage

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/model"
)

var learningMethods = []string{model.PreprocessPatch, model.PreprocessStandardize, model.PreprocessZCA}

// linearModel has an output that every method of preprocessing allows.
func linearModel(hidden int) model.Config {
	c := model.Sparse(hidden)
	c.Output = model.Linear
	return c
}

// learned is what rows teach a method, without a Fitter.
func learned(t *testing.T, method string, pixels []uint8, n int, change ...func(*model.Preprocess)) model.Preprocess {
	t.Helper()
	p, err := model.NewPreprocess(method, "uint8", 0, model.Rows{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&p)
	}
	s := model.NewStatistics(p, n)
	if err := s.Add(model.Uint8Rows(pixels, n)); err != nil {
		t.Fatal(err)
	}
	if p, err = s.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// file returns m as bytes.
func file(t *testing.T, m *model.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drifts reports whether a report warns of drift.
func drifts(r *Report) bool {
	return slices.ContainsFunc(r.Warnings(), func(w Warning) bool { return w.Key == WarnDrift && w.Value == r.Drift })
}

func sameRule(t *testing.T, got, want model.Preprocess) {
	t.Helper()
	a, b := got.Learned, want.Learned
	if a == nil || a.Rows != b.Rows || a.Deviation != b.Deviation || !sameBits(a.Mean, b.Mean) || !sameBits(a.Scale, b.Scale) || !sameBits(a.Whiten, b.Whiten) {
		t.Errorf("%s: learned %+v, want %+v", want.Method, a, b)
	}
	got.Learned, want.Learned = nil, nil
	if got != want {
		t.Errorf("rule %+v, want %+v", got, want)
	}
}

// ending is a context that ends when it has been looked at often enough.
type ending struct {
	context.Context
	looks atomic.Int64 // that are left
}

func (e *ending) Err() error {
	if e.looks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A context that ends while zca is learned ends the fit, at once.
func TestCancelLearning(t *testing.T) {
	const n = 100
	p := makePatches(300, n, 21)
	finish := func(looks int64) (took int64, err error) {
		f, err := NewFitter(patchSchema(n), Config{Model: linearModel(2), Epochs: NoEpochs, Preprocess: model.PreprocessZCA})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		batch := p.batch(checked(t), 0, p.rows())
		defer batch.Release()
		if err := f.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		ctx := &ending{Context: t.Context()}
		ctx.looks.Store(looks)
		_, _, err = f.Finish(ctx)
		return looks - ctx.looks.Load(), err
	}
	all, err := finish(1 << 40)
	if err != nil || all < n {
		t.Fatalf("%d looks at the context for %d inputs, %v", all, n, err)
	}
	for looks := int64(0); looks < all-10; looks += all / 20 {
		if took, err := finish(looks); !errors.Is(err, context.Canceled) || took > looks+20 {
			t.Errorf("the context ended after %d of %d looks: %v after %d", looks, all, err, took)
		}
	}
}

// With kept rows the rule comes from all of them, and every epoch trains on
// rows that it was applied to.
func TestLearnFromKeptRows(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n = 6000, 25
	p := makePatches(m, n, 21).sorted()
	for _, method := range learningMethods {
		var phases []string
		got, report := fit(t, p.reader(t, checked(t), 700), Config{
			Model: linearModel(3), Epochs: 3, Preprocess: method,
			Observer: func(p Progress) {
				if p.Phase == PhaseLearn && !math.IsNaN(p.Cost) {
					t.Errorf("%s: cost %v before any training", method, p.Cost)
				}
				if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
					phases = append(phases, p.Phase)
				}
			},
		})
		sameRule(t, got.Preprocess, learned(t, method, p.pixels, n))
		if len(report.Epochs) != 3 || report.Rows != m || report.Drift != 0 || got.RowsSeen != 3*m {
			t.Errorf("%s: report %+v, %d rows seen", method, report, got.RowsSeen)
		}
		if strings.Join(phases, " ") != PhaseLearn+" "+PhaseTrain {
			t.Errorf("%s: phases %v", method, phases)
		}
		want := file(t, got)
		for _, v := range []struct{ batch, procs int }{{7, 1}, {m, 3}} {
			was := runtime.GOMAXPROCS(v.procs)
			again, _ := fit(t, p.reader(t, checked(t), v.batch), Config{Model: linearModel(3), Epochs: 3, Preprocess: method})
			runtime.GOMAXPROCS(was)
			if !bytes.Equal(file(t, again), want) {
				t.Errorf("%s: batches of %d on %d processors give another model", method, v.batch, v.procs)
			}
		}
	}
}

// Where rows are kept, in memory or in a spill file, does not matter.
func TestLearnWhileSpilling(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	const m, n = 17000, 784 // more than 16 MiB hold
	p := makePatches(m, n, 22)
	for _, c := range []struct {
		method string
		batch  int
	}{{model.PreprocessPatch, 0}, {model.PreprocessStandardize, model.FullBatch}} {
		var want []byte
		for _, budget := range []int64{1 << 30, 16 << 20} {
			got, report := fit(t, p.reader(t, checked(t), 3000), Config{Model: linearModel(2), Epochs: 2, Preprocess: c.method,
				Train: model.TrainOptions{BatchSize: c.batch}, Memory: budget, SpillDir: t.TempDir()})
			if spilled := report.Spilled > 0; spilled != (budget == 16<<20) {
				t.Errorf("%d bytes spilled", report.Spilled)
			}
			if want == nil {
				want = file(t, got)
			} else if !bytes.Equal(file(t, got), want) {
				t.Errorf("%s: a budget of %d bytes gives another model", c.method, budget)
			}
		}
	}
}

// One epoch learns from the first rows, trains on all in the order in which
// they leave the window, and tells whether the first were like the rest.
func TestLearnFromFirstRows(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n, first = 7000, 25, 1500 // no whole number of blocks
	smallWindow(t, 3000*n)
	mixed := makePatches(m, n, 23)
	for _, method := range learningMethods {
		for name, p := range map[string]patches{"mixed": mixed, "sorted": mixed.sorted()} {
			c := Config{Model: linearModel(3), Epochs: 1, Preprocess: method, PreprocessRows: first, Train: model.TrainOptions{BatchSize: 100}}
			got, report := fit(t, p.reader(t, checked(t), 450), c)
			rule := learned(t, method, p.pixels[:first*n], n)
			sameRule(t, got.Preprocess, rule)
			if report.Rows != m || got.RowsSeen != m || len(report.Epochs) != 1 {
				t.Errorf("%s: report %+v", method, report)
			}
			// Rows of different labels differ in their inputs, not in contrast.
			if drifted := drifts(report); method != model.PreprocessPatch && drifted != (name == "sorted") || report.Drift == 0 {
				t.Errorf("%s, %s: drift %v", method, name, report.Drift)
			}

			// The same by hand.
			config := linearModel(3)
			config.Inputs = n
			want, err := model.New(config)
			if err != nil {
				t.Fatal(err)
			}
			want.Preprocess, want.Binding = rule, got.Binding
			trainer, err := model.NewTrainer(want, model.TrainOptions{BatchSize: 100, Epochs: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := trainer.Add(arrived(t, model.Uint8Rows(p.pixels, n), 0), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := trainer.EndEpoch(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(file(t, got), file(t, want)) {
				t.Errorf("%s, %s: not what training on the rows by hand gives", method, name)
			}
			for _, v := range []struct{ batch, procs int }{{1, 1}, {m, 3}} {
				was := runtime.GOMAXPROCS(v.procs)
				again, r := fit(t, p.reader(t, checked(t), v.batch), c)
				runtime.GOMAXPROCS(was)
				if !bytes.Equal(file(t, again), file(t, want)) || r.Drift != report.Drift {
					t.Errorf("%s: batches of %d on %d processors give another model, or drift %v", method, v.batch, v.procs, r.Drift)
				}
			}
		}
	}
}

func TestLearnFromFewRows(t *testing.T) {
	noGoroutinesLeft(t)
	const n = 16
	p := makePatches(300, n, 24)
	for _, method := range learningMethods {
		for _, epochs := range []int{-1, 1, 2} {
			got, _ := fit(t, p.reader(t, checked(t), 100), Config{Model: linearModel(2), Epochs: epochs, Preprocess: method})
			sameRule(t, got.Preprocess, learned(t, method, p.pixels, n))
		}
	}
	f, err := NewFitter(patchSchema(n), Config{Model: linearModel(2), Epochs: 1, Preprocess: model.PreprocessZCA})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Finish(context.Background()); !errors.Is(err, ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
	config := linearModel(2)
	config.Inputs = n
	if f, err = NewFitter(nil, Config{Model: config, Epochs: NoEpochs, Preprocess: model.PreprocessZCA}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Finish(context.Background()); !errors.Is(err, ErrNoRows) {
		t.Errorf("no schema: %v", err)
	}
}

// Without epochs no more is read than the rule needs, whatever would train.
func TestReadyOnceLearned(t *testing.T) {
	const n = 16
	p := makePatches(9000, n, 25)
	mem := checked(t)
	for _, train := range []model.TrainOptions{{}, {Optimizer: model.LBFGS, BatchSize: model.FullBatch}} {
		f, err := NewFitter(patchSchema(n), Config{Model: linearModel(2), Train: train, Epochs: NoEpochs, Preprocess: model.PreprocessStandardize, PreprocessRows: 3000})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		at := 0
		for ; !f.Ready(); at += 500 {
			b := p.batch(mem, at, at+500)
			if err := f.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			b.Release()
		}
		if at != 3500 { // the third block of 1,024 rows ends at 3,072
			t.Errorf("%q: ready after %d rows", train.Optimizer, at)
		}
		m, report, err := f.Finish(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		sameRule(t, m.Preprocess, learned(t, model.PreprocessStandardize, p.pixels[:3000*n], n))
		if report.Rows != 0 || len(m.History) != 0 {
			t.Errorf("%q: report %+v", train.Optimizer, report)
		}
	}
}

// A plan says how many rows preprocessing waits for, and a fit does so. Where
// it waits for none, a number of rows was given in vain.
func TestLearnsAhead(t *testing.T) {
	const m, n = 4000, 16
	p := makePatches(m, n, 26)
	standard := Config{Model: linearModel(2), Preprocess: model.PreprocessStandardize, PreprocessRows: 2000}
	kept, _ := fit(t, p.reader(t, checked(t), 500), standard)
	for _, c := range []struct {
		name   string
		change func(*Config)
		rows   int64 // learned from; 0: nothing is learned
		ahead  bool
	}{
		{"default epochs", func(c *Config) {}, m, false},
		{"two epochs", func(c *Config) { c.Epochs = 2 }, m, false},
		{"one epoch", func(c *Config) { c.Epochs = 1 }, 2000, true},
		{"no epoch", func(c *Config) { c.Epochs = -1 }, 2000, true},
		{"one iteration", func(c *Config) { c.Epochs, c.Train.Optimizer = 1, model.LBFGS }, m, false},
		{"no iteration", func(c *Config) { c.Epochs, c.Train.Optimizer = -1, model.LBFGS }, 2000, true},
		{"scale", func(c *Config) { c.Epochs, c.Preprocess = 1, "" }, 0, false},
		{"initial rule", func(c *Config) { c.Epochs, c.Init, c.Preprocess = 1, kept, "" }, m, false},
		{"initial rule, named", func(c *Config) { c.Epochs, c.Init = 1, kept }, m, false},
		{"another rule", func(c *Config) { c.Epochs, c.Init, c.Preprocess = 1, kept, model.PreprocessZCA }, 2000, true},
	} {
		config := standard
		config.Train.BatchSize = model.FullBatch
		c.change(&config)
		plan, err := newPlan(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.rule.ahead > 0; got != c.ahead {
			t.Errorf("%s: learns ahead: %v", c.name, got)
		}
		got, report := fit(t, p.reader(t, checked(t), 500), config)
		var rows int64
		if got.Preprocess.Learned != nil {
			rows = got.Preprocess.Learned.Rows
		}
		if rows != c.rows {
			t.Errorf("%s: learned from %d rows, want %d", c.name, rows, c.rows)
		}
		unused := slices.Contains(report.Warnings(), Warning{Key: WarnUnused, Setting: "PreprocessRows"})
		if unused == c.ahead {
			t.Errorf("%s: warnings %v", c.name, report.Warnings())
		}
	}
}

// The rule of an initial model stays, and nothing is learned anew, unless
// another is asked for.
func TestInitialRule(t *testing.T) {
	const n = 16
	p, other := makePatches(1500, n, 26), makePatches(1500, n, 27)
	mem := checked(t)
	first, _ := fit(t, p.reader(t, mem, 500), Config{Model: linearModel(3), Epochs: 2, Preprocess: model.PreprocessZCA, ZCAEpsilon: 0.02, NoContrast: true})
	sameRule(t, first.Preprocess, learned(t, model.PreprocessZCA, p.pixels, n, func(p *model.Preprocess) { p.Epsilon, p.Contrast = 0.02, 0 }))
	for _, method := range []string{"", model.PreprocessZCA} {
		again, report := fit(t, other.reader(t, mem, 500), Config{Init: first, Epochs: 2, Preprocess: method, ZCAEpsilon: 0.02})
		sameRule(t, again.Preprocess, first.Preprocess)
		if len(report.Epochs) != 2 || again.RowsSeen != 2*1500+first.RowsSeen {
			t.Errorf("report %+v", report)
		}
	}
	again, _ := fit(t, other.reader(t, mem, 500), Config{Init: first, Epochs: 2, Preprocess: model.PreprocessStandardize})
	sameRule(t, again.Preprocess, learned(t, model.PreprocessStandardize, other.pixels, n))

	sigmoid := model.Sparse(3)
	saltPepper := linearModel(3)
	saltPepper.Corruption, saltPepper.Noise = 0.1, model.SaltPepper
	for name, c := range map[string]Config{
		"output activation":  {Model: sigmoid, Preprocess: model.PreprocessZCA},
		"noise":              {Model: saltPepper, Preprocess: model.PreprocessStandardize},
		"epsilon of another": {Init: first, ZCAEpsilon: 0.5},
		"epsilon":            {Model: sigmoid, ZCAEpsilon: 0.5},
		"negative epsilon":   {Model: linearModel(3), Preprocess: model.PreprocessZCA, ZCAEpsilon: -1},
		"contrast":           {Model: linearModel(3), Preprocess: model.PreprocessStandardize, NoContrast: true},
		"rows":               {Model: linearModel(3), Preprocess: model.PreprocessZCA, PreprocessRows: -1},
	} {
		var config *model.ConfigError
		if _, err := NewFitter(patchSchema(n), c); !errors.As(err, &config) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A bad row comes as the error of that row, while preprocessing learns too.
func TestBadRowsWhileLearning(t *testing.T) {
	noGoroutinesLeft(t)
	const n = 16
	p := makePatches(4000, n, 28)
	mem := checked(t)
	b := p.batch(mem, 0, 4000, 3500)
	defer b.Release()
	for _, epochs := range []int{1, 2} {
		c := Config{Model: linearModel(2), Epochs: epochs, Preprocess: model.PreprocessStandardize}
		f, err := NewFitter(patchSchema(n), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(context.Background(), b); err == nil || !strings.Contains(err.Error(), "row 3500") {
			t.Errorf("%d epochs: %v", epochs, err)
		}
		f.Close()
		c.Skip = true
		if f, err = NewFitter(patchSchema(n), c); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		m, report, err := f.Finish(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if report.Skipped != 1 || report.Rows != 3999 || m.Preprocess.Learned.Rows != 3999 {
			t.Errorf("%d epochs: report %+v, learned from %d rows", epochs, report, m.Preprocess.Learned.Rows)
		}
	}
}

// Rows that are held out teach preprocessing nothing, and L-BFGS, which keeps
// rows for one iteration too, learns from all others.
func TestLearnBesideHeldOutRows(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n, share, seed = 5000, 16, 0.3, 7
	p := makePatches(m, n, 29)
	lot := holdout{share: share, seed: seed}
	var others []uint8
	for i := range m {
		if !lot.draw(lotOfNumber, uint64(i)) {
			others = append(others, p.pixels[i*n:(i+1)*n]...)
		}
	}
	config := linearModel(3)
	config.Seed = seed
	for _, method := range learningMethods {
		for _, c := range []struct {
			name      string
			epochs    int
			optimizer model.Optimizer
			rows      int // that teach
		}{
			{"one epoch", 1, model.Adam, 1700},
			{"epochs", 3, model.Adam, len(others) / n},
			{"one iteration", 1, model.LBFGS, len(others) / n},
			{"iterations", 4, model.LBFGS, len(others) / n},
		} {
			var want []byte
			for _, batch := range []int{m, 333} {
				got, report := fit(t, p.reader(t, checked(t), batch), Config{Model: config, Epochs: c.epochs, Preprocess: method, PreprocessRows: 1700,
					Train: model.TrainOptions{Optimizer: c.optimizer}, Validation: share})
				sameRule(t, got.Preprocess, learned(t, method, others[:c.rows*n], n))
				if report.HeldOut != int64(m-len(others)/n) || report.Rows != int64(len(others)/n) || len(report.Epochs) != c.epochs || report.Best == 0 {
					t.Errorf("%s, %s: report %+v", method, c.name, report)
				}
				if want == nil {
					want = file(t, got)
				} else if !bytes.Equal(file(t, got), want) {
					t.Errorf("%s, %s: batches of %d give another model", method, c.name, batch)
				}
			}
		}
	}
}

// Without epochs rows are read up to the one that settles the rule, however
// they are cut: those after it are neither errors nor counted, and a Fitter
// that is ready takes batches and reads none of them.
func TestNoEpochsReadNoMore(t *testing.T) {
	noGoroutinesLeft(t)
	const m, n = 4000, 16
	p := makePatches(m, n, 31)
	nulls := []int{0, 5, 1000, 1023, 1026, 1027, 1028, m - 1}
	mem := checked(t)
	lists := arrow.NewSchema([]arrow.Field{{Name: "image", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8), Nullable: true}}, nil)
	variable := func(size int) array.RecordReader { // the width is for rows to tell
		b := array.NewRecordBuilder(mem, lists)
		defer b.Release()
		var batches []arrow.RecordBatch
		for lo := 0; lo < m; lo += size {
			list := b.Field(0).(*array.ListBuilder)
			for i := lo; i < min(lo+size, m); i++ {
				if slices.Contains(nulls, i) {
					list.AppendNull()
					continue
				}
				list.Append(true)
				list.ValueBuilder().(*array.Uint8Builder).AppendValues(p.pixels[i*n:(i+1)*n], nil)
			}
			batches = append(batches, b.NewRecordBatch())
		}
		r, err := array.NewRecordReader(lists, batches)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			b.Release()
		}
		return r
	}
	c := Config{Model: linearModel(2), Epochs: NoEpochs, Preprocess: model.PreprocessStandardize, PreprocessRows: 1000}
	for _, size := range []int{m, 1024, 100, 7, 1} {
		// 1,024 good rows are there with the last before the null.
		fit(t, p.reader(t, mem, size, 1024, m-1), c)
		skip := c
		skip.Skip = true
		for name, r := range map[string]array.RecordReader{"fixed": p.reader(t, mem, size, nulls...), "variable": variable(size)} {
			fitted, report := fit(t, r, skip)
			// Rows 0 to 1030 have 1,024 good ones.
			if report.Skipped != 7 || fitted.Preprocess.Learned.Rows != 1000 {
				t.Errorf("%s, batches of %d: skipped %d, learned from %d rows", name, size, report.Skipped, fitted.Preprocess.Learned.Rows)
			}
		}
		f, err := NewFitter(patchSchema(n), c)
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < m; lo += size {
			b := p.batch(mem, lo, min(lo+size, m), 3000)
			err := f.Write(t.Context(), b)
			b.Release()
			if err != nil {
				t.Fatalf("batches of %d: %v", size, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A model counts the rows that the one it began from has seen, but not its
// epochs.
func TestInitialRowsCount(t *testing.T) {
	p := makePatches(300, 16, 28)
	mem := checked(t)
	first, _ := fit(t, p.reader(t, mem, 100), Config{Model: linearModel(3), Epochs: 2, Preprocess: model.PreprocessStandardize})
	for epochs, want := range map[int]int64{NoEpochs: 600, 1: 900, 3: 1500} {
		m, _ := fit(t, p.reader(t, mem, 100), Config{Init: first, Epochs: epochs})
		if m.RowsSeen != want || len(m.History) != max(0, epochs) || first.RowsSeen != 600 {
			t.Errorf("%d epochs: %d rows seen, %d in the history, %d by the first", epochs, m.RowsSeen, len(m.History), first.RowsSeen)
		}
	}
}

// The weight decay follows the first rows, however they are cut into batches,
// and is never more than the one that was given; without FitDecay it is that.
func TestFitDecay(t *testing.T) {
	const n, rows = 12, 3000
	p := makePatches(rows, n, 5)
	mem := checked(t)
	c := Config{Model: model.KSparse(40), Epochs: NoEpochs, FitDecay: true}
	c.Model.K = 2
	first := model.Uint8Rows(p.pixels, n)
	want := c.Model.KSparseDecay(model.Preprocess{Method: model.PreprocessScale, Scale: 1. / 255}, first)
	if want >= 0.001 {
		t.Fatalf("rows whose weight decay is %v test nothing", want)
	}
	for _, v := range []struct {
		fitDecay    bool
		given, want float64
	}{{true, 0.01, want}, {true, 1e-6, 1e-6}, {true, 0, 0}, {false, 0.01, 0.01}} {
		c.FitDecay, c.Model.WeightDecay = v.fitDecay, v.given
		for _, size := range []int{7, rows} {
			if m, _ := fit(t, p.reader(t, mem, size), c); m.WeightDecay != v.want {
				t.Errorf("%+v: in batches of %d rows the weight decay is %v", v, size, m.WeightDecay)
			}
		}
	}
}
