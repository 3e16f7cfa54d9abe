package patch

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/internal/arrowtest"
	"github.com/aefeat/aefeat/model"
)

func TestShape(t *testing.T) {
	u8 := arrow.PrimitiveTypes.Uint8
	extension := func(name, metadata string) arrow.Metadata {
		return arrow.NewMetadata([]string{extensionNameKey, extensionMetadataKey}, []string{name, metadata})
	}
	tensor := func(metadata string) arrow.Metadata { return extension(fixedShapeTensor, metadata) }
	nested := func(sizes ...int32) arrow.DataType {
		typ := arrow.DataType(u8)
		for i := len(sizes) - 1; i >= 0; i-- {
			typ = arrow.FixedSizeListOf(sizes[i], typ)
		}
		return typ
	}
	const array2D = "datasets.features.features.Array2DExtensionType"
	for name, c := range map[string]struct {
		typ      arrow.DataType
		metadata arrow.Metadata
		want     string
	}{
		"nothing":                  {nested(16), arrow.Metadata{}, "0x0x0"},
		"grey":                     {nested(12), tensor(`{"shape":[3,4]}`), "3x4"},
		"one channel":              {nested(12), tensor(`{"shape":[3,4,1]}`), "3x4"},
		"one channel first":        {nested(72), tensor(`{"shape":[1,8,9]}`), "8x9"},
		"colour":                   {nested(108), tensor(`{"shape":[6,6,3]}`), "6x6x3"},
		"planes":                   {nested(108), tensor(`{"shape":[3,6,6]}`), "6x6x3,CHW"},
		"three of all":             {nested(27), tensor(`{"shape":[3,3,3]}`), "3x3x3"},
		"planes by permutation":    {nested(16), tensor(`{"shape":[2,2,4],"permutation":[1,2,0]}`), "2x4x2,CHW"},
		"colour by permutation":    {nested(108), tensor(`{"shape":[3,9,4],"permutation":[2,1,0]}`), "4x9x3,CWH"},
		"transposed":               {nested(12), tensor(`{"shape":[3,4],"permutation":[1,0]}`), "4x3,WHC"},
		"identity":                 {nested(12), tensor(`{"shape":[3,4],"permutation":[0,1]}`), "3x4"},
		"names":                    {nested(120), tensor(`{"shape":[5,3,8],"dim_names":["C","H","W"]}`), "3x8x5,CHW"},
		"words":                    {nested(120), tensor(`{"shape":[5,3,8],"dim_names":["width","Channel","height"]}`), "8x5x3,WCH"},
		"names for grey":           {nested(12), tensor(`{"shape":[3,4],"dim_names":["x","y"]}`), "4x3,WHC"},
		"names nobody knows":       {nested(108), tensor(`{"shape":[3,6,6],"dim_names":["a","b","c"]}`), "6x6x3,CHW"},
		"names without height":     {nested(12), tensor(`{"shape":[3,4],"dim_names":["C","W"]}`), "3x4"},
		"one axis":                 {nested(16), tensor(`{"shape":[16]}`), "0x0x0"},
		"four axes":                {nested(16), tensor(`{"shape":[2,2,2,2]}`), "0x0x0"},
		"another width":            {nested(16), tensor(`{"shape":[4,5]}`), "0x0x0"},
		"no permutation":           {nested(12), tensor(`{"shape":[3,4],"permutation":[1,1]}`), "0x0x0"},
		"permutation too short":    {nested(12), tensor(`{"shape":[3,4],"permutation":[0]}`), "0x0x0"},
		"permutation out of range": {nested(12), tensor(`{"shape":[3,4],"permutation":[0,-1]}`), "0x0x0"},
		"negative":                 {nested(12), tensor(`{"shape":[-3,-4]}`), "0x0x0"},
		"huge":                     {nested(12), tensor(`{"shape":[4294967296,4294967296]}`), "0x0x0"},
		"no JSON":                  {nested(12), tensor(`{"shape":`), "0x0x0"},
		"no numbers":               {nested(12), tensor(`{"shape":"3,4"}`), "0x0x0"},
		"lists of rows":            {nested(3, 4), arrow.Metadata{}, "3x4"},
		"lists of pixels":          {nested(6, 6, 3), arrow.Metadata{}, "6x6x3"},
		"array":                    {nested(3, 4), extension(array2D, `[[3, 4], "uint8"]`), "3x4"},
		"array in one list":        {nested(12), extension(array2D, `[[3, 4], "uint8"]`), "3x4"},
		"Ray's tensor":             {nested(12), extension("ray.data.arrow_tensor_v2", `[3, 4]`), "3x4"},
		"Ray's pickle":             {nested(12), extension("ray.data.arrow_tensor", "\x80\x05K\x03K\x04\x86."), "0x0x0"},
		"array of open height":     {nested(3, 4), extension(array2D, `[[null, 4], "uint8"]`), "3x4"},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: c.typ, Metadata: c.metadata}}, nil)
		b, err := Bind(schema, BindOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := b.Shape()
		if got.String() != c.want {
			t.Errorf("%s: shape %v, want %s", name, got, c.want)
		}
		if got.Height > 0 && got.Len() != b.Width() {
			t.Errorf("%s: %v has %d values, the patch %d", name, got, got.Len(), b.Width())
		}
	}
}

