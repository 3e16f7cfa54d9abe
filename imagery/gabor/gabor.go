// Package gabor measures filters: how well a Gabor function describes them,
// which way and how finely they are striped, and whether they are local, as
// edge detectors are.
//
// [Measure] takes the filters of a layer, (h,n), and returns [Measures] of
// each; [Shares] counts them. A Gabor function is a wave under a Gaussian,
//
//	g(x,y) = exp(-u^2/(2 s^2) - v^2/(2 t^2)) cos(2 pi f u + p) a + c
//
// where u lies along the wave and v across it, from a centre. The constant c
// stands for what the mean of a patch does to a filter. (J. Daugman,
// "Uncertainty relation for resolution in space, spatial frequency, and
// orientation", 1985; fits of it to simple cells: J. Jones and L. Palmer, 1987,
// and D. Ringach, 2002.)
//
// Of filters in colour the spatial pattern of their strongest colour is
// measured: the first left singular vector of the pixels by channels. Nothing
// here is random, and all functions are safe for concurrent use.
package gabor

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/aefeat/aefeat/internal/f32"
	"github.com/aefeat/aefeat/model"
)

// Measures are those of one filter.
type Measures struct {
	// R2 is the share of the filter's variance that the best Gabor function
	// explains, 0 to 1.
	R2 float64

	// The best Gabor function: the direction of its wave in degrees, from 0
	// (along a line, stripes upright) to below 180, counted towards the lines
	// below; cycles a pixel; the centre in pixels from the middle of the
	// filter, rightwards and downwards; and the deviations of the Gaussian
	// along the wave and across it, in pixels.
	Orientation   float64
	Frequency     float64
	X, Y          float64
	Along, Across float64

	// Wedge is the share of the filter's power spectrum, its mean taken off,
	// in the best wedge of 30 degrees. A spectrum without direction has a sixth
	// on average. Centroid is the mean frequency of the power in cycles a
	// pixel.
	Wedge    float64
	Centroid float64

	// Oriented: R2 is at least 0.8, and Wedge above a half.
	Oriented bool

	// Local: R2 is at least 0.8, the centre lies inside the filter, the
	// narrower deviation is below a quarter of the shorter side, and at least
	// 0.12 cycles go into it.
	Local bool

	// Lag1 is the correlation of neighbours: the mean of those from line to
	// line and from pixel to pixel. Noise has 0, a smooth filter nearly 1.
	Lag1 float64

	// Twin is the cosine with the filter that is most like it or most its
	// negative, whichever is nearer; 0 of a single one.
	Twin float64
}

// What the measures are judged by.
const (
	goodR2      = 0.8
	goodWedge   = 0.5
	localShare  = 0.25 // of the side
	localCycles = 0.12
	twinCosine  = 0.9
)

// Shares are the shares of filters, 0 to 1, of which something is true.
type Shares struct {
	R2       float64 `json:"r2"` // at least 0.8
	Oriented float64 `json:"oriented"`
	Local    float64 `json:"local"`
	Twins    float64 `json:"twins"` // Twin above 0.9 or below -0.9
}

// Count returns the shares of the filters; of none they are 0.
func Count(filters []Measures) Shares {
	return Shares{
		share(filters, func(m Measures) bool { return m.R2 >= goodR2 }),
		share(filters, func(m Measures) bool { return m.Oriented }),
		share(filters, func(m Measures) bool { return m.Local }),
		share(filters, func(m Measures) bool { return math.Abs(m.Twin) > twinCosine }),
	}
}

func share(filters []Measures, holds func(Measures) bool) float64 {
	count := 0
	for _, m := range filters {
		if holds(m) {
			count++
		}
	}
	return float64(count) / float64(max(1, len(filters)))
}

// Measure returns the measures of filters (h,n) of shape s, n = s.Len(). The
// mean of each is taken off first. Of a filter that is constant all are 0. It
// uses all processors; a thousand filters of 8x8 take about two seconds of one.
// Weights that are no whole number of filters, or not finite, are errors.
func Measure(filters []float32, s model.Shape) ([]Measures, error) {
	measures, err := each(filters, s, (*meter).measure)
	if err == nil {
		twins(measures, filters, s.Len())
	}
	return measures, err
}

// Centroids returns the Centroid of each filter alone, which takes a small part
// of the time.
func Centroids(filters []float32, s model.Shape) ([]float64, error) {
	return each(filters, s, (*meter).centroid)
}

// each returns what a meter makes of each filter.
func each[T any](filters []float32, s model.Shape, of func(*meter, []float32) T) ([]T, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("gabor: %w", err)
	}
	n := s.Len()
	if len(filters)%n != 0 {
		return nil, fmt.Errorf("gabor: %d weights are no whole number of filters of %v", len(filters), s)
	}
	if !f32.AllFinite(filters) {
		return nil, errors.New("gabor: a weight is not finite")
	}
	made := make([]T, len(filters)/n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(made)) {
		workers.Go(func() {
			m := newMeter(s)
			for i := int(next.Add(1)) - 1; i < len(made); i = int(next.Add(1)) - 1 {
				made[i] = of(m, filters[i*n:(i+1)*n])
			}
		})
	}
	workers.Wait()
	return made, nil
}

// meter measures one filter after the other.
type meter struct {
	shape    model.Shape
	plane    []float64 // the pattern, lines from the top (height, width)
	spectrum *spectrum
	fit      *fit
}

func newMeter(s model.Shape) *meter {
	plane := make([]float64, s.Height*s.Width)
	return &meter{s, plane, newSpectrum(s.Height, s.Width), newFit(s.Height, s.Width)}
}

