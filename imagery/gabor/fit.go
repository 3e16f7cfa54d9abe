package gabor

import "math"

// A fit finds the Gabor function nearest to a pattern, by the method of
// Levenberg and Marquardt from a few starts. The shape of the function is x, y,
// direction, frequency and the logarithms of both deviations; its heights (of
// cosine, sine and constant) follow by linear least squares, and enter the
// steps as parameters like the others.
type fit struct {
	height, width int
	low, high     [6]float64 // bounds of a shape
}

const parameters = 9

// candidate is a Gabor function: its shape, its heights, and the squares that
// it leaves of a pattern of length 1.
type candidate struct {
	shape [6]float64
	a     [3]float64
	cost  float64
}

func newFit(height, width int) *fit {
	side := float64(min(height, width))
	wide, high := float64(width), float64(height)
	return &fit{height: height, width: width,
		// Waves shorter than 1/0.6 pixels and bells narrower than 0.4 are
		// pixels of their own; longer than a hundred and wider than twice the
		// filter they are none that can be seen.
		low:  [6]float64{-wide, -high, math.Inf(-1), 0.01, math.Log(0.4), math.Log(0.4)},
		high: [6]float64{wide, high, math.Inf(1), 0.6, math.Log(max(2*side, 1)), math.Log(max(2*side, 1))}}
}

// best returns the best Gabor function for pattern x, which has mean 0 and
// length 1.
func (f *fit) best(x []float64, s *spectrum) candidate {
	best := candidate{cost: math.Inf(1)}
	for _, start := range f.starts(x, s) {
		if c := f.descend(x, start); c.cost < best.cost {
			best = c
		}
	}
	return best
}

// starts are where to begin: at the middle of the pattern's power or at its
// strongest pixel, with the wave of one of the two strongest frequencies, under
// bells of several widths.
func (f *fit) starts(x []float64, s *spectrum) [5][6]float64 {
	var middle, strongest [2]float64
	most := -1.
	for i, v := range x {
		at := f.place(i)
		middle[0] += v * v * at[0]
		middle[1] += v * v * at[1]
		if v*v > most {
			most, strongest = v*v, at
		}
	}
	side := float64(min(f.height, f.width))
	waves := s.peaks(1 / (2 * side))
	start := func(at, wave [2]float64, width float64) [6]float64 {
		p := [6]float64{at[0], at[1], math.Atan2(wave[1], wave[0]), math.Hypot(wave[0], wave[1]),
			math.Log(width * side), math.Log(width * side)}
		f.bound(&p)
		return p
	}
	return [5][6]float64{start(middle, waves[0], 0.25), start(strongest, waves[0], 0.15), start(middle, waves[1], 0.25),
		start(middle, waves[0], 0.5), start(strongest, waves[1], 0.15)}
}

// place returns where pixel i is, from the middle.
func (f *fit) place(i int) [2]float64 {
	return [2]float64{float64(i%f.width) - float64(f.width-1)/2, float64(i/f.width) - float64(f.height-1)/2}
}

// bound keeps a shape within its bounds.
func (f *fit) bound(p *[6]float64) {
	for k := range p {
		p[k] = min(max(p[k], f.low[k]), f.high[k])
	}
}

// longest is how far a step goes at most: a pixel, a radian, a twentieth of a
// cycle, and a factor of e.
var longest = [6]float64{1, 1, 1, 0.05, 1, 1}

const (
	mostSteps = 60
	enough    = 1e-7 // of the pattern, what a step must gain to be followed
)

// descend takes steps from a shape as long as they help.
func (f *fit) descend(x []float64, start [6]float64) candidate {
	now := candidate{shape: start}
	f.solve(x, &now)
	damping, idle := 1e-2, 0
	for range mostSteps {
		gram, slope := f.linearize(x, now)
		step, ok := damped(gram, slope, damping)
		next := now
		if ok {
			for k := range next.shape {
				next.shape[k] += min(max(step[k], -longest[k]), longest[k])
			}
			f.bound(&next.shape)
			f.solve(x, &next)
		}
		if !ok || !(next.cost < now.cost) {
			if damping *= 4; damping > 1e7 {
				break
			}
			continue
		}
		if now.cost-next.cost > enough {
			idle = 0
		} else if idle++; idle > 2 {
			return next
		}
		now, damping = next, max(damping/3, 1e-7)
	}
	return now
}

