package imagery_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/model"
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

// The decoders of two models side by side, in terms of their input.
func ExampleDrawing() {
	view := imagery.View{Decoder: true, Input: true}
	var panels []imagery.Panel
	for _, hidden := range []int{4, 9} {
		c := model.Sparse(hidden)
		c.Inputs = 64
		m, err := model.New(c)
		if err != nil {
			log.Fatal(err)
		}
		panel, err := view.Panel(m, fmt.Sprintf("%d units, %v", hidden, view))
		if err != nil {
			log.Fatal(err)
		}
		panels = append(panels, panel)
	}
	picture, err := imagery.Drawing{Side: 200}.Draw(panels...)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(panels[1].Title, picture.Bounds().Size())
	// Output: 9 units, decoder, input space (379,208)
}

func ExampleCut() {
	photo := image.NewGray(image.Rect(0, 0, 640, 480))
	photo.SetGray(0, 0, color.Gray{Y: 255})
	picture := imagery.FromImage(photo)
	cut := imagery.Cut{Height: 8, Width: 8, Count: 100, Seed: 1}
	places, err := cut.Places(picture, 0)
	if err != nil {
		log.Fatal(err)
	}
	var patches []uint8
	for at := range places {
		patches = picture.AppendBytes(patches, at, cut.Height, cut.Width)
	}
	fmt.Println(len(patches)/64, "patches")
	// Output: 100 patches
}
