package patch

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
	"github.com/aefeat/aefeat/model"
)

// errBad is what the reference says of a row without a patch.
var errBad = errors.New("bad row")

// patchAt is the slow reference: the numbers at position i of a, one at a time,
// with the lengths of the lists by depth.
func patchAt(a arrow.Array, i int, shape *[]int, depth int) ([]float64, error) {
	if a.IsNull(i) {
		return nil, errBad
	}
	level := func(lo, hi int64, values arrow.Array) ([]float64, error) {
		for len(*shape) <= depth {
			*shape = append(*shape, int(hi-lo))
		}
		if (*shape)[depth] != int(hi-lo) || hi == lo {
			return nil, errBad
		}
		var out []float64
		for p := lo; p < hi; p++ {
			v, err := patchAt(values, int(p), shape, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v...)
		}
		return out, nil
	}
	raw := func(b []byte) ([]float64, error) {
		for len(*shape) <= depth {
			*shape = append(*shape, len(b))
		}
		if (*shape)[depth] != len(b) || len(b) == 0 {
			return nil, errBad
		}
		var out []float64
		for _, v := range b {
			out = append(out, float64(v))
		}
		return out, nil
	}
	number := func(v float64) ([]float64, error) {
		v = float64(float32(v))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errBad
		}
		return []float64{v}, nil
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return patchAt(a.Storage(), i, shape, depth)
	case *array.Dictionary:
		return patchAt(a.Dictionary(), a.GetValueIndex(i), shape, depth)
	case array.ListLike:
		lo, hi := a.ValueOffsets(i)
		return level(lo, hi, a.ListValues())
	case *array.FixedSizeBinary:
		return raw(a.Value(i))
	case *array.Binary:
		return raw(a.Value(i))
	case *array.LargeBinary:
		return raw(a.Value(i))
	case *array.BinaryView:
		return raw(a.Value(i))
	case *array.Uint8:
		return number(float64(a.Value(i)))
	case *array.Uint16:
		return number(float64(a.Value(i)))
	case *array.Uint32:
		return number(float64(a.Value(i)))
	case *array.Uint64:
		return []float64{float64(float32(a.Value(i)))}, nil
	case *array.Int8:
		return number(float64(a.Value(i)))
	case *array.Int16:
		return number(float64(a.Value(i)))
	case *array.Int32:
		return number(float64(a.Value(i)))
	case *array.Int64:
		return []float64{float64(float32(a.Value(i)))}, nil
	case *array.Float16:
		return number(float64(halfToFloat32(a.Value(i).Uint16())))
	case *array.Float32:
		return number(float64(a.Value(i)))
	case *array.Float64:
		return number(a.Value(i))
	case *array.Boolean:
		if a.Value(i) {
			return number(1)
		}
		return number(0)
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		v, _ := strconv.ParseFloat(a.ValueStr(i), 64)
		return number(v)
	}
	panic(fmt.Sprintf("no reference for %s", a.DataType()))
}

// columnAt follows a path of struct fields for one row.
func columnAt(rec arrow.RecordBatch, path []string, row int) (arrow.Array, error) {
	a := rec.Column(rec.Schema().FieldIndices(path[0])[0])
	for _, name := range path[1:] {
		if a.IsNull(row) {
			return nil, errBad
		}
		st := a.(*array.Struct)
		i, _ := st.DataType().(*arrow.StructType).FieldIdx(name)
		a = st.Field(i)
	}
	return a, nil
}

// wantRows is what Rows should give for rec, by the slow reference.
func wantRows(rec arrow.RecordBatch, paths [][]string, first int64, width int, shape []int) (patches [][]float64, number, skipped []int64) {
	known := len(shape) > 0
	for r := range int(rec.NumRows()) {
		var (
			patch []float64
			err   error
			s     = slices.Clone(shape)
		)
		for _, path := range paths {
			var a arrow.Array
			if a, err = columnAt(rec, path, r); err != nil {
				break
			}
			var v []float64
			if v, err = patchAt(a, r, &s, 0); err != nil {
				break
			}
			patch = append(patch, v...)
		}
		if err == nil && width > 0 && len(patch) != width {
			err = errBad
		}
		if err != nil {
			skipped = append(skipped, first+int64(r))
			continue
		}
		if !known {
			shape, known, width = s, true, len(patch)
		}
		patches = append(patches, patch)
		number = append(number, first+int64(r))
	}
	return patches, number, skipped
}

