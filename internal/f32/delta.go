package f32

// Loss is the distance L between a reconstruction y and its target x.
type Loss uint8

// Losses.
const (
	Squared      Loss = iota // 1/2 |y-x|^2
	CrossEntropy             // softplus(u) - x u, y = sigmoid(u), x in [0,1]
)

// HiddenDelta computes, for d and a (m,h),
//
//	d[i,j] = (d[i,j] + c[j]) f'(z) + k[j] f'(z) f''(z),   a = f(z).
//
// Of c and k (h) either may be nil, for zeros. ReLU and Linear have no second
// derivative, so that k does nothing to them.
func HiddenDelta(f Activation, d, a, c, k []float32, h int) {
	rows := rowsOf(d, h)
	if len(a) != len(d) || c != nil && len(c) != h || k != nil && len(k) != h {
		panic(lengths)
	}
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, f: f, x: d, y: a, n: h, bias: c, curvature: k}
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		e.kernel.hiddenDelta(e.f, e.part(e.x, item), e.part(e.y, item), e.bias, e.curvature, e.n)
	})
}

// OutputDelta takes u (m,n), the output layer's argument without its bias (n),
// and the target x (m,n). It replaces u by dL/du for y = g(u + bias), and
// returns L summed over all rows. CrossEntropy needs g = Sigmoid, and is
// computed from u+bias as it is, not clamped.
func OutputDelta(g Activation, l Loss, u, bias, x []float32) float64 {
	rows := rowsOf(u, len(bias))
	if len(x) != len(u) {
		panic(lengths)
	}
	if l == CrossEntropy && g != Sigmoid {
		panic("f32: cross-entropy needs a sigmoid output")
	}
	if rows == 0 {
		return 0
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, f: g, loss: l, x: u, y: x, n: len(bias), bias: bias}
	sum := j.sumRows(rows, func(j *job, item int) {
		e := &j.elem
		u, x := e.part(e.x, item), e.part(e.y, item)
		if e.loss == CrossEntropy {
			e.kernel.crossEntropy(u, e.bias, x, &e.sums[item])
		} else {
			e.kernel.squared(e.f, u, e.bias, x, &e.sums[item])
		}
	})
	if l == Squared {
		sum /= 2
	}
	return sum
}
