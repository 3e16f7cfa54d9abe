package gabor_test

import (
	"fmt"
	"log"
	"math"

	"github.com/aefeat/aefeat/imagery/gabor"
	"github.com/aefeat/aefeat/model"
)

func ExampleMeasure() {
	// One filter of 8x8: slanted stripes, four pixels from one to the next,
	// under a bell.
	shape := model.Shape{Height: 8, Width: 8, Channels: 1}
	filter := make([]float32, shape.Len())
	for i := range filter {
		x, y := float64(i%8)-3.5, float64(i/8)-3.5
		filter[i] = float32(math.Exp(-(x*x+y*y)/5) * math.Cos(math.Pi/2*(x+y)/math.Sqrt2))
	}
	measures, err := gabor.Measure(filter, shape)
	if err != nil {
		log.Fatal(err)
	}
	m := measures[0]
	fmt.Printf("R2 %.2f, %.0f degrees, %.2f cycles a pixel, local: %t\n", m.R2, m.Orientation, m.Frequency, m.Local)
	// Output: R2 1.00, 45 degrees, 0.25 cycles a pixel, local: true
}
