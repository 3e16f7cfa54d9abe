package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// This file has the words that several commands use.

// sum writes a cost as the reconstruction and the terms that are on.
func sum(c model.Cost) string {
	s := fmt.Sprintf("cost %.5g = ", c.Total)
	for i, term := range c.Terms() {
		switch {
		case i == 0:
			s += fmt.Sprintf("%s %.5g", term.Name, term.Value)
		case term.Value != 0:
			s += fmt.Sprintf(" + %s %.5g", term.Name, term.Value)
		}
	}
	return s
}

// idle writes how many units do little, of each kind that there is.
func idle(h model.Health) string {
	s, last := "", 0
	for _, kind := range []struct {
		name  string
		count int
	}{{"dead", h.Dead}, {"dense", h.Dense}, {"saturated", h.Saturated}} {
		if kind.count != 0 {
			s += fmt.Sprintf(", %d %s", kind.count, kind.name)
			last = kind.count
		}
	}
	switch {
	case last == 1:
		s += " unit"
	case last > 1:
		s += " units"
	}
	return s
}

// unitOf is what the epochs of an optimizer are called.
func unitOf(o model.Optimizer) string {
	if o.WholePasses() {
		return "iteration"
	}
	return "epoch"
}

// fittedIn says, in a line, what a training came to, and in another why it
// stopped, unless that goes without saying.
func fittedIn(unit string, rows int64, epochs int, evaluations int64, cost model.Cost, stop model.StopReason) []string {
	passes := plural(int64(epochs), unit)
	if evaluations > 0 {
		passes += fmt.Sprintf(" (%s)", plural(evaluations, "evaluation"))
	}
	lines := []string{fmt.Sprintf("fitted %s in %s: %s", plural(rows, "row"), passes, sum(cost))}
	switch why := stopReason(stop); {
	case why != "":
		lines = append(lines, "stopped: "+why)
	case evaluations > 0:
		lines = append(lines, "stopped: at --epochs, before the cost has converged")
	}
	return lines
}

// stopReason says why a fit ended before its last epoch; "" if it did not.
func stopReason(s model.StopReason) string {
	switch s {
	case model.Converged:
		return "the cost has converged"
	case model.OutOfPatience:
		return "the held-out rows cost no less any more"
	case model.LineSearchFailed:
		return "the line search finds no lower cost"
	}
	return ""
}

// describe writes the sizes of a model and what becomes of its input.
func describe(m *model.Model) string {
	tied := ""
	if m.Tied {
		tied = ", tied weights"
	}
	order := "" // said where it is not the usual one
	if m.Shape.Order != "" {
		order = fmt.Sprintf(" (%v, as they are stored)", m.Shape)
	}
	return fmt.Sprintf("%d inputs%s, %d hidden units%s; %s", m.Inputs, order, m.Hidden, tied, rule(m.Preprocess))
}

// describeFit writes the terms that were on, and how the weights followed the
// gradient.
func describeFit(m *model.Model, o model.TrainOptions) string {
	words := []string{m.Objective}
	for _, term := range m.Terms() {
		words = append(words, term.Name+" "+term.Settings)
	}
	return strings.Join(append(words, describeTraining(m, o)), "; ")
}

// describeTraining writes how the weights of m follow the gradient.
func describeTraining(m *model.Model, o model.TrainOptions) string {
	training := o.Optimizer.String()
	o.Validate = o.Validate || o.Patience > 0 // a fit says so itself
	if o, err := o.WithDefaults(m.Config, m.Preprocess.Method); err == nil && !o.Optimizer.WholePasses() {
		batches := fmt.Sprintf("batches of %d", o.BatchSize)
		if o.BatchSize == model.FullBatch {
			batches = "full batches"
		}
		training += fmt.Sprintf(", rate %g, %s", o.LearningRate, batches)
	}
	return training
}

// skipped says how many bad rows were left out, and why.
func skipped(bad patch.BadRows) string {
	var reasons []string
	for _, r := range slices.Sorted(maps.Keys(bad.Counts)) {
		reasons = append(reasons, fmt.Sprintf("%d %s", bad.Counts[r], strings.ReplaceAll(string(r), "_", " ")))
	}
	return fmt.Sprintf("skipped %s (%s)", plural(bad.Total(), "bad row"), strings.Join(reasons, ", "))
}

// badRows is patch.BadRows with the files that the rows are in, as errors have
// them.
type badRows struct {
	Counts map[patch.Reason]int64 `json:"counts"`
	First  []badRow               `json:"first,omitempty"`
}

