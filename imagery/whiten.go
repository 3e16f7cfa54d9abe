package imagery

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// The filter of Whiten.
const (
	// WhitenCutoff is r0, in cycles a pixel: 0.4 of the sampling rate, as
	// Olshausen and Field have it (200 cycles a picture of 512 pixels).
	WhitenCutoff = 0.4

	// WhitenVariance is the variance of a whitened picture.
	WhitenVariance = 0.1
)

// Whiten returns p with a flat spectrum: filtered in the frequency domain by r
// exp(-(r/r0)^4), where r is the distance from frequency 0 in cycles a pixel
// and r0 is WhitenCutoff, then scaled, all channels alike, to mean 0 and
// variance WhitenVariance. The rising part undoes the fall of 1/r that
// photographs have; the falling part takes away noise and what the corners of
// the spectrum have too much of. A picture of one value gives zeros.
//
// Each channel is filtered by itself, as if the picture went on periodically.
// A side whose length has a prime factor beyond 5 is first extended by its
// mirror image to the next length that has none, which the transform is fast
// for.
//
// B. Olshausen and D. Field, "Emergence of simple-cell receptive field
// properties by learning a sparse code for natural images", Nature 381 (1996);
// "Sparse coding with an overcomplete basis set: a strategy employed by V1?",
// Vision Research 37 (1997), equation 15.
func (p *Picture) Whiten() *Picture {
	s := p.Shape
	to := &Picture{Shape: s, Floats: make([]float32, s.Len())}
	plane := newPlane(smooth(s.Height), smooth(s.Width))
	for c := range s.Channels {
		plane.load(p, c)
		plane.filter()
		plane.store(to, c)
	}
	to.scale(WhitenVariance, roundingOf(p))
	return to
}

// smooth returns the first number from n on without a prime factor beyond 5.
func smooth(n int) int {
	for ; ; n++ {
		m := n
		for _, p := range []int{2, 3, 5} {
			for m%p == 0 {
				m /= p
			}
		}
		if m == 1 {
			return n
		}
	}
}

// A plane is one channel, and its spectrum: of the columns of real lines only
// the first half, since the rest mirrors it.
type plane struct {
	height, width int
	half          int // width/2 + 1
	spectrum      []complex128

	lines   *fourier.FFT
	columns *fourier.CmplxFFT
	line    []float64
	column  []complex128
}

func newPlane(height, width int) *plane {
	half := width/2 + 1
	return &plane{
		height: height, width: width, half: half,
		spectrum: make([]complex128, height*half),
		lines:    fourier.NewFFT(width), columns: fourier.NewCmplxFFT(height),
		line: make([]float64, width), column: make([]complex128, height),
	}
}

// load transforms the lines of channel c of p.
func (f *plane) load(p *Picture, c int) {
	s := p.Shape
	for y := range f.height {
		from := mirrored(y, s.Height) * s.Width
		for x := range f.width {
			i := (from+mirrored(x, s.Width))*s.Channels + c
			if p.Bytes != nil {
				f.line[x] = float64(p.Bytes[i])
			} else {
				f.line[x] = float64(p.Floats[i])
			}
		}
		f.lines.Coefficients(f.spectrum[y*f.half:(y+1)*f.half], f.line)
	}
}

// mirrored is where a pixel beyond the end of n has its value from.
func mirrored(i, n int) int {
	i %= 2 * n
	if i >= n {
		return 2*n - 1 - i
	}
	return i
}

// filter transforms the columns, multiplies and transforms them back.
func (f *plane) filter() {
	scale := 1 / float64(f.height*f.width) // the transforms do not normalise
	for x := range f.half {
		fx := float64(x) / float64(f.width)
		for y := range f.column {
			f.column[y] = f.spectrum[y*f.half+x]
		}
		f.columns.Coefficients(f.column, f.column)
		for y := range f.column {
			fy := float64(min(y, f.height-y)) / float64(f.height)
			squared := fx*fx + fy*fy
			share := squared / (WhitenCutoff * WhitenCutoff)
			f.column[y] *= complex(scale*math.Sqrt(squared)*math.Exp(-share*share), 0)
		}
		f.columns.Sequence(f.column, f.column)
		for y := range f.column {
			f.spectrum[y*f.half+x] = f.column[y]
		}
	}
}

// store transforms the lines back into channel c of p.
func (f *plane) store(p *Picture, c int) {
	s := p.Shape
	for y := range s.Height {
		f.lines.Sequence(f.line, f.spectrum[y*f.half:(y+1)*f.half])
		for x := range s.Width {
			p.Floats[(y*s.Width+x)*s.Channels+c] = float32(f.line[x])
		}
	}
}

// roundingOf returns what rounding leaves of a picture without contrast: a
// share of its largest value far above that of float64, and below what float32
// can hold.
func roundingOf(p *Picture) float64 {
	largest := 255.0
	if p.Bytes == nil {
		largest = 0
		for _, v := range p.Floats {
			largest = max(largest, math.Abs(float64(v)))
		}
	}
	return 1e-9 * largest
}

// scale gives the values of p mean 0 and a variance; all become 0 where their
// deviation is no more than rounding.
func (p *Picture) scale(variance, rounding float64) {
	n := float64(len(p.Floats))
	var sum, squares float64
	for _, v := range p.Floats {
		sum += float64(v)
	}
	mean := sum / n
	for _, v := range p.Floats {
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	factor := 0.0
	if deviation := math.Sqrt(squares / n); deviation > rounding {
		factor = math.Sqrt(variance) / deviation
	}
	for i, v := range p.Floats {
		p.Floats[i] = float32((float64(v) - mean) * factor)
	}
}
