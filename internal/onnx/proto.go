package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protocol buffer in the making. The numbers of fields are those
// of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
type message []byte

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) integer(field protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

func (m message) inner(field protowire.Number, of message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), of)
}

// floatTensor is a TensorProto: dims 1, data_type 2, name 8, raw_data 9.
func floatTensor(name string, x []float32, shape ...int) message {
	m := tensorOf(name, typeFloat, shape)
	m = protowire.AppendTag(m, 9, protowire.BytesType)
	m = protowire.AppendVarint(m, uint64(4*len(x)))
	for _, v := range x {
		m = binary.LittleEndian.AppendUint32(m, math.Float32bits(v))
	}
	return m
}

func integerTensor(name string, x ...int64) message {
	m := tensorOf(name, typeInt64, []int{len(x)})
	raw := make([]byte, 0, 8*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return m.inner(9, raw)
}

func tensorOf(name string, dataType int64, shape []int) (m message) {
	for _, size := range shape {
		m = m.integer(1, int64(size))
	}
	return m.integer(2, dataType).text(8, name)
}

// node is a NodeProto: input 1, output 2, name 3, op_type 4, attribute 5.
func node(op string, inputs []string, output string, attributes ...message) (m message) {
	for _, in := range inputs {
		m = m.text(1, in)
	}
	m = m.text(2, output).text(3, output).text(4, op)
	for _, a := range attributes {
		m = m.inner(5, a)
	}
	return m
}

// integerAttribute is an AttributeProto: name 1, i 3, type 20, which is 2.
func integerAttribute(name string, v int64) message {
	return message{}.text(1, name).integer(3, v).integer(20, 2)
}

// integersAttribute is an AttributeProto: ints 8, type 7.
func integersAttribute(name string, v ...int64) message {
	m := message{}.text(1, name)
	for _, i := range v {
		m = m.integer(8, i)
	}
	return m.integer(20, 7)
}

// matrix is a ValueInfoProto: name 1, type 2, which is a TypeProto with
// tensor_type 1: elem_type 1, shape 2 of dim 1, dim_value 1 or dim_param 2.
func matrix(name string, dataType int64, columns int) message {
	shape := message{}.inner(1, message{}.text(2, "rows")).inner(1, message{}.integer(1, int64(columns)))
	return message{}.text(1, name).inner(2, message{}.inner(1, message{}.integer(1, dataType).inner(2, shape)))
}
