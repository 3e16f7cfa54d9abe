package imageset

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/patch"
)

// Names of metadata.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	fixedShapeTensor  = "arrow.fixed_shape_tensor"
	// Datasets of Hugging Face name the types Array2D to Array5D so, and have
	// [shape, type] as their metadata.
	huggingFaceArray = "datasets.features.features.Array"
	huggingFace      = "huggingface" // key of a schema
)

// asImages reports whether a column can hold images, and in which layout as far
// as the schema tells.
func asImages(schema *arrow.Schema, f arrow.Field) (imageColumn, bool, error) {
	c := imageColumn{name: f.Name, typ: f.Type}
	if t, ok := f.Type.(*arrow.StructType); ok {
		data, hasBytes := t.FieldByName("bytes")
		path, hasPath := t.FieldByName("path")
		return c, hasBytes && isBinary(data.Type) || hasPath && !hasBytes && isString(path.Type), nil
	}
	extension, _ := f.Metadata.GetValue(extensionName)
	metadata, _ := f.Metadata.GetValue(extensionMetadata)
	if t, ok := f.Type.(arrow.ExtensionType); ok {
		extension, metadata = t.ExtensionName(), t.Serialize()
	}
	if isBinary(f.Type) {
		return c, extension == "", nil
	}
	if !canBind(f) {
		return c, false, nil
	}
	var l layout
	var err error
	switch dims := huggingFaceShape(schema, f.Name); {
	case extension == fixedShapeTensor:
		l, err = tensorLayout(metadata)
	case strings.HasPrefix(extension, huggingFaceArray):
		var shape []int
		if err = json.Unmarshal([]byte(metadata), &[]any{&shape, new(string)}); err == nil {
			l, err = layoutOf(shape)
		}
	case dims != nil:
		l, err = layoutOf(dims)
	default:
		return c, true, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("column %q: %w", f.Name, err)
	}
	c.layout = &l
	return c, true, nil
}

// canBind reports whether a field is lists of numbers.
func canBind(f arrow.Field) bool {
	f.Metadata = arrow.Metadata{}
	schema := arrow.NewSchema([]arrow.Field{f}, nil)
	b, err := patch.Bind(schema, patch.BindOptions{Columns: []string{f.Name}})
	return err == nil && b.Width() != 1
}

// huggingFaceShape returns what the huggingface key of a schema says of the
// shape of a column, nil if nothing.
func huggingFaceShape(schema *arrow.Schema, name string) []int {
	text, ok := schema.Metadata().GetValue(huggingFace)
	if !ok {
		return nil
	}
	var key struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	var feature struct {
		Shape []int  `json:"shape"`
		Type  string `json:"_type"`
	}
	if json.Unmarshal([]byte(text), &key) != nil || json.Unmarshal(key.Info.Features[name], &feature) != nil {
		return nil
	}
	if !strings.HasPrefix(feature.Type, "Array") {
		return nil
	}
	return feature.Shape
}

func isBinary(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return isBinary(t.ValueType)
	case arrow.ExtensionType:
		return isBinary(t.StorageType())
	}
	switch t.ID() {
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return true
	}
	return false
}

func isString(t arrow.DataType) bool {
	return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING || t.ID() == arrow.STRING_VIEW
}

// join writes names as a list.
func join(names []string) string { return strings.Join(names, ", ") }
