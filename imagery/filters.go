package imagery

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Drawing says how filters become a picture. The zero value is a good one. It
// is safe for concurrent use.
type Drawing struct {
	// Common gives all filters of all panels one contrast, so that a strong
	// unit looks stronger than a weak one. Otherwise each has its own, and
	// pictures show shapes.
	Common bool

	// Stacked puts panels below one another, instead of side by side in lines
	// of up to three, or of four and more panels in as many lines as columns.
	Stacked bool

	// Columns is how many filters lie side by side in a panel; 0: as many as
	// make it about square.
	Columns int

	// Side is the width and height in pixels that a panel is enlarged to, as
	// far as whole pixels allow; 0: 900, a panel that fits into a window.
	// Several panels of a line, or a stack, share twice as much. Smaller than
	// one pixel a value no filter gets.
	Side int
}

// Panel is the filters of one model: h patterns of n values each, one a row.
// [View.Panel] makes one of a model.
type Panel struct {
	Title   string    // above it; "": none
	Filters []float32 // (h,n)
	Shape   Shape     // of a filter, n = Shape.Len()

	// Weights (n) multiply the values of every filter: how much each pixel
	// varies, so that those that are never lit do not set the contrast. nil:
	// 1 each.
	Weights []float64

	Labels []string // below each filter (h); nil: none
	Dead   []bool   // filters that are crossed out (h); nil: none
}

const (
	// panelSide is what a Side of 0 stands for.
	panelSide = 900

	// clipped is the share of a filter's values, as 1/clipped, that may lie
	// beyond black and white: one stray weight must not hide all others.
	clipped = 100
)

// The font of titles and labels, and the height of a line of it.
var face = basicfont.Face7x13

const textLine = 17

// panelGap is what separates panels, beside the gaps around filters.
const panelGap = 8

// Filters draws the rows of weights (h,n), with n = s.Len(), as one panel
// without a title: see [Drawing.Draw].
func Filters(weights []float32, s Shape) (image.Image, error) {
	if s.Channels != 1 && s.Channels != 3 {
		return nil, errChannels(s)
	}
	return Drawing{}.Draw(Panel{Filters: weights, Shape: s})
}

// Draw draws the filters of each panel as a grid, in rows from the top left,
// black between them.
//
// A unit's picture is the input of bounded norm that excites it most, x_j = w_j
// / sqrt(sum w^2) (Ng, CS294A lecture notes, section 4), stretched to the full
// range: 0 is middle grey, black and white are minus and plus the largest
// weighted |w| of this unit, all channels together, but for the largest
// hundredth of its values, which are cut off. A unit whose weights are all 0 is
// plain grey. Filters of three channels are red, green and blue; of two, four
// or more each channel is drawn grey, side by side.
//
// Every value becomes a square of pixels. The picture is an *image.Gray where
// all filters are grey; in colour an *image.Paletted if 256 colours do, else an
// *image.RGBA. Weights that are no whole number of filters, or not finite, are
// errors.
func (d Drawing) Draw(panels ...Panel) (image.Image, error) {
	if len(panels) == 0 {
		return nil, errors.New("imagery: no filters to draw")
	}
	if d.Side < 0 || d.Columns < 0 {
		return nil, fmt.Errorf("imagery: a drawing of %d pixels, %d filters side by side", d.Side, d.Columns)
	}
	tops, most := make([][]float64, len(panels)), 0.
	for i, p := range panels {
		var err error
		if tops[i], err = p.contrasts(); err != nil {
			if p.Title != "" {
				err = fmt.Errorf("%w (%s)", err, p.Title)
			}
			return nil, err
		}
		most = max(most, slices.Max(tops[i]))
	}
	if d.Common {
		for _, t := range tops {
			for i := range t {
				t[i] = most
			}
		}
	}
	grids, bounds := d.arrange(panels)
	if w, h := bounds.Dx(), bounds.Dy(); w > maxPictureSide || h > maxPictureSide {
		return nil, fmt.Errorf("imagery: a picture of %d by %d pixels is too large: draw fewer filters", w, h)
	}
	var picture draw.Image = image.NewGray(bounds)
	if slices.ContainsFunc(panels, func(p Panel) bool { return p.Shape.Channels == 3 }) {
		picture = image.NewRGBA(bounds)
	}
	draw.Draw(picture, bounds, image.Black, image.Point{}, draw.Src)
	for i, p := range panels {
		grids[i].paint(picture, p, tops[i])
	}
	return compact(picture), nil
}

