package patch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
)

// What is nil, zero or released is an error that says so, never a panic.
func TestMisuse(t *testing.T) {
	batch := arrowtest.JSONBatch(t, memory.DefaultAllocator, arrow.PrimitiveTypes.Uint8, `[1, 2]`)
	released := arrowtest.JSONBatch(t, memory.DefaultAllocator, arrow.PrimitiveTypes.Uint8, `[1, 2]`)
	released.Release()
	bound, err := Bind(batch.Schema(), BindOptions{Columns: []string{"p"}})
	if err != nil {
		t.Fatal(err)
	}
	label, err := BindLabel(batch.Schema(), "p")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(b *Binding, batch arrow.RecordBatch) error {
		_, _, err := b.Rows(batch, 0)
		return err
	}
	labels := func(batch arrow.RecordBatch) error {
		_, err := label.Labels(nil, batch)
		return err
	}
	for want, got := range map[string]error{
		"rows: the batch is nil":           rows(bound, nil),
		"rows: it was released":            rows(bound, released),
		"rows: a Binding comes from Bind":  rows(new(Binding), batch),
		"clone: a Binding comes from Bind": rows(new(Binding).Clone(), batch),
		"labels: the batch is nil":         labels(nil),
		"labels: it was released":          labels(released),
		"usable: the batch is nil":         Usable(nil),
		"zero: no such column":             func() error { _, err := new(LabelBinding).Labels(nil, batch); return err }(),
	} {
		_, text, _ := strings.Cut(want, ": ")
		var e *RowError
		if !errors.As(got, &e) || e.Row != -1 || !strings.Contains(got.Error(), text) {
			t.Errorf("%s: %v", want, got)
		}
	}
	if c := Candidates(nil); c != nil {
		t.Errorf("candidates %v without a schema", c)
	}
}

// viewArray is an array of views of so many bytes, from byte at of a buffer on;
// there is one buffer, of 32 bytes.
func viewArray(typ arrow.DataType, views ...struct{ n, buffer, at int32 }) arrow.Array {
	var headers []byte
	for _, v := range views {
		headers = binary.NativeEndian.AppendUint32(headers, uint32(v.n))
		headers = binary.NativeEndian.AppendUint32(headers, 0)
		headers = binary.NativeEndian.AppendUint32(headers, uint32(v.buffer))
		headers = binary.NativeEndian.AppendUint32(headers, uint32(v.at))
	}
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(headers), memory.NewBufferBytes(bytes.Repeat([]byte("v"), 32))}
	return array.MakeFromData(array.NewData(typ, len(views), buffers, nil, 0, 0))
}

// damagedViews are three good views of 20 bytes and six that lead to nowhere.
func damagedViews(typ arrow.DataType) arrow.Array {
	return viewArray(typ, []struct{ n, buffer, at int32 }{
		{20, 1, 0}, {20, 0, 0}, {20, -1, 0}, {20, 0, 12}, {20, 0, 13}, {20, 0, -1}, {20, 0, 33}, {-1, 0, 0}, {20, 0, 5},
	}...)
}

// A batch of one column, p.
func oneColumn(a arrow.Array) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: a.DataType(), Nullable: true}}, nil)
	return array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))
}

