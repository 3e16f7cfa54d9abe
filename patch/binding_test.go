package patch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
	"github.com/aefeat/aefeat/model"
)

// TestRowErrors checks what people read when a row holds no patch. Positions
// count from 100.
func TestRowErrors(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	u8, f32, f64 := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64
	inline := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		typ    arrow.DataType
		values string
		width  int
		want   string
	}{
		"null row":       {arrow.FixedSizeListOf(2, u8), `[[1,2],null]`, 0, `column "p": row 101: null value`},
		"null element":   {arrow.ListOf(u8), `[[1,2],[3,null]]`, 0, `column "p": row 101: null at element 1`},
		"ragged":         {arrow.ListOf(u8), `[[1,2],[1,2],[3]]`, 0, `column "p": row 102: patch of 1 values, expected 2`},
		"another width":  {arrow.LargeListOf(u8), `[[1,2]]`, 3, `column "p": row 100: patch of 2 values, expected 3`},
		"nested width":   {arrow.ListOf(arrow.ListOf(u8)), `[[[1,2],[3,4]]]`, 6, `column "p": row 100: patch of 4 values, expected 6`},
		"empty":          {arrow.ListOf(u8), `[[]]`, 0, `column "p": row 100: empty patch`},
		"ragged rows":    {arrow.ListOf(arrow.ListOf(u8)), `[[[1,2],[3,4]],[[1,2],[3]]]`, 0, `column "p": row 101: list 1 of the patch holds 1 values, expected 2`},
		"too few rows":   {arrow.ListOf(arrow.ListOf(u8)), `[[[1,2],[3,4]],[[1,2]]]`, 0, `column "p": row 101: patch of 1 lists, expected 2`},
		"beyond float32": {arrow.ListOf(f64), `[[1,2],[3,1e300]]`, 0, `column "p": row 101: 1e+300 at element 1 is beyond the range of float32`},
		"lowest row":     {arrow.ListOf(u8), `[[1,2],[1,null],null]`, 0, `column "p": row 101: null at element 1`},
		"struct":         {arrow.StructOf(arrow.Field{Name: "x", Type: arrow.FixedSizeListOf(1, f32), Nullable: true}), `[{"x":[1]},null]`, 0, `column "p.x": row 101: null value in struct "p"`},
		"PNG":            {arrow.BinaryTypes.Binary, `["` + inline("\x89PNG\r\n\x1a\n....") + `"]`, 0, `column "p": row 100: holds a PNG file, not raw pixels`},
		"JPEG":           {arrow.BinaryTypes.LargeBinary, `["` + inline("\xff\xd8\xff\xe0..JFIF") + `"]`, 784, `column "p": row 100: holds a JPEG file, not raw pixels`},
		"WebP":           {arrow.BinaryTypes.Binary, `["` + inline("RIFF....WEBPVP8 ") + `"]`, 0, `column "p": row 100: holds a WebP file, not raw pixels`},
		"TIFF":           {arrow.BinaryTypes.Binary, `["` + inline("MM\x00\x2a\x00\x00\x00\x08..") + `"]`, 0, `column "p": row 100: holds a TIFF file, not raw pixels`},
		".npy":           {&arrow.FixedSizeBinaryType{ByteWidth: 8}, `["` + inline("\x93NUMPY\x01\x00") + `"]`, 0, `column "p": row 100: holds a .npy file, not raw pixels`},
		"later PNG":      {arrow.BinaryTypes.Binary, `["` + inline("ab") + `","` + inline("\x89PNG\r\n\x1a\n....") + `"]`, 0, `column "p": row 101: holds a PNG file, not raw pixels`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := arrowtest.JSONBatch(t, mem, c.typ, c.values)
			defer rec.Release()
			b, err := Bind(rec.Schema(), BindOptions{Width: c.width})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = b.Rows(rec, 100)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
			var at *RowError
			if strings.Contains(c.want, "raw pixels") && (!errors.As(err, &at) || !strings.Contains(at.Hint, "aefeat patches")) {
				t.Errorf("hint %q", at.Hint)
			}
		})
	}
	for name, v := range map[string]float32{"NaN": float32(math.NaN()), "-Inf": float32(math.Inf(-1))} {
		b := array.NewFixedSizeListBuilder(mem, 2, f32)
		b.Append(true)
		b.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{1, v}, nil)
		a := b.NewArray()
		schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: a.DataType()}}, nil)
		rec := array.NewRecordBatch(schema, []arrow.Array{a}, 1)
		bound, err := Bind(schema, BindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := bound.Rows(rec, 0); err == nil || err.Error() != fmt.Sprintf(`column "p": row 0: %s at element 1`, name) {
			t.Errorf("%s: %v", name, err)
		}
		rec.Release()
		a.Release()
		b.Release()
	}
}

