package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The size of a chart in its own units, which a phone shows as pixels, and
// what lies around the plot.
const (
	chartWidth, chartHeight = 360, 230
	chartLeft, chartRight   = 46, 10
	chartTop, chartBottom   = 14, 36
)

// maxPoints is how many points a curve has at most.
const maxPoints = 400

// chart is a drawing of lines or bars with axes.
type chart struct {
	Title       string
	Description string // for who cannot see it
	XLabel      string
	XTicks      []tick
	YTicks      []tick
	Lines       []line
	Bars        []bar
	Marks       []mark

	Width, Height            int
	Left, Right, Top, Bottom int // of the plot
}

// tick is a value on an axis.
type tick struct {
	At   string // place along the axis
	Text string
}

// line is a curve of a series.
type line struct {
	Name  string
	Class string // series-1 and so on
	Path  string
	Dots  []dot // of a curve too short to see
}

type dot struct{ X, Y string }

// bar is a bar of a histogram.
type bar struct {
	X, Y, Width, Height string
	Title               string
}

// mark is a line across the plot at a value of x.
type mark struct {
	At, Text string
	Anchor   string // where the text goes: start or end
}

func newChart(title, xLabel string) chart {
	return chart{Title: title, XLabel: xLabel, Width: chartWidth, Height: chartHeight,
		Left: chartLeft, Right: chartWidth - chartRight, Top: chartTop, Bottom: chartHeight - chartBottom}
}

// scale maps values to places on a page.
type scale struct {
	low, high float64 // logarithms where log is set
	from, to  float64
	log       bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(v)
	}
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}

// place writes a coordinate: a tenth of a pixel is enough.
func place(v float64) string { return fmt.Sprintf("%.1f", v) }

// newScale returns a scale for values, from a round number to a round one, and
// its ticks. Values that span more than a factor of 20 have a logarithmic one.
// Those that are not drawable are passed over.
func newScale(values []float64, from, to float64, logToo bool) (scale, []float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if drawable(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	if logToo && low > 0 && high/low > 20 {
		return logScale(low, high, from, to)
	}
	if low == high {
		low, high = low-math.Abs(low)/2-1e-9, high+math.Abs(high)/2+1e-9
	}
	step := roundStep((high - low) / 4)
	first, last := math.Floor(low/step), math.Ceil(high/step)
	var ticks []float64
	for i := first; i <= last; i++ {
		ticks = append(ticks, i*step)
	}
	return scale{first * step, last * step, from, to, false}, ticks
}

// drawable reports whether a value has a place on a page: it is finite, and so
// are the differences of such values.
func drawable(v float64) bool { return math.Abs(v) < 1e300 }

func logScale(low, high, from, to float64) (scale, []float64) {
	var all, tens []float64
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, k := range []float64{1, 2, 5} {
			if v := k * math.Pow(10, e); v >= low*0.999 && v <= high*1.001 {
				all = append(all, v)
				if k == 1 {
					tens = append(tens, v)
				}
			}
		}
	}
	if len(all) > 7 {
		all = nil
		for _, i := range thin(len(tens), 6) {
			all = append(all, tens[i])
		}
	}
	return scale{math.Log10(low), math.Log10(high), from, to, true}, all
}

// roundStep returns the number 1, 2 or 5 times a power of ten that is at least
// step, or as good as.
func roundStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, k := range []float64{1, 2, 5} {
		if k*power >= step*0.999 {
			return k * power
		}
	}
	return 10 * power
}

func ticksOf(s scale, values []float64) []tick {
	var ticks []tick
	for _, v := range values {
		if !s.log && math.Abs(v) < 1e-12*math.Abs(s.high-s.low) {
			v = 0 // what is left of a sum
		}
		ticks = append(ticks, tick{place(s.at(v)), fmt.Sprintf("%.3g", v)})
	}
	return ticks
}

// series are the values of a curve, one an epoch. NaN is a gap.
type series struct {
	name, class string
	values      []float64
}

// draw adds curves over the epochs to the chart.
func (c *chart) draw(h History, all []series) {
	epochs := make([]float64, len(h.Epochs))
	for i, e := range h.Epochs {
		epochs[i] = float64(e.Epoch)
	}
	var values []float64
	for _, s := range all {
		values = append(values, s.values...)
	}
	x, xTicks := newScale(epochs, float64(c.Left), float64(c.Right), false)
	if n := len(epochs); n > 1 {
		x.low, x.high = epochs[0], epochs[n-1]
	}
	xTicks = slices.DeleteFunc(xTicks, func(v float64) bool { return v != math.Round(v) || v < epochs[0] || v > epochs[len(epochs)-1] })
	y, yTicks := newScale(values, float64(c.Bottom), float64(c.Top), true)
	c.XTicks, c.YTicks = ticksOf(x, xTicks), ticksOf(y, yTicks)
	for _, s := range all {
		c.Lines = append(c.Lines, newLine(s, x, y, epochs))
	}
	if h.Best > 0 && h.Best <= len(epochs) {
		at := epochs[h.Best-1]
		m := mark{place(x.at(at)), "kept", "start"}
		if x.at(at) > float64(c.Left+c.Right)/2 {
			m.Anchor = "end"
		}
		c.Marks = append(c.Marks, m)
	}
}

