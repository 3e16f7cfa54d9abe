package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
)

// writeEncoded writes rows of a column image as Hugging Face datasets have it,
// and of a column number, 0 and 1. A cell is the size of a PNG image, in grey
// or with x3 in colour, or one of null, path (without the bytes), empty, text
// and gif.
func writeEncoded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: encoded FILE CELL...")
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Nullable: true, Type: arrow.StructOf(
			arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
			arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})},
		{Name: "number", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	images := b.Field(0).(*array.StructBuilder)
	data, path := images.FieldBuilder(0).(*array.BinaryBuilder), images.FieldBuilder(1).(*array.StringBuilder)
	for i, cell := range args[1:] {
		b.Field(1).(*array.Int64Builder).Append(int64(i % 2))
		if cell == "null" {
			images.AppendNull()
			continue
		}
		images.Append(true)
		switch cell {
		case "path":
			data.AppendNull()
			path.Append("train/0.png")
		case "empty":
			data.Append([]byte{})
			path.AppendNull()
		case "text":
			data.Append([]byte("404 not found"))
			path.AppendNull()
		case "gif":
			data.Append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00"))
			path.AppendNull()
		default:
			data.Append(encodedImage(ts, cell, i))
			path.AppendNull()
		}
	}
	w, err := arrowio.Create(ts.MkAbs(args[0]), schema, arrowio.WriteOptions{Format: arrowio.Arrow})
	ts.Check(err)
	ts.Check(w.Write(b.NewRecordBatch()))
	ts.Check(w.Close())
}

// encodedImage makes a PNG image that depends on the number of its row.
func encodedImage(ts *testscript.TestScript, size string, row int) []byte {
	s, err := model.ParseShape(size)
	ts.Check(err)
	rect := image.Rect(0, 0, s.Width, s.Height)
	var img image.Image
	switch s.Channels {
	case 3:
		colour := image.NewRGBA(rect)
		for i := range colour.Pix {
			if colour.Pix[i] = uint8(i*7 + 50*row); i%4 == 3 {
				colour.Pix[i] = 255
			}
		}
		img = colour
	default:
		grey := image.NewGray(rect)
		for i := range grey.Pix {
			grey.Pix[i] = uint8(i*7 + 50*row)
		}
		img = grey
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, img))
	return b.Bytes()
}

// copyTensors writes what comes behind the header of a safetensors file.
func copyTensors(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tensors FILE OUT")
	}
	data := ts.ReadFile(args[0])
	header := binary.LittleEndian.Uint64([]byte(data[:8]))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(data[8+header:]), 0o666))
}
