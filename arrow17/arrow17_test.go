package arrow17_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	old "github.com/apache/arrow/go/v17/arrow"
	oldarray "github.com/apache/arrow/go/v17/arrow/array"
	oldmemory "github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/aefeat/aefeat/arrow17"
)

// sample is a type of v17 with five values of it in JSON. The second is null
// where the type can be.
type sample struct {
	name   string
	dtype  old.DataType
	values string
}

var samples = []sample{
	{"null", old.Null, `[null, null, null, null, null]`},
	{"bool", old.FixedWidthTypes.Boolean, `[true, null, false, true, true]`},
	{"int8", old.PrimitiveTypes.Int8, `[1, null, -3, 4, -128]`},
	{"int16", old.PrimitiveTypes.Int16, `[1, null, -3, 4, 32767]`},
	{"int32", old.PrimitiveTypes.Int32, `[1, null, -3, 4, 5]`},
	{"int64", old.PrimitiveTypes.Int64, `[1, null, -3, 4, 5]`},
	{"uint8", old.PrimitiveTypes.Uint8, `[1, null, 3, 4, 255]`},
	{"uint16", old.PrimitiveTypes.Uint16, `[1, null, 3, 4, 5]`},
	{"uint32", old.PrimitiveTypes.Uint32, `[1, null, 3, 4, 5]`},
	{"uint64", old.PrimitiveTypes.Uint64, `[1, null, 3, 4, 5]`},
	{"float16", old.FixedWidthTypes.Float16, `[1.5, null, -3, 4, 0.25]`},
	{"float32", old.PrimitiveTypes.Float32, `[1.5, null, -3, 4, 0.25]`},
	{"float64", old.PrimitiveTypes.Float64, `[1.5, null, -3, 4, 0.25]`},
	{"decimal128", &old.Decimal128Type{Precision: 12, Scale: 2}, `["1.50", null, "-3.00", "4.00", "0.25"]`},
	{"decimal256", &old.Decimal256Type{Precision: 50, Scale: 2}, `["1.50", null, "-3.00", "4.00", "0.25"]`},
	{"string", old.BinaryTypes.String, `["a", null, "", "bcd", "e"]`},
	{"large_string", old.BinaryTypes.LargeString, `["a", null, "", "bcd", "e"]`},
	{"string_view", old.BinaryTypes.StringView, `["a", null, "", "longer than the twelve bytes within", "and one more of that length"]`},
	{"binary", old.BinaryTypes.Binary, `["YQ==", null, "", "YmNk", "ZQ=="]`},
	{"large_binary", old.BinaryTypes.LargeBinary, `["YQ==", null, "", "YmNk", "ZQ=="]`},
	{"binary_view", old.BinaryTypes.BinaryView, `["YQ==", null, "", "YWFhYWFhYWFhYWFhYWFhYWFhYWFh", "ZQ=="]`},
	{"fixed_size_binary", &old.FixedSizeBinaryType{ByteWidth: 3}, `["YWJj", null, "ZGVm", "Z2hp", "amts"]`},
	{"date32", old.FixedWidthTypes.Date32, `["2024-01-02", null, "1969-12-31", "2024-01-04", "2024-01-05"]`},
	{"date64", old.FixedWidthTypes.Date64, `["2024-01-02", null, "1969-12-31", "2024-01-04", "2024-01-05"]`},
	{"time32s", old.FixedWidthTypes.Time32s, `["01:02:03", null, "04:05:06", "07:08:09", "10:11:12"]`},
	{"time32ms", old.FixedWidthTypes.Time32ms, `["01:02:03.5", null, "04:05:06", "07:08:09", "10:11:12"]`},
	{"time64us", old.FixedWidthTypes.Time64us, `["01:02:03.5", null, "04:05:06", "07:08:09", "10:11:12"]`},
	{"time64ns", old.FixedWidthTypes.Time64ns, `["01:02:03.5", null, "04:05:06", "07:08:09", "10:11:12"]`},
	{"timestamp_s", &old.TimestampType{Unit: old.Second}, `["2024-01-02 03:04:05", null, "2024-01-03", "2024-01-04", "2024-01-05"]`},
	{"timestamp_ns", &old.TimestampType{Unit: old.Nanosecond, TimeZone: "UTC"}, `["2024-01-02T03:04:05Z", null, "2024-01-03T00:00:00Z", "2024-01-04T01:00:00Z", "2024-01-05T00:00:01Z"]`},
	{"duration_s", old.FixedWidthTypes.Duration_s, `[1, null, 3, 4, 5]`},
	{"duration_us", old.FixedWidthTypes.Duration_us, `[1, null, 3, 4, 5]`},
	{"months", old.FixedWidthTypes.MonthInterval, `[{"months": 1}, null, {"months": 3}, {"months": 4}, {"months": 5}]`},
	{"days_and_time", old.FixedWidthTypes.DayTimeInterval, `[{"days": 1, "milliseconds": 2}, null, {"days": 3, "milliseconds": 2}, {"days": 4, "milliseconds": 2}, {"days": 5, "milliseconds": 2}]`},
	{"month_day_nano", old.FixedWidthTypes.MonthDayNanoInterval, `[{"months": 1, "days": 2, "nanoseconds": 3}, null, {"months": 3, "days": 2, "nanoseconds": 3}, {"months": 4, "days": 2, "nanoseconds": 3}, {"months": 5, "days": 2, "nanoseconds": 3}]`},
	{"list", old.ListOf(old.PrimitiveTypes.Int16), `[[1, null], null, [], [4, 5, 6], [7]]`},
	{"list_of_required", old.ListOfNonNullable(old.PrimitiveTypes.Int16), `[[1, 2], null, [], [4, 5, 6], [7]]`},
	{"list_with_names", old.ListOfField(old.Field{Name: "pixel", Type: old.PrimitiveTypes.Uint8, Metadata: old.NewMetadata([]string{"unit"}, []string{"lux"})}), `[[1, 2], null, [], [4, 5, 6], [7]]`},
	{"large_list", old.LargeListOf(old.BinaryTypes.String), `[["a", null], null, [], ["b", "cd"], [""]]`},
	{"list_view", old.ListViewOf(old.PrimitiveTypes.Int16), `[[1, null], null, [], [4, 5, 6], [7]]`},
	{"large_list_view", old.LargeListViewOf(old.PrimitiveTypes.Int16), `[[1, null], null, [], [4, 5, 6], [7]]`},
	{"fixed_size_list", old.FixedSizeListOf(2, old.PrimitiveTypes.Uint8), `[[1, null], null, [3, 4], [5, 6], [7, 8]]`},
	{"fixed_size_list_of_required", old.FixedSizeListOfNonNullable(2, old.PrimitiveTypes.Float32), `[[1, 2], null, [3, 4], [5, 6], [7, 8]]`},
	{"struct", old.StructOf(
		old.Field{Name: "a", Type: old.PrimitiveTypes.Int32, Nullable: true},
		old.Field{Name: "b", Type: old.ListOf(old.BinaryTypes.String)},
	), `[{"a": 1, "b": ["x"]}, null, {"a": null, "b": []}, {"a": 4, "b": ["y", null]}, {"a": 5, "b": ["z"]}]`},
	{"empty_struct", old.StructOf(), `[{}, null, {}, {}, {}]`},
	{"map", old.MapOf(old.BinaryTypes.String, old.PrimitiveTypes.Int32), `[[{"key": "a", "value": 1}], null, [], [{"key": "b", "value": null}, {"key": "c", "value": 3}], [{"key": "d", "value": 4}]]`},
	{"sparse_union", old.SparseUnionOf([]old.Field{
		{Name: "i", Type: old.PrimitiveTypes.Int32, Nullable: true},
		{Name: "s", Type: old.BinaryTypes.String, Nullable: true},
	}, []old.UnionTypeCode{5, 7}), `[[5, 1], [7, null], [7, "x"], [5, 4], [7, "y"]]`},
	{"dense_union", old.DenseUnionOf([]old.Field{
		{Name: "i", Type: old.PrimitiveTypes.Int32, Nullable: true},
		{Name: "s", Type: old.BinaryTypes.String, Nullable: true},
	}, []old.UnionTypeCode{5, 7}), `[[5, 1], [7, null], [7, "x"], [5, 4], [7, "y"]]`},
	{"dictionary", &old.DictionaryType{IndexType: old.PrimitiveTypes.Int8, ValueType: old.BinaryTypes.String}, `["a", null, "b", "a", "c"]`},
	{"ordered_dictionary", &old.DictionaryType{IndexType: old.PrimitiveTypes.Uint32, ValueType: old.PrimitiveTypes.Int64, Ordered: true}, `[1, null, 3, 1, 5]`},
	{"list_of_dictionaries", old.ListOf(&old.DictionaryType{IndexType: old.PrimitiveTypes.Int16, ValueType: old.BinaryTypes.String}), `[["a", "b"], null, [], ["a", "c"], ["b"]]`},
	{"run_end_encoded", old.RunEndEncodedOf(old.PrimitiveTypes.Int32, old.BinaryTypes.String), `["a", null, null, "b", "b"]`},
	{"lists_of_lists", old.ListOf(old.FixedSizeListOf(2, old.StructOf(old.Field{Name: "x", Type: old.FixedWidthTypes.Boolean, Nullable: true}))),
		`[[[{"x": true}, {"x": null}]], null, [], [null, [{"x": false}, {"x": true}]], [[{"x": true}, {"x": true}]]]`},
}

