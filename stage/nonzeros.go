package stage

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// nonzeros are codes without their zeros: those of row k end at ends[k] of both
// buffers.
type nonzeros struct {
	indices, values *memory.Buffer // uint32 and float32
	ends            []int32
}

func newNonzeros(mem memory.Allocator) *nonzeros {
	return &nonzeros{indices: memory.NewResizableBuffer(mem), values: memory.NewResizableBuffer(mem)}
}

// add appends what is not 0 in rows of h codes.
func (z *nonzeros) add(codes []float32, h int) {
	count := 0
	for _, v := range codes {
		if v != 0 {
			count++
		}
	}
	n := z.values.Len() / arrow.Float32SizeBytes
	indices := arrow.Uint32Traits.CastFromBytes(grow(z.indices, 4*count))
	values := arrow.Float32Traits.CastFromBytes(grow(z.values, 4*count))
	for len(codes) > 0 {
		for j, v := range codes[:h] {
			if v != 0 {
				indices[n], values[n] = uint32(j), v
				n++
			}
		}
		z.ends = append(z.ends, int32(n))
		codes = codes[h:]
	}
}

// append appends codes that are lists.
func (z *nonzeros) append(codes *model.SparseCodes) {
	at := z.values.Len() / arrow.Float32SizeBytes
	size := arrow.Float32SizeBytes * len(codes.Value)
	copy(arrow.Uint32Traits.CastFromBytes(grow(z.indices, size))[at:], codes.Index)
	copy(arrow.Float32Traits.CastFromBytes(grow(z.values, size))[at:], codes.Value)
	for _, end := range codes.End {
		z.ends = append(z.ends, int32(at+end))
	}
}

// grow makes a buffer longer and returns its bytes. It doubles what it takes,
// so that bytes are copied once or twice at most.
func grow(b *memory.Buffer, more int) []byte {
	n := b.Len() + more
	if n > b.Cap() {
		b.Reserve(max(n, 2*b.Cap()))
	}
	b.ResizeNoShrink(n)
	return b.Bytes()
}
