package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
	"github.com/aefeat/aefeat/internal/arrowtest"
)

// pieceTypes are what is read in pieces.
var pieceTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Uint8,
	arrow.PrimitiveTypes.Float64,
	arrow.FixedWidthTypes.Boolean,
	arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Uint8),
	arrow.FixedSizeListOf(3, arrow.FixedWidthTypes.Boolean),
	arrow.FixedSizeListOf(2, arrow.ListOf(arrow.PrimitiveTypes.Int16)),
	arrow.ListOf(arrow.PrimitiveTypes.Float32),
	arrow.LargeListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint8)),
	arrow.BinaryTypes.Binary,
	arrow.BinaryTypes.LargeBinary,
	&arrow.FixedSizeBinaryType{ByteWidth: 5},
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, arrow.Field{Name: "b", Type: arrow.ListOf(arrow.FixedWidthTypes.Boolean), Nullable: true}),
}

// stream returns batches as a stream with a compression.
func compressed(t *testing.T, of *arrow.Schema, batches []arrow.RecordBatch, with ipc.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(of), with)
	for _, rec := range batches {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rowsOf reads the columns chosen of a stream as text, a row each.
func rowsOf(t *testing.T, b []byte, mem memory.Allocator, chosen []schema.Selection, large, piece int64) (rows []string, batches int, err error) {
	t.Helper()
	f, err := openStream(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), container.Options{Allocator: mem})
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	d := f.(*stream).decoder
	d.large, d.small = large, piece
	from, err := f.Batches(chosen)
	if err != nil {
		return nil, 0, err
	}
	for {
		rec, err := from.Next(context.Background())
		if err == io.EOF {
			return rows, batches, nil
		}
		if err != nil {
			return rows, batches, err
		}
		batches++
		for i := range int(rec.NumRows()) {
			var cells []string
			for _, c := range rec.Columns() {
				if c.DataType().ID() != arrow.NULL { // which the library makes without a buffer
					if err := array.ValidateFull(c); err != nil {
						t.Fatal(err)
					}
				}
				cells = append(cells, c.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
		rec.Release()
	}
}

// What is read in pieces is what the library reads at once.
func TestPieces(t *testing.T) {
	for at, typ := range pieceTypes {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(17, uint64(at))), Mem: mem, Nulls: 0.2, Ragged: 0.5}
		of := arrow.NewSchema([]arrow.Field{
			{Name: "a", Type: arrow.ListOf(arrow.BinaryTypes.Binary), Nullable: true},
			{Name: "v", Type: typ, Nullable: at%3 > 0},
			{Name: "n", Type: arrow.Null, Nullable: true},
		}, nil)
		var batches []arrow.RecordBatch
		for _, n := range []int{57, 0, 1, 200} {
			columns := []arrow.Array{g.Array(of.Field(0), n, []int{3}), g.Array(of.Field(1), n, []int{3, 2}), array.NewNull(n)}
			batches = append(batches, array.NewRecordBatch(of, columns, int64(n)))
			for _, c := range columns {
				c.Release()
			}
		}
		for _, with := range []ipc.Option{ipc.WithZstd(), ipc.WithLZ4()} {
			b := compressed(t, of, batches, with)
			for _, chosen := range [][]schema.Selection{{{Index: 0}, {Index: 1}, {Index: 2}}, {{Index: 1}}} {
				want, _, err := rowsOf(t, b, mem, chosen, math.MaxInt64, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, piece := range []int64{1, 100, 1000} {
					got, n, err := rowsOf(t, b, mem, chosen, 0, piece)
					if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s in pieces of %d: %d rows, %v", typ, piece, len(got), err)
					}
					if piece == 1 && n < len(want) {
						t.Errorf("%s: %d rows in %d pieces", typ, len(want), n)
					}
				}
			}
		}
		for _, rec := range batches {
			rec.Release()
		}
		mem.AssertSize(t, 0)
	}
}

// A damaged message is an error, in pieces as at once.
func TestPiecesDamaged(t *testing.T) {
	of := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8), Nullable: true}}, nil)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(17, 99)), Mem: memory.DefaultAllocator, Nulls: 0.2, Ragged: 0.5}
	rec := array.NewRecordBatch(of, []arrow.Array{g.Array(of.Field(0), 90, []int{30})}, 90)
	for name, with := range map[string]ipc.Option{"zstd": ipc.WithZstd(), "lz4": ipc.WithLZ4()} {
		sound := compressed(t, of, []arrow.RecordBatch{rec}, with)
		chosen := []schema.Selection{{Index: 0}}
		for i := range sound {
			if i%9 != 0 { // enough
				continue
			}
			b := bytes.Clone(sound)
			b[i] ^= 1 << (i % 8)
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			_, _, err := func() (_ []string, _ int, err error) {
				defer func() { // of an array that arrowio validates
					if p := recover(); p != nil {
						err = fmt.Errorf("%v", p)
					}
				}()
				return rowsOf(t, b, mem, chosen, 0, 100)
			}()
			var unsupported *bound.UnsupportedError
			if err != nil && !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "truncated") &&
				!errors.As(err, &unsupported) && !errors.Is(err, ErrNoEnd) && !errors.Is(err, errTrailing) && !strings.Contains(err.Error(), "unknown") {
				t.Errorf("%s, byte %d: %v", name, i, err)
			}
		}
	}
}

