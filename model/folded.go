package model

import "github.com/aefeat/aefeat/internal/f32"

// FoldedEncoder computes codes with one product where [Encoder] needs two: of a
// model with preprocessing zca the matrix of the whitening, P, is multiplied
// into the weights, (W1 P) x = W1 (P x). It is for rows by the million, such as
// all patches of an image. Its codes are those of Encoder but for rounding in
// float32.
//
// Everything else is as Encoder does it, and so are all other models. Those
// with k-sparse codes are among them: where two codes nearly tie, rounding
// would decide which of them is kept.
//
// It is not safe for concurrent use: make one for each goroutine.
type FoldedEncoder struct{ encoder *Encoder }

// NewFoldedEncoder returns a folded encoder of m as it is now: later changes of
// its parameters may or may not show.
func NewFoldedEncoder(m *Model) *FoldedEncoder {
	if m.Preprocess.Method != PreprocessZCA || m.K > 0 {
		return &FoldedEncoder{NewEncoder(m)}
	}
	n, h := m.Inputs, m.Hidden
	folded, learned, params := *m, *m.Preprocess.Learned, *m.Params
	params.EncoderWeight = make([]float32, h*n)
	f32.Gemm(false, false, h, n, n, 1, m.Params.EncoderWeight, n, learned.Whiten, n, 0, params.EncoderWeight, n)
	if !f32.AllFinite(params.EncoderWeight) {
		return &FoldedEncoder{NewEncoder(m)} // too large to be folded
	}
	learned.Whiten = nil // convert leaves the product out
	folded.Preprocess.Learned, folded.Params = &learned, &params
	return &FoldedEncoder{NewEncoder(&folded)}
}

// Encode is [Encoder.Encode].
func (e *FoldedEncoder) Encode(dst []float32, r Rows) error { return e.encoder.Encode(dst, r) }
