// Command generate writes the amd64 assembly of package f32 and its stubs.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	tile512()
	tile256()
	packN512()
	packN256()
	packT512()
	packT256()
	Generate()
}