// maxPictureSide bounds what is drawn: 65,536 filters of 64x64 pixels fit.
const maxPictureSide = 1 << 14

// check reports a panel that cannot be drawn.
func (p Panel) check() error {
	if err := p.Shape.Validate(); err != nil {
		return fmt.Errorf("imagery: %w", err)
	}
	n := p.Shape.Len()
	if len(p.Filters) == 0 || len(p.Filters)%n != 0 {
		return fmt.Errorf("imagery: %d weights are no whole number of filters of %v", len(p.Filters), p.Shape)
	}
	switch h := len(p.Filters) / n; {
	case p.Weights != nil && len(p.Weights) != n:
		return fmt.Errorf("imagery: %d weights of pixels for filters of %v", len(p.Weights), p.Shape)
	case p.Labels != nil && len(p.Labels) != h, p.Dead != nil && len(p.Dead) != h:
		return fmt.Errorf("imagery: %d labels and %d marks of dead units for %d filters", len(p.Labels), len(p.Dead), h)
	}
	for j, v := range p.Weights {
		if !(v >= 0 && v <= math.MaxFloat32) {
			return fmt.Errorf("imagery: pixel %d weighs %v", j, v)
		}
	}
	for i, w := range p.Filters {
		if w-w != 0 {
			return fmt.Errorf("imagery: filter %d: weight %d is %v", i/n, i%n, w)
		}
	}
	return nil
}

// contrasts returns what is white in each filter.
func (p Panel) contrasts() ([]float64, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	n := p.Shape.Len()
	tops := make([]float64, len(p.Filters)/n)
	sizes := make([]float64, n)
	for i := range tops {
		for j := range n {
			sizes[j] = math.Abs(p.value(i, j))
		}
		slices.Sort(sizes)
		tops[i] = sizes[n-1-n/clipped]
		if tops[i] == 0 {
			tops[i] = sizes[n-1]
		}
	}
	return tops, nil
}

// value is value j of filter i as it is drawn.
func (p Panel) value(i, j int) float64 {
	w := float64(p.Filters[i*p.Shape.Len()+j])
	if p.Weights != nil {
		w *= p.Weights[j]
	}
	return w
}

// grid says where the filters of a panel lie.
type grid struct {
	origin       image.Point // of the panel
	size         image.Point // of the panel
	columns      int
	scale, gap   int // pixels of a value, and between filters
	title, label int // heights
}

// tile returns the width and height of a filter in values.
func tile(s Shape) (width, height int) {
	if s.Channels == 1 || s.Channels == 3 {
		return s.Width, s.Height
	}
	return s.Width * s.Channels, s.Height
}

// arrange places the panels.
func (d Drawing) arrange(panels []Panel) ([]grid, image.Rectangle) {
	side := d.Side
	if side == 0 {
		side = panelSide
	}
	across, down, line := side, side, d.line(len(panels))
	if d.Stacked {
		down = min(down, 2*side/len(panels))
	} else {
		across = min(across, 2*side/line)
	}
	titled := slices.ContainsFunc(panels, func(p Panel) bool { return p.Title != "" })
	grids := make([]grid, len(panels))
	var at, end image.Point
	for i, p := range panels {
		g := d.grid(p, across, down)
		if titled {
			g.title = textLine
			g.size.Y += textLine
		}
		g.origin = at
		end = image.Pt(max(end.X, at.X+g.size.X), max(end.Y, at.Y+g.size.Y))
		at.X += g.size.X + panelGap
		if (i+1)%line == 0 {
			at = image.Pt(0, end.Y+panelGap)
		}
		grids[i] = g
	}
	return grids, image.Rectangle{Max: end}
}

// line returns how many of k panels stand side by side.
func (d Drawing) line(k int) int {
	switch {
	case d.Stacked:
		return 1
	case k <= 3:
		return k
	}
	return int(math.Ceil(math.Sqrt(float64(k))))
}

// grid lays out one panel for so many pixels.
func (d Drawing) grid(p Panel, across, down int) grid {
	h := len(p.Filters) / p.Shape.Len()
	width, height := tile(p.Shape)
	columns := d.Columns
	if columns == 0 {
		columns = int(math.Ceil(math.Sqrt(float64(h) * float64(height) / float64(width))))
	}
	columns = min(max(columns, 1), h)
	rows := (h + columns - 1) / columns
	g := grid{columns: columns}
	g.scale = max(1, min(across/(columns*(width+1)), down/(rows*(height+1))))
	g.gap = max(1, g.scale/2)
	if p.Labels != nil {
		g.label = textLine
		g.gap = max(g.gap, 4)
	}
	g.size = image.Pt(columns*(width*g.scale+g.gap)+g.gap, rows*(height*g.scale+g.label+g.gap)+g.gap)
	return g
}

