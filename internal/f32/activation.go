package f32

// Activation is the function f of a layer.
type Activation uint8

// Activations. ReLU has slope 0 at 0.
const (
	Sigmoid Activation = iota // 1/(1+exp(-z)), z clamped to +-30
	Tanh
	ReLU
	Linear
)

// Activate computes z = f(z + bias) for z (m,n) and bias (n).
func Activate(f Activation, z, bias []float32) {
	rows := rowsOf(z, len(bias))
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, f: f, x: z, n: len(bias), bias: bias}
	j.doRows(rows, func(j *job, item int) {
		e := &j.elem
		e.kernel.activate(e.f, e.part(e.x, item), e.bias)
	})
}

// Slope computes dst = f'(z) from a = f(z).
func Slope(f Activation, dst, a []float32) {
	if len(dst) != len(a) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, f: f, x: dst, y: a, n: 1}
	j.doRows(len(a), func(j *job, item int) {
		e := &j.elem
		e.kernel.slope(e.f, e.part(e.x, item), e.part(e.y, item))
	})
}
