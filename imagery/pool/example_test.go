package pool_test

import (
	"fmt"
	"log"

	"github.com/aefeat/aefeat/imagery/pool"
	"github.com/aefeat/aefeat/model"
)

func ExamplePooler() {
	// A model of grey patches of one pixel, whose one unit tells how far a
	// pixel is above 100.
	m, err := model.New(model.Config{Inputs: 1, Hidden: 1, Activation: model.ReLU, Output: model.Linear})
	if err != nil {
		log.Fatal(err)
	}
	m.Params.EncoderWeight[0], m.Params.EncoderBias[0] = 1, -100

	p, err := pool.New(m, model.Shape{Height: 1, Width: 1, Channels: 1}, pool.Config{Method: pool.Max})
	if err != nil {
		log.Fatal(err)
	}
	image := []uint8{
		90, 110, 100, 107,
		80, 100, 101, 104,
		95, 100, 100, 180,
		40, 130, 100, 100,
	}
	features := make([]float32, p.Width())
	if err := p.Features(features, model.Uint8Rows(image, 4)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(features)
	// Output: [10 7 30 80]
}