// paint draws a panel, in which tops is what is white.
func (g grid) paint(picture draw.Image, p Panel, tops []float64) {
	if g.title > 0 {
		write(picture, g.origin.Add(image.Pt(g.gap, 0)), g.size.X-2*g.gap, p.Title)
	}
	width, height := tile(p.Shape)
	stepX, stepY := width*g.scale+g.gap, height*g.scale+g.label+g.gap
	for i, top := range tops {
		corner := g.origin.Add(image.Pt(g.gap+i%g.columns*stepX, g.title+g.gap+i/g.columns*stepY))
		for y := range height {
			for x := range width {
				at := corner.Add(image.Pt(x*g.scale, y*g.scale))
				box := image.Rectangle{Min: at, Max: at.Add(image.Pt(g.scale, g.scale))}
				draw.Draw(picture, box, image.NewUniform(p.pixel(i, y, x, top)), image.Point{}, draw.Src)
			}
		}
		box := image.Rectangle{Min: corner, Max: corner.Add(image.Pt(width*g.scale, height*g.scale))}
		if p.Dead != nil && p.Dead[i] {
			cross(picture, box, min(max(1, g.scale/3), mostThick))
		}
		if p.Labels != nil {
			write(picture, image.Pt(box.Min.X, box.Max.Y), box.Dx(), p.Labels[i])
		}
	}
}

// pixel returns the colour at (y,x) of filter i.
func (p Panel) pixel(i, y, x int, top float64) color.Color {
	return pixel(p.Shape, y, x, func(j int) uint8 { return p.shade(i, j, top) })
}

// pixel returns the colour at (y,x) of a tile of shape s, of which shade tells
// how bright value j is.
func pixel(s Shape, y, x int, shade func(j int) uint8) color.Color {
	line, step, channel := s.Strides()
	if s.Channels == 3 {
		at := y*line + x*step
		return color.RGBA{shade(at), shade(at + channel), shade(at + 2*channel), 255}
	}
	c, x := x/s.Width, x%s.Width
	return color.Gray{Y: shade(y*line + x*step + c*channel)}
}

// shade returns how bright a value is, -top black and +top white.
func (p Panel) shade(i, j int, top float64) uint8 {
	x := 0.0
	if top > 0 {
		x = min(max(p.value(i, j)/top, -1), 1)
	}
	return uint8(math.Round(127.5 + 127.5*x))
}

// mostThick is how many pixels thick the lines of a cross are at most.
const mostThick = 4

// cross strikes a box out, from corner to corner.
func cross(picture draw.Image, box image.Rectangle, thick int) {
	steps := max(box.Dx(), box.Dy())
	for k := range steps {
		x, y := k*box.Dx()/steps, k*box.Dy()/steps
		for _, at := range []image.Point{{box.Min.X + x, box.Min.Y + y}, {box.Max.X - 1 - x, box.Min.Y + y}} {
			dot := image.Rectangle{at.Sub(image.Pt(thick/2, thick/2)), at.Add(image.Pt((thick+1)/2, (thick+1)/2))}
			draw.Draw(picture, dot.Intersect(box), image.Black, image.Point{}, draw.Src)
		}
	}
}

// write sets a line of text below a point, as much as fits into the width.
func write(picture draw.Image, at image.Point, width int, text string) {
	letters := []rune(text)
	if room := width / face.Advance; len(letters) > room {
		letters = letters[:max(room, 0)]
	}
	d := font.Drawer{Dst: picture, Src: image.White, Face: face,
		Dot: fixed.P(at.X, at.Y+(textLine-face.Height)/2+face.Ascent)}
	d.DrawString(string(letters))
}

// compact returns the picture with a palette where 256 colours do.
func compact(picture draw.Image) image.Image {
	colours, ok := picture.(*image.RGBA)
	if !ok {
		return picture
	}
	const most = 256
	index := map[color.RGBA]uint8{}
	var palette color.Palette
	made := image.NewPaletted(colours.Rect, nil)
	for i := range made.Pix {
		c := color.RGBA{colours.Pix[4*i], colours.Pix[4*i+1], colours.Pix[4*i+2], 255}
		at, known := index[c]
		if !known {
			if len(palette) == most {
				return picture
			}
			at = uint8(len(palette))
			index[c], palette = at, append(palette, c)
		}
		made.Pix[i] = at
	}
	made.Palette = palette
	return made
}
