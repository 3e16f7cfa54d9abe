package arrowio

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// manyFields is how many fields of a struct the library validates. It copies
// all of them for each, which takes minutes for ten thousands.
const manyFields = 64

// validate is [array.ValidateFull], whatever the number of fields.
func validate(a arrow.Array) error {
	if !holdsWide(a.DataType()) {
		return array.ValidateFull(a)
	}
	return validateWide(a.Data())
}

// holdsWide reports a struct of many fields in a type.
func holdsWide(t arrow.DataType) bool {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return holdsWide(t.StorageType())
	case *arrow.StructType:
		for i := range t.NumFields() {
			if holdsWide(t.Field(i).Type) {
				return true
			}
		}
		return t.NumFields() > manyFields
	case arrow.ListLikeType:
		return holdsWide(t.Elem())
	}
	return false
}

// validateWide validates an array without what is in it, and then that.
func validateWide(data arrow.ArrayData) error {
	t := data.DataType()
	for ext, ok := t.(arrow.ExtensionType); ok; ext, ok = t.(arrow.ExtensionType) {
		t = ext.StorageType()
	}
	children := data.Children()
	var (
		shell  arrow.DataType
		filled []arrow.ArrayData
		err    error
	)
	if st, ok := t.(*arrow.StructType); ok {
		shell, err = arrow.StructOf(), checkFields(data, st)
	} else {
		shell, filled, err = emptyList(t, children)
	}
	if err != nil {
		return err
	}
	alone := array.NewData(shell, data.Len(), data.Buffers(), filled, data.NullN(), data.Offset())
	defer alone.Release()
	if err := validateData(alone); err != nil {
		return err
	}
	for _, c := range children {
		check := validateData
		if holdsWide(c.DataType()) {
			check = validateWide
		}
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func validateData(data arrow.ArrayData) error {
	a := array.MakeFromData(data)
	defer a.Release()
	return array.ValidateFull(a)
}

// checkFields checks that a struct has the arrays of its fields.
func checkFields(data arrow.ArrayData, t *arrow.StructType) error {
	children := data.Children()
	if len(children) != t.NumFields() {
		return fmt.Errorf("struct of %d fields with %d arrays", t.NumFields(), len(children))
	}
	for i, c := range children {
		f := t.Field(i)
		switch {
		case c == nil || !arrow.TypeEqual(f.Type, c.DataType()):
			return fmt.Errorf("field %q of a struct has an array of another type", f.Name)
		case c.Len() < data.Offset()+data.Len():
			return fmt.Errorf("field %q of a struct has %d values, expected %d", f.Name, c.Len(), data.Offset()+data.Len())
		}
	}
	return nil
}

// emptyList returns a type like t whose lists are of nulls, and as many nulls
// as there are values.
func emptyList(t arrow.DataType, children []arrow.ArrayData) (shell arrow.DataType, filled []arrow.ArrayData, err error) {
	list, ok := t.(arrow.ListLikeType)
	if !ok || len(children) != 1 || !arrow.TypeEqual(list.Elem(), children[0].DataType()) {
		return nil, nil, fmt.Errorf("%s has an array of another type", t.Name())
	}
	switch t := t.(type) {
	case *arrow.LargeListType:
		shell = arrow.LargeListOf(arrow.Null)
	case *arrow.ListViewType:
		shell = arrow.ListViewOf(arrow.Null)
	case *arrow.LargeListViewType:
		shell = arrow.LargeListViewOf(arrow.Null)
	case *arrow.FixedSizeListType:
		shell = arrow.FixedSizeListOf(t.Len(), arrow.Null)
	default: // maps too
		shell = arrow.ListOf(arrow.Null)
	}
	return shell, []arrow.ArrayData{array.NewNull(children[0].Len()).Data()}, nil
}