type badRow struct {
	File string `json:"file,omitempty"`
	patch.BadRow
}

// withBadRows adds the bad rows of src that were left out to an event. src is
// nil where the first of them are not listed.
func withBadRows(event map[string]any, src *arrowio.Source, bad patch.BadRows) map[string]any {
	event["skipped"] = bad.Total()
	if bad.Total() > 0 {
		event["bad_rows"] = locatedBadRows(src, bad)
	}
	return event
}

// locatedBadRows names the files that bad rows are in.
func locatedBadRows(src *arrowio.Source, bad patch.BadRows) badRows {
	named := badRows{Counts: map[patch.Reason]int64{}}
	maps.Copy(named.Counts, bad.Counts)
	if src == nil {
		return named
	}
	for _, r := range bad.First {
		row := badRow{BadRow: r}
		if file, at, ok := src.Locate(r.Row); ok {
			row.File, row.Row = file, at
		}
		named.First = append(named.First, row)
	}
	return named
}

// warnFit tells of a warning about the fit of m, with the flags that may help.
func warnFit(ui *console, m *model.Model, w stage.Warning) {
	text, hint := warningWords(m, w)
	ui.warn(codeOfWarning(w.Key), hint, "%s", text)
}

// warningWords says what a warning about the fit of m is about, and what may
// help.
func warningWords(m *model.Model, w stage.Warning) (text, hint string) {
	switch w.Key {
	case stage.WarnUnused:
		return fmt.Sprintf("%s changes nothing: preprocessing learns from all rows, or nothing", flagOf("fit", w.Setting)), ""
	case stage.WarnDead:
		return fmt.Sprintf("%v of %d units are dead", w.Value, m.Hidden), deadHint(m, w.Setting)
	case stage.WarnSparsity:
		return fmt.Sprintf("the sparsity term is %.0f%% of the cost: mean activations are far from --sparsity %g", 100*w.Value, m.Sparsity),
			"take more steps (--epochs, a smaller --batch-size), or try a larger --sparsity or a smaller --sparsity-weight"
	case stage.WarnUnmoved:
		return fmt.Sprintf("%v of %d units are near their initial weights", w.Value, m.Hidden),
			"take more steps (--epochs, a smaller --batch-size), or try a larger --learning-rate"
	case stage.WarnTwins:
		return fmt.Sprintf("%v of %d units have a near twin", w.Value, m.Hidden), twinsHint(m)
	case stage.WarnValidation:
		return "the held-out rows have no finite cost: the last epoch's model was kept", ""
	case stage.WarnDrift:
		return fmt.Sprintf("preprocessing was learned from the first %s, and over all rows inputs differ from these by %.2g standard deviations",
				plural(m.Preprocess.Learned.Rows, "row"), w.Value),
			"learn from more rows (--preprocess-rows), from all with --epochs 2 or more, or shuffle the input"
	case stage.WarnOutOfRange:
		return fmt.Sprintf("%s out of range, more than were in it: the values may have another scale", plural(int64(w.Value), "row")),
			"give the largest value that can occur with --pixel-max, or choose --preprocess standardize without it"
	case stage.WarnReach:
		p := m.Preprocess
		return fmt.Sprintf("%s values are divided by %g, and the largest of the first rows is %g", p.Source, p.Max, math.Round(w.Value*p.Max)),
			"give the largest value that can occur with --pixel-max"
	}
	return namesToFlags("fit", w.String()), ""
}

// deadHint says what may keep more units of m alive, given the setting that
// some may have died of.
func deadHint(m *model.Model, setting string) string {
	if m.K == 0 {
		return "try a smaller --learning-rate, or a smaller --sparsity-weight"
	}
	cures := []string{"a larger --k", "fewer units (--hidden)"}
	method := m.Preprocess.Method
	if method != model.PreprocessZCA {
		cures = append(cures, "--preprocess zca")
	}
	if setting != "WeightDecay" {
		return "try " + strings.Join(cures, ", ")
	}
	hint := "try a smaller --weight-decay, or leave it out, and it follows the variance of the rows"
	if method == model.PreprocessNone || method == model.PreprocessScale {
		hint += "; or --preprocess standardize"
	}
	return hint
}

// twinsHint says what may keep the units of m apart, of what is on.
func twinsHint(m *model.Model) string {
	hint := "try fewer units (--hidden)"
	if m.WeightDecay > 0 {
		hint += ", a smaller --weight-decay"
	}
	if m.Corruption > 0 {
		hint += ", a smaller --corruption"
	}
	return hint
}
