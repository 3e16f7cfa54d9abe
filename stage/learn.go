package stage

import (
	"fmt"
	"slices"

	"github.com/aefeat/aefeat/model"
)

// MaxDrift is how large Report.Drift may be before it calls for a warning: ten
// times what chance makes of the usual number of rows.
const MaxDrift = 0.1

// MinReach is how small Report.Reach may be before it calls for a warning. 12
// of 16 bits reach less, and few pictures are so dark.
const MinReach = 0.1

// learning is preprocessing that learns from the rows of a fit. Where rows are
// kept, it learns from all of them while they arrive, and training begins with
// the kept ones. Otherwise it holds back the first rows, learns from these, and
// training begins with them; the statistics of later ones then tell of drift.
type learning struct {
	statistics *model.Statistics
	ahead      int64 // rows to hold back; 0: none, rows are kept
	held       model.Rows
	done       bool
}

// settleRule checks what the settings ask of preprocessing, as far as it can
// be told without rows.
func (f *Fitter) settleRule() error {
	c := &f.config
	method := c.method()
	if err := (model.Preprocess{Method: method}).Allows(c.Model); err != nil {
		return err
	}
	zca := "is a part of zca, and preprocessing is " + method
	switch {
	case c.PreprocessRows < 0:
		return &model.ConfigError{Setting: "PreprocessRows", Reason: fmt.Sprintf("%d is negative", c.PreprocessRows)}
	case !(c.ZCAEpsilon >= 0 && c.ZCAEpsilon <= 1e30):
		return &model.ConfigError{Setting: "ZCAEpsilon", Reason: fmt.Sprintf("%v is not a positive number", c.ZCAEpsilon)}
	case c.ZCAEpsilon != 0 && method != model.PreprocessZCA:
		return &model.ConfigError{Setting: "ZCAEpsilon", Reason: zca, Hint: "leave it out, or choose `Preprocess` zca"}
	case c.NoContrast && method != model.PreprocessZCA:
		return &model.ConfigError{Setting: "NoContrast", Reason: "the normalisation of contrast " + zca, Hint: "leave `NoContrast` out, or choose `Preprocess` zca"}
	}
	if rule := c.initial(); rule != nil && (c.ZCAEpsilon != 0 && c.ZCAEpsilon != rule.Epsilon || c.NoContrast && rule.Contrast != 0) {
		return &model.ConfigError{Setting: "Preprocess", Reason: "the rule of the initial model was learned with another epsilon or contrast",
			Hint: "leave the choice to the initial model"}
	}
	return nil
}

// method is the method of preprocessing that the settings ask for.
func (c Config) method() string {
	if rule := c.initial(); rule != nil {
		return rule.Method
	}
	if c.Preprocess == "" {
		return model.PreprocessScale
	}
	return c.Preprocess
}

// initial returns the rule of the initial model if it stays in force, else nil.
func (c Config) initial() *model.Preprocess {
	if c.Init == nil || c.Init.Preprocess.Method == "" || c.Preprocess != "" && c.Preprocess != c.Init.Preprocess.Method {
		return nil
	}
	return &c.Init.Preprocess
}

// LearnsAhead reports whether preprocessing learns from the first
// PreprocessRows rows of a fit, rather than from all that it keeps, or not at all.
func (c Config) LearnsAhead() bool {
	return c.initial() == nil && !c.keeps() && (model.Preprocess{Method: c.method()}).Learns()
}

// rule settles preprocessing, and begins to learn where the rule must.
func (f *Fitter) rule(source string, first model.Rows) (model.Preprocess, error) {
	if rule := f.config.initial(); rule != nil {
		return rule.Adapt(source, f.config.PixelMax)
	}
	method := f.config.method()
	if source == "" && method != model.PreprocessNone {
		return model.Preprocess{}, fmt.Errorf("preprocessing %q depends on the type of the data: %w", method, ErrNoRows)
	}
	p, err := model.NewPreprocess(method, source, f.config.PixelMax, first)
	if err != nil || !p.Learns() {
		return p, err
	}
	if f.config.ZCAEpsilon != 0 {
		p.Epsilon = f.config.ZCAEpsilon
	}
	if f.config.NoContrast {
		p.Contrast = 0
	}
	if first.Len() == 0 {
		return p, fmt.Errorf("preprocessing %q learns from the data: %w", method, ErrNoRows)
	}
	f.learning = &learning{statistics: model.NewStatistics(p, first.Width), held: model.Rows{Kind: first.Kind, Width: first.Width}}
	if !f.config.keeps() {
		f.learning.ahead = int64(f.config.PreprocessRows)
		if f.learning.ahead == 0 {
			f.learning.ahead = DefaultPreprocessRows
		}
	}
	return p, nil
}

// learns reports whether preprocessing has still to be learned.
func (f *Fitter) learns() bool { return f.learning != nil && !f.learning.done }

// hold learns from a block of rows before any training, and keeps it for that.
func (f *Fitter) hold(b *block) error {
	l, rows := f.learning, b.rows
	take := min(int64(rows.Len()), l.ahead-l.statistics.Rows())
	if err := l.statistics.Add(cut(rows, 0, int(take))); err != nil {
		return err
	}
	if f.epochs > 0 {
		l.held.Data = append(l.held.Data, rows.Data...)
		l.held.Number = append(l.held.Number, rows.Number...)
	}
	b.reset()
	if l.statistics.Rows() < l.ahead {
		return nil
	}
	return f.learn()
}

// learn ends the learning. It trains on the rows that were held back.
func (f *Fitter) learn() (err error) {
	l := f.learning
	learned := int(l.statistics.Rows())
	if f.model.Preprocess, err = l.statistics.Learn(); err != nil {
		return err
	}
	l.done = true
	if f.config.keeps() {
		l.statistics = nil // their memory is for training now
		return nil
	}
	held := l.held
	l.held = model.Rows{}
	// What of the last block was not learned from tells of drift already.
	if learned < held.Len() {
		if err := l.statistics.Add(cut(held, learned, held.Len())); err != nil {
			return err
		}
	}
	for lo := 0; lo < held.Len(); lo += blockRows {
		if err := f.trainOn(cut(held, lo, min(lo+blockRows, held.Len()))); err != nil {
			return err
		}
	}
	return nil
}

// cut returns rows lo up to hi of r.
func cut(r model.Rows, lo, hi int) model.Rows {
	rowBytes := r.Width * r.Kind.Size()
	return model.Rows{Kind: r.Kind, Width: r.Width, Data: r.Data[lo*rowBytes : hi*rowBytes], Number: slices.Clip(r.Number[lo:hi])}
}
