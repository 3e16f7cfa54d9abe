package main

import (
	"fmt"

	"github.com/aefeat/aefeat/model"
)

// This file has the words that several commands use.

// sum writes a cost and its terms, those that are on.
func sum(c model.Cost) string {
	s := fmt.Sprintf("cost %.5g = reconstruction %.5g", c.Total, c.Reconstruction)
	for _, term := range []struct {
		name  string
		value float64
	}{{"weight decay", c.WeightDecay}, {"sparsity", c.Sparsity}, {"contraction", c.Contraction}} {
		if term.value != 0 {
			s += fmt.Sprintf(" + %s %.5g", term.name, term.value)
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
	return fmt.Sprintf("%d inputs, %d hidden units%s; %s", m.Inputs, m.Hidden, tied, rule(m.Preprocess))
}
