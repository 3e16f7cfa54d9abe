package model

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// The names of the tensors in a model file.
const (
	encoderWeight = "encoder.weight" // (h,n)
	encoderBias   = "encoder.bias"   // (h)
	decoderWeight = "decoder.weight" // (n,h); absent when tied
	decoderBias   = "decoder.bias"   // (n)

	preprocessMean   = "preprocess.mean"   // (n); of standardize and zca
	preprocessScale  = "preprocess.scale"  // (n); of standardize
	preprocessWhiten = "preprocess.whiten" // (n,n); of zca
)

// Tensors under this prefix hold the state of a training that was
// interrupted. A model is complete without them.
const optimizerPrefix = "optimizer."

const (
	formatName    = "aefeat"
	formatVersion = "1"

	// maxHeader bounds the JSON that opens a file: room for the names of a
	// million columns.
	maxHeader = 64 << 20

	// headerAlign is the alignment of the tensors in the file.
	headerAlign = 8
)

// FormatError says that bytes are not a model file, or a damaged one.
type FormatError struct {
	Err error // what is wrong with them
}

func (e *FormatError) Error() string { return e.Err.Error() }
func (e *FormatError) Unwrap() error { return e.Err }

func damaged(format string, args ...any) error {
	return &FormatError{fmt.Errorf("damaged model file: "+format, args...)}
}

// fileConfig is the JSON of a model file. Keys that are not known are
// ignored on reading; keys are never given another meaning.
type fileConfig struct {
	Config
	Preprocess Preprocess `json:"preprocess"`
	Binding    Binding    `json:"binding"`
	Shape      *Shape     `json:"shape,omitempty"`
	RowsSeen   int64      `json:"rows_seen"`
	History    []Epoch    `json:"history,omitempty"`
	Cost       *Cost      `json:"cost,omitempty"`
	Best       int        `json:"best_epoch,omitempty"`
	Parent     string     `json:"parent,omitempty"`
	NoiseEpoch uint32     `json:"noise_epoch,omitempty"`
	Spread     *Spread    `json:"spread,omitempty"`
}

// tensor is what the header of a safetensors file says of a tensor.
type tensor struct {
	Type  string  `json:"dtype"`
	Shape []int64 `json:"shape"`

	// Offsets are the first byte and the one after the last, counted from the
	// end of the header.
	Offsets []int64 `json:"data_offsets"`
}

// A file opens with the length of its header in 8 bytes, then comes the
// header, JSON, then the tensors, all little-endian:
// https://github.com/huggingface/safetensors#format.

// WriteTo writes the model as a safetensors file of version 1. Equal models
// give equal bytes: neither paths nor times nor anything of the machine are in
// it. It returns the number of bytes written.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	out := &countingWriter{w: w}
	err := m.write(out, m.tensors(), nil)
	return out.n, err
}

// FileBytes returns how many bytes the file of a model takes, about and rather
// more: one of these settings and sizes, with this preprocessing, that has been
// trained for as many epochs. It is for making sure of room beforehand.
func FileBytes(c Config, preprocess string, epochs int) int64 {
	const (
		header  = 64 << 10 // with what every model says
		anInput = 64       // the name of its column
		anEpoch = 2 << 10  // of the history, with all terms twice; of the first 10,000
	)
	m := Model{Config: c, Preprocess: Preprocess{Method: preprocess}}
	bytes := header + anInput*int64(c.Inputs) + anEpoch*int64(min(epochs, 10_000))
	for _, t := range m.shapes() {
		bytes += 4 * t.elements()
	}
	return bytes
}