// makeArray returns the values of s in memory of mem.
func makeArray(t *testing.T, mem oldmemory.Allocator, s sample) old.Array {
	t.Helper()
	arr, _, err := oldarray.FromJSON(mem, s.dtype, strings.NewReader(s.values))
	if err != nil {
		t.Fatal(err)
	}
	return arr
}

// makeRecord returns a batch of one column.
func makeRecord(schema *old.Schema, column old.Array) old.Record {
	return oldarray.NewRecord(schema, []old.Array{column}, int64(column.Len()))
}

func schemaOf(t old.DataType) *old.Schema {
	metadata := old.NewMetadata([]string{"made by"}, []string{"a test"})
	return old.NewSchema([]old.Field{{Name: "column", Type: t, Nullable: true, Metadata: metadata}}, &metadata)
}

// checked returns allocators of both versions, which the test's end finds
// empty.
func checked(t *testing.T) (*oldmemory.CheckedAllocator, *memory.CheckedAllocator) {
	before, after := oldmemory.NewCheckedAllocator(oldmemory.NewGoAllocator()), memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() {
		before.AssertSize(t, 0)
		after.AssertSize(t, 0)
	})
	return before, after
}

func newImporter(t *testing.T, schema *old.Schema) *arrow17.Importer {
	t.Helper()
	im, err := arrow17.NewImporter(schema)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func newExporter(t *testing.T, schema *arrow.Schema) *arrow17.Exporter {
	t.Helper()
	ex, err := arrow17.NewExporter(schema)
	if err != nil {
		t.Fatal(err)
	}
	return ex
}

// text returns v as JSON, with points in time in the form that v17 gives them
// without a zone. The versions differ in nothing else.
func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return pointInTime.ReplaceAllString(string(b), "$1 $2")
}

