package patch

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// A LabelBinding reads labels out of record batches: the values of one column
// of integers, strings or booleans, dictionary-encoded or not. It is made by
// [BindLabel] and is safe for concurrent use.
type LabelBinding struct {
	column string
	number bool
}

// A Label is the class of a row. Its text is the integer in decimal, the string
// itself, or "true" or "false": so equal labels are equal whatever the widths
// of their types.
type Label struct {
	Text string // valid as long as the caller holds the batch
	Null bool
}

// BindLabel finds a column of labels in schema, or a field of structs by its
// path with dots. Errors are [*RowError] with Row -1.
func BindLabel(schema *arrow.Schema, column string) (*LabelBinding, error) {
	_, f, err := Find(schema, column)
	if err != nil {
		return nil, err
	}
	t := f.Type
	for {
		if ext, ok := t.(arrow.ExtensionType); ok {
			t = ext.StorageType()
		} else if d, ok := t.(*arrow.DictionaryType); ok {
			t = d.ValueType
		} else {
			break
		}
	}
	switch id := t.ID(); {
	case arrow.IsInteger(id):
		return &LabelBinding{column, true}, nil
	case id == arrow.BOOL || id == arrow.STRING || id == arrow.LARGE_STRING || id == arrow.STRING_VIEW:
		return &LabelBinding{column, false}, nil
	}
	return nil, bindError(column, fmt.Sprintf("%s cannot be a label: it takes integers, strings or booleans", f.Type), "").keyed(KeyType)
}

// Column returns the column that a projection has to keep.
func (b *LabelBinding) Column() string { return b.column }

// Compare orders the texts of labels: integers by value, others by their bytes.
func (b *LabelBinding) Compare(x, y string) int {
	if b.number {
		i, ok := new(big.Int).SetString(x, 10) // uint64 is beyond int64
		j, too := new(big.Int).SetString(y, 10)
		if ok && too {
			return i.Cmp(j)
		}
	}
	return strings.Compare(x, y)
}

// Labels appends the labels of all rows of batch to dst. A label that is
// damaged is a [*RowError] with the row's position in the batch; in other
// errors Row is -1.
func (b *LabelBinding) Labels(dst []Label, batch arrow.RecordBatch) ([]Label, error) {
	if err := Usable(batch); err != nil {
		return nil, err
	}
	path, _, err := Find(batch.Schema(), b.column)
	if err != nil {
		return nil, err
	}
	levels := []arrow.Array{batch.Column(path[0])}
	for i, at := range path[1:] {
		levels = append(levels, levels[i].(*array.Struct).Field(at))
	}
	labels := levels[len(levels)-1]
	for i := range int(batch.NumRows()) {
		l := Label{}
		for _, a := range levels {
			l.Null = l.Null || a.IsNull(i)
		}
		if !l.Null {
			if damage := Damage(labels, i); damage != "" {
				return nil, &RowError{Column: b.column, Row: int64(i), Reason: damage, Key: string(Damaged)}
			}
			l.Text, l.Null = labelText(labels, i)
		}
		dst = append(dst, l)
	}
	return dst, nil
}

func labelText(a arrow.Array, i int) (text string, null bool) {
	if a.IsNull(i) {
		return "", true
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return labelText(a.Storage(), i)
	case *array.Dictionary:
		return labelText(a.Dictionary(), a.GetValueIndex(i))
	case *array.Boolean:
		return strconv.FormatBool(a.Value(i)), false
	case array.StringLike:
		return a.Value(i), false
	}
	return a.ValueStr(i), false
}