func (m *meter) centroid(filter []float32) float64 {
	strongestColour(m.plane, filter, m.shape)
	if !normalize(m.plane) {
		return 0
	}
	m.spectrum.transform(m.plane)
	return m.spectrum.centroid()
}

func (m *meter) measure(filter []float32) Measures {
	strongestColour(m.plane, filter, m.shape)
	if !normalize(m.plane) {
		return Measures{}
	}
	m.spectrum.transform(m.plane)
	var r Measures
	r.Wedge, r.Centroid = m.spectrum.wedge(), m.spectrum.centroid()
	r.Lag1 = lag1(m.plane, m.shape.Width)
	best := m.fit.best(m.plane, m.spectrum)
	p := best.shape
	r.R2 = min(max(1-best.cost, 0), 1)
	r.X, r.Y, r.Frequency = p[0], p[1], p[3]
	r.Orientation = math.Mod(p[2]*180/math.Pi+360, 180)
	r.Along, r.Across = math.Exp(p[4]), math.Exp(p[5])

	narrow := min(r.Along, r.Across)
	inside := math.Abs(r.X) <= float64(m.shape.Width)/2 && math.Abs(r.Y) <= float64(m.shape.Height)/2
	r.Oriented = r.R2 >= goodR2 && r.Wedge > goodWedge
	r.Local = r.R2 >= goodR2 && inside && narrow < localShare*float64(min(m.shape.Height, m.shape.Width)) && r.Frequency*narrow >= localCycles
	return r
}

// normalize takes the mean off x and scales it to length 1; false: x is
// constant.
func normalize(x []float64) bool {
	mean, most := 0., 0.
	for _, v := range x {
		mean += v / float64(len(x))
		most = max(most, math.Abs(v))
	}
	squares := 0.
	for i := range x {
		x[i] -= mean
		squares += x[i] * x[i]
	}
	length := math.Sqrt(squares)
	if !(length > 1e-7*most*math.Sqrt(float64(len(x)))) { // rounding alone
		return false
	}
	for i := range x {
		x[i] /= length
	}
	return true
}

// strongestColour sets plane to the spatial pattern of a filter: of its pixels
// by channels, less their common mean, the first left singular vector, times
// the singular value.
func strongestColour(plane []float64, filter []float32, s model.Shape) {
	line, pixel, channel := s.Strides()
	at := func(i, c int) float64 {
		return float64(filter[i/s.Width*line+i%s.Width*pixel+c*channel])
	}
	if s.Channels == 1 {
		for i := range plane {
			plane[i] = at(i, 0)
		}
		return
	}
	mean := 0.
	for _, w := range filter {
		mean += float64(w) / float64(len(filter))
	}
	// The colour is the first eigenvector of the channels' products, which
	// the power method finds from the strongest channel on.
	gram := make([]float64, s.Channels*s.Channels)
	for i := range plane {
		for c := range s.Channels {
			for d := range s.Channels {
				gram[c*s.Channels+d] += (at(i, c) - mean) * (at(i, d) - mean)
			}
		}
	}
	strongest := 0
	for c := range s.Channels {
		if gram[c*(s.Channels+1)] > gram[strongest*(s.Channels+1)] {
			strongest = c
		}
	}
	colour, next := make([]float64, s.Channels), make([]float64, s.Channels)
	colour[strongest] = 1
	for range 100 {
		squares := 0.
		for c := range next {
			next[c] = 0
			for d := range colour {
				next[c] += gram[c*s.Channels+d] * colour[d]
			}
			squares += next[c] * next[c]
		}
		if squares == 0 {
			break
		}
		for c := range next {
			colour[c] = next[c] / math.Sqrt(squares)
		}
	}
	for i := range plane {
		plane[i] = 0
		for c := range colour {
			plane[i] += (at(i, c) - mean) * colour[c]
		}
	}
}

// lag1 returns the mean correlation of neighbours in x, lines of the given
// width.
func lag1(x []float64, width int) float64 {
	height := len(x) / width
	sum, count := 0., 0
	for _, step := range []struct{ y, x int }{{0, 1}, {1, 0}} {
		var a, b []float64
		for y := range height - step.y {
			for at := range width - step.x {
				a = append(a, x[y*width+at])
				b = append(b, x[(y+step.y)*width+at+step.x])
			}
		}
		if len(a) == 0 {
			continue // filters of one line
		}
		count++
		if normalize(a) && normalize(b) {
			for i := range a {
				sum += a[i] * b[i]
			}
		}
	}
	if count == 0 {
		return 0
	}
	return sum / float64(count)
}

// twins sets the Twin of each filter.
func twins(measures []Measures, filters []float32, n int) {
	h := len(measures)
	unit := make([]float32, len(filters))
	x := make([]float64, n)
	for i := range h {
		for j := range x {
			x[j] = float64(filters[i*n+j])
		}
		if normalize(x) {
			for j, v := range x {
				unit[i*n+j] = float32(v)
			}
		}
	}
	const block = 256 // filters, so that their products take little memory
	cosines := make([]float32, min(block, h)*h)
	for lo := 0; lo < h; lo += block {
		rows := min(block, h-lo)
		f32.Gemm(false, true, rows, h, n, 1, unit[lo*n:], n, unit, n, 0, cosines, h)
		for i := range rows {
			twin := &measures[lo+i].Twin
			for j, c := range cosines[i*h : (i+1)*h] {
				if j != lo+i && math.Abs(float64(c)) > math.Abs(*twin) {
					*twin = min(max(float64(c), -1), 1)
				}
			}
		}
	}
}