var pointInTime = regexp.MustCompile(`(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)Z?`)

// Each type arrives with its values, wherever the batch is cut, and comes back
// as the batch that it was.
func TestEveryTypeThereAndBack(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			mem, _ := checked(t)
			schema := schemaOf(s.dtype)
			im := newImporter(t, schema)
			ex := newExporter(t, im.Schema())
			// v17 leaves out which fields of a struct are nullable.
			all := strings.NewReplacer(", nullable", "", " nullable", "")
			if got, want := all.Replace(im.Schema().String()), all.Replace(schema.String()); got != want {
				t.Errorf("schema became %s, want %s", got, want)
			}
			if !ex.Schema().Equal(schema) || !reflect.DeepEqual(ex.Schema().Metadata().ToMap(), schema.Metadata().ToMap()) {
				t.Errorf("schema came back as %v, want %v", ex.Schema(), schema)
			}
			whole := makeArray(t, mem, s)
			defer whole.Release()
			for i := range int64(whole.Len() + 1) {
				for j := i; j <= int64(whole.Len()); j++ {
					column := oldarray.NewSlice(whole, i, j)
					there := makeRecord(schema, column)
					column.Release()
					batch, err := im.RecordBatch(there)
					if err != nil {
						t.Fatal(err)
					}
					if got, want := text(t, batch.Column(0)), text(t, there.Column(0)); got != want {
						t.Errorf("rows %d to %d became %s, want %s", i, j, got, want)
					}
					if got, want := batch.Column(0).NullN(), there.Column(0).NullN(); got != want {
						t.Errorf("rows %d to %d have %d nulls, want %d", i, j, got, want)
					}
					// v18 refuses what the builders of both versions make.
					if err := array.ValidateFull(batch.Column(0)); err != nil && s.name != "run_end_encoded" {
						t.Errorf("rows %d to %d: %v", i, j, err)
					}
					back, err := ex.Record(batch)
					batch.Release()
					if err != nil {
						t.Fatal(err)
					}
					if !oldarray.RecordEqual(back, there) {
						t.Errorf("rows %d to %d came back as %v, want %v", i, j, back, there)
					}
					there.Release()
					back.Release()
				}
			}
		})
	}
}

