package patch

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
	"github.com/aefeat/aefeat/model"
)

// Bits are 0 and 1, and decimals are numbers like others.
func TestPacked(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, c := range map[string]struct {
		typ    arrow.DataType
		values string
		source string
		kind   model.Kind
		want   []float64
		err    string
	}{
		"bits":     {arrow.FixedSizeListOf(3, arrow.FixedWidthTypes.Boolean), `[[true,false,true]]`, "bool", model.Uint8, []float64{1, 0, 1}, ""},
		"one bit":  {arrow.ListOf(arrow.FixedWidthTypes.Boolean), `[[true]]`, "bool", model.Uint8, []float64{1}, ""},
		"whole":    {arrow.ListOf(&arrow.Decimal128Type{Precision: 38}), `[["255","-3"]]`, "decimal", model.Float32, []float64{255, -3}, ""},
		"parts":    {arrow.ListOf(&arrow.Decimal64Type{Precision: 10, Scale: 4}), `[["0.9373","-2.5"]]`, "float64", model.Float32, []float64{float64(float32(0.9373)), -2.5}, ""},
		"null bit": {arrow.ListOf(arrow.FixedWidthTypes.Boolean), `[[true,null]]`, "bool", model.Uint8, nil, `column "p": row 0: null at element 1`},
		"beyond":   {arrow.ListOf(&arrow.Decimal256Type{Precision: 76}), `[["1e40","2"]]`, "decimal", model.Float32, nil, `column "p": row 0: 1e+40 at element 0 is beyond the range of float32`},
	} {
		rec := arrowtest.JSONBatch(t, mem, c.typ, c.values)
		b, err := Bind(rec.Schema(), BindOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Source() != c.source || b.Kind() != c.kind {
			t.Errorf("%s: %s in rows of %s, want %s in %s", name, b.Source(), b.Kind(), c.source, c.kind)
		}
		rows, _, err := b.Rows(rec, 0)
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", name, err, c.err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			for i, v := range floats(rows)[0] {
				if v != c.want[i] {
					t.Errorf("%s: value %d is %v, want %v", name, i, v, c.want[i])
				}
			}
		}
		rec.Release()
	}
}

// Truth values of 8 bits are 0 and 1 like others, whatever their bytes are.
func TestBool8(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	number := arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int8, Nullable: true, Metadata: arrow.NewMetadata([]string{extensionNameKey}, []string{bool8})}
	for name, typ := range map[string]arrow.DataType{
		"list":  arrow.ListOfField(number),
		"fixed": arrow.FixedSizeListOfField(3, number),
	} {
		rec := arrowtest.JSONBatch(t, mem, typ, `[[1,0,-5],[0,0,1],null]`)
		part := rec.NewSlice(1, 2)
		b, err := Bind(rec.Schema(), BindOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Source() != "bool" || b.Kind() != model.Uint8 {
			t.Errorf("%s: %s in rows of %s, want bool in uint8", name, b.Source(), b.Kind())
		}
		for batch, want := range map[arrow.RecordBatch]string{rec: "[[1 0 1] [0 0 1]]", part: "[[0 0 1]]"} {
			b, err := Bind(rec.Schema(), BindOptions{Skip: true})
			if err != nil {
				t.Fatal(err)
			}
			rows, _, err := b.Rows(batch, 0)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := fmt.Sprint(floats(rows)); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		part.Release()
		rec.Release()
	}
}

// So are columns of them, which stand for a patch when nothing else does.
func TestBool8Scalars(t *testing.T) {
	schema, rec := make([]arrow.Field, 3), make([]arrow.Array, 3)
	for i := range schema {
		schema[i] = arrow.Field{Name: fmt.Sprintf("p%d", i), Type: arrow.PrimitiveTypes.Int8, Metadata: arrow.NewMetadata([]string{extensionNameKey}, []string{bool8})}
		a, _, err := array.FromJSON(memory.DefaultAllocator, arrow.PrimitiveTypes.Int8, strings.NewReader([]string{"[1,0]", "[0,0]", "[7,-1]"}[i]))
		if err != nil {
			t.Fatal(err)
		}
		rec[i] = a
	}
	batch := array.NewRecordBatch(arrow.NewSchema(schema, nil), rec, 2)
	b, err := Bind(batch.Schema(), BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := b.Rows(batch, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(floats(rows)); got != "[[1 0 1] [0 0 1]]" {
		t.Errorf("rows %s", got)
	}
}

// Rounding happens once.
func TestDecimalValue(t *testing.T) {
	num := func(s string, scale int32) decimal128.Num {
		n, err := decimal128.FromString(s, 38, scale)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for text, want := range map[string]float64{"0.1": 0.1, "123456789.0123456789": 123456789.0123456789, "-0.0000000001": -1e-10, "9007199254.7409930001": 9007199254.7409930001} {
		if got := decimalValue(num(text, 10), 10); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if got := decimalValue(decimal.Decimal32(7), -3); got != 7000 {
		t.Errorf("7 thousand is %v", got)
	}
	if got := decimalValue(decimal256.FromI64(-7), -400); !math.IsInf(got, -1) {
		t.Errorf("-7e400 is %v", got)
	}
	if got := decimalValue(decimal.Decimal64(math.MaxInt64), 0); got != math.MaxInt64 {
		t.Errorf("the largest is %v", got)
	}
}

// Buffers that are too short are told from nulls.
func TestPackedCutShort(t *testing.T) {
	for _, typ := range []arrow.DataType{arrow.FixedWidthTypes.Boolean, &arrow.Decimal128Type{Precision: 38}} {
		data := array.NewData(typ, 20, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, 320))}, nil, 0, 0)
		a := array.MakeFromData(data)
		data.Buffers()[1] = memory.NewBufferBytes(make([]byte, 2)) // behind the back of the array
		schema := arrow.NewSchema([]arrow.Field{{Name: "p1", Type: typ}, {Name: "p2", Type: typ}}, nil)
		b, err := Bind(schema, BindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Rows(array.NewRecordBatch(schema, []arrow.Array{a, a}, 20), 0); err == nil || !strings.Contains(err.Error(), "2 bytes for 20 values") {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
