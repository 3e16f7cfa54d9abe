package model

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// derived are the fields that a checkpoint does not keep, and why not.
var derived = map[string]string{
	"model.Trainer.m":             "the model file holds it",
	"model.Trainer.err":           "after an error there is no checkpoint",
	"model.Trainer.finished":      "nor after Finish",
	"model.descent.m":             "the trainer's",
	"model.descent.o":             "the trainer's",
	"model.descent.gradient":      "made anew by each step",
	"model.descent.epoch":         "counted by the model's history",
	"model.optimizer.o":           "the trainer's",
	"model.miniBatch.batch":       "made anew by each batch",
	"model.miniBatch.biases":      "made anew by each batch",
	"model.Cost.Total":            "a running cost has none",
	"model.runningRhohat.c":       "the model's",
	"model.runningRhohat.horizon": "follows from the batch size",
	"model.runningRhohat.pull":    "made anew by each batch",
	"model.waker.woken":           "made anew by each batch",
	"model.waker.larger":          "made anew by each batch",
	"model.pass.m":                "the trainer's",
	"model.pass.keep":             "follows from the epochs that are over",
	"model.pass.noisy":            "made anew by each batch",
	"model.pass.code":             "made anew by each batch",
	"model.pass.out":              "made anew by each batch",
	"model.pass.raw":              "made anew by each batch",
	"model.pass.delta":            "made anew by each batch",
	"model.pass.slope":            "made anew by each batch",
	"model.pass.zeros":            "made anew by each batch",
	"model.pass.skips":            "made anew by each batch",
	"model.pass.kept":             "made anew by each batch",
	"model.pass.noise":            "follows from the settings; its randomness is keyed by seed, epoch and row",
	"model.pass.emphasis":         "made anew by each batch",
	"model.fullBatch.sums":        "empty between passes",
	"model.quasiNewton.m":         "the trainer's",
	"model.quasiNewton.o":         "the trainer's",
	"model.quasiNewton.sums":      "empty between passes",
	"model.quasiNewton.gradient":  "made anew by each evaluation",
	"model.quasiNewton.wide":      "made anew by each evaluation",
	"model.quasiNewton.epoch":     "counted by the model's history",
	"lbfgs.Search.settings":       "constants, and the planned epochs",
	"lbfgs.Search.line":           "the trials of the line, replayed",
	"lbfgs.Search.point":          "follows from the line",
	"lbfgs.Search.direction":      "follows from gradient and pairs",
	"lbfgs.Search.inverses":       "follow from the pairs",
	"lbfgs.Search.shares":         "made anew by each line",
}

// walker looks for fields that a checkpoint does not notice.
type walker struct {
	noticed func() bool // whether a checkpoint differs from that of the trainer as it was
	skip    string      // a field that is of no meaning now
	visited map[unsafe.Pointer]bool
	seen    map[string]bool // fields that had something to change; false: not yet
	lost    map[string]bool // fields whose change went unnoticed
	used    map[string]bool // of derived
}

// walk changes every field below v for a moment. name is that of the field
// which v is in.
func (w *walker) walk(name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			if p := v.UnsafePointer(); w.visited[p] {
				return
			} else {
				w.visited[p] = true
			}
		}
		w.walk(name, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			name := fmt.Sprint(v.Type(), ".", v.Type().Field(i).Name)
			if _, ok := derived[name]; ok {
				w.used[name] = true
				continue
			}
			if name == w.skip {
				continue
			}
			w.seen[name] = w.seen[name] || false
			w.walk(name, reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
		}
	case reflect.Slice:
		if v.Len() > 0 {
			w.walk(name, v.Index(0))
		}
	default:
		w.seen[name] = true
		w.lost[name] = w.lost[name] || !w.change(v)
		return
	}
	w.seen[name] = true
}

// change gives v other values in turn, and reports whether one is noticed.
func (w *walker) change(v reflect.Value) bool {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	defer v.Set(was)
	for step := 1; step <= 4; step++ {
		switch {
		case v.Kind() == reflect.Bool:
			v.SetBool(!was.Bool())
		case v.CanInt():
			v.SetInt(was.Int() + int64(step))
		case v.CanUint():
			v.SetUint(was.Uint() + uint64(step))
		case v.CanFloat():
			v.SetFloat(was.Float() + float64(step))
		default:
			return false
		}
		if w.noticed() {
			return true
		}
	}
	return false
}

// Every field of a trainer, and of all that it reaches, is either in the
// checkpoint or known to follow from what is.
func TestEveryFieldIsKept(t *testing.T) {
	w := &walker{seen: map[string]bool{}, lost: map[string]bool{}, used: map[string]bool{}}
	for i, f := range fits() {
		if !strings.Contains(f.name, "held out") {
			continue
		}
		// At a random call of a fit, and at its end.
		r := rand.New(rand.NewPCG(uint64(i), 3))
		f.run(t, func(trainer *Trainer) *Trainer {
			if r.IntN(40) > 0 && trainer.Stopped() == NotStopped {
				return trainer
			}
			was := checkpointOf(t, trainer, Host{})
			w.skip = ""
			if b, ok := trainer.engine.(*miniBatch); ok && b.pass.rows() == 0 {
				w.skip = "model.pass.clean"
			}
			w.visited = map[unsafe.Pointer]bool{}
			w.noticed = func() bool {
				var b bytes.Buffer
				return trainer.WriteCheckpoint(&b, Host{}) != nil || !bytes.Equal(b.Bytes(), was)
			}
			w.walk("", reflect.ValueOf(trainer))
			if !bytes.Equal(checkpointOf(t, trainer, Host{}), was) {
				t.Fatal("the walk has left something changed")
			}
			return trainer
		})
	}
	for _, name := range slices.Sorted(maps.Keys(w.seen)) {
		switch {
		case !w.seen[name]:
			t.Errorf("%s: no training of this test has one", name)
		case w.lost[name]:
			t.Errorf("%s is neither in a checkpoint nor known to follow from it", name)
		}
	}
	for name := range derived {
		if !w.used[name] {
			t.Errorf("%s: no such field", name)
		}
	}
}
