package connect

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// With -messages 1000000 TestMemory takes about a minute.
var messageCount = flag.Int("messages", 5000, "how many messages TestMemory sends")

// pixels returns rows of n bytes, four of five of them 0, as of digits.
func pixels(rows, n int) arrow.RecordBatch {
	random := rand.New(rand.NewPCG(1, 2))
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, int32(n), arrow.PrimitiveTypes.Uint8)
	values := b.ValueBuilder().(*array.Uint8Builder)
	for range rows {
		b.Append(true)
		for range n {
			values.Append(uint8(random.Uint32N(256) * (random.Uint32N(5) / 4)))
		}
	}
	a := b.NewArray()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: a.DataType()}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{a}, int64(rows))
}

// jsonTexts returns the rows as JSON messages.
func jsonTexts(batch arrow.RecordBatch) (texts [][]byte) {
	list := batch.Column(0).(*array.FixedSizeList)
	n := int(list.DataType().(*arrow.FixedSizeListType).Len())
	values := list.ListValues().(*array.Uint8).Uint8Values()
	for i := range list.Len() {
		text := fmt.Sprint(values[i*n : (i+1)*n])
		text = strings.ReplaceAll(text[1:len(text)-1], " ", ",")
		texts = append(texts, fmt.Appendf(nil, `{"id":%d,"patch":[%s]}`, i, text))
	}
	return texts
}

// BenchmarkTransform codes 512 rows of 784 bytes with 196 units: as the stage
// does, as JSON messages in one batch and one by one, and as Arrow payloads of
// 512 rows and of one.
func BenchmarkTransform(b *testing.B) {
	const rows, n = 512, 784
	m := newModel(b, model.Sparse(196), n, "scale", "uint8")
	batch := pixels(rows, n)
	p, _ := newProcessor(b, m, "")
	perSecond := func(b *testing.B) {
		b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("stage", func(b *testing.B) {
		t, err := stage.NewTransformer(m, batch.Schema(), stage.TransformConfig{Layout: stage.LayoutList})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			out, err := t.Transform(b.Context(), batch)
			if err != nil {
				b.Fatal(err)
			}
			out.Release()
		}
		perSecond(b)
	})
	run := func(name string, texts [][]byte, size int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for at := 0; at < len(texts); at += size {
					var batch service.MessageBatch
					for _, text := range texts[at : at+size] {
						batch = append(batch, service.NewMessage(text))
					}
					out, err := p.ProcessBatch(b.Context(), batch)
					if err != nil {
						b.Fatal(err)
					}
					for _, m := range out[0] {
						if m.GetError() != nil {
							b.Fatal(m.GetError())
						}
					}
				}
			}
			perSecond(b)
		})
	}
	texts := jsonTexts(batch)
	run("json", texts, rows)
	run("json one by one", texts, 1)
	run("arrow", [][]byte{dataFile(b, batch, arrowio.Stream)}, 1)
	var single [][]byte
	for i := range int64(rows) {
		single = append(single, dataFile(b, batch.NewSlice(i, i+1), arrowio.Stream))
	}
	run("arrow one by one", single, rows)
}

// Memory does not grow with the number of messages, good and bad, JSON and
// Arrow.
func TestMemory(t *testing.T) {
	const rows = 500
	m := newModel(t, model.Sparse(64), 784, "scale", "uint8")
	p, _ := newProcessor(t, m, "")
	batch := pixels(rows, 784)
	texts := jsonTexts(batch)
	texts[3], texts[7], texts[9] = []byte(`{"patch":[300]}`), dataFile(t, batch.NewSlice(0, 20), arrowio.Stream), []byte("\xff\xff\xff\xffcut")
	var first, most uint64
	for sent := 0; sent < *messageCount; sent += rows {
		var batch service.MessageBatch
		for _, text := range texts {
			batch = append(batch, service.NewMessage(text))
		}
		out, err := p.ProcessBatch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for _, m := range out[0] {
			if m.GetError() != nil {
				bad++
			}
		}
		if bad != 2 {
			t.Fatalf("%d bad messages, want 2", bad)
		}
		if done := sent / rows; done%max(1, *messageCount/rows/10) != 0 {
			continue
		}
		out, batch = nil, nil
		// The first collection leaves what lies in a sync.Pool.
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		if sent > 0 && first == 0 {
			first = s.HeapAlloc
		}
		most = max(most, s.HeapAlloc)
	}
	t.Logf("%d messages: heap of %d KiB at first, %d KiB at most", *messageCount, first>>10, most>>10)
	if most > first+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", first, most)
	}
}