// positions returns those of the bad rows, nil if one has no reason.
func positions(bad []BadRow) []int64 {
	var rows []int64
	for _, r := range bad {
		if r.Reason == "" {
			return nil
		}
		rows = append(rows, r.Row)
	}
	return rows
}

func floats(r model.Rows) [][]float64 {
	var out [][]float64
	for k := range r.Len() {
		var p []float64
		for e := range r.Width {
			at := k*r.Width + e
			switch r.Kind {
			case model.Uint8:
				p = append(p, float64(r.Data[at]))
			case model.Uint16:
				p = append(p, float64(arrow.Uint16Traits.CastFromBytes(r.Data)[at]))
			case model.Float16:
				p = append(p, float64(halfToFloat32(arrow.Uint16Traits.CastFromBytes(r.Data)[at])))
			case model.Float32:
				p = append(p, float64(arrow.Float32Traits.CastFromBytes(r.Data)[at]))
			}
		}
		out = append(out, p)
	}
	return out
}

// numberTypes are those that patches are made of.
var numberTypes = append([]arrow.DataType{
	arrow.FixedWidthTypes.Boolean,
	&arrow.Decimal32Type{Precision: 9}, &arrow.Decimal64Type{Precision: 18, Scale: 2}, &arrow.Decimal128Type{Precision: 38},
	&arrow.Decimal128Type{Precision: 38, Scale: 38}, &arrow.Decimal256Type{Precision: 76, Scale: -40},
}, arrowtest.Numbers...)

// randomPatchType nests levels of lists of the given lengths around a number,
// with dictionaries here and there.
func randomPatchType(g *rand.Rand, dims []int) arrow.DataType {
	maybeDictionary := func(t arrow.DataType) arrow.DataType {
		if g.IntN(5) > 0 {
			return t
		}
		index := []arrow.DataType{arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int32}[g.IntN(3)]
		return &arrow.DictionaryType{IndexType: index, ValueType: t}
	}
	if len(dims) == 0 {
		return maybeDictionary(numberTypes[g.IntN(len(numberTypes))])
	}
	n := int32(dims[0])
	if len(dims) == 1 && g.IntN(3) == 0 {
		return maybeDictionary([]arrow.DataType{
			&arrow.FixedSizeBinaryType{ByteWidth: int(n)}, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary, arrow.BinaryTypes.BinaryView,
		}[g.IntN(4)])
	}
	elem := randomPatchType(g, dims[1:])
	switch g.IntN(6) {
	case 0:
		return maybeDictionary(arrow.ListOf(elem))
	case 1:
		return maybeDictionary(arrow.LargeListOf(elem))
	case 2:
		return maybeDictionary(arrow.ListViewOf(elem))
	case 3:
		return maybeDictionary(arrow.LargeListViewOf(elem))
	case 4:
		return maybeDictionary(arrow.FixedSizeListOf(n, elem))
	default:
		return arrow.FixedSizeListOfNonNullable(n, elem)
	}
}

