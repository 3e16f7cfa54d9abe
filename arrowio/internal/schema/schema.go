// Package schema is what formats share that tell their columns as an Arrow
// schema: which schemas are taken, when those of two files agree, how columns
// are chosen, and how batches are brought into the form that was agreed on.
package schema

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// Check refuses a schema in which a name stands for two columns, since none of
// the two could be asked for, and types without a meaning. It returns the
// schema without what the library adds when it reads.
func Check(schema *arrow.Schema) (*arrow.Schema, error) {
	seen := map[string]bool{}
	for _, f := range schema.Fields() {
		if seen[f.Name] {
			return nil, &bound.UnsupportedError{
				What: fmt.Sprintf("two columns are called %q", f.Name),
				Hint: "give the columns of the file different names",
			}
		}
		seen[f.Name] = true
		if err := checkType(f.Type); err != nil {
			return nil, bound.Damaged("schema", fmt.Errorf("column %q: %w", f.Name, err))
		}
	}
	meta := schema.Metadata()
	return arrow.NewSchema(cleanFields(schema.Fields()), &meta), nil
}

// checkType refuses decimals that the library cannot show as text.
func checkType(t arrow.DataType) error {
	switch t := t.(type) {
	case arrow.DecimalType:
		limit := int32(t.BitWidth() * 3 / 10)
		scale, precision := t.GetScale(), t.GetPrecision()
		if scale < -limit || scale > limit || precision < 1 || precision > limit {
			return fmt.Errorf("%s is not a type", t)
		}
	case *arrow.DictionaryType:
		return checkType(t.ValueType)
	case arrow.ExtensionType:
		return checkType(t.StorageType())
	case arrow.NestedType:
		for _, f := range t.Fields() {
			if err := checkType(f.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanFields drops the field number -1 that the library gives to every column
// of a Parquet file without numbers.
func cleanFields(fields []arrow.Field) []arrow.Field {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		if at := f.Metadata.FindKey("PARQUET:field_id"); at >= 0 && f.Metadata.Values()[at] == "-1" {
			keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
			f.Metadata = arrow.NewMetadata(slices.Delete(keys, at, at+1), slices.Delete(values, at, at+1))
		}
		f.Type = cleanType(f.Type)
		out[i] = f
	}
	return out
}

func cleanType(t arrow.DataType) arrow.DataType {
	switch t.ID() {
	case arrow.EXTENSION, arrow.RUN_END_ENCODED, arrow.SPARSE_UNION, arrow.DENSE_UNION:
		return t
	}
	if nested, ok := t.(arrow.NestedType); ok {
		return WithFields(t, cleanFields(nested.Fields()))
	}
	return t
}

// WithFields returns a type like t with other fields in it.
func WithFields(t arrow.DataType, fields []arrow.Field) arrow.DataType {
	switch t := t.(type) {
	case *arrow.StructType:
		return arrow.StructOf(fields...)
	case *arrow.ListType:
		return arrow.ListOfField(fields[0])
	case *arrow.LargeListType:
		return arrow.LargeListOfField(fields[0])
	case *arrow.ListViewType:
		return arrow.ListViewOfField(fields[0])
	case *arrow.LargeListViewType:
		return arrow.LargeListViewOfField(fields[0])
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), fields[0])
	case *arrow.MapType:
		if entries, ok := fields[0].Type.(*arrow.StructType); ok && entries.NumFields() == 2 {
			m := arrow.MapOfFields(entries.Field(0), entries.Field(1))
			m.KeysSorted = t.KeysSorted
			return m
		}
	}
	return t
}
