package f32

import "math"

// AdamConfig holds the settings of one step of [Adam].
type AdamConfig struct {
	LearningRate, Beta1, Beta2, Epsilon float32

	Step int // counts from 1, for the bias correction
}

// Adam takes one step of Adam (Kingma and Ba, ICLR 2015, algorithm 1):
// m and v are the running moments of the gradient g, and
//
//	p -= LearningRate m/(1-Beta1^Step) / (sqrt(v/(1-Beta2^Step)) + Epsilon).
//
// Denormal moments become 0. All slices have one length.
func Adam(p, g, m, v []float32, c AdamConfig) {
	if len(g) != len(p) || len(m) != len(p) || len(v) != len(p) {
		panic(lengths)
	}
	if c.Step < 1 {
		panic("f32: Adam counts its steps from 1")
	}
	beta1, beta2, step := float64(c.Beta1), float64(c.Beta2), float64(c.Step)
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: p, y: g, z: m, w: v, step: adamStep{
		beta1: c.Beta1, rest1: float32(1 - beta1),
		beta2: c.Beta2, rest2: float32(1 - beta2),
		rate:    float32(float64(c.LearningRate) / (1 - math.Pow(beta1, step))),
		root:    float32(1 / math.Sqrt(1-math.Pow(beta2, step))),
		epsilon: c.Epsilon,
	}}
	j.doRows(len(p), func(j *job, item int) {
		e := &j.elem
		e.kernel.adam(e.part(e.x, item), e.part(e.y, item), e.part(e.z, item), e.part(e.w, item), e.step)
	})
}

// Momentum takes one step of gradient descent with momentum:
// v = momentum v + g; p -= learningRate v.
func Momentum(p, g, v []float32, learningRate, momentum float32) {
	if len(g) != len(p) || len(v) != len(p) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: p, y: g, z: v, a: learningRate, b: momentum}
	j.doRows(len(p), func(j *job, item int) {
		e := &j.elem
		e.kernel.momentum(e.part(e.x, item), e.part(e.y, item), e.part(e.z, item), e.a, e.b)
	})
}

// Axpy computes y += alpha x.
func Axpy(alpha float32, x, y []float32) {
	if len(x) != len(y) {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, n: 1, x: x, y: y, a: alpha}
	j.doRows(len(x), func(j *job, item int) {
		e := &j.elem
		e.kernel.axpy(e.a, e.part(e.x, item), e.part(e.y, item))
	})
}

// Scale computes x *= alpha.
func Scale(alpha float32, x []float32) { active.scale(alpha, x) }
