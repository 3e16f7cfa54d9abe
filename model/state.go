package model

import (
	"fmt"
	"math"
	"strings"

	"github.com/aefeat/aefeat/internal/f32"
)

// stateForm goes through what makes the state of a training. Each type lists
// its fields once, in a method state, and that list saves and restores them
// alike. Of a list that restores, the values lie within bounds: whatever a file
// claims, no training that comes of it can panic.
type stateForm struct {
	tensors []filledTensor // saving: what the file is to hold
	loaded  map[string]any // restoring: what the file holds and no list took yet; nil: saving
	err     error          // the first; what follows does nothing
}

func (s *stateForm) restoring() bool { return s.loaded != nil }

// fail notes an error.
func (s *stateForm) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// count lists a number from 0 to most.
func (s *stateForm) count(name string, at *int64, most int64) {
	if v := one(s, name, *at); s.err != nil {
		return
	} else if v < 0 || v > most {
		s.fail("%s is %d, not a number from 0 to %d", name, v, most)
	} else {
		*at = v
	}
}

// countInt is count of an int.
func (s *stateForm) countInt(name string, at *int, most int) {
	v := int64(*at)
	s.count(name, &v, int64(most))
	*at = int(v)
}

// flag lists a truth value, as 0 or 1.
func (s *stateForm) flag(name string, at *bool) {
	v := int64(0)
	if *at {
		v = 1
	}
	s.count(name, &v, 1)
	*at = v == 1
}

// number lists a number that may be infinite.
func (s *stateForm) number(name string, at *float64) {
	if v := one(s, name, *at); math.IsNaN(v) {
		s.fail("%s is NaN", name)
	} else if s.err == nil {
		*at = v
	}
}

// cost lists the terms of a cost but for the total.
func (s *stateForm) cost(name string, c *Cost) {
	for _, t := range c.terms() {
		s.number(name+"."+strings.ReplaceAll(t.name, " ", "_"), t.value)
	}
}

// floats lists finite numbers of a shape.
func (s *stateForm) floats(name string, at *[]float32, shape ...int) {
	many(s, name, at, shape)
	if !f32.AllFinite(*at) {
		s.fail("%s: %w", name, errNotFinite)
	}
}

// doubles lists finite numbers of a shape.
func (s *stateForm) doubles(name string, at *[]float64, shape ...int) {
	many(s, name, at, shape)
	s.finite(name, *at)
}

// finite fails where x holds a NaN or an infinity.
func (s *stateForm) finite(name string, x []float64) {
	for _, v := range x {
		if v-v != 0 {
			s.fail("%s: %w", name, errNotFinite)
			return
		}
	}
}

// vectors lists finite vectors of n numbers, so many.
func (s *stateForm) vectors(name string, at *[][]float64, count, n int) {
	if !s.restoring() {
		// They are written from where they lie.
		s.tensors = append(s.tensors, filledTensor{namedShape{optimizerPrefix + name, []int64{int64(count), int64(n)}}, *at})
	}
	for _, v := range *at {
		s.finite(name, v)
	}
	if !s.restoring() {
		return
	}
	var flat []float64
	s.doubles(name, &flat, count, n)
	for ; s.err == nil && len(flat) > 0; flat = flat[n:] {
		*at = append(*at, flat[:n:n])
	}
}

// integers lists integers of a shape, which are at least 0.
func (s *stateForm) integers(name string, at *[]int64, shape ...int) {
	many(s, name, at, shape)
	for _, v := range *at {
		if v < 0 || v > maxCount {
			s.fail("%s holds %d", name, v)
			return
		}
	}
}

// one lists a value, and returns what it is from here on.
func one[T int64 | float64](s *stateForm, name string, v T) T {
	x := []T{v}
	many(s, name, &x, nil)
	if s.err != nil {
		return v
	}
	return x[0]
}

// many lists a slice of a shape. The one that is restored belongs to its type
// from then on.
func many[T float32 | float64 | int64](s *stateForm, name string, at *[]T, shape []int) {
	if s.err != nil {
		return
	}
	t := filledTensor{namedShape{optimizerPrefix + name, []int64{}}, *at}
	for _, size := range shape {
		t.shape = append(t.shape, int64(size))
	}
	if !s.restoring() {
		s.tensors = append(s.tensors, t)
		return
	}
	x, ok := s.loaded[t.name].([]T)
	if !ok {
		s.fail("it has no tensor %s of the type that it wants", t.name)
		return
	}
	if int64(len(x)) != t.elements() {
		s.fail("tensor %s has %d elements, not %d", t.name, len(x), t.elements())
		return
	}
	*at = x
	delete(s.loaded, t.name)
}