// write writes a file of m with the tensors given, in their order, which are
// those of m and perhaps others. extend adds to the metadata of a model file;
// nil: nothing.
func (m *Model) write(w io.Writer, tensors []filledTensor, extend func(metadata map[string]string)) error {
	header, err := m.header(tensors, extend)
	if err != nil {
		return fmt.Errorf("writing a model: %w", err)
	}
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := w.Write(append(length, header...)); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

// header returns the header of such a file, padded to align the tensors.
func (m *Model) header(filled []filledTensor, extend func(metadata map[string]string)) ([]byte, error) {
	var shape *Shape
	if m.Shape != (Shape{}) {
		if err := m.Shape.check(m.Inputs); err != nil {
			return nil, err
		}
		shape = &m.Shape
	}
	if m.Parent != "" && !isDigest(m.Parent) {
		return nil, fmt.Errorf("the parent %q is no SHA-256 in hex", m.Parent)
	}
	config, err := json.Marshal(fileConfig{m.Config, m.Preprocess, m.Binding, shape, m.RowsSeen, m.History, m.Cost, m.Best, m.Parent, m.NoiseEpoch, m.Spread})
	if err != nil {
		return nil, err
	}
	tensors, data := map[string]tensor{}, map[string]digest{}
	h := map[string]any{}
	at := int64(0)
	for _, t := range filled {
		dtype, size := t.dtype()
		end := at + size*t.elements()
		tensors[t.name], data[t.name] = tensor{dtype, t.shape, []int64{at, end}}, t.digest()
		h[t.name] = tensors[t.name]
		at = end
	}
	metadata := map[string]string{"format": formatName, "version": formatVersion, "config": string(config),
		"checksum": checksum(string(config), tensors, data)}
	if extend != nil {
		extend(metadata)
	}
	h["__metadata__"] = metadata
	// encoding/json writes the keys of a map in order.
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(b) > maxHeader {
		return nil, fmt.Errorf("the description of its columns and its history, %d MiB, is beyond the %d MiB that a model file may have", len(b)>>20, maxHeader>>20)
	}
	return append(b, strings.Repeat(" ", -len(b)&(headerAlign-1))...), nil
}

// namedShape is a tensor of a model.
type namedShape struct {
	name  string
	shape []int64
}

func (t namedShape) elements() int64 {
	product := int64(1)
	for _, size := range t.shape {
		product *= size
	}
	return product
}

// filledTensor is a tensor with its data: []float32, []float64, [][]float64,
// whose rows are as long as each other, []int64 or []byte.
type filledTensor struct {
	namedShape
	data any
}

// dtype is the type of the elements as a file names it, and their size.
func (t filledTensor) dtype() (name string, size int64) {
	switch t.data.(type) {
	case []float64, [][]float64:
		return "F64", 8
	case []int64:
		return "I64", 8
	case []byte:
		return "U8", 1
	}
	return "F32", 4
}

// write writes the data in little-endian order.
func (t filledTensor) write(w io.Writer) error {
	switch x := t.data.(type) {
	case []float32:
		return writeFloats(w, x)
	case []float64:
		return writeWords(w, x, math.Float64bits)
	case [][]float64:
		for _, row := range x {
			if err := writeWords(w, row, math.Float64bits); err != nil {
				return err
			}
		}
	case []int64:
		return writeWords(w, x, func(v int64) uint64 { return uint64(v) })
	case []byte:
		_, err := w.Write(x)
		return err
	}
	return nil
}

// tensors returns the tensors of the file in order: the parameters, then what
// preprocessing has learned.
func (m *Model) tensors() []filledTensor {
	var t []filledTensor
	rest := m.Params.Flat
	for _, of := range tensorsOf(m.Config) {
		n := of.elements()
		t = append(t, filledTensor{of, rest[:n]})
		rest = rest[n:]
	}
	for _, learned := range m.Preprocess.tensors(m.Inputs) {
		t = append(t, filledTensor{learned.namedShape, *learned.data})
	}
	return t
}

// shapes returns the tensors that a file of m has, which need not be there yet.
func (m *Model) shapes() []namedShape {
	t := tensorsOf(m.Config)
	for _, learned := range m.Preprocess.tensors(m.Inputs) {
		t = append(t, learned.namedShape)
	}
	return t
}

// tensorsOf returns the tensors that are parameters, in the order of
// Params.Flat.
func tensorsOf(c Config) []namedShape {
	n, h := int64(c.Inputs), int64(c.Hidden)
	t := []namedShape{
		{encoderWeight, []int64{h, n}},
		{encoderBias, []int64{h}},
	}
	if !c.Tied {
		t = append(t, namedShape{decoderWeight, []int64{n, h}})
	}
	return append(t, namedShape{decoderBias, []int64{n}})
}

// countingWriter counts the bytes that went through.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// writeFloats writes x in little-endian order.
func writeFloats(w io.Writer, x []float32) error {
	buffer := make([]byte, 0, min(4*len(x), bufferSize))
	for len(x) > 0 {
		n := min(len(x), bufferSize/4)
		for _, v := range x[:n] {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		buffer, x = buffer[:0], x[n:]
	}
	return nil
}

// writeWords writes x in little-endian order, 8 bytes each.
func writeWords[T any](w io.Writer, x []T, bits func(T) uint64) error {
	buffer := make([]byte, 0, min(8*len(x), bufferSize))
	for len(x) > 0 {
		n := min(len(x), bufferSize/8)
		for _, v := range x[:n] {
			buffer = binary.LittleEndian.AppendUint64(buffer, bits(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		buffer, x = buffer[:0], x[n:]
	}
	return nil
}

// bufferSize is how many bytes of tensors are converted at a time.
const bufferSize = 64 << 10
