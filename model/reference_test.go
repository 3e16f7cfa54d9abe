package model

import "math"

// reference is the cost and its gradient in float64, straight from the
// formulas: two passes over the rows, no kernels, no tricks.
type reference struct {
	cost     Cost
	rhohat   []float64
	gradient []float64 // like Params.Flat
}

// newReference computes the cost of c at params for the clean rows x and their
// corrupted form. What differs is taken to be corrupted.
func newReference(c Config, params []float64, x, noisy [][]float64) *reference {
	weights := weigh(c.Emphasis, len(x), c.Inputs, func(k, j int) bool { return x[k][j] != noisy[k][j] })
	return newWeightedReference(c, params, x, noisy, weights)
}

// weigh returns what each of the n components of rows counts in the loss.
func weigh(e Emphasis, rows, n int, corrupted func(k, j int) bool) [][]float64 {
	weights := make([][]float64, rows)
	for k := range weights {
		weights[k] = make([]float64, n)
		for j := range weights[k] {
			switch full := math.IsInf(float64(e), 1); {
			case e == 0 || full && corrupted(k, j) || !full && !corrupted(k, j):
				weights[k][j] = 1
			case !full:
				weights[k][j] = float64(e)
			}
		}
	}
	return weights
}

// newWeightedReference is newReference with what each component counts in the
// loss.
func newWeightedReference(c Config, params []float64, x, noisy, weights [][]float64) *reference {
	n, h, m := c.Inputs, c.Hidden, float64(len(x))
	w1, rest := params[:h*n], params[h*n:]
	b1, rest := rest[:h], rest[h:]
	w2 := make([]float64, n*h)
	if c.Tied {
		for i := range h {
			for j := range n {
				w2[j*h+i] = w1[i*n+j]
			}
		}
	} else {
		copy(w2, rest)
		rest = rest[n*h:]
	}
	b2 := rest

	r := &reference{rhohat: make([]float64, h), gradient: make([]float64, len(params))}
	g1, rest := r.gradient[:h*n], r.gradient[h*n:]
	gb1, gb2 := rest[:h], rest[len(rest)-n:]
	g2 := make([]float64, n*h)

	var norms []float64
	for i := range h {
		norms = append(norms, dot(w1[i*n:(i+1)*n], w1[i*n:(i+1)*n]))
	}
	decayed := dot(w1, w1)
	if !c.Tied {
		decayed += dot(w2, w2)
	}
	r.cost.WeightDecay = c.WeightDecay / 2 * decayed

	codes := make([][]float64, len(x))
	for k := range x {
		a := make([]float64, h)
		for i := range a {
			a[i], _, _ = activate(c.Activation, dot(w1[i*n:(i+1)*n], noisy[k])+b1[i])
		}
		if c.K > 0 {
			a = largest(a, c.K)
		}
		for i, v := range a {
			r.rhohat[i] += v / m
		}
		codes[k] = a
	}
	pull := make([]float64, h)
	if c.Activation == Tanh {
		for i, v := range r.rhohat {
			r.rhohat[i] = (1 + v) / 2
		}
	}
	if c.SparsityWeight > 0 {
		for i, q := range r.rhohat {
			rho, q := c.Sparsity, math.Min(math.Max(q, 1e-7), 1-1e-7)
			r.cost.Sparsity += c.SparsityWeight * (rho*math.Log(rho/q) + (1-rho)*math.Log((1-rho)/(1-q)))
			pull[i] = c.SparsityWeight * (-rho/q + (1-rho)/(1-q))
			if c.Activation == Tanh {
				pull[i] /= 2
			}
		}
	}

	out := make([]float64, n)
	for k, a := range codes {
		for j := range n {
			u := dot(w2[j*h:(j+1)*h], a) + b2[j]
			y, slope, _ := activate(c.Output, u)
			weight := weights[k][j]
			if c.Loss == CrossEntropy {
				r.cost.Reconstruction += weight * (math.Max(u, 0) - x[k][j]*u + math.Log1p(math.Exp(-math.Abs(u)))) / m
				out[j] = weight * (y - x[k][j])
			} else {
				r.cost.Reconstruction += weight * (y - x[k][j]) * (y - x[k][j]) / 2 / m
				out[j] = weight * (y - x[k][j]) * slope
			}
			gb2[j] += out[j] / m
			for i := range h {
				g2[j*h+i] += out[j] * a[i] / m
			}
		}
		for i := range h {
			_, first, second := activate(c.Activation, dot(w1[i*n:(i+1)*n], noisy[k])+b1[i])
			if c.K > 0 && a[i] == 0 {
				first = 0
			}
			d := pull[i]
			for j := range n {
				d += out[j] * w2[j*h+i]
			}
			d *= first
			d += 2 * c.Contraction * norms[i] * first * second
			r.cost.Contraction += c.Contraction * first * first * norms[i] / m
			gb1[i] += d / m
			for j := range n {
				g1[i*n+j] += (d*noisy[k][j] + 2*c.Contraction*first*first*w1[i*n+j]) / m
			}
		}
	}
	for i := range g1 {
		g1[i] += c.WeightDecay * w1[i]
	}
	if c.Tied {
		for i := range h {
			for j := range n {
				g1[i*n+j] += g2[j*h+i]
			}
		}
	} else {
		for i := range g2 {
			rest[h+i] = g2[i] + c.WeightDecay*w2[i]
		}
	}
	r.cost.Total = r.cost.Reconstruction + r.cost.WeightDecay + r.cost.Sparsity + r.cost.Contraction
	return r
}

// largest returns z with all but its k largest elements set to 0.
func largest(z []float64, k int) []float64 {
	kept := make([]float64, len(z))
	for range k {
		best := -1
		for i, v := range z {
			if kept[i] == 0 && (best < 0 || v > z[best]) {
				best = i
			}
		}
		kept[best] = z[best]
	}
	return kept
}

// activate returns f(z) and its first two derivatives.
func activate(f Activation, z float64) (a, first, second float64) {
	switch f {
	case Sigmoid:
		a = 1 / (1 + math.Exp(-z))
		return a, a * (1 - a), a * (1 - a) * (1 - 2*a)
	case Tanh:
		a = math.Tanh(z)
		return a, 1 - a*a, -2 * a * (1 - a*a)
	case ReLU:
		if z > 0 {
			return z, 1, 0
		}
		return 0, 0, 0
	}
	return z, 1, 0
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}