// What Hugging Face datasets say of a column in the schema's metadata.
func TestShapeOfFeatures(t *testing.T) {
	const features = `{"info": {"features": {
		"image": {"shape": [6, 6, 3], "dtype": "uint8", "_type": "Array3D"},
		"s": {"left": {"shape": [3, 4], "dtype": "uint8", "_type": "Array2D"}, "right": {"_type": "Value"}},
		"label": {"names": ["a", "b"], "_type": "ClassLabel"}, "bad": {"shape": "none"}}}}`
	list := func(n int32) arrow.DataType { return arrow.FixedSizeListOf(n, arrow.PrimitiveTypes.Uint8) }
	fields := []arrow.Field{
		{Name: "image", Type: list(108)}, {Name: "label", Type: list(4)}, {Name: "bad", Type: list(4)}, {Name: "other", Type: list(4)},
		{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "left", Type: list(12)}, arrow.Field{Name: "right", Type: list(12)})},
	}
	for metadata, want := range map[string]map[string]string{
		features: {"image": "6x6x3", "s.left": "3x4", "s.right": "0x0x0", "label": "0x0x0", "bad": "0x0x0", "other": "0x0x0"},
		`{`:      {"image": "0x0x0"}, `{"info": {"features": ["image"]}}`: {"image": "0x0x0"}, `null`: {"s.left": "0x0x0"},
	} {
		m := arrow.NewMetadata([]string{huggingFaceKey}, []string{metadata})
		for column, want := range want {
			b, err := Bind(arrow.NewSchema(fields, &m), BindOptions{Columns: []string{column}})
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Shape().String(); got != want {
				t.Errorf("%s of %s: %s, want %s", column, metadata, got, want)
			}
		}
	}
}

// Metadata tell the width of a candidate where the type does not.
func TestWidthOfCandidates(t *testing.T) {
	list := arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint8))
	for metadata, want := range map[string]int{`[[3, 4], "uint8"]`: 12, `[[null, 4], "uint8"]`: 0, `[[-3, -4], "uint8"]`: 0, ``: 0} {
		field := arrow.Field{Name: "p", Type: list, Metadata: arrow.NewMetadata([]string{extensionNameKey, extensionMetadataKey},
			[]string{"datasets.features.features.Array2DExtensionType", metadata})}
		if got := Candidates(arrow.NewSchema([]arrow.Field{field}, nil)); len(got) != 1 || got[0].Width != want {
			t.Errorf("%s: %+v, want a width of %d", metadata, got, want)
		}
	}
}

// Lists of no fixed size show their shape with the first row.
func TestShapeOfRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := arrowtest.JSONBatch(t, mem, arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Uint8)), `[[[1,2,3],[4,5,6]]]`)
	defer batch.Release()
	b, err := Bind(batch.Schema(), BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Shape(); s.Len() != 0 {
		t.Errorf("shape %v before any row", s)
	}
	if _, _, err := b.Rows(batch, 0); err != nil {
		t.Fatal(err)
	}
	if got := b.Clone().Shape().String(); got != "2x3" {
		t.Errorf("shape %s, want 2x3", got)
	}
}

// Metadata come from anywhere. They tell a shape of the patch's width or none.
func FuzzShape(f *testing.F) {
	f.Add(`{"shape":[3,2,2],"permutation":[1,2,0],"dim_names":["C","H","W"]}`, `{"info":{"features":{"p":{"shape":[3,4]}}}}`)
	f.Add(`[[3, 4], "uint8"]`, `{"info":{"features":{"p":[]}}}`)
	f.Add(`{"shape":[1,12],"permutation":[1,0]}`, ``)
	f.Fuzz(func(t *testing.T, metadata, features string) {
		for _, name := range []string{fixedShapeTensor, "datasets.features.features.Array3DExtensionType"} {
			m := arrow.NewMetadata([]string{huggingFaceKey}, []string{features})
			schema := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.FixedSizeListOf(12, arrow.PrimitiveTypes.Uint8),
				Metadata: arrow.NewMetadata([]string{extensionNameKey, extensionMetadataKey}, []string{name, metadata})}}, &m)
			b, err := Bind(schema, BindOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if s := b.Shape(); s != (model.Shape{}) && (s.Validate() != nil || s.Len() != 12) {
				t.Errorf("%+v", s)
			}
		}
	})
}
