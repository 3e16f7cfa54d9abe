// Command generate writes the amd64 assembly of package f32 and its stubs, for
// AVX-512 and for AVX2:
//
//	go generate ./internal/f32
//
// run from the root of the main module. The same sources give the same bytes.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	tile512()
	tile256()
	estimate512()
	estimate256()
	chains()
	packT512()
	packT256()
	for _, c := range classes {
		c.packN()
		for _, f := range activations {
			c.activate(f)
			if f.slope != nil {
				c.slope(f)
			}
			c.hiddenDelta(f)
			c.squared(f)
		}
		c.crossEntropy()
		c.columns("columnSums", false)
		c.columns("columnSumSquares", true)
		c.sumSquares()
		c.axpy()
		c.scale()
		c.multiply()
		c.clip()
		c.adam()
		c.momentum()
		for _, v := range conversions {
			c.from(v)
		}
		c.sumRows()
		c.dot()
		c.maxima()
		c.above()
		c.integers()
		c.raise()
		c.allFinite()
		c.extremes()
	}
	Generate()
}
