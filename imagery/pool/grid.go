package pool

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aefeat/aefeat/model"
)

// A layout is where the patches of one image lie and which cells they belong
// to.
type layout struct {
	shape        model.Shape
	stride       int
	grid         Grid
	down, across int // places along the sides of the image

	// Where the values of a patch lie, in bytes from its first pixel on: runs
	// of one length, in their order.
	runs   []int
	length int
}

// A place is that of a patch: the index-th of its cell, whose places are
// counted line by line.
type place struct{ cell, index int }

// A Grid is the cells that the places of an image are parted into.
type Grid struct{ Rows, Columns int }

// String returns g as rows x columns: "2x2".
func (g Grid) String() string { return fmt.Sprintf("%dx%d", g.Rows, g.Columns) }

// ParseGrid reads a grid as people write it: "2x2", or "1x3" for one row of
// three cells.
func ParseGrid(text string) (Grid, error) {
	rows, columns, found := strings.Cut(text, "x")
	r, errRows := strconv.Atoi(rows)
	c, errColumns := strconv.Atoi(columns)
	g := Grid{r, c}
	if !found || errRows != nil || errColumns != nil || !g.valid() {
		return Grid{}, fmt.Errorf("%q is no grid of ROWSxCOLUMNS, such as 2x2, with 1 to %d cells a side", text, maxCells)
	}
	return g, nil
}

// maxCells bounds the cells along a side of the grid, so that no product of
// sides overflows.
const maxCells = 1 << 10

func (g Grid) valid() bool {
	return g.Rows >= 1 && g.Columns >= 1 && g.Rows <= maxCells && g.Columns <= maxCells
}

func (g Grid) cells() int { return g.Rows * g.Columns }

// layOut lays the grid over an image.
func (p *Pooler) layOut(image model.Rows) (*layout, error) {
	s, c := p.shape, p.config
	size := image.Kind.Size()
	switch {
	case size == 0:
		return nil, fmt.Errorf("pool: pixels of unknown kind %q", image.Kind)
	case image.Width < 1 || image.Width%s.Channels != 0:
		return nil, fmt.Errorf("pool: a line of %d values does not hold whole pixels of %d", image.Width, s.Channels)
	case len(image.Data)%(image.Width*size) != 0:
		return nil, errors.New("pool: the image ends in the middle of a line")
	}
	height, width := image.Len(), image.Width/s.Channels
	if height < s.Height || width < s.Width {
		return nil, fmt.Errorf("pool: an image of %d by %d pixels (height by width) is smaller than a patch of %v", height, width, s)
	}
	l := &layout{
		shape: s, stride: c.Stride, grid: c.Grid,
		down: (height-s.Height)/c.Stride + 1, across: (width-s.Width)/c.Stride + 1,
	}
	if l.down < c.Grid.Rows || l.across < c.Grid.Columns {
		return nil, fmt.Errorf("pool: an image of %d by %d pixels (height by width) has %d by %d places for patches of %v, fewer than the %v cells of the grid",
			height, width, l.down, l.across, s, c.Grid)
	}
	l.findRuns(image.Width, size)
	return l, nil
}

// findRuns sets the runs in an image whose lines have so many values of a size:
// whole lines of the patch, or single values where it has another order.
func (l *layout) findRuns(width, size int) {
	s := l.shape
	if s.Order == "" {
		l.length = s.Width * s.Channels * size
		for y := range s.Height {
			l.runs = append(l.runs, y*width*size)
		}
		return
	}
	l.length = size
	l.runs = make([]int, s.Len())
	line, pixel, channel := s.Strides()
	for y := range s.Height {
		for x := range s.Width {
			for c := range s.Channels {
				l.runs[y*line+x*pixel+c*channel] = (y*width + x*s.Channels + c) * size
			}
		}
	}
}

// begin is the first of p places that belongs to cell i of n: i p/n rounded to
// the nearest, halves upwards.
func begin(i, p, n int) int { return (2*i*p + n) / (2 * n) }

// bounds returns the places of a cell: lines top up to bottom, and in each
// those from left up to right.
func (l *layout) bounds(cell int) (top, bottom, left, right int) {
	rows, columns := l.grid.Rows, l.grid.Columns
	row, column := cell/columns, cell%columns
	return begin(row, l.down, rows), begin(row+1, l.down, rows),
		begin(column, l.across, columns), begin(column+1, l.across, columns)
}

// size is the number of places of a cell.
func (l *layout) size(cell int) int {
	top, bottom, left, right := l.bounds(cell)
	return (bottom - top) * (right - left)
}

// after returns the place that follows.
func (l *layout) after(p place) place {
	if p.index++; p.index == l.size(p.cell) {
		return place{cell: p.cell + 1}
	}
	return p
}

// corner is the top left pixel of the patch at a place.
func (l *layout) corner(p place) (row, column int) {
	top, _, left, right := l.bounds(p.cell)
	return (top + p.index/(right-left)) * l.stride, (left + p.index%(right-left)) * l.stride
}

// cut appends the patch at a place, as it is stored.
func (l *layout) cut(dst []byte, image model.Rows, p place) []byte {
	row, column := l.corner(p)
	from := image.Data[(row*image.Width+column*l.shape.Channels)*image.Kind.Size():]
	for _, at := range l.runs {
		dst = append(dst, from[at:at+l.length]...)
	}
	return dst
}

// located says where the patch lies that an error is about, the rows of a block
// being counted from first.
func (l *layout) located(err error, first place) error {
	var e *model.RangeError
	if !errors.As(err, &e) {
		return err
	}
	at := first
	for range e.Row {
		at = l.after(at)
	}
	row, column := l.corner(at)
	// The number of the row means nothing outside the block.
	return fmt.Errorf("the patch at row %d, column %d: value %d is %v: %s", row, column, e.Component, e.Value, e.Reason)
}