// peak is an allocator that notes how much was held at once.
type peak struct {
	memory.Allocator
	now, most int
}

func (p *peak) Allocate(n int) []byte {
	p.now += n
	p.most = max(p.most, p.now)
	return p.Allocator.Allocate(n)
}

func (p *peak) Reallocate(n int, b []byte) []byte {
	p.now += n - len(b)
	p.most = max(p.most, p.now)
	return p.Allocator.Reallocate(n, b)
}

func (p *peak) Free(b []byte) {
	p.now -= len(b)
	p.Allocator.Free(b)
}

// Pixels that are all alike are read in bounded memory. What cannot be read in
// pieces is refused where it grows too much.
func TestBombs(t *testing.T) {
	const rows, width = 330_000, 1000
	zeros := memory.NewBufferBytes(make([]byte, rows*width))
	lists := array.NewData(arrow.FixedSizeListOfNonNullable(width, arrow.PrimitiveTypes.Uint8), rows, []*memory.Buffer{nil},
		[]arrow.ArrayData{array.NewData(arrow.PrimitiveTypes.Uint8, rows*width, []*memory.Buffer{nil, zeros}, nil, 0, 0)}, 0, 0)
	pixels := array.MakeFromData(lists)
	words := array.MakeFromData(array.NewDataWithDictionary(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String},
		rows, []*memory.Buffer{nil, zeros}, 0, 0, array.NewStringData(array.NewData(arrow.BinaryTypes.String, 1, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 8)), nil}, nil, 0, 0)).Data().(*array.Data)))
	for _, c := range []struct {
		name    string
		columns []arrow.Array
		refused bool
	}{{"pixels", []arrow.Array{pixels}, false}, {"pixels beside words", []arrow.Array{pixels, words}, true}} {
		var fields []arrow.Field
		for _, a := range c.columns {
			fields = append(fields, arrow.Field{Name: fmt.Sprint(len(fields)), Type: a.DataType()})
		}
		of := arrow.NewSchema(fields, nil)
		b := compressed(t, of, []arrow.RecordBatch{array.NewRecordBatch(of, c.columns, rows)}, ipc.WithZstd())
		mem := &peak{Allocator: memory.NewGoAllocator()}
		f, err := openStream(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), container.Options{Allocator: mem})
		if err != nil {
			t.Fatal(err)
		}
		from, _ := f.Batches([]schema.Selection{{Index: 0}})
		got := int64(0)
		for err == nil {
			var rec arrow.RecordBatch
			if rec, err = from.Next(context.Background()); err == nil {
				got += rec.NumRows()
				rec.Release()
			}
		}
		f.Close()
		var beyond *bound.BeyondError
		switch {
		case c.refused != errors.As(err, &beyond):
			t.Errorf("%s: %v", c.name, err)
		case !c.refused && got != rows:
			t.Errorf("%s: %d rows", c.name, got)
		case mem.most > 32<<20:
			t.Errorf("%s: %d KiB of data take %d MiB", c.name, len(b)>>10, mem.most>>20)
		}
	}
}
