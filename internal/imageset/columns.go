package imageset

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Columns gathers the label and the kept columns of images, those of
// [Set.Extra], each as often as it is wanted. It is made by [Set.Columns] and
// not safe for concurrent use.
type Columns struct {
	fields []arrow.Field
	runs   []run
	rows   int
}

// A run is rows [from, to) of a batch, one after the other, or one of them
// several times.
type run struct {
	batch    arrow.RecordBatch
	from, to int
}

// Columns returns empty columns.
func (s *Set) Columns() *Columns { return &Columns{fields: s.fields} }

// Append adds the row of an image so many times.
func (c *Columns) Append(im *Image, times int) {
	c.rows += times
	if im.extra == nil {
		return
	}
	for range times {
		if n := len(c.runs); n > 0 && c.runs[n-1].batch == im.extra && c.runs[n-1].to == im.at {
			c.runs[n-1].to++
			continue
		}
		im.extra.Retain()
		c.runs = append(c.runs, run{im.extra, im.at, im.at + 1})
	}
}

// Len returns the number of rows.
func (c *Columns) Len() int { return c.rows }

// Take returns the rows as arrays, one for each field, which the caller
// releases, and starts again with none.
func (c *Columns) Take() ([]arrow.Array, error) {
	out := make([]arrow.Array, len(c.fields))
	var err error
	for i := range c.fields {
		parts := make([]arrow.Array, len(c.runs))
		for k, r := range c.runs {
			parts[k] = array.NewSlice(r.batch.Column(i), int64(r.from), int64(r.to))
		}
		if len(parts) == 0 {
			out[i] = array.MakeArrayOfNull(memory.DefaultAllocator, c.fields[i].Type, 0)
		} else if out[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			err = fmt.Errorf("column %q: %w", c.fields[i].Name, err)
		}
		for _, p := range parts {
			p.Release()
		}
		if err != nil {
			return nil, err
		}
	}
	for _, r := range c.runs {
		r.batch.Release()
	}
	c.runs, c.rows = c.runs[:0], 0
	return out, nil
}