// A struct column that was cut has children of other offsets than its own.
func TestEveryTypeInStruct(t *testing.T) {
	mem, _ := checked(t)
	for _, s := range samples {
		arr := makeArray(t, mem, s)
		column, err := oldarray.NewStructArray([]old.Array{arr}, []string{"child"})
		arr.Release()
		if err != nil {
			t.Fatal(err)
		}
		cut := oldarray.NewSlice(column, 1, 4)
		column.Release()
		rec := makeRecord(schemaOf(cut.DataType()), cut)
		cut.Release()
		batch, err := newImporter(t, rec.Schema()).RecordBatch(rec)
		if err != nil {
			t.Fatal(s.name, err)
		}
		if got, want := text(t, batch.Column(0)), text(t, rec.Column(0)); got != want {
			t.Errorf("%s became %s, want %s", s.name, got, want)
		}
		rec.Release()
		batch.Release()
	}
}

// addresses returns where the buffers of d and of all below it are.
func addresses(d old.ArrayData) (at []unsafe.Pointer) {
	for _, b := range d.Buffers() {
		if b != nil && b.Len() > 0 {
			at = append(at, unsafe.Pointer(&b.Bytes()[0]))
		}
	}
	for _, child := range d.Children() {
		at = append(at, addresses(child)...)
	}
	if dictionary, _ := d.Dictionary().(*oldarray.Data); dictionary != nil {
		at = append(at, addresses(dictionary)...)
	}
	return at
}

