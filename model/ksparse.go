package model

import "math"

// k-sparse codes: of each row the k largest z, bias included, are the code,
// with their sign, and the others are 0. Among equals the lowest index wins.
// The gradient flows through what was kept alone; through a z that is exactly
// 0, where kept and not kept look alike, it does not.
//
// A. Makhzani and B. Frey, "k-Sparse autoencoders", ICLR 2014.

// annealFrom times k codes are kept at first. With few kept from the start,
// those that begin best learn everything, and the others nothing (section 4.2
// of the paper).
const annealFrom = 4

// keepAt is how many codes of a row training keeps when done of the planned
// epochs are over. It starts at annealFrom times k and stays there in the
// first epoch, whose length is not known before its end; then it falls
// linearly, to k at half the planned epochs.
func (c Config) keepAt(done, planned float64) int {
	first := min(c.Hidden, annealFrom*c.K)
	switch half := planned / 2; {
	case planned <= 1 || done >= half && done >= 1:
		return c.K
	case done <= 1:
		return first
	default:
		return c.K + int(math.Round(float64(first-c.K)*(half-done)/(half-1)))
	}
}

// keepEncoding is how many codes of a row encoding keeps, round(alpha k), half
// to even, but at least one; 0: all.
func (c Config) keepEncoding() int {
	if c.K == 0 {
		return 0
	}
	alpha := c.KEncode
	if alpha == 0 {
		alpha = 1
	}
	return int(min(float64(c.Hidden), max(1, math.RoundToEven(alpha*float64(c.K)))))
}
