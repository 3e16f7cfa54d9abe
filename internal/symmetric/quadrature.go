package symmetric

import "math"

// A quadrature stands for x^-1/2 by sum_j weights[j] / (x + shifts[j]).
type quadrature struct{ shifts, weights []float64 }

// newQuadrature returns one whose relative error is about 1e-14 for x from low
// to high.
//
// It is the midpoint rule for x^-1/2 = 2/pi integral of ds / (x + s^2) from 0
// to infinity, after the substitution s = sqrt(low) sc(u), as in N. Hale,
// N. Higham and L. Trefethen, "Computing A^alpha, log(A), and related matrix
// functions by contour integrals", 2008, method 3. With N points the error
// falls as exp(-2 pi^2 N / (log(high/low) + 3)).
func newQuadrature(low, high float64) quadrature {
	ratio := low / high
	landen := newLanden(math.Sqrt(ratio))
	points := int(math.Ceil(33 / (2 * math.Pi * math.Pi) * (3 - math.Log(ratio))))
	var q quadrature
	for j := range points {
		share := (float64(j) + 0.5) / float64(points)
		// Beyond the middle s is very large: there sc(K-u) is the inverse of
		// sqrt(ratio) sc(u).
		s := landen.sc(min(share, 1-share))
		if share > 0.5 {
			s = 1 / (math.Sqrt(ratio) * s)
		}
		speed := math.Sqrt(1+s*s) * math.Sqrt(1+ratio*s*s) // ds/du
		q.shifts = append(q.shifts, low*s*s)
		q.weights = append(q.weights, 2/math.Pi*landen.quarter/float64(points)*math.Sqrt(low)*speed)
	}
	return q
}

// A landen computes Jacobi's elliptic function sc for one modulus by the
// arithmetic-geometric mean, as in R. Bulirsch, "Numerical calculation of
// elliptic integrals and elliptic functions", 1965: nothing cancels out.
type landen struct {
	mean    float64      // of 1 and the complementary modulus
	steps   [][2]float64 // towards it
	quarter float64      // the quarter period K
}

// newLanden takes the complementary modulus, in (0, 1].
func newLanden(complement float64) landen {
	var l landen
	a, b := 1., complement
	for a-b > 0x1p-50*a {
		l.steps = append(l.steps, [2]float64{a, b})
		a, b = (a+b)/2, math.Sqrt(a*b)
	}
	l.mean = a
	l.quarter = math.Pi / 2 / l.mean
	return l
}

// sc returns sn/cn at a share of the quarter period.
func (l landen) sc(share float64) float64 {
	a := l.mean
	cs, dn := a/math.Tan(share*math.Pi/2), 1. // cs is times a
	for i := len(l.steps) - 1; i >= 0; i-- {
		square := cs * cs / a
		cs *= dn
		a = l.steps[i][0]
		dn = (l.steps[i][1] + square) / (a + square)
	}
	return a / cs
}