func newLine(s series, x, y scale, epochs []float64) line {
	l := line{Name: s.name, Class: s.class}
	var path strings.Builder
	move, points := true, 0
	for _, i := range thin(len(epochs), maxPoints) {
		v := s.values[i]
		if !drawable(v) || y.log && v <= 0 {
			move = true
			continue
		}
		step := "L"
		if move {
			step = "M"
		}
		move = false
		points++
		px, py := place(x.at(epochs[i])), place(y.at(v))
		fmt.Fprintf(&path, "%s%s %s", step, px, py)
		if len(epochs) <= 12 {
			l.Dots = append(l.Dots, dot{px, py})
		}
	}
	l.Path = path.String()
	return l
}

// costChart shows the cost of training and of held-out rows.
func costChart(h History, unit string) chart {
	c := newChart("Cost", unit)
	train, held := series{"training", "series-1", nil}, series{"held-out", "series-2", nil}
	for _, e := range h.Epochs {
		train.values = append(train.values, e.Cost.Total)
		v := math.NaN()
		if e.Validation != nil {
			v = e.Validation.Total
		}
		held.values = append(held.values, v)
	}
	first, last := h.Epochs[0], h.Epochs[len(h.Epochs)-1]
	c.Description = fmt.Sprintf("The training cost goes from %.4g to %.4g.", first.Cost.Total, last.Cost.Total)
	all := []series{train}
	if hasValidation(h.Epochs) {
		all = append(all, held)
		if first.Validation != nil && last.Validation != nil {
			c.Description += fmt.Sprintf(" That of held-out rows goes from %.4g to %.4g.", first.Validation.Total, last.Validation.Total)
		}
	}
	c.draw(h, all)
	return c
}

// termChart shows what the training cost is made of.
func termChart(h History, names []string, unit string) chart {
	c := newChart("Training cost by term", unit)
	var all []series
	var words []string
	for i, name := range names {
		s := series{name, fmt.Sprintf("series-%d", i+1), nil}
		for _, e := range h.Epochs {
			s.values = append(s.values, term(e.Cost, name))
		}
		all = append(all, s)
		words = append(words, fmt.Sprintf("%s %.4g", name, s.values[len(s.values)-1]))
	}
	c.Description = "At the end: " + strings.Join(words, ", ") + "."
	c.draw(h, all)
	return c
}

// histogram shows how many units have which mean activation.
func histogram(a Activity) *chart {
	c := newChart("Mean activation of the units", "mean activation")
	var means []float64
	for _, u := range a.Units {
		if drawable(u.Mean) {
			means = append(means, u.Mean)
		}
	}
	x, xTicks := newScale(append([]float64{0, a.Target}, means...), float64(c.Left), float64(c.Right), false)
	const bins = 25
	var counts [bins]int
	for _, v := range means {
		counts[max(0, min(bins-1, int(bins*(v-x.low)/(x.high-x.low))))]++
	}
	most := slices.Max(counts[:])
	y, yTicks := newScale([]float64{0, float64(most)}, float64(c.Bottom), float64(c.Top), false)
	yTicks = slices.DeleteFunc(yTicks, func(v float64) bool { return v != math.Round(v) })
	c.XTicks, c.YTicks = ticksOf(x, xTicks), ticksOf(y, yTicks)
	width := (x.high - x.low) / bins
	for i, n := range counts {
		if n == 0 {
			continue
		}
		low := x.low + float64(i)*width
		c.Bars = append(c.Bars, bar{place(x.at(low) + 0.5), place(y.at(float64(n))), place(x.at(low+width) - x.at(low) - 1),
			place(y.at(0) - y.at(float64(n))), fmt.Sprintf("%d units from %.3g to %.3g", n, low, low+width)})
	}
	if len(means) == 0 {
		return &c
	}
	slices.Sort(means)
	c.Description = fmt.Sprintf("The mean activations of %d units go from %.3g to %.3g, with a median of %.3g.",
		len(means), means[0], means[len(means)-1], means[len(means)/2])
	if a.Target > 0 {
		m := mark{place(x.at(a.Target)), fmt.Sprintf("wanted, %.3g", a.Target), "start"}
		if x.at(a.Target) > float64(c.Left+c.Right)/2 {
			m.Anchor = "end"
		}
		c.Marks = append(c.Marks, m)
	}
	return &c
}
