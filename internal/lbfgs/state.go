package lbfgs

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// State returns what the search goes on from. It shares the memory of the
// search, and holds until the next Advance.
func (s *Search) State() State { return s.state }

// Restore returns the search that had the state, with the point that it wanted
// evaluated next. Settings should be those that it had; the number of
// iterations may be another. The search keeps the slices of the state. A state
// that no search can have had is an error.
func Restore(st State, settings Settings) (*Search, error) {
	n := len(st.X)
	if err := st.check(settings); err != nil {
		return nil, err
	}
	s := &Search{
		settings:  settings,
		state:     st,
		point:     slices.Clone(st.X),
		direction: make([]float64, n),
	}
	for i, step := range st.Steps {
		s.inverses = append(s.inverses, 1/floats.Dot(step, st.Changes[i]))
	}
	if st.Evaluations == 0 || st.Stop != Running {
		return s, nil
	}
	// gonum's line search keeps its state to itself, but is a function of the
	// trials.
	s.state.Trials = nil
	if !s.begin(st.Step) {
		return nil, errors.New("lbfgs: a state without a direction of descent")
	}
	for _, t := range st.Trials {
		if _, more := s.try(t); !more {
			return nil, errors.New("lbfgs: a state whose line has ended")
		}
	}
	return s, nil
}

// check reports a state that no search can have had, as far as it shows.
func (st *State) check(settings Settings) error {
	n := len(st.X)
	if len(st.Gradient) != n {
		return fmt.Errorf("lbfgs: a gradient of %d variables for %d", len(st.Gradient), n)
	}
	if len(st.Steps) != len(st.Changes) || len(st.Steps) > settings.Memory {
		return fmt.Errorf("lbfgs: %d steps and %d changes of the gradient, want as many, and at most %d", len(st.Steps), len(st.Changes), settings.Memory)
	}
	for i, step := range st.Steps {
		if len(step) != n || len(st.Changes[i]) != n {
			return fmt.Errorf("lbfgs: pair %d is of %d and %d variables, want %d", i, len(step), len(st.Changes[i]), n)
		}
	}
	switch {
	case len(st.Recent) > stallIterations:
		return fmt.Errorf("lbfgs: %d recent costs, at most %d are kept", len(st.Recent), stallIterations)
	case len(st.Trials) >= mostTrials:
		return fmt.Errorf("lbfgs: %d trials on a line, at most %d are made", len(st.Trials), mostTrials)
	case st.Iterations < 0 || st.Evaluations < int64(st.Iterations):
		return fmt.Errorf("lbfgs: %d iterations in %d evaluations", st.Iterations, st.Evaluations)
	case st.Stop >= OutOfIterations:
		return fmt.Errorf("lbfgs: stopped for an unknown reason, %d", st.Stop)
	case st.Evaluations == 0 && st.Stop == Running:
		return nil
	}
	return st.checkNumbers()
}

// checkNumbers reports numbers that a search which has begun does not have.
func (st *State) checkNumbers() error {
	all := append([]float64{st.Cost, st.Step, st.Length}, st.Recent...)
	for _, t := range st.Trials {
		all = append(all, t.Cost, t.Slope)
	}
	if !allFinite(all) {
		return errors.New("lbfgs: a cost, slope or length that is not finite")
	}
	for i, step := range st.Steps {
		if curvature := floats.Dot(step, st.Changes[i]); !(curvature > 0 && isFinite(curvature)) {
			return fmt.Errorf("lbfgs: pair %d has the curvature %v", i, curvature)
		}
	}
	return nil
}