func TestBindWidth(t *testing.T) {
	typ := arrow.FixedSizeListOf(100, arrow.PrimitiveTypes.Uint8)
	schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: typ}}, nil)
	if _, err := Bind(schema, BindOptions{Width: 784}); err == nil || err.Error() != `column "p": patch of 100 values, expected 784` {
		t.Errorf("error %v", err)
	}
	if b, err := Bind(schema, BindOptions{}); err != nil || b.Width() != 100 {
		t.Errorf("%v", err)
	}
	if _, err := Bind(schema, BindOptions{Width: -1}); err == nil {
		t.Error("a negative width was accepted")
	}
	pixels := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint8))}}, nil)
	if _, err := Bind(pixels, BindOptions{Width: math.MaxInt32 + 1}); err == nil {
		t.Error("a width beyond int32 was accepted")
	}
}

// The sizes of lists may multiply to more than an int holds.
func TestBindTooWide(t *testing.T) {
	const most = math.MaxInt32
	fixed := func(t arrow.DataType, sizes ...int32) arrow.DataType {
		for _, n := range slices.Backward(sizes) {
			t = arrow.FixedSizeListOf(n, t)
		}
		return t
	}
	u8 := arrow.PrimitiveTypes.Uint8
	for name, c := range map[string]struct {
		typ   arrow.DataType
		width int
		want  string
	}{
		"below 0":         {fixed(u8, most, most, 4), 0, "patch of too many values"},
		"to 0":            {fixed(u8, 1<<30, 1<<30, 16), 0, "patch of too many values"},
		"to little":       {fixed(u8, 1<<16, 1<<16, 1<<16, 1<<16+1), 1 << 48, "patch of too many values"},
		"one more":        {fixed(u8, 2, 1<<30), 0, "patch of too many values"},
		"as asked":        {arrow.ListOf(u8), most + 1, "patch of too many values"},
		"most":            {fixed(u8, most), most, ""},
		"bytes":           {fixed(&arrow.FixedSizeBinaryType{ByteWidth: most}, most, 4), 0, "patch of too many values"},
		"empty":           {fixed(&arrow.FixedSizeBinaryType{}, most, most, 4), 0, "holds empty patches"},
		"empty in a list": {arrow.ListOf(&arrow.FixedSizeBinaryType{}), 0, "holds empty patches"},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: c.typ}}, nil)
		_, err := Bind(schema, BindOptions{Width: c.width})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if w := Candidates(schema)[0].Width; w < 0 || w == 0 && strings.Contains(c.want, "many") && name != "as asked" {
			t.Errorf("%s: candidate of width %d", name, w)
		}
	}
}

// TestRowsOtherBatches gives a binding projections of its schema, and schemas
// that do not fit.
func TestRowsOtherBatches(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	typ := arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)
	whole := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "p", Type: typ}}, nil)
	b, err := Bind(whole, BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rec := arrowtest.JSONBatch(t, mem, typ, `[[1,2],[3,4]]`)
	defer rec.Release()
	rows, _, err := b.Rows(rec, 5)
	if err != nil || string(rows.Data) != "\x01\x02\x03\x04" || rows.Number[1] != 6 {
		t.Errorf("%v, %v", rows, err)
	}
	other := arrowtest.JSONBatch(t, mem, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8), `[[1,2]]`)
	defer other.Release()
	if _, _, err := b.Rows(other, 0); err == nil || !strings.Contains(err.Error(), `column "p": type fixed_size_list<item: int8`) {
		t.Errorf("error %v", err)
	}
}