// TestRowsRandom compares Rows with the slow reference over random schemas and
// arrays.
func TestRowsRandom(t *testing.T) {
	cases := 1500
	if testing.Short() {
		cases = 300
	}
	for seed := range cases {
		testRandomRows(t, uint64(seed))
		if t.Failed() {
			return
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { testRandomRows(t, seed) })
}

func testRandomRows(t *testing.T, seed uint64) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	g := &arrowtest.Maker{Rand: rand.New(rand.NewPCG(seed, 7)), Mem: mem}
	switch g.IntN(3) {
	case 1:
		g.Nulls, g.Ragged, g.Odd = 0.01, 0.02, 0.005
	case 2:
		g.Nulls, g.Ragged, g.Odd = 0.1, 0.1, 0.05
	}

	dims := make([]int, g.IntN(4))
	for i := range dims {
		dims[i] = 1 + g.IntN(5)
	}
	var (
		fields []arrow.Field
		names  []string
		paths  [][]string
	)
	if len(dims) == 0 { // scalar columns
		n := 1 + g.IntN(20)
		same := randomPatchType(g.Rand, nil)
		for i := range n {
			typ := same
			if g.IntN(12) == 0 {
				typ = randomPatchType(g.Rand, nil)
			}
			name := fmt.Sprintf("p%d", i)
			fields = append(fields, arrow.Field{Name: name, Type: typ, Nullable: true})
			paths = append(paths, []string{name})
		}
		g.Shuffle(n, func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		names = []string{"p#"}
	} else {
		fields = []arrow.Field{{Name: "p", Type: randomPatchType(g.Rand, dims), Nullable: true}}
		names, paths = []string{"p"}, [][]string{{"p"}}
	}
	for depth := range g.IntN(3) {
		name := fmt.Sprintf("s%d", depth)
		fields = []arrow.Field{
			{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
			{Name: name, Type: arrow.StructOf(fields...), Nullable: true},
		}
		for i := range names {
			names[i] = name + "." + names[i]
		}
		for i := range paths {
			paths[i] = append([]string{name}, paths[i]...)
		}
	}
	schema := arrow.NewSchema(fields, nil)

	o := BindOptions{Columns: names, Skip: g.IntN(2) == 0}
	if g.IntN(2) == 0 && len(dims) > 0 {
		o.Width = product(dims)
	}
	b, err := Bind(schema, o)
	if err != nil {
		t.Fatalf("seed %d: %s: %v", seed, schema, err)
	}
	var shape []int
	first := int64(g.IntN(1000))
	for batch := range 3 {
		m := g.IntN(40)
		var columns []arrow.Array
		for _, f := range fields {
			columns = append(columns, g.Array(f, m, dims))
		}
		rec := array.NewRecordBatch(schema, columns, int64(m))
		for _, c := range columns {
			c.Release()
		}
		if product(b.dims) != unknown && !b.scalar {
			shape = b.dims
		}
		want, number, skipped := wantRows(rec, paths, first, b.Width(), shape)
		got, left, err := b.Rows(rec, first)
		where := fmt.Sprintf("seed %d batch %d: %s", seed, batch, schema)
		var at *RowError
		switch {
		case !o.Skip && len(skipped) > 0:
			if !errors.As(err, &at) || at.Row != skipped[0] || at.Reason == "" || at.Column == "" {
				t.Fatalf("%s: error %v, want one about row %d", where, err, skipped[0])
			}
		case err != nil:
			t.Fatalf("%s: %v", where, err)
		case !slices.Equal(got.Number, number) || !slices.Equal(positions(left), skipped):
			t.Fatalf("%s: rows %v without %v, want %v without %v", where, got.Number, left, number, skipped)
		case len(got.Data) != got.Len()*got.Width*got.Kind.Size() || got.Len() > 0 && !aligned(got.Data, got.Kind.Size()):
			t.Fatalf("%s: %d bytes for %d rows", where, len(got.Data), got.Len())
		default:
			if p := floats(got); !slices.EqualFunc(p, want, slices.Equal) {
				t.Fatalf("%s: patches\n%v, want\n%v", where, p, want)
			}
		}
		rec.Release()
		first += int64(m)
	}
}

func TestBindDetects(t *testing.T) {
	u8, i64, f32, str := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32, arrow.BinaryTypes.String
	fsl := arrow.FixedSizeListOf(784, u8)
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	extended := func(name string, t arrow.DataType, extension string) arrow.Field {
		return arrow.Field{Name: name, Type: t, Metadata: arrow.NewMetadata([]string{extensionNameKey}, []string{extension})}
	}
	money := &arrow.Decimal128Type{Precision: 10, Scale: 2}
	var mnist []arrow.Field
	for r := 1; r <= 28; r++ {
		for c := 1; c <= 28; c++ {
			mnist = append(mnist, field(fmt.Sprintf("%dx%d", r, c), u8))
		}
	}
	rowMajor := make([]string, len(mnist))
	for i, f := range mnist {
		rowMajor[i] = f.Name
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(mnist), func(i, j int) { mnist[i], mnist[j] = mnist[j], mnist[i] })
	hf := field("image", arrow.StructOf(field("bytes", arrow.BinaryTypes.Binary), field("path", str)))
	for name, c := range map[string]struct {
		fields  []arrow.Field
		columns []string
		want    []string
		err     string
	}{
		"one list":              {[]arrow.Field{field("id", i64), field("digit", fsl), field("label", i64)}, nil, []string{"digit"}, ""},
		"list and scalars":      {[]arrow.Field{field("x1", f32), field("x2", f32), field("digit", fsl)}, nil, []string{"digit"}, ""},
		"two lists":             {[]arrow.Field{field("a", fsl), field("b", arrow.ListOf(f32))}, nil, nil, `several columns could be the patch: "a" (fixed_size_list<item: uint8, nullable>[784]), "b" (list<item: float32, nullable>)`},
		"natural order":         {[]arrow.Field{field("label", i64), field("pixel10", u8), field("pixel2", u8), field("pixel1", u8)}, nil, []string{"pixel1", "pixel2", "pixel10"}, ""},
		"zero-padded":           {[]arrow.Field{field("p_010", u8), field("p_002", u8), field("id", i64)}, []string{"p_*"}, []string{"p_002", "p_010"}, ""},
		"grid names":            {append([]arrow.Field{field("label", i64)}, mnist...), nil, rowMajor, ""},
		"grid pattern":          {append([]arrow.Field{field("label", i64)}, mnist...), []string{"*x*"}, rowMajor, ""},
		"numbers alone":         {[]arrow.Field{field("10", u8), field("9", u8), field("label", i64)}, nil, []string{"9", "10"}, ""},
		"uuid beside scalars":   {[]arrow.Field{field("key", &arrow.FixedSizeBinaryType{ByteWidth: 16}), field("p1", u8), field("p2", u8)}, nil, []string{"p1", "p2"}, ""},
		"two families":          {[]arrow.Field{field("p1", u8), field("p2", u8), field("q1", u8), field("q2", u8)}, nil, nil, `"p*" (2 columns of uint8), "q*" (2 columns of uint8)`},
		"binary":                {[]arrow.Field{field("name", str), field("raw", arrow.BinaryTypes.Binary)}, nil, []string{"raw"}, ""},
		"image struct":          {[]arrow.Field{hf, field("label", i64)}, nil, []string{"image"}, ""},
		"image struct by name":  {[]arrow.Field{hf, field("other", fsl)}, []string{"image"}, []string{"image"}, ""},
		"dotted":                {[]arrow.Field{field("img", arrow.StructOf(field("pixels", fsl), field("mask", fsl)))}, []string{"img.pixels"}, []string{"img.pixels"}, ""},
		"dots in a name":        {[]arrow.Field{field("img", arrow.StructOf(field("px", fsl))), field("img.px", arrow.ListOf(u8))}, []string{"img.px"}, []string{"img.px"}, ""},
		"scalars in a struct":   {[]arrow.Field{field("s", arrow.StructOf(field("v2", u8), field("v1", u8)))}, nil, []string{"s.v1", "s.v2"}, ""},
		"listed":                {[]arrow.Field{field("b", u8), field("a", u8)}, []string{"b", "a"}, []string{"b", "a"}, ""},
		"nothing":               {[]arrow.Field{field("name", str), field("label", i64)}, nil, nil, "no column can be a patch"},
		"missing":               {[]arrow.Field{field("digit", fsl)}, []string{"image"}, nil, `column "image": no such column`},
		"string":                {[]arrow.Field{field("name", str)}, []string{"name"}, nil, `column "name": utf8 cannot be a patch`},
		"pattern matches text":  {[]arrow.Field{field("p1", u8), field("p2", u8), field("pname", str)}, []string{"p*"}, nil, `column "pname": utf8 cannot be part of a patch`},
		"number pattern":        {[]arrow.Field{field("p1", u8), field("p2", u8), field("pname", str)}, []string{"p#"}, []string{"p1", "p2"}, ""},
		"pattern of nothing":    {[]arrow.Field{field("p1", u8)}, []string{"q*"}, nil, `no column matches "q*"`},
		"list among scalars":    {[]arrow.Field{field("p1", u8), field("p2", fsl)}, []string{"p*"}, nil, `column "p2": fixed_size_list<item: uint8, nullable>[784] holds a whole patch`},
		"twice":                 {[]arrow.Field{field("p1", u8), field("p2", u8)}, []string{"p1", "p*"}, nil, `column "p1": named twice`},
		"duplicate name":        {[]arrow.Field{field("p", fsl), field("p", fsl)}, []string{"p"}, nil, "two columns"},
		"tensor by metadata":    {[]arrow.Field{{Name: "t", Type: fsl, Metadata: arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{"arrow.fixed_shape_tensor"})}}, nil, []string{"t"}, ""},
		"geometry is no patch":  {[]arrow.Field{{Name: "g", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float64), Metadata: arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{"geoarrow.point"})}, field("t", fsl)}, nil, []string{"t"}, ""},
		"mask beside pixels":    {[]arrow.Field{field("mask", arrow.FixedSizeListOf(784, arrow.FixedWidthTypes.Boolean)), field("p", fsl)}, nil, []string{"p"}, ""},
		"mask beside bytes":     {[]arrow.Field{field("mask", arrow.ListOf(arrow.FixedWidthTypes.Boolean)), field("raw", arrow.BinaryTypes.Binary)}, nil, []string{"raw"}, ""},
		"mask alone":            {[]arrow.Field{field("mask", arrow.ListOf(arrow.FixedWidthTypes.Boolean)), field("label", i64)}, nil, []string{"mask"}, ""},
		"prices beside pixels":  {[]arrow.Field{field("price1", money), field("price2", money), field("p1", u8), field("p2", u8)}, nil, []string{"p1", "p2"}, ""},
		"decimals":              {[]arrow.Field{field("p1", money), field("p2", money), field("label", money)}, nil, []string{"p1", "p2"}, ""},
		"some decimals":         {[]arrow.Field{field("p1", u8), field("p2", money), field("q1", money), field("q2", money)}, nil, []string{"p1", "p2"}, ""},
		"plain numbers":         {[]arrow.Field{field("age", i64), field("name", str), field("income", money), field("height", f32)}, nil, nil, `no column can be a patch unless it is named; there are "age" (int64), "income" (decimal(10, 2)), "height" (float32)`},
		"key alone":             {[]arrow.Field{extended("id", &arrow.FixedSizeBinaryType{ByteWidth: 16}, "arrow.uuid"), field("n", i64)}, nil, nil, `unless it is named; there are "id" (fixed_size_binary[16] (arrow.uuid)), "n" (int64)`},
		"key by name":           {[]arrow.Field{extended("id", &arrow.FixedSizeBinaryType{ByteWidth: 16}, "arrow.uuid")}, []string{"id"}, []string{"id"}, ""},
		"Ray's tensors":         {[]arrow.Field{extended("t", arrow.LargeListOf(u8), "ray.data.arrow_tensor_v2"), field("n", i64)}, nil, []string{"t"}, ""},
		"Ray's ragged tensors":  {[]arrow.Field{extended("t", arrow.StructOf(field("data", arrow.ListOf(u8)), field("shape", arrow.ListOf(i64))), "ray.data.arrow_variable_shaped_tensor")}, nil, []string{"t.data"}, ""},
		"Daft's tensors":        {[]arrow.Field{field("t", arrow.StructOf(field("data", arrow.LargeListOf(f32)), field("shape", arrow.LargeListOf(arrow.PrimitiveTypes.Uint64))))}, []string{"t"}, []string{"t.data"}, ""},
		"a shape by name":       {[]arrow.Field{field("t", arrow.StructOf(field("data", arrow.ListOf(u8)), field("shape", arrow.ListOf(i64))))}, []string{"t.shape"}, []string{"t.shape"}, ""},
		"Daft's arrays":         {[]arrow.Field{extended("t", fsl, "daft.super_extension")}, nil, []string{"t"}, ""},
		"Daft's objects":        {[]arrow.Field{extended("o", arrow.BinaryTypes.LargeBinary, "daft.super_extension"), field("p1", u8), field("p2", u8)}, nil, []string{"p1", "p2"}, ""},
		"Array2D":               {[]arrow.Field{extended("t", arrow.ListOf(arrow.ListOf(u8)), "datasets.features.features.Array2DExtensionType")}, nil, []string{"t"}, ""},
		"two structs with many": {[]arrow.Field{field("a", arrow.StructOf(field("p", fsl), field("q", fsl)))}, []string{"a"}, nil, `column "a": struct: several columns could be the patch: "a.p"`},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Bind(arrow.NewSchema(c.fields, nil), BindOptions{Columns: c.columns})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				var at *RowError
				if !errors.As(err, &at) || at.Row != -1 {
					t.Errorf("error is %T", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Columns(); !slices.Equal(got, c.want) {
				t.Errorf("columns %q, want %q", got, c.want)
			}
		})
	}
}
