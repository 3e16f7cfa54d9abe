package stage

import (
	"context"
	"slices"

	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
)

// A window has up to 65,536 rows, and up to 16 Mi values, which is 21,399 rows
// of 784. 60,000 digits sorted by label then end one epoch within 2% of the
// cost of shuffled ones, and with 8,192 rows 9% above it. Neither number
// depends on Config.Memory, for the order of rows must not.
const windowRows = 1 << 16

// windowValues is a variable for tests, which make it smaller.
var windowValues = 1 << 24

// WindowMemory returns the bytes of the window that shuffles rows of width
// elements: up to 17 MiB for elements of one byte, and 65 MiB for float32,
// unless a single row takes more.
func WindowMemory(kind model.Kind, width int) int64 {
	return int64(windowSize(width)) * int64(width*kind.Size()+8)
}

// window is where rows of the first epoch are shuffled on their way to the
// trainer. A nil one lets them pass as they are.
type window struct {
	*spill.Window
	kind  model.Kind
	width int
}

// windowSize is how many rows of a width a window holds.
func windowSize(width int) int { return max(1, min(windowRows, windowValues/width)) }

// newWindow returns a window for rows like those of first.
func (p *plan) newWindow(first model.Rows) (*window, error) {
	w, err := spill.NewWindow(rowSize(first), windowSize(first.Width), p.model.Seed)
	if err != nil {
		return nil, err
	}
	return &window{w, first.Kind, first.Width}, nil
}

// pass takes in rows, and returns those that go out, in the memory of rows.
func (w *window) pass(rows model.Rows) model.Rows {
	if w == nil {
		return rows
	}
	return cut(rows, w.Exchange(rows.Data, rows.Number), rows.Len())
}

// rows returns the rows that are in.
func (w *window) rows() model.Rows {
	if w == nil {
		return model.Rows{}
	}
	data, number := w.Held()
	return model.Rows{Kind: w.kind, Width: w.width, Data: data, Number: number}
}

// close gives the memory of a window back.
func (w *window) close() error {
	if w == nil {
		return nil
	}
	return w.Close()
}

// empty trains on the rows that are in the window, but for those of them that a
// checkpoint was beyond, and ends the window: no more rows arrive.
func (t *passes) empty(ctx context.Context) error {
	if t.window == nil {
		return nil
	}
	rows, order := t.window.rows(), t.window.Order()
	done := t.at.Rows - (t.rows - int64(len(order)))
	if done < 0 || done > int64(len(order)) {
		return damagedCheckpoint("it is in an epoch of other rows than there are")
	}
	for order := range slices.Chunk(order[done:], blockRows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.add(rows, order); err != nil {
			return err
		}
		t.observe(t.running, Progress{Phase: PhaseStream, Rows: t.at.Rows, TotalRows: t.rows})
		if err := t.between(); err != nil {
			return err
		}
	}
	err := t.window.close()
	t.window = nil
	return err
}
