package parquetw

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio/internal/container"
)

// A column is one column of a Parquet file: the values at the end of one path
// through the type of an Arrow column, with the definition and repetition
// levels that say where nulls, empty lists and starts of lists are (Melnik et
// al., Dremel: Interactive Analysis of Web-Scale Datasets, VLDB 2010, section
// 4).
type column struct {
	column         int    // of the batch
	name           string // for errors
	path           []step
	maxDef, maxRep int16
	physical       int32
	names          []string // the path in the file
	stats          bool
	logical        *logical // nil: as the library has it

	values   values
	levels   []levelRun
	row      int   // of the batch, being shredded
	firstRow int64 // what row 0 of the batch is in the file

	chunk chunk // of the row group being written
}

// A levelRun is n positions of equal levels. Most columns are a few long runs.
type levelRun struct {
	rep, def int16
	n        int32
}

func (c *column) bytes() int64 { return c.values.bytes() + int64(len(c.levels))*8 }

func (c *column) reset() {
	c.levels = c.levels[:0]
	c.values.data, c.values.ends = c.values.data[:0], c.values.ends[:0]
}

// level adds n positions.
func (c *column) level(rep, def int16, n int) {
	if n == 0 {
		return
	}
	if k := len(c.levels) - 1; k >= 0 {
		last := &c.levels[k]
		if last.rep == rep && last.def == def && int(last.n)+n <= math.MaxInt32 {
			last.n += int32(n)
			return
		}
	}
	c.levels = append(c.levels, levelRun{rep, def, int32(n)})
}

// shred adds rows lo to hi of the column.
func (c *column) shred(a arrow.Array, lo, hi int) error {
	return c.visit(a, 0, lo, hi, place{top: true})
}

// A place is where a visit stands: the repetition levels of its first position
// and of the others, the definition level that a null has here, the number of
// lists around, and whether positions are rows.
type place struct {
	first, next, def, lists int16
	top                     bool
}

// visit adds positions lo to hi of an array k steps down the path.
func (c *column) visit(a arrow.Array, k, lo, hi int, p place) error {
	if lo >= hi {
		return nil
	}
	switch x := a.(type) {
	case array.ExtensionArray:
		return c.visit(x.Storage(), k, lo, hi, p)
	case *array.Dictionary:
		return c.visitDictionary(x, k, lo, hi, p)
	case *array.Struct:
		return c.visitStruct(x, k, lo, hi, p)
	case array.ListLike:
		return c.visitLists(x, k, lo, hi, p)
	}
	never := a.DataType().ID() == arrow.NULL
	nulls := never || a.NullN() > 0
	present := c.present(k, p)
	for i := lo; i < hi; {
		if nulls && (never || a.IsNull(i)) {
			if err := c.null(i, k, p); err != nil {
				return err
			}
			i++
		} else {
			end := hi
			if nulls {
				end = validUntil(a, i, hi)
			}
			c.level(p.first, present, 1)
			c.level(p.next, present, end-i-1)
			if err := c.add(a, i, end, p.top); err != nil {
				return err
			}
			i = end
		}
		p.first = p.next
	}
	return nil
}

// present returns the definition level of a value at a step.
func (c *column) present(k int, p place) int16 {
	if c.path[k].nullable {
		return p.def + 1
	}
	return p.def
}

// null adds the null at position i.
func (c *column) null(i, k int, p place) error {
	if p.top {
		c.row = i
	}
	if !c.path[k].nullable {
		return c.fault("null in a column that may have none")
	}
	c.level(p.first, p.def, 1)
	return nil
}

func (c *column) visitDictionary(x *array.Dictionary, k, lo, hi int, p place) error {
	values := x.Dictionary()
	for i := lo; i < hi; i++ {
		if x.IsNull(i) {
			if err := c.null(i, k, p); err != nil {
				return err
			}
			p.first = p.next
			continue
		}
		if p.top {
			c.row = i
		}
		at := x.GetValueIndex(i)
		if at < 0 || at >= values.Len() {
			return c.fault(fmt.Sprintf("index %d into a dictionary of %d values", at, values.Len()))
		}
		// The same step: a null among the values of the dictionary is a
		// null here.
		value := p
		value.top = false
		if err := c.visit(values, k, at, at+1, value); err != nil {
			return err
		}
		p.first = p.next
	}
	return nil
}

func (c *column) visitStruct(x *array.Struct, k, lo, hi int, p place) error {
	child := x.Field(c.path[k].child)
	if child.Len() < hi {
		return c.fault(fmt.Sprintf("field of %d values in a struct of %d", child.Len(), x.Len()))
	}
	nulls := x.NullN() > 0
	for i := lo; i < hi; {
		if nulls && x.IsNull(i) {
			if err := c.null(i, k, p); err != nil {
				return err
			}
			i++
		} else {
			end := hi
			if nulls {
				end = validUntil(x, i, hi)
			}
			field := p
			field.def = c.present(k, p)
			if err := c.visit(child, k+1, i, end, field); err != nil {
				return err
			}
			i = end
		}
		p.first = p.next
	}
	return nil
}

func (c *column) visitLists(x array.ListLike, k, lo, hi int, p place) error {
	values := x.ListValues()
	present := c.present(k, p)
	nulls := x.NullN() > 0
	for i := lo; i < hi; i++ {
		if nulls && x.IsNull(i) {
			if err := c.null(i, k, p); err != nil {
				return err
			}
			p.first = p.next
			continue
		}
		if p.top {
			c.row = i
		}
		from, to := x.ValueOffsets(i)
		switch {
		case from < 0 || to < from || to > int64(values.Len()):
			return c.fault(fmt.Sprintf("list from value %d to %d of %d", from, to, values.Len()))
		case from == to:
			c.level(p.first, present, 1)
		default:
			inside := place{first: p.first, next: p.lists + 1, def: present + 1, lists: p.lists + 1}
			if err := c.visit(values, k+1, int(from), int(to), inside); err != nil {
				return err
			}
		}
		p.first = p.next
	}
	return nil
}

// validUntil returns the first null of a after i, or hi.
func validUntil(a arrow.Array, i, hi int) int {
	for i++; i < hi && a.IsValid(i); i++ {
	}
	return i
}

func (c *column) add(a arrow.Array, lo, hi int, top bool) error {
	err := c.values.take(&c.values, a, lo, hi)
	if bad, ok := err.(*valueError); ok {
		if top {
			c.row = bad.at
		}
		return c.fault(bad.reason)
	}
	return err
}

// A valueError says that the value at a position does not fit the column.
type valueError struct {
	at     int
	reason string
}

func (e *valueError) Error() string { return e.reason }

func (c *column) fault(reason string) error {
	return &container.ColumnError{Column: c.name, Row: c.firstRow + int64(c.row), Reason: reason}
}
