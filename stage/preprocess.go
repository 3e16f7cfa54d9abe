package stage

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aefeat/aefeat/model"
)

// rulePlan is what a plan says of preprocessing.
type rulePlan struct {
	initial    *model.Preprocess // the initial model's, if it stays in force
	method     string            // of another, if not
	pixelMax   float64
	epsilon    float64 // of zca; 0: its own
	noContrast bool

	// rows to learn from before any are trained on; 0: nothing is learned, or
	// from all that are kept
	ahead int64

	// rows that decide the method before anything is made of them; 0: it is
	// decided
	choice int64
}

// settleRule decides which rule of preprocessing is in force and what it
// learns from, and checks what can be told of that without rows.
func (p *plan) settleRule(c Config) error {
	r := rulePlan{method: cmp.Or(c.Preprocess, model.PreprocessScale), pixelMax: c.PixelMax, epsilon: c.ZCAEpsilon, noContrast: c.NoContrast}
	if p.init != nil {
		if of := p.init.Preprocess.Method; of != "" && (c.Preprocess == "" || c.Preprocess == model.PreprocessAuto || c.Preprocess == of) {
			if fault := learnedFault(p.init.Preprocess, p.init.Inputs); fault != "" {
				return &model.ConfigError{Setting: "Init", Reason: fault, Hint: "choose another `Preprocess`"}
			}
			r.initial, r.method = &p.init.Preprocess, of
		}
	}
	if r.method == model.PreprocessAuto {
		r.method = model.PreprocessScale
		if r.pixelMax == 0 { // which says as much
			r.choice = int64(cmp.Or(max(0, c.PreprocessRows), DefaultPreprocessRows))
		}
	}
	if err := r.check(p.model); err != nil {
		return err
	}
	if c.PreprocessRows < 0 {
		return &model.ConfigError{Setting: "PreprocessRows", Reason: fmt.Sprintf("%d is negative", c.PreprocessRows)}
	}
	if learns := r.initial == nil && (model.Preprocess{Method: r.method}).Learns(); learns && !p.keeps() {
		r.ahead = int64(cmp.Or(c.PreprocessRows, DefaultPreprocessRows))
	} else if c.PreprocessRows != 0 && r.choice == 0 {
		p.warnings = append(p.warnings, Warning{Key: WarnUnused, Setting: "PreprocessRows"})
	}
	p.rule = r
	return nil
}

// choose settles what model.PreprocessAuto stands for.
func (p *plan) choose(method string, pixelMax float64) error {
	r := p.rule
	r.method, r.pixelMax, r.choice = method, pixelMax, 0
	if method == model.PreprocessStandardize {
		if p.model.Output == model.Sigmoid && p.model.Loss == model.SquaredError {
			p.model.Output = model.Linear // as model.ForObjective has it
		}
		if !p.keeps() {
			r.ahead = int64(cmp.Or(p.config.PreprocessRows, DefaultPreprocessRows))
		}
	}
	p.rule = r
	return r.check(p.model)
}

// check reports what does not go together, or with the model.
func (r rulePlan) check(c model.Config) error {
	if err := (model.Preprocess{Method: r.method}).Allows(c); err != nil {
		return err
	}
	zca := "is a part of zca, and preprocessing is " + r.method
	switch {
	case !(r.epsilon >= 0 && r.epsilon <= 1e30):
		return &model.ConfigError{Setting: "ZCAEpsilon", Reason: fmt.Sprintf("%v is not a positive number", r.epsilon)}
	case r.epsilon != 0 && r.method != model.PreprocessZCA:
		return &model.ConfigError{Setting: "ZCAEpsilon", Reason: zca, Hint: "leave it out, or choose `Preprocess` zca"}
	case r.noContrast && r.method != model.PreprocessZCA:
		return &model.ConfigError{Setting: "NoContrast", Reason: "the normalisation of contrast " + zca, Hint: "leave `NoContrast` out, or choose `Preprocess` zca"}
	}
	// The divisor is judged by the model's own rule, on data of no type yet.
	if r.initial == nil {
		_, err := model.NewPreprocess(r.method, "", r.pixelMax, model.Rows{})
		return err
	}
	if r.epsilon != 0 && r.epsilon != r.initial.Epsilon || r.noContrast && r.initial.Contrast != 0 {
		return &model.ConfigError{Setting: "Preprocess", Reason: "the rule of the initial model was learned with another epsilon or contrast",
			Hint: "leave the choice to the initial model"}
	}
	if r.pixelMax == 0 {
		return nil
	}
	_, err := r.initial.Adapt("", r.pixelMax)
	return err
}