func TestDamagedViews(t *testing.T) {
	batch := oneColumn(damagedViews(arrow.BinaryTypes.BinaryView))
	for _, width := range []int{0, 20} {
		b, err := Bind(batch.Schema(), BindOptions{Width: width})
		if err != nil {
			t.Fatal(err)
		}
		want := `column "p": row 100: view into buffer 1 of 1`
		if _, _, err := b.Rows(batch, 100); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if b, err = Bind(batch.Schema(), BindOptions{Width: width, Skip: true}); err != nil {
			t.Fatal(err)
		}
		rows, bad, err := b.Rows(batch, 0)
		if err != nil || rows.Width != 20 || !slices.Equal(rows.Number, []int64{1, 3, 8}) {
			t.Errorf("rows %v of width %d, %v", rows.Number, rows.Width, err)
		}
		if want := []BadRow{{0, Damaged}, {2, Damaged}, {4, Damaged}, {5, Damaged}, {6, Damaged}, {7, Damaged}}; !slices.Equal(bad, want) {
			t.Errorf("bad rows %v, want %v", bad, want)
		}
	}
	headers := memory.NewBufferBytes(make([]byte, 3*arrow.ViewHeaderSizeBytes))
	short := oneColumn(array.MakeFromData(array.NewData(arrow.BinaryTypes.BinaryView, 4, []*memory.Buffer{nil, headers}, nil, 0, 0)))
	b, err := Bind(short.Schema(), BindOptions{Width: 20, Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Rows(short, 0); err == nil || !strings.Contains(err.Error(), "3 view headers, expected 4") {
		t.Errorf("error %v", err)
	}
}

// Lists that end beyond what an int holds do not end in their array.
func TestDamagedLists(t *testing.T) {
	const most = math.MaxInt32
	values := array.NewData(arrow.PrimitiveTypes.Uint8, 4, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 4))}, nil, 0, 0)
	words := func(n ...int64) *memory.Buffer { return memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(n)) }
	fixed := arrow.FixedSizeListOf(most, arrow.PrimitiveTypes.Uint8)
	for name, c := range map[string]struct {
		data  arrow.ArrayData
		width int
	}{
		"list view": {array.NewData(arrow.LargeListViewOf(arrow.PrimitiveTypes.Uint8), 1,
			[]*memory.Buffer{nil, words(math.MaxInt64 - 1), words(2)}, []arrow.ArrayData{values}, 0, 0), 2},
		"fixed-size list": {array.NewData(fixed, 1, []*memory.Buffer{nil}, []arrow.ArrayData{values}, 0, 1<<33), most},
		"bytes": {array.NewData(&arrow.FixedSizeBinaryType{ByteWidth: most}, 1,
			[]*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 4))}, nil, 0, 1<<33), most},
	} {
		batch := oneColumn(array.MakeFromData(c.data))
		b, err := Bind(batch.Schema(), BindOptions{Width: c.width, Skip: true})
		if err != nil {
			t.Fatal(err)
		}
		if rows, bad, err := b.Rows(batch, 0); err != nil || !slices.Equal(bad, []BadRow{{0, Damaged}}) {
			t.Errorf("%s: rows %v without %v, %v", name, rows.Number, bad, err)
		}
	}
}

// A width that was asked for costs no memory before a row has it.
func TestWideViews(t *testing.T) {
	views := make([]struct{ n, buffer, at int32 }, 1000)
	for i := range views {
		views[i].n = 20
	}
	batch := oneColumn(viewArray(arrow.BinaryTypes.BinaryView, views...))
	b, err := Bind(batch.Schema(), BindOptions{Width: math.MaxInt32, Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := b.Rows(batch, 0)
	if err != nil || rows.Len() != 0 || len(bad) != len(views) {
		t.Errorf("%d rows and %d bad ones, %v", rows.Len(), len(bad), err)
	}
}

func TestDamagedLabels(t *testing.T) {
	strings := func(offsets ...int32) arrow.Array {
		buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes([]byte("abcdef"))}
		return array.MakeFromData(array.NewData(arrow.BinaryTypes.String, len(offsets)-1, buffers, nil, 0, 0))
	}
	indexes := func(values arrow.Array, at ...int8) arrow.Array {
		typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: values.DataType()}
		b := array.NewInt8Builder(memory.DefaultAllocator)
		b.AppendValues(at, nil)
		return array.NewDictionaryArray(typ, b.NewArray(), values)
	}
	for name, test := range map[string]struct {
		labels arrow.Array
		want   string
	}{
		"index":            {indexes(strings(0, 1, 2), 0, 1, 2), `column "p": row 2: index 2 into a dictionary of 2 values`},
		"negative index":   {indexes(strings(0, 1, 2), 0, -1), `column "p": row 1: index 255 into a dictionary of 2 values`},
		"view":             {damagedViews(arrow.BinaryTypes.StringView), `column "p": row 0: view into buffer 1 of 1`},
		"view behind it":   {indexes(damagedViews(arrow.BinaryTypes.StringView), 1, 4), `column "p": row 1: view of 20 bytes from byte 13 of 32`},
		"offsets":          {strings(0, 7, 6), `column "p": row 0: value of 7 bytes from byte 0 of 6`},
		"offsets backward": {strings(0, 3, 2, 6), `column "p": row 1: value of -1 bytes from byte 3 of 6`},
		"offsets below 0":  {strings(0, -1, 2), `column "p": row 0: value of -1 bytes from byte 0 of 6`},
	} {
		batch := oneColumn(test.labels)
		b, err := BindLabel(batch.Schema(), "p")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Labels(nil, batch); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
}
