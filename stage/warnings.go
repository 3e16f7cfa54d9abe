package stage

import (
	"fmt"
	"slices"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Warnings returns what may have spoilt the model, or was asked for in vain,
// though nothing failed.
func (r *Report) Warnings() []Warning { return slices.Clone(r.warnings) }

// Warning is something that the user of a fit may want to act on.
type Warning struct {
	Key     string  // WarnUnused and so on, which stay
	Setting string  // the field of [Config] that it is about, or that may cure it
	Value   float64 // as the key says
}

// The keys of warnings.
const (
	WarnUnused = "unused" // the setting changes nothing beside the others

	// WarnDead: Value units, more than half, of a k-sparse model more than a
	// quarter, are dead in the last epoch. See model.Health. Setting is what
	// they may have died of.
	WarnDead = "dead"

	// WarnSparsity: the sparsity term is a share of the cost, the Value, above
	// one half. Mean activations are far from what it aims for.
	WarnSparsity = "sparsity"

	// WarnUnmoved: Value units, more than half, are near their initial weights.
	// See model.Model.UnmovedUnits.
	WarnUnmoved = "unmoved"

	// WarnTwins: Value units, more than a quarter of those that are compared,
	// have a near twin. See model.Model.TwinUnits.
	WarnTwins = "twins"

	// WarnValidation: no epoch had a finite cost of held-out rows, and the
	// model is that of the last.
	WarnValidation = "validation"

	WarnDrift      = "drift"        // Report.Drift, the Value, is above 0.1
	WarnOutOfRange = "out_of_range" // Value rows are out of range, more than were in it
	WarnReach      = "reach"        // Report.Reach, the Value, is below 0.1
)

// String says in words what w is about, and what to do. Fields of the settings
// stand in backquotes.
func (w Warning) String() string {
	switch w.Key {
	case WarnUnused:
		return fmt.Sprintf("`%s` changes nothing beside the other settings", w.Setting)
	case WarnDead:
		switch w.Setting {
		case "WeightDecay":
			return fmt.Sprintf("%v units are dead: try a smaller `WeightDecay`, or one that suits the rows with `FitDecay`", w.Value)
		case "K":
			return fmt.Sprintf("%v units are dead: try a larger `K`, fewer units (`Hidden`), or `Preprocess` zca", w.Value)
		}
		return fmt.Sprintf("%v units are dead: try a smaller `LearningRate` or `SparsityWeight`", w.Value)
	case WarnSparsity:
		return fmt.Sprintf("the sparsity term is %.0f%% of the cost, and mean activations are far from `Sparsity`: "+
			"take more steps (`Epochs`, a smaller `BatchSize`), or try a larger `Sparsity` or a smaller `SparsityWeight`", 100*w.Value)
	case WarnUnmoved:
		return fmt.Sprintf("%v units are near their initial weights: take more steps (`Epochs`, a smaller `BatchSize`), or try a larger `LearningRate`", w.Value)
	case WarnTwins:
		return fmt.Sprintf("%v units have a near twin: try a smaller `WeightDecay` or `Corruption`, or fewer units (`Hidden`)", w.Value)
	case WarnValidation:
		return "the held-out rows have no finite cost: the last epoch's model was kept"
	case WarnDrift:
		return fmt.Sprintf("preprocessing was learned from the first rows, and over all rows inputs differ from these by %.2g standard deviations: "+
			"learn from more (`PreprocessRows`), from all with two or more `Epochs`, or shuffle the input", w.Value)
	case WarnOutOfRange:
		return fmt.Sprintf("%v rows were skipped as out of range, more than were in it: "+
			"give the largest value that can occur with `PixelMax`, or choose `Preprocess` standardize without it", w.Value)
	case WarnReach:
		return fmt.Sprintf("the first rows use %.2g of the range of their type: give the largest value that can occur with `PixelMax`", w.Value)
	}
	return w.Key
}

// maxDrift is how large Report.Drift may be before it calls for a warning: ten
// times what chance makes of the usual number of rows.
const maxDrift = 0.1

// minReach is how small Report.Reach may be before it calls for a warning. 12
// of 16 bits reach less, and few pictures are so dark.
const minReach = 0.1

// judgeDead adds a warning where many units of a model of c are dead. fitDecay
// says that the weight decay of k-sparse codes is one that suits the rows.
// Another is mostly what they died of: they do too little for its cost.
func (r *Report) judgeDead(c model.Config, fitDecay bool) {
	if len(r.Epochs) == 0 {
		return
	}
	dead, share, setting := r.Epochs[len(r.Epochs)-1].Dead, 2, "LearningRate"
	if c.K > 0 {
		share, setting = 4, "K"
		if c.WeightDecay > 0 && !fitDecay {
			setting = "WeightDecay"
		}
	}
	if share*dead > c.Hidden {
		r.warnings = append(r.warnings, Warning{WarnDead, setting, float64(dead)})
	}
}

// judge adds what the numbers of the report warn of, but for dead units.
func (r *Report) judge() {
	warn := func(key, setting string, value float64) {
		r.warnings = append(r.warnings, Warning{Key: key, Setting: setting, Value: value})
	}
	n := len(r.Epochs)
	if n > 0 {
		if c := r.Epochs[n-1].Cost; c.Sparsity > c.Total/2 {
			warn(WarnSparsity, "SparsityWeight", c.Sparsity/c.Total)
		}
	}
	if r.Best > 0 && r.Epochs[r.Best-1].Validation == nil {
		warn(WarnValidation, "Validation", 0)
	}
	if out := r.BadRows.Counts[patch.OutOfRange]; n > 0 && out > r.Rows+r.HeldOut {
		warn(WarnOutOfRange, "PixelMax", float64(out))
	}
	if r.Drift > maxDrift {
		warn(WarnDrift, "PreprocessRows", r.Drift)
	}
	if r.Reach > 0 && r.Reach < minReach {
		warn(WarnReach, "PixelMax", r.Reach)
	}
}

// judgeWeights adds what the weights of a model that was trained warn of. drawn
// says that they began as the seed draws them.
func (r *Report) judgeWeights(m *model.Model, drawn bool) {
	if len(r.Epochs) == 0 {
		return
	}
	if n := m.UnmovedUnits(); drawn && 2*n > m.Hidden {
		r.warnings = append(r.warnings, Warning{WarnUnmoved, "Epochs", float64(n)})
	}
	if n, compared := m.TwinUnits(); 4*n > compared {
		r.warnings = append(r.warnings, Warning{WarnTwins, "WeightDecay", float64(n)})
	}
}
