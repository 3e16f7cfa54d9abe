package imageset

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/patch"
)

// asImages reports whether a column can hold images.
func asImages(schema *arrow.Schema, f arrow.Field) (imageColumn, bool, error) {
	c := imageColumn{name: f.Name}
	if t, ok := f.Type.(*arrow.StructType); ok {
		data, hasBytes := t.FieldByName("bytes")
		path, hasPath := t.FieldByName("path")
		return c, hasBytes && isBinary(data.Type) || hasPath && !hasBytes && isString(path.Type), nil
	}
	if isBinary(f.Type) {
		_, other := f.Metadata.GetValue("ARROW:extension:name")
		return c, !other && f.Type.ID() != arrow.EXTENSION, nil
	}
	if patchless(f.Type) {
		return c, false, nil
	}
	var err error
	c.lists, err = patch.Bind(schema, patch.BindOptions{Columns: []string{f.Name}, Skip: true})
	var damaged *patch.RowError
	if errors.As(err, &damaged) { // no numbers
		return c, false, nil
	}
	return c, err == nil, err
}

// rank orders the kinds of columns, the likeliest to hold images first: structs
// with a file, bytes and arrays, and lists whose shape nobody knows.
func (c imageColumn) rank(t arrow.DataType, o *Options) int {
	if t.ID() == arrow.STRUCT {
		return 0
	}
	if list, ok := t.(arrow.ListLikeType); ok && patchless(list.Elem()) && c.lists.Shape() == (imagery.Shape{}) && o.Shape == (imagery.Shape{}) {
		return 2
	}
	return 1
}

// patchless reports a type of which one value is not many numbers.
func patchless(t arrow.DataType) bool {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return patchless(t.StorageType())
	case *arrow.DictionaryType:
		return patchless(t.ValueType)
	case arrow.ListLikeType:
		return false
	}
	return true
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
