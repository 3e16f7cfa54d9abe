// Package onnx writes the encoder of a model as an ONNX graph, for runtimes in
// other languages and places.
//
// The graph has one input, "patch" (rows, n), values as they are stored in the
// data, and one output, "code" (rows, h), float32. Preprocessing is part of it.
// Its operators are those of opset 17.
package onnx

import (
	"fmt"
	"io"
	"math"

	"github.com/aefeat/aefeat/model"
)

const (
	opset     = 17
	irVersion = 8 // the first with opset 17

	// largestFile bounds a protocol buffer.
	largestFile = math.MaxInt32
)

// The element types of TensorProto.
const (
	typeFloat = 1
	typeInt64 = 7
)

// types are the elements that an input may have, by our names.
var types = map[string]int64{
	"float32": typeFloat, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": typeInt64,
	"float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}

// InputType is the type of values that the graph of m takes unless another is
// asked for: that of the data which it was fitted on, or float32 where a graph
// has no such type.
func InputType(m *model.Model) string {
	if _, ok := types[m.Preprocess.Source]; ok {
		return m.Preprocess.Source
	}
	return "float32"
}

// Write writes the encoder of m for values of a type, as "uint8" or "float32",
// which mean the same as in the data of the fit whatever their type is. hash is
// the model's; "" if it is not known. Equal models give equal bytes.
func Write(w io.Writer, m *model.Model, inputType, hash string) error {
	dataType, ok := types[inputType]
	if !ok {
		return fmt.Errorf("a graph takes no values of type %q", inputType)
	}
	g := &graph{m: m}
	if bytes := g.bytes(); bytes > largestFile {
		return fmt.Errorf("a model of %d MiB is beyond the 2 GiB of an ONNX file", bytes>>20)
	}
	g.encoder()
	// GraphProto: node 1, name 2, initializer 5, input 11, output 12.
	var graph message
	for _, n := range g.nodes {
		graph = graph.inner(1, n)
	}
	graph = graph.text(2, "encoder")
	for _, t := range g.tensors {
		graph = graph.inner(5, t)
	}
	graph = graph.inner(11, matrix("patch", dataType, m.Inputs)).inner(12, matrix("code", typeFloat, m.Hidden))
	// ModelProto: ir_version 1, producer_name 2, graph 7, opset_import 8 of
	// version 2, metadata_props 14 of key 1 and value 2.
	file := message{}.integer(1, irVersion).text(2, "aefeat").inner(7, graph).inner(8, message{}.integer(2, opset))
	for _, property := range [][2]string{{"aefeat.model", hash}, {"aefeat.objective", m.Objective}, {"aefeat.preprocess", m.Preprocess.Method}} {
		if property[1] != "" {
			file = file.inner(14, message{}.text(1, property[0]).text(2, property[1]))
		}
	}
	_, err := w.Write(file)
	return err
}

// graph is a chain of operators in the making.
type graph struct {
	m       *model.Model
	nodes   []message
	tensors []message
	value   string // the output of the last operator
}

// bytes is about the size of the file.
func (g *graph) bytes() int64 {
	n, h := int64(g.m.Inputs), int64(g.m.Hidden)
	bytes := 4 * (n*h + h + 3*n)
	if g.m.Preprocess.Method == model.PreprocessZCA {
		bytes += 4 * n * n
	}
	return bytes
}

// apply adds an operator on the last value and others, whose result is named.
func (g *graph) apply(op, name string, others ...string) {
	g.nodes = append(g.nodes, node(op, append([]string{g.value}, others...), name))
	g.value = name
}

// constant adds a tensor and returns its name.
func (g *graph) constant(name string, x []float32, shape ...int) string {
	g.tensors = append(g.tensors, floatTensor(name, x, shape...))
	return name
}

// number adds a number.
func (g *graph) number(name string, v float64) string {
	return g.constant(name, []float32{float32(v)})
}

func (g *graph) encoder() {
	g.nodes = append(g.nodes, node("Cast", []string{"patch"}, "values", integerAttribute("to", typeFloat)))
	g.value = "values"
	g.preprocess()
	n, h, w := g.m.Inputs, g.m.Hidden, g.m.Params
	weight, bias := g.constant("encoder.weight", w.EncoderWeight, h, n), g.constant("encoder.bias", w.EncoderBias, h)
	g.nodes = append(g.nodes, node("Gemm", []string{g.value, weight, bias}, "z", integerAttribute("transB", 1)))
	g.value = "z"
	if g.m.K > 0 {
		g.keepLargest()
		return
	}
	op := map[model.Activation]string{model.Sigmoid: "Sigmoid", model.Tanh: "Tanh", model.ReLU: "Relu", model.Linear: "Identity"}[g.m.Activation]
	g.apply(op, "code")
}

// preprocess adds what model.Preprocess does.
func (g *graph) preprocess() {
	p, n := g.m.Preprocess, g.m.Inputs
	if p.Scale != 0 && p.Scale != 1 {
		g.apply("Mul", "scaled", g.number("scale", p.Scale))
	}
	if p.Offset != 0 {
		g.apply("Add", "shifted", g.number("offset", p.Offset))
	}
	switch p.Method {
	case model.PreprocessPatch:
		g.centre()
		limit := 3 * p.Learned.Deviation
		reach := 0.
		if limit > 0 {
			reach = 0.4 / limit
		}
		// Clip takes scalars alone.
		g.tensors = append(g.tensors, floatTensor("lowest", []float32{float32(-limit)}), floatTensor("highest", []float32{float32(limit)}))
		g.apply("Clip", "clipped", "lowest", "highest")
		g.apply("Mul", "reached", g.number("reach", reach))
		g.apply("Add", "x", g.number("middle", 0.5))
	case model.PreprocessStandardize:
		g.apply("Sub", "moved", g.constant("preprocess.mean", p.Learned.Mean, n))
		g.apply("Mul", "x", g.constant("preprocess.scale", p.Learned.Scale, n))
	case model.PreprocessZCA:
		if p.Contrast > 0 {
			g.contrast(p.Contrast)
		}
		g.apply("Sub", "moved", g.constant("preprocess.mean", p.Learned.Mean, n))
		g.apply("MatMul", "x", g.constant("preprocess.whiten", p.Learned.Whiten, n, n))
	}
}

// centre takes the mean off each row.
func (g *graph) centre() {
	g.nodes = append(g.nodes, node("ReduceMean", []string{g.value}, "row.mean", integersAttribute("axes", 1), integerAttribute("keepdims", 1)))
	g.apply("Sub", "centred", "row.mean")
}

// contrast divides each row, less its mean, by sqrt(variance + epsilon). The
// variance divides by n-1.
func (g *graph) contrast(epsilon float64) {
	g.centre()
	centred := g.value
	g.apply("Mul", "squares", centred)
	g.nodes = append(g.nodes, node("ReduceMean", []string{g.value}, "row.square", integersAttribute("axes", 1), integerAttribute("keepdims", 1)))
	g.value = "row.square"
	n := float64(g.m.Inputs)
	g.apply("Mul", "row.variance", g.number("bessel", n/max(1, n-1)))
	g.apply("Add", "row.more", g.number("epsilon", epsilon))
	g.apply("Sqrt", "row.deviation")
	g.value = centred
	g.apply("Div", "contrast", "row.deviation")
}

// keepLargest keeps the largest z of each row. TopK prefers the lower index
// among equals, as we do.
func (g *graph) keepLargest() {
	g.tensors = append(g.tensors, integerTensor("k", int64(g.m.Kept())))
	top := node("TopK", []string{"z", "k"}, "largest")
	top = top.text(2, "largest.index").inner(5, integerAttribute("axis", 1))
	g.nodes = append(g.nodes, top,
		node("Shape", []string{"z"}, "z.shape"),
		node("ConstantOfShape", []string{"z.shape"}, "zeros"),
		node("ScatterElements", []string{"zeros", "largest.index", "largest"}, "code", integerAttribute("axis", 1)))
}
