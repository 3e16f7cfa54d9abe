package stage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/aefeat/aefeat/model"
)

// InputChangedError says that the input which [Resume] was given is not the one
// that the checkpoint was made with: values, order or number of its rows
// differ, or which of them are held out.
type InputChangedError struct {
	Reason string // what differs

	// First and Last are numbers of rows between which the first difference
	// lies; -1 where it is not about rows that are there.
	First, Last int64
}

func (e *InputChangedError) Error() string {
	return "the input is not the one that the checkpoint was made with: " + e.Reason
}

// form is what the values of rows are.
type form struct {
	Source string     `json:"source"` // type of the elements in the input
	Kind   model.Kind `json:"kind"`
	Width  int        `json:"width"`
}

// same reports that form is not f.
func (f form) same(now form) error {
	if now.Source != f.Source || now.Kind != f.Kind {
		return &InputChangedError{Reason: fmt.Sprintf("values are of type %s, and were %s", now.Source, f.Source), First: -1, Last: -1}
	}
	if now.Width != f.Width {
		return &InputChangedError{Reason: fmt.Sprintf("rows have %d values, and had %d", now.Width, f.Width), First: -1, Last: -1}
	}
	return nil
}

// maxMarks is how many sums along the way an identity keeps. A difference is
// found, and told, to within a hundredth of the input; they take 8 KiB.
const maxMarks = 256

// identity is what tells an input from another: SHA-256 of the blocks of its
// good rows, each over the sum of the one before. Blocks do not depend on the
// batches.
type identity struct {
	form

	Blocks int64  `json:"blocks"`
	Rows   int64  `json:"rows"` // in them
	Sum    []byte `json:"sum"`
	Ended  bool   `json:"ended,omitempty"` // there were no more

	// Marks are the sums after each Stride blocks.
	Stride int64    `json:"stride"`
	Marks  [][]byte `json:"marks,omitempty"`
}

// check reports what an identity that was read cannot be.
func (d *identity) check() error {
	if d.Kind.Size() == 0 || d.Blocks < 1 || d.Rows < d.Blocks || d.Stride < 1 || int64(len(d.Marks)) != d.Blocks/d.Stride || len(d.Marks) > maxMarks {
		return errors.New("the identity of its input is incomplete")
	}
	return nil
}

// reading takes the identity of an input while it is read, and compares it with
// the one that is wanted. A nil one does nothing.
type reading struct {
	identity
	want    *identity // nil: there is none
	buffer  []byte    // numbers and marks of a block, for the sum
	matched int64     // number of the first row that was not compared yet
}

// begin is told of the first row.
func (r *reading) begin(f form, number int64) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", f.Source, f.Kind, f.Width))
	r.identity = identity{form: f, Sum: sum[:], Stride: 1}
	r.matched = number
}

// add takes in the next block, before anything is taken out of it.
func (r *reading) add(b *block) error {
	r.buffer = append(r.buffer[:0], r.Sum...)
	for _, n := range b.rows.Number {
		r.buffer = binary.LittleEndian.AppendUint64(r.buffer, uint64(n))
	}
	for _, held := range b.held {
		mark := byte(0)
		if held {
			mark = 1
		}
		r.buffer = append(r.buffer, mark)
	}
	h := sha256.New()
	h.Write(r.buffer)
	h.Write(b.rows.Data)
	r.Sum = h.Sum(nil) // a new slice: others keep the old one
	r.Blocks++
	r.Rows += int64(len(b.rows.Number))
	last := b.rows.Number[len(b.rows.Number)-1]
	if err := r.compare(last, b.full()); err != nil {
		return err
	}
	r.mark()
	return nil
}

// mark keeps the sum if it is one of the marks. When there are too many it
// drops every other, in a slice of its own.
func (r *reading) mark() {
	if r.Blocks%r.Stride != 0 {
		return
	}
	if len(r.Marks) < maxMarks {
		r.Marks = append(r.Marks, r.Sum)
		return
	}
	var half [][]byte
	for i := 1; i < len(r.Marks); i += 2 {
		half = append(half, r.Marks[i])
	}
	r.Marks, r.Stride = half, 2*r.Stride
	r.mark()
}

// compare compares the sum with the one that is wanted here, if that is known.
// last is the number of the last row of a block; one that is not full is the
// last one.
func (r *reading) compare(last int64, full bool) error {
	w := r.want
	if w == nil {
		return nil
	}
	var sum []byte
	switch {
	case r.Blocks == w.Blocks:
		sum = w.Sum
	case r.Blocks > w.Blocks && w.Ended:
		return r.longer()
	case r.Blocks < w.Blocks && r.Blocks%w.Stride == 0 && full:
		sum = w.Marks[r.Blocks/w.Stride-1]
	default:
		return nil
	}
	if bytes.Equal(sum, r.Sum) {
		r.matched = last + 1
		return nil
	}
	switch {
	case r.Rows > w.Rows && w.Ended:
		return r.longer()
	case r.Rows < w.Rows && r.Blocks == w.Blocks: // a last block that is not full
		return r.shorter()
	}
	return &InputChangedError{Reason: fmt.Sprintf("rows %d to %d differ", r.matched, last), First: r.matched, Last: last}
}

func (r *reading) longer() error {
	return &InputChangedError{Reason: fmt.Sprintf("it has more than %d rows", r.want.Rows), First: -1, Last: -1}
}

// end is told that the input has ended.
func (r *reading) end() error {
	r.Ended = true
	if !r.passed() {
		return r.shorter()
	}
	return nil
}

func (r *reading) shorter() error {
	had := "at least "
	if r.want.Ended {
		had = ""
	}
	return &InputChangedError{Reason: fmt.Sprintf("it has %d rows, and had %s%d", r.Rows, had, r.want.Rows), First: -1, Last: -1}
}

// passed reports whether all of the wanted identity was found.
func (r *reading) passed() bool { return r.want == nil || r.Blocks >= r.want.Blocks }

// seen returns the identity so far, which later blocks leave as it is.
func (r *reading) seen() *identity {
	if r == nil {
		return nil
	}
	seen := r.identity
	return &seen
}

// identify takes a block into the identity of the input, and reports whether
// the fit was beyond it when it was interrupted.
func (f *Fitter) identify(b *block) (passOver bool, err error) {
	r := f.reading
	if r == nil {
		return false, nil
	}
	if r.Blocks == 0 {
		r.begin(form{f.intake.binding.Source(), b.rows.Kind, b.rows.Width}, b.rows.Number[0])
	}
	if err := r.add(b); err != nil {
		return false, err
	}
	if b.input = r.seen(); r.want == nil {
		return false, nil
	}
	return f.passes.at.Visiting || r.Blocks <= r.want.Blocks, nil
}

// endInput takes the end of the input into its identity.
func (f *Fitter) endInput() error {
	if f.reading == nil {
		return nil
	}
	if err := f.reading.end(); err != nil {
		return err
	}
	if f.passes != nil {
		f.passes.at.Input = f.reading.seen()
	}
	return nil
}
