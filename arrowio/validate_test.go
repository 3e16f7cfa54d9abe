package arrowio

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// int32s returns data of a type with one buffer of numbers behind its bitmap.
func int32s(t arrow.DataType, n, nulls int, values []int32, children ...arrow.ArrayData) arrow.ArrayData {
	buffer := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(values))
	return array.NewData(t, n, []*memory.Buffer{nil, buffer}, children, nulls, 0)
}

// Structs of many fields are validated as the library validates those of few.
func TestValidateWide(t *testing.T) {
	i32 := arrow.PrimitiveTypes.Int32
	lists := arrow.ListOf(i32)
	sound := int32s(i32, 4, 0, []int32{1, 2, 3, 4})
	for name, c := range map[string]struct {
		last arrow.ArrayData
		want bool
	}{
		"sound":          {int32s(lists, 4, 0, []int32{0, 1, 2, 3, 4}, sound), true},
		"short":          {int32s(lists, 3, 0, []int32{0, 1, 2, 3}, sound), false},
		"wrong offsets":  {int32s(lists, 4, 0, []int32{0, 3, 2, 3, 4}, sound), false},
		"outside":        {int32s(lists, 4, 0, []int32{0, 1, 2, 3, 5}, sound), false},
		"wrong nulls":    {int32s(lists, 4, 1, []int32{0, 1, 2, 3, 4}, sound), false},
		"another type":   {sound, false},
		"short of bytes": {int32s(lists, 4, 0, []int32{0, 1, 2}, sound), false},
	} {
		for _, width := range []int{2, manyFields + 1} {
			fields, children := make([]arrow.Field, width), make([]arrow.ArrayData, width)
			for i := range fields {
				fields[i], children[i] = arrow.Field{Name: string(rune('a' + i)), Type: i32}, sound
			}
			fields[width-1].Type, children[width-1] = lists, c.last
			st := array.NewData(arrow.StructOf(fields...), 4, []*memory.Buffer{nil}, children, 0, 0)
			for in, data := range map[string]arrow.ArrayData{
				"struct":     st,
				"list":       int32s(arrow.ListOf(st.DataType()), 2, 0, []int32{0, 2, 4}, st),
				"fixed list": array.NewData(arrow.FixedSizeListOf(2, st.DataType()), 2, []*memory.Buffer{nil}, []arrow.ArrayData{st}, 0, 0),
			} {
				var a arrow.Array
				if err := func() (err any) {
					defer func() { err = recover() }()
					a = array.MakeFromData(data)
					return nil
				}(); err != nil {
					if c.want {
						t.Errorf("%s in %s of %d: %v", name, in, width, err)
					}
					continue
				}
				if err := validate(a); (err == nil) != c.want {
					t.Errorf("%s in %s of %d: %v", name, in, width, err)
				}
			}
		}
	}
	st := arrow.StructOf(arrow.Field{Name: "a", Type: i32})
	bad := array.MakeFromData(array.NewData(arrow.FixedSizeListOf(3, st), 2, []*memory.Buffer{nil}, []arrow.ArrayData{
		array.NewData(st, 4, []*memory.Buffer{nil}, []arrow.ArrayData{sound}, 0, 0)}, 0, 0))
	if validateWide(bad.Data()) == nil {
		t.Error("lists of more values than there are pass")
	}
}