// A batch that does not fit leaves the binding as it was.
func TestRowsAfterRejectedBatch(t *testing.T) {
	u8 := arrow.PrimitiveTypes.Uint8
	batch := func(fields ...arrow.Field) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
		defer b.Release()
		for i, f := range fields {
			if f.Type == u8 {
				b.Field(i).(*array.Uint8Builder).Append(f.Name[len(f.Name)-1])
			} else {
				b.Field(i).AppendEmptyValue()
			}
		}
		return b.NewRecordBatch()
	}
	field := func(name string, typ arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: typ} }
	id, p1, p2, p3 := field("id", u8), field("p1", u8), field("p2", u8), field("p3", u8)
	good := batch(id, p1, p2, p3)
	defer good.Release()
	for name, other := range map[string]arrow.RecordBatch{
		"missing":      batch(p2, p1, id),
		"another type": batch(field("p3", arrow.PrimitiveTypes.Float32), p2, id, p1),
		"two of them":  batch(p2, p1, p3, p3),
	} {
		defer other.Release()
		b, err := Bind(good.Schema(), BindOptions{Columns: []string{"p#"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Binding{b, b.Clone()} {
			if _, _, err := c.Rows(other, 0); err == nil {
				t.Errorf("%s: the batch was accepted", name)
			}
		}
		for _, c := range []*Binding{b, b.Clone()} {
			if rows, _, err := c.Rows(good, 0); err != nil || string(rows.Data) != "123" {
				t.Errorf("%s: then %q, %v", name, rows.Data, err)
			}
		}
	}
}

func TestCloneAndAllocations(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := arrowtest.JSONBatch(t, mem, arrow.ListOf(arrow.PrimitiveTypes.Float64), `[[1,2],[3,4]]`)
	defer rec.Release()
	b, err := Bind(rec.Schema(), BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Rows(rec, 0); err != nil {
		t.Fatal(err)
	}
	c := b.Clone()
	if c.Width() != 2 {
		t.Errorf("clone has width %d", c.Width())
	}
	one, _, _ := b.Rows(rec, 0)
	two, _, _ := c.Rows(rec, 0)
	if &one.Data[0] == &two.Data[0] {
		t.Error("clones share a buffer")
	}
	if n := testing.AllocsPerRun(100, func() { b.Rows(rec, 0) }); n > 0 {
		t.Errorf("%g allocations for a batch", n)
	}
}

func TestHalfToFloat32(t *testing.T) {
	for h := range 1 << 16 {
		exp, frac := h>>10&0x1f, float64(h&0x3ff)
		want := math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = math.Ldexp(frac, -24)
		case exp == 31 && frac == 0:
			want = math.Inf(1)
		case exp == 31:
			want = math.NaN()
		}
		if h&0x8000 != 0 {
			want = -want
		}
		got := float64(halfToFloat32(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) && want == 0 {
			t.Fatalf("%#04x: %g, want %g", h, got, want)
		}
	}
}

// A tensorType is the fixed_shape_tensor extension as a program may register
// it.
type tensorType struct{ arrow.ExtensionBase }

func newTensorType(n int32) *tensorType {
	return &tensorType{arrow.ExtensionBase{Storage: arrow.FixedSizeListOf(n, arrow.PrimitiveTypes.Float32)}}
}

func (*tensorType) ArrayType() reflect.Type { return reflect.TypeFor[tensorArray]() }
func (*tensorType) ExtensionName() string   { return fixedShapeTensor }
func (*tensorType) Serialize() string       { return `{"shape":[2,2],"permutation":[1,0]}` }
func (t *tensorType) ExtensionEquals(o arrow.ExtensionType) bool {
	return o.ExtensionName() == fixedShapeTensor && arrow.TypeEqual(t.Storage, o.StorageType())
}
func (*tensorType) Deserialize(storage arrow.DataType, data string) (arrow.ExtensionType, error) {
	return &tensorType{arrow.ExtensionBase{Storage: storage}}, nil
}

type tensorArray struct{ array.ExtensionArrayBase }

// TestTensorExtension binds a column of an extension type.
func TestTensorExtension(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	typ := newTensorType(4)
	storage, _, err := array.FromJSON(mem, typ.Storage, strings.NewReader(`[[9,9,9,9],[1,2,3,4],null,[5,6,7,8]]`))
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Release()
	part := array.NewSlice(storage, 1, 4)
	defer part.Release()
	column := array.NewExtensionArrayWithStorage(typ, part)
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "t", Type: typ, Nullable: true}}, nil)
	rec := array.NewRecordBatch(schema, []arrow.Array{column}, 3)
	defer rec.Release()

	b, err := Bind(schema, BindOptions{Skip: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := b.Rows(rec, 0)
	if err != nil || rows.Len() != 2 || floats(rows)[1][0] != 5 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestCandidates(t *testing.T) {
	u8 := arrow.PrimitiveTypes.Uint8
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "digit", Type: arrow.FixedSizeListOf(28, arrow.FixedSizeListOf(28, u8))},
		{Name: "x1", Type: u8}, {Name: "x2", Type: arrow.PrimitiveTypes.Float32}, {Name: "xy", Type: arrow.BinaryTypes.String},
		{Name: "xz", Type: u8},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "raw", Type: arrow.BinaryTypes.Binary})},
	}, nil)
	var got []string
	for _, c := range Candidates(schema) {
		got = append(got, fmt.Sprintf("%s %d %d", c, c.Columns, c.Width))
	}
	want := []string{
		`"digit" (fixed_size_list<item: fixed_size_list<item: uint8, nullable>[28], nullable>[28]) 1 784`,
		`"s.raw" (binary) 1 0`,
		`"x#" (2 columns of float32) 2 2`, // x* would take xz in
	}
	if !slices.Equal(got, want) {
		t.Errorf("candidates\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b, err := Bind(schema, BindOptions{Columns: []string{"x#"}})
	if err != nil {
		t.Fatal(err)
	}
	if b.Source() != "float32" || b.Kind() != model.Float32 || b.Width() != 2 {
		t.Errorf("%s %s %d", b.Source(), b.Kind(), b.Width())
	}
}

func TestMatchPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"pixel*", "pixel12", true}, {"pixel*", "my_pixel12", false}, {"*", "", true}, {"p?x", "pix", true}, {"p?x", "p\u00e9x", true},
		{"p?x", "px", false}, {"#x#", "28x1", true}, {"#x#", "x1", false}, {"a#", "a12b", false}, {"a*b*c", "aXbXbXc", true}, {"", "a", false},
	} {
		if got := matchPattern(c.pattern, c.name); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestCompareNatural(t *testing.T) {
	names := []string{"1x1", "1x2", "1x10", "2x1", "10x1", "p1", "p01", "p2", "p2b", "p10", "p99999999999999999999", "p100000000000000000000", "q"}
	for i, a := range names {
		for j, b := range names {
			got := compareNatural(a, b)
			if a == "p1" && b == "p01" || a == "p01" && b == "p1" {
				if got == 0 {
					t.Errorf("%q and %q are equal", a, b)
				}
				continue
			}
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
}

func TestNoSchema(t *testing.T) {
	_, bind := Bind(nil, BindOptions{})
	_, _, find := Find(nil, "a")
	_, paths := Paths(nil, []string{"a"})
	_, label := BindLabel(nil, "a")
	for name, err := range map[string]error{"Bind": bind, "Find": find, "Paths": paths, "BindLabel": label} {
		if err == nil || err.Error() != errNoSchema.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