// The buffers that come back are those that went, and so nothing was copied
// either way.
func TestNothingIsCopied(t *testing.T) {
	mem, _ := checked(t)
	for _, s := range samples {
		arr := makeArray(t, mem, s)
		rec := makeRecord(schemaOf(s.dtype), arr)
		arr.Release()
		im := newImporter(t, rec.Schema())
		before := mem.CurrentAlloc()
		batch, err := im.RecordBatch(rec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := newExporter(t, im.Schema()).Record(batch)
		if err != nil {
			t.Fatal(err)
		}
		if mem.CurrentAlloc() != before {
			t.Errorf("%s: converting took %d bytes of the allocator", s.name, mem.CurrentAlloc()-before)
		}
		if !reflect.DeepEqual(addresses(back.Column(0).Data()), addresses(rec.Column(0).Data())) {
			t.Errorf("%s: buffers moved", s.name)
		}
		rec.Release()
		batch.Release()
		if s.name != "null" && s.name != "empty_struct" && mem.CurrentAlloc() == 0 {
			t.Errorf("%s: the source was freed while its buffers were in use", s.name)
		}
		back.Release()
		if mem.CurrentAlloc() != 0 {
			t.Errorf("%s: %d bytes stay", s.name, mem.CurrentAlloc())
		}
	}
}

// Batches that v18 made go to v17, and are freed by v18's allocator.
func TestExport(t *testing.T) {
	_, mem := checked(t)
	for _, s := range samples {
		im := newImporter(t, schemaOf(s.dtype))
		arr, _, err := array.FromJSON(mem, im.Schema().Field(0).Type, strings.NewReader(s.values))
		if err != nil {
			t.Fatal(s.name, err)
		}
		cut := array.NewSlice(arr, 1, 4)
		arr.Release()
		batch := array.NewRecordBatch(im.Schema(), []arrow.Array{cut}, 3)
		cut.Release()
		rec, err := newExporter(t, im.Schema()).Record(batch)
		if err != nil {
			t.Fatal(s.name, err)
		}
		if got, want := text(t, rec.Column(0)), text(t, batch.Column(0)); got != want {
			t.Errorf("%s became %s, want %s", s.name, got, want)
		}
		batch.Release()
		if got := text(t, rec.Column(0)); got == "" {
			t.Errorf("%s: nothing is left", s.name)
		}
		rec.Release()
		if mem.CurrentAlloc() != 0 {
			t.Errorf("%s: %d bytes stay", s.name, mem.CurrentAlloc())
		}
	}
}

// v17 has one name each for keys and values.
func TestExportMapOfOtherNames(t *testing.T) {
	_, mem := checked(t)
	key := arrow.Field{Name: "k", Type: arrow.BinaryTypes.String}
	item := arrow.Field{Name: "v", Type: arrow.PrimitiveTypes.Int32, Nullable: true}
	schema := arrow.NewSchema([]arrow.Field{{Name: "m", Type: arrow.MapOfFields(key, item)}}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	m := b.Field(0).(*array.MapBuilder)
	m.Append(true)
	m.KeyBuilder().(*array.StringBuilder).Append("a")
	m.ItemBuilder().(*array.Int32Builder).Append(1)
	batch := b.NewRecordBatch()
	defer batch.Release()
	rec, err := newExporter(t, schema).Record(batch)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	if got, want := text(t, rec.Column(0)), `[[{"key":"a","value":1}]]`; got != want {
		t.Errorf("the map became %s, want %s", got, want)
	}
}

// A column that outlives its batch keeps its own buffers alone.
func TestColumnOutlivesBatch(t *testing.T) {
	mem, _ := checked(t)
	a, b := makeArray(t, mem, samples[5]), makeArray(t, mem, samples[15])
	schema := old.NewSchema([]old.Field{{Name: "a", Type: a.DataType(), Nullable: true}, {Name: "b", Type: b.DataType(), Nullable: true}}, nil)
	rec := oldarray.NewRecord(schema, []old.Array{a, b}, 5)
	a.Release()
	b.Release()
	batch, err := newImporter(t, schema).RecordBatch(rec)
	if err != nil {
		t.Fatal(err)
	}
	rec.Release()
	both := mem.CurrentAlloc()
	column := batch.Column(0)
	column.Retain()
	batch.Release()
	if left := mem.CurrentAlloc(); left == 0 || left >= both {
		t.Errorf("one column holds %d bytes of %d", left, both)
	}
	if got := text(t, column); got != "[1,null,-3,4,5]" {
		t.Error(got)
	}
	column.Release()
}

// Many goroutines convert, read and release one batch.
func TestConcurrentReleases(t *testing.T) {
	mem, _ := checked(t)
	for _, s := range samples {
		arr := makeArray(t, mem, s)
		arr.NullN() // counts them once; v17 counts without a lock
		rec := makeRecord(schemaOf(s.dtype), arr)
		arr.Release()
		im := newImporter(t, rec.Schema())
		shared, err := im.RecordBatch(rec)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 8 {
			shared.Retain()
			rec.Retain()
			wait.Go(func() {
				defer shared.Release()
				defer rec.Release()
				for range 20 {
					own, err := im.RecordBatch(rec)
					if err != nil {
						t.Error(err)
						return
					}
					slice := own.NewSlice(1, 3)
					own.Release()
					slice.Release()
				}
			})
		}
		rec.Release()
		shared.Release()
		wait.Wait()
		if mem.CurrentAlloc() != 0 {
			t.Errorf("%s: %d bytes stay", s.name, mem.CurrentAlloc())
		}
	}
}

func TestBatchesWithoutRowsOrColumns(t *testing.T) {
	for _, rows := range []int64{0, 3} {
		schema := old.NewSchema(nil, nil)
		rec := oldarray.NewRecord(schema, nil, rows)
		im := newImporter(t, schema)
		batch, err := im.RecordBatch(rec)
		if err != nil {
			t.Fatal(err)
		}
		if batch.NumRows() != rows || batch.NumCols() != 0 {
			t.Errorf("%d rows of no columns became %d of %d", rows, batch.NumRows(), batch.NumCols())
		}
		batch.Release()
		rec.Release()
	}
	mem, _ := checked(t)
	for _, s := range samples {
		schema := schemaOf(s.dtype)
		b := oldarray.NewRecordBuilder(mem, schema)
		rec := b.NewRecord()
		b.Release()
		batch, err := newImporter(t, schema).RecordBatch(rec)
		if err != nil {
			t.Fatal(s.name, err)
		}
		back, err := newExporter(t, batch.Schema()).Record(batch)
		if err != nil {
			t.Fatal(s.name, err)
		}
		if batch.NumRows() != 0 || batch.NumCols() != 1 || !oldarray.RecordEqual(back, rec) {
			t.Errorf("%s: no rows became %v", s.name, batch)
		}
		back.Release()
		batch.Release()
		rec.Release()
	}
}

// All batches have one schema, the reader's, by pointer.
func TestOneSchema(t *testing.T) {
	mem, _ := checked(t)
	arr := makeArray(t, mem, samples[4])
	defer arr.Release()
	im := newImporter(t, schemaOf(arr.DataType()))
	for range 2 {
		rec := makeRecord(schemaOf(arr.DataType()), arr) // equal, not the same
		batch, err := im.RecordBatch(rec)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Schema() != im.Schema() {
			t.Error("a batch has a schema of its own")
		}
		batch.Release()
		rec.Release()
	}
}

func TestErrors(t *testing.T) {
	mem, _ := checked(t)
	arr := makeArray(t, mem, samples[4])
	defer arr.Release()
	im := newImporter(t, schemaOf(arr.DataType()))
	ex := newExporter(t, im.Schema())
	good := makeRecord(schemaOf(arr.DataType()), arr)
	batch, err := im.RecordBatch(good)
	if err != nil {
		t.Fatal(err)
	}
	otherArr := makeArray(t, mem, samples[5])
	defer otherArr.Release()
	other := makeRecord(schemaOf(otherArr.DataType()), otherArr)
	defer other.Release()
	otherBatch, err := newImporter(t, other.Schema()).RecordBatch(other)
	if err != nil {
		t.Fatal(err)
	}
	defer otherBatch.Release()
	good.Release()
	batch.Release()

	narrow := arrow.NewSchema([]arrow.Field{{Name: "price", Type: &arrow.Decimal32Type{Precision: 5, Scale: 2}}}, nil)
	overDictionary := old.NewSchema([]old.Field{{Name: "e", Type: newCode(&old.DictionaryType{IndexType: old.PrimitiveTypes.Int8, ValueType: old.BinaryTypes.String})}}, nil)
	for _, c := range []struct {
		name, want string
		call       func() (any, error)
	}{
		{"nil schema of v17", "arrow17: the schema is nil", func() (any, error) { return arrow17.NewImporter(nil) }},
		{"nil schema of v18", "arrow17: the schema is nil", func() (any, error) { return arrow17.NewExporter(nil) }},
		{"nil reader", "arrow17: the record reader is nil", func() (any, error) { return arrow17.NewReader(nil) }},
		{"nil record", "arrow17: the record batch is nil", func() (any, error) { return im.RecordBatch(nil) }},
		{"nil batch", "arrow17: the record batch is nil", func() (any, error) { return ex.Record(nil) }},
		{"released record", "record batch of v17 has 0 columns of 1: was it released?", func() (any, error) { return im.RecordBatch(good) }},
		{"released batch", "record batch of v18 has 0 columns of 1: was it released?", func() (any, error) { return ex.Record(batch) }},
		{"record of another schema", "record batch of v17 has another schema", func() (any, error) { return im.RecordBatch(other) }},
		{"batch of another schema", "record batch of v18 has another schema", func() (any, error) { return ex.Record(otherBatch) }},
		{"type that v17 lacks", "convert schema of v18 to v17", func() (any, error) { return arrow17.NewExporter(narrow) }},
		{"extension over a dictionary", "convert schema of v17 to v18", func() (any, error) { return arrow17.NewImporter(overDictionary) }},
	} {
		got, err := c.call()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if v := reflect.ValueOf(got); got != nil && !v.IsNil() {
			t.Errorf("%s: returned %v beside an error", c.name, got)
		}
	}
}

// damaged is a batch that has fewer values than rows.
type damaged struct{ old.Record }

func (d damaged) NumRows() int64 { return d.Record.NumRows() + 1 }

func TestDamagedBatch(t *testing.T) {
	mem, _ := checked(t)
	arr := makeArray(t, mem, samples[4])
	rec := makeRecord(schemaOf(arr.DataType()), arr)
	defer rec.Release()
	arr.Release()
	batch, err := newImporter(t, rec.Schema()).RecordBatch(damaged{rec})
	if batch != nil || err == nil || !strings.HasPrefix(err.Error(), "convert record batch of v17 to v18: ") {
		t.Errorf("error %v, batch %v", err, batch)
	}
}

// A shared buffer is not for growing.
func TestSharedBufferIsReadOnly(t *testing.T) {
	mem, _ := checked(t)
	arr := makeArray(t, mem, samples[4])
	rec := makeRecord(schemaOf(arr.DataType()), arr)
	defer rec.Release()
	arr.Release()
	batch, err := newImporter(t, rec.Schema()).RecordBatch(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	defer func() {
		if p := recover(); p != "arrow17: a shared buffer cannot be resized" {
			t.Errorf("resizing a shared buffer: %v", p)
		}
	}()
	b := batch.Column(0).Data().Buffers()[1]
	if b.Mutable() {
		t.Error("a shared buffer is mutable")
	}
	b.Resize(1 << 20)
}

// code is an extension type of v17 over any storage.
type code struct{ old.ExtensionBase }

func newCode(storage old.DataType) *code { return &code{old.ExtensionBase{Storage: storage}} }

func (*code) ArrayType() reflect.Type { return reflect.TypeOf(codes{}) }
func (*code) ExtensionName() string   { return "aefeat.test.code" }
func (*code) Serialize() string       { return "how it was coded" }
func (c *code) String() string        { return "code<" + c.Storage.String() + ">" }
func (c *code) ExtensionEquals(o old.ExtensionType) bool {
	return o.ExtensionName() == c.ExtensionName() && old.TypeEqual(c.Storage, o.StorageType())
}
func (*code) Deserialize(storage old.DataType, data string) (old.ExtensionType, error) {
	if data != "how it was coded" {
		return nil, fmt.Errorf("metadata %q", data)
	}
	return newCode(storage), nil
}

type codes struct{ oldarray.ExtensionArrayBase }

// code18 is the same type for v18.
type code18 struct{ arrow.ExtensionBase }

func (*code18) ArrayType() reflect.Type { return reflect.TypeOf(codes18{}) }
func (*code18) ExtensionName() string   { return "aefeat.test.code" }
func (*code18) Serialize() string       { return "how it was coded" }
func (c *code18) String() string        { return "code<" + c.Storage.String() + ">" }
func (c *code18) ExtensionEquals(o arrow.ExtensionType) bool {
	return o.ExtensionName() == c.ExtensionName() && arrow.TypeEqual(c.Storage, o.StorageType())
}
func (*code18) Deserialize(storage arrow.DataType, _ string) (arrow.ExtensionType, error) {
	return &code18{arrow.ExtensionBase{Storage: storage}}, nil
}

type codes18 struct{ array.ExtensionArrayBase }

// An extension type that the other version does not know stays as its storage
// type with its name beside it, and comes back as what it was. One that it
// knows is that.
func TestExtensionTypes(t *testing.T) {
	mem, _ := checked(t)
	storage := old.FixedSizeListOf(2, old.PrimitiveTypes.Uint8)
	dtype := newCode(storage)
	if err := old.RegisterExtensionType(dtype); err != nil {
		t.Fatal(err)
	}
	defer old.UnregisterExtensionType(dtype.ExtensionName())

	plain, _, err := oldarray.FromJSON(mem, storage, strings.NewReader(`[[1, 2], null, [3, 4], [5, 6]]`))
	if err != nil {
		t.Fatal(err)
	}
	whole := oldarray.NewExtensionArrayWithStorage(dtype, plain)
	plain.Release()
	arr := oldarray.NewSlice(whole, 1, 4)
	whole.Release()
	list, err := oldarray.NewStructArray([]old.Array{arr}, []string{"inner"})
	if err != nil {
		t.Fatal(err)
	}
	schema := old.NewSchema([]old.Field{
		{Name: "outer", Type: dtype, Nullable: true, Metadata: old.NewMetadata([]string{"k"}, []string{"v"})},
		{Name: "struct", Type: list.DataType(), Nullable: true},
	}, nil)
	rec := oldarray.NewRecord(schema, []old.Array{arr, list}, 3)
	arr.Release()
	list.Release()
	defer rec.Release()

	check := func(typeName string, wantName bool) {
		t.Helper()
		im := newImporter(t, schema)
		batch, err := im.RecordBatch(rec)
		if err != nil {
			t.Fatal(err)
		}
		field := im.Schema().Field(0)
		if got := field.Type.String(); got != typeName {
			t.Errorf("the type became %s, want %s", got, typeName)
		}
		if name, ok := field.Metadata.GetValue("ARROW:extension:name"); ok != wantName || ok && name != dtype.ExtensionName() {
			t.Errorf("metadata are %v", field.Metadata)
		}
		if got, want := text(t, batch.Column(0)), "[null,[3,4],[5,6]]"; got != want {
			t.Errorf("the column became %s, want %s", got, want)
		}
		if got, want := text(t, batch.Column(1)), `[{"inner":null},{"inner":[3,4]},{"inner":[5,6]}]`; got != want {
			t.Errorf("the struct became %s, want %s", got, want)
		}
		back, err := newExporter(t, im.Schema()).Record(batch)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Schema().Equal(schema) || !oldarray.RecordEqual(back, rec) {
			t.Errorf("came back as %v, want %v", back, rec)
		}
		back.Release()
		batch.Release()
	}
	check("fixed_size_list<item: uint8, nullable>[2]", true)

	known := &code18{arrow.ExtensionBase{Storage: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)}}
	if err := arrow.RegisterExtensionType(known); err != nil {
		t.Fatal(err)
	}
	defer arrow.UnregisterExtensionType(known.ExtensionName())
	check("code<fixed_size_list<item: uint8, nullable>[2]>", false)
}

// A dictionary whose field names an extension type, which v18 alone knows.
func TestExtensionTypeOverDictionary(t *testing.T) {
	mem, _ := checked(t)
	known := &code18{}
	if err := arrow.RegisterExtensionType(known); err != nil {
		t.Fatal(err)
	}
	defer arrow.UnregisterExtensionType(known.ExtensionName())
	dtype := &old.DictionaryType{IndexType: old.PrimitiveTypes.Int8, ValueType: old.BinaryTypes.String}
	arr := makeArray(t, mem, sample{dtype: dtype, values: `["a", null, "b", "a"]`})
	metadata := old.NewMetadata([]string{"ARROW:extension:name"}, []string{known.ExtensionName()})
	rec := makeRecord(old.NewSchema([]old.Field{{Name: "e", Type: dtype, Nullable: true, Metadata: metadata}}, nil), arr)
	arr.Release()
	defer rec.Release()
	batch, err := newImporter(t, rec.Schema()).RecordBatch(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	if got, want := text(t, batch.Column(0).(array.ExtensionArray).Storage()), `["a",null,"b","a"]`; got != want {
		t.Errorf("the column became %s, want %s", got, want)
	}
}

// failing is a reader of v17 that ends with an error.
type failing struct {
	oldarray.RecordReader
	err error
}

func (f failing) Err() error { return f.err }

func TestReader(t *testing.T) {
	mem, _ := checked(t)
	schema := schemaOf(samples[4].dtype)
	arr := makeArray(t, mem, samples[4])
	rec := makeRecord(schema, arr)
	arr.Release()
	source, err := oldarray.NewRecordReader(schema, []old.Record{rec, rec})
	rec.Release()
	if err != nil {
		t.Fatal(err)
	}
	r, err := arrow17.NewReader(failing{source, io.ErrUnexpectedEOF})
	source.Release()
	if err != nil {
		t.Fatal(err)
	}
	r.Retain()
	r.Release()
	var kept arrow.RecordBatch
	batches := 0
	for r.Next() {
		if r.RecordBatch().Schema() != r.Schema() {
			t.Error("a batch has a schema of its own")
		}
		if kept == nil {
			kept = r.RecordBatch()
			kept.Retain()
		}
		batches++
	}
	if batches != 2 || r.Next() {
		t.Errorf("%d batches of 2", batches)
	}
	if err := r.Err(); err != io.ErrUnexpectedEOF {
		t.Errorf("error %v", err)
	}
	if r.RecordBatch() != nil {
		t.Error("a batch after the end")
	}
	r.Release()
	if got := text(t, kept.Column(0)); got != "[1,null,-3,4,5]" {
		t.Error(got)
	}
	kept.Release()
}

// turning is a reader of v17 whose second batch has other fields.
type turning struct {
	oldarray.RecordReader
	batches []old.Record
	i       int
}

func (r *turning) Next() bool         { r.i++; return r.i <= len(r.batches) }
func (r *turning) Record() old.Record { return r.batches[r.i-1] }

func TestReaderOfAnotherSchema(t *testing.T) {
	mem, _ := checked(t)
	var batches []old.Record
	for _, s := range []sample{samples[4], samples[5], samples[4]} {
		arr := makeArray(t, mem, s)
		rec := makeRecord(schemaOf(s.dtype), arr)
		defer rec.Release()
		arr.Release()
		batches = append(batches, rec)
	}
	source, err := oldarray.NewRecordReader(batches[0].Schema(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Release()
	r, err := arrow17.NewReader(&turning{RecordReader: source, batches: batches})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() || r.Next() || r.Next() {
		t.Error("the second batch is not the end")
	}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "another schema") {
		t.Errorf("error %v", err)
	}
}

func TestWriter(t *testing.T) {
	_, mem := checked(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int32}}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	b.Field(0).(*array.Int32Builder).AppendValues([]int32{1, 2, 3}, nil)
	batch := b.NewRecordBatch()
	ex := newExporter(t, schema)
	var got bytes.Buffer
	failure := errors.New("no space left")
	w := ex.Writer(func(rec old.Record) error {
		if rec.Schema() != ex.Schema() {
			t.Error("a batch has a schema of its own")
		}
		fmt.Fprint(&got, text(t, rec.Column(0)))
		if got.Len() > 10 {
			return failure
		}
		return nil
	})
	if err := w.Write(batch); err != nil {
		t.Error(err)
	}
	if err := w.Write(batch); err != failure {
		t.Errorf("error %v", err)
	}
	batch.Release()
	if err := w.Write(batch); err == nil {
		t.Error("a released batch was written")
	}
	if got.String() != "[1,2,3][1,2,3]" {
		t.Error(got.String())
	}
}

// Beside v17's Parquet and Flight, v18's cannot be linked.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	allowed := []string{"", "/array", "/ipc", "/memory"}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			below, ok := strings.CutPrefix(imported, "github.com/apache/arrow-go/v18/arrow")
			if !ok {
				below, ok = strings.CutPrefix(imported, "github.com/apache/arrow/go/v17/arrow")
			}
			if ok && !slices.Contains(allowed, below) || !ok && strings.Contains(imported, ".") {
				t.Errorf("%s may not import %s", file, imported)
			}
		}
	}
}
