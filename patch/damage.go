package patch

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Usable returns the error of a batch that cannot be read, because it is nil or
// was released. The error is a [*RowError] with Row -1.
func Usable(batch arrow.RecordBatch) error {
	switch {
	case batch == nil:
		return bindError("", "the batch is nil", "")
	case batch.NumCols() != int64(batch.Schema().NumFields()):
		return bindError("", fmt.Sprintf("the batch has %d columns and its schema %d: it was released", batch.NumCols(), batch.Schema().NumFields()), "")
	}
	return nil
}

// Damage says why value i of an array, which is not null, cannot be read: an
// index, an offset or the header of a view leads out of the array. It is "" for
// a value that can be.
func Damage(a arrow.Array, i int) string {
	switch a := a.(type) {
	case array.ExtensionArray:
		return Damage(a.Storage(), i)
	case *array.Dictionary:
		values, at := a.Dictionary(), a.GetValueIndex(i)
		switch {
		case at < 0 || at >= values.Len():
			return noSuchIndex(at, values.Len())
		case values.IsValid(at):
			return Damage(values, at)
		}
	case array.ViewLike:
		return viewDamage(a.ValueHeader(i), a.Data().Buffers()[2:])
	case interface { // strings and bytes
		ValueOffset64(int) int64
		ValueLen(int) int
		Data() arrow.ArrayData
	}:
		from, n, have := a.ValueOffset64(i), a.ValueLen(i), 0
		if buf := a.Data().Buffers()[2]; buf != nil {
			have = buf.Len()
		}
		if from < 0 || from > int64(have) || n < 0 || n > have-int(from) {
			return fmt.Sprintf("value of %d bytes from byte %d of %d", n, from, have)
		}
	}
	return ""
}

func noSuchIndex(at, n int) string {
	return fmt.Sprintf("index %d into a dictionary of %d values", at, n)
}

// viewDamage is Damage for a value that a header leads to, in one of buffers if
// not in the header itself.
func viewDamage(h *arrow.ViewHeader, buffers []*memory.Buffer) string {
	n := h.Len()
	if n >= 0 && h.IsInline() {
		return ""
	}
	b, at, have := int(h.BufferIndex()), int(h.BufferOffset()), 0
	switch {
	case n < 0:
		return fmt.Sprintf("view of %d bytes", n)
	case b < 0 || b >= len(buffers):
		return fmt.Sprintf("view into buffer %d of %d", b, len(buffers))
	case buffers[b] != nil:
		have = buffers[b].Len()
	}
	if at < 0 || at > have || n > have-at {
		return fmt.Sprintf("view of %d bytes from byte %d of %d", n, at, have)
	}
	return ""
}