// solve sets the heights of c, and its cost, by least squares.
func (f *fit) solve(x []float64, c *candidate) {
	var gram [9]float64
	var right [3]float64
	total := 0.
	b := f.bell(c.shape)
	for i, v := range x {
		e, cos, sin, _, _ := b.at(f.place(i))
		basis := [3]float64{e * cos, e * sin, 1}
		for j, p := range basis {
			right[j] += p * v
			for k := range j + 1 {
				gram[j*3+k] += p * basis[k]
			}
		}
		total += v * v
	}
	factor := gram
	for j := range 3 { // a height that nothing determines stays small
		factor[j*4] += 1e-9 * (gram[j*4] + 1e-3)
	}
	c.a = right
	if !cholesky(factor[:], c.a[:], 3) {
		c.cost = math.Inf(1)
		return
	}
	// |x - B a|^2, for whatever a.
	c.cost = total
	for j := range 3 {
		c.cost += c.a[j] * (c.a[j]*gram[j*4] - 2*right[j])
		for k := range j {
			c.cost += 2 * c.a[j] * c.a[k] * gram[j*3+k]
		}
	}
}

// bell is a shape with what its values share.
type bell struct {
	x, y, cos, sin  float64
	wave            float64 // 2 pi f
	along2, across2 float64 // squared deviations
}

func (f *fit) bell(p [6]float64) bell {
	sin, cos := math.Sincos(p[2])
	return bell{p[0], p[1], cos, sin, 2 * math.Pi * p[3], math.Exp(2 * p[4]), math.Exp(2 * p[5])}
}

// at returns the Gaussian and the cosine and sine of the wave at a place, and
// where that is along and across the wave.
func (b bell) at(place [2]float64) (e, cos, sin, u, v float64) {
	dx, dy := place[0]-b.x, place[1]-b.y
	u, v = b.cos*dx+b.sin*dy, b.cos*dy-b.sin*dx
	e = math.Exp(-u*u/(2*b.along2) - v*v/(2*b.across2))
	sin, cos = math.Sincos(b.wave * u)
	return e, cos, sin, u, v
}

// linearize returns, for the Gabor function c as a function of all parameters,
// the products of its derivatives, and theirs with what it leaves of x.
func (f *fit) linearize(x []float64, c candidate) (gram [parameters * parameters]float64, slope [parameters]float64) {
	b := f.bell(c.shape)
	for i, value := range x {
		e, cos, sin, u, v := b.at(f.place(i))
		wave := c.a[0]*cos + c.a[1]*sin
		turned := b.wave * (c.a[1]*cos - c.a[0]*sin) // of the wave by u
		du := e * (turned - wave*u/b.along2)
		dv := -e * wave * v / b.across2
		d := [parameters]float64{
			-b.cos*du + b.sin*dv,
			-b.sin*du - b.cos*dv,
			v*du - u*dv,
			e * 2 * math.Pi * u * (c.a[1]*cos - c.a[0]*sin),
			e * wave * u * u / b.along2,
			e * wave * v * v / b.across2,
			e * cos, e * sin, 1,
		}
		r := value - e*wave - c.a[2]
		for j, p := range d {
			slope[j] += p * r
			for k := range j + 1 {
				gram[j*parameters+k] += p * d[k]
			}
		}
	}
	return gram, slope
}

// damped returns the step of Levenberg and Marquardt.
func damped(gram [parameters * parameters]float64, slope [parameters]float64, damping float64) (step [parameters]float64, ok bool) {
	for j := range parameters {
		gram[j*(parameters+1)] += damping*gram[j*(parameters+1)] + 1e-12
	}
	step = slope
	return step, cholesky(gram[:], step[:], parameters)
}

// cholesky solves a z = b for symmetric positive definite a (n,n), of which the
// lower triangle is given. It overwrites both; b becomes z.
func cholesky(a, b []float64, n int) bool {
	for i := range n {
		for j := range i + 1 {
			sum := a[i*n+j]
			for k := range j {
				sum -= a[i*n+k] * a[j*n+k]
			}
			if i > j {
				a[i*n+j] = sum / a[j*n+j]
				continue
			}
			if !(sum > 0) {
				return false
			}
			a[i*n+i] = math.Sqrt(sum)
		}
	}
	for i := range n {
		for k := range i {
			b[i] -= a[i*n+k] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= a[k*n+i] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	return true
}
