package imagery_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"math/rand/v2"

	"github.com/aefeat/aefeat/imagery"
)

func ExampleFilters() {
	// Two hidden units that look at 2x2 pixels: an edge and a corner.
	weights := []float32{
		-1, 1, -1, 1,
		4, 0, 0, 0,
	}
	picture, err := imagery.Filters(weights, imagery.GuessShape(4))
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		log.Fatal(err)
	}
	fmt.Println(picture.Bounds().Size(), file.Len() > 0)
	// Output: (825,450) true
}

func ExampleSample() {
	photo := image.NewGray(image.Rect(0, 0, 640, 480))
	photo.SetGray(0, 0, color.Gray{Y: 255})
	shape := imagery.Shape{Height: 8, Width: 8, Channels: 1}
	patches, err := imagery.Sample(nil, photo, shape, 100, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(patches)/shape.Len(), "patches of", shape)
	// Output: 100 patches of 8x8
}
