package gabor

import "math"

// spectrum is the power spectrum of patterns of one size, padded with zeros,
// for frequencies (u,v) along lines from 0 to 1/2 and across them from -1/2 to
// 1/2 cycles a pixel. The other half is the same.
type spectrum struct {
	height, width int
	size          int // of the padded pattern, a power of 2

	cos, sin []float64 // of i/size of a turn (size)
	lines    []float64 // transformed along lines: real, imaginary (height, size/2+1, 2)
	power    []float64 // (size, size/2+1), v from 0 up, then from -1/2; 0 at (0,0)
}

// leastSize is the size that patterns are padded to at least: half a degree of
// direction then makes a difference.
const leastSize = 64

func newSpectrum(height, width int) *spectrum {
	size := leastSize
	for size < 2*max(height, width) {
		size *= 2
	}
	half := size/2 + 1
	s := &spectrum{height: height, width: width, size: size,
		cos: make([]float64, size), sin: make([]float64, size),
		lines: make([]float64, 2*height*half), power: make([]float64, size*half)}
	for i := range size {
		s.sin[i], s.cos[i] = math.Sincos(2 * math.Pi * float64(i) / float64(size))
	}
	return s
}

// transform sets the power of x (height, width), whose mean should be 0.
func (s *spectrum) transform(x []float64) {
	half, mask := s.size/2+1, s.size-1
	for y := range s.height {
		for u := range half {
			re, im := 0., 0.
			for at, v := range x[y*s.width : (y+1)*s.width] {
				re += v * s.cos[u*at&mask]
				im -= v * s.sin[u*at&mask]
			}
			s.lines[2*(y*half+u)], s.lines[2*(y*half+u)+1] = re, im
		}
	}
	for v := range s.size {
		for u := range half {
			re, im := 0., 0.
			for y := range s.height {
				a, b := s.lines[2*(y*half+u)], s.lines[2*(y*half+u)+1]
				c, d := s.cos[v*y&mask], s.sin[v*y&mask]
				re += a*c + b*d
				im += b*c - a*d
			}
			s.power[v*half+u] = re*re + im*im
		}
	}
	s.power[0] = 0
}

// each calls f for each frequency, but for (0,0), with its power. Those whose
// mirror image is there too come with half of it.
func (s *spectrum) each(f func(u, v, power float64)) {
	half := s.size/2 + 1
	for i, power := range s.power {
		u, v := i%half, i/half
		if u == 0 && v == 0 {
			continue
		}
		if u == 0 || u == s.size/2 {
			power /= 2
		}
		if v > s.size/2 {
			v -= s.size
		}
		f(float64(u)/float64(s.size), float64(v)/float64(s.size), power)
	}
}

// wedgeBins is how many directions half a turn is divided into, and
// wedgeWidth how many make 30 degrees.
const (
	wedgeBins  = 180
	wedgeWidth = 30
)

// wedge returns the share of power in the best wedge of 30 degrees.
func (s *spectrum) wedge() float64 {
	var bins [wedgeBins]float64
	total := 0.
	s.each(func(u, v, power float64) {
		// In the middle of a bin, where the axes and the diagonals are.
		at := int(math.Floor(math.Atan2(v, u)/math.Pi*wedgeBins + 0.5))
		bins[(at+wedgeBins)%wedgeBins] += power
		total += power
	})
	best := 0.
	for first := range bins {
		sum := 0.
		for k := range wedgeWidth {
			sum += bins[(first+k)%wedgeBins]
		}
		best = max(best, sum)
	}
	return best / total
}

// centroid returns the mean frequency of the power.
func (s *spectrum) centroid() float64 {
	sum, total := 0., 0.
	s.each(func(u, v, power float64) {
		sum += power * math.Hypot(u, v)
		total += power
	})
	return sum / total
}

// peaks returns the frequency of the most power and that of the most power at
// least away from it.
func (s *spectrum) peaks(away float64) [2][2]float64 {
	var found [2][2]float64
	for k := range found {
		most := -1.
		s.each(func(u, v, power float64) {
			first := found[0]
			if k > 0 && min(math.Hypot(u-first[0], v-first[1]), math.Hypot(u+first[0], v+first[1])) < away {
				return
			}
			if power > most {
				most, found[k] = power, [2]float64{u, v}
			}
		})
	}
	return found
}