// settle returns the rule for elements of the type source. What the method
// learns is still to be learned.
func (r rulePlan) settle(source string, first model.Rows) (model.Preprocess, error) {
	if r.initial != nil {
		return r.initial.Adapt(source, r.pixelMax)
	}
	if source == "" && r.method != model.PreprocessNone {
		return model.Preprocess{}, fmt.Errorf("preprocessing %q depends on the type of the data: %w", r.method, ErrNoRows)
	}
	p, err := model.NewPreprocess(r.method, source, r.pixelMax, first)
	if err != nil || !p.Learns() {
		return p, err
	}
	if first.Len() == 0 {
		return p, fmt.Errorf("preprocessing %q learns from the data: %w", r.method, ErrNoRows)
	}
	p.Epsilon = cmp.Or(r.epsilon, p.Epsilon)
	if r.noContrast {
		p.Contrast = 0
	}
	return p, nil
}

// reach returns Report.Reach of the first rows under the rule that was settled.
func (r rulePlan) reach(p model.Preprocess, first model.Rows) float64 {
	if r.initial != nil || r.pixelMax != 0 {
		return 0
	}
	return p.Reach(first)
}

// learning is preprocessing that learns from the rows of a fit. Where rows are
// kept it learns from all of them while they arrive, and training begins with
// the kept ones. Otherwise the first rows wait, it learns from these, and
// training begins with them; the statistics of later ones then tell of drift.
type learning struct {
	statistics *model.Statistics
	ahead      int64      // rows to wait for; 0: none, rows are kept
	waiting    model.Rows // learned from, or arrived with these, and not trained on yet
	done       bool
}

// newLearning returns the learning of a rule from rows like those of first.
func newLearning(p model.Preprocess, first model.Rows, ahead int64) *learning {
	return &learning{
		statistics: model.NewStatistics(p, first.Width),
		ahead:      ahead,
		waiting:    model.Rows{Kind: first.Kind, Width: first.Width},
	}
}

// waits reports whether rows that arrive are to wait rather than be trained on.
func (l *learning) waits() bool { return l.ahead > 0 && !l.done }

// wait learns from rows, as far as they are needed for that, and reports
// whether there are enough now. With keep it makes all of them wait.
func (l *learning) wait(rows model.Rows, keep bool) (enough bool, err error) {
	take := min(int64(rows.Len()), l.ahead-l.statistics.Rows())
	if err := l.statistics.Add(cut(rows, 0, int(take))); err != nil {
		return false, err
	}
	if keep {
		l.waiting.Data = append(l.waiting.Data, rows.Data...)
		l.waiting.Number = append(l.waiting.Number, rows.Number...)
	}
	return l.statistics.Rows() >= l.ahead, nil
}

// end ends the learning, and returns what was learned and the rows that have
// waited.
func (l *learning) end(ctx context.Context) (p model.Preprocess, waited model.Rows, err error) {
	learned := int(l.statistics.Rows())
	if p, err = l.statistics.Learn(ctx); err != nil {
		return p, waited, err
	}
	l.done = true
	if l.ahead == 0 {
		l.statistics = nil // their memory is for training now
		return p, waited, nil
	}
	waited, l.waiting = l.waiting, model.Rows{}
	// What of the last block was not learned from tells of drift already.
	if learned < waited.Len() {
		err = l.statistics.Add(cut(waited, learned, waited.Len()))
	}
	return p, waited, err
}

// drift returns Report.Drift.
func (l *learning) drift() float64 {
	if l.ahead == 0 {
		return 0
	}
	return l.statistics.Drift()
}
