package arrowio

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A key is a folder in a path that tells a value: label=0.
type key struct {
	name, value string
	null        bool
}

// hiveNull is the value that stands for null.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// keysOf returns the keys in the path of a file, as it was named. Of two with
// one name the first counts.
func keysOf(path string) []key {
	if !strings.Contains(path, "=") {
		return nil
	}
	folders := strings.Split(filepath.ToSlash(path), "/")
	var keys []key
	for _, folder := range folders[:len(folders)-1] {
		name, value, ok := strings.Cut(folder, "=")
		if name = decoded(name); !ok || name == "" {
			continue
		}
		if slices.ContainsFunc(keys, func(k key) bool { return k.name == name }) {
			continue
		}
		keys = append(keys, key{name: name, value: decoded(value), null: value == hiveNull})
	}
	return keys
}

// decoded undoes percent encoding. What is none, and what would be no text,
// stays as it is.
func decoded(s string) string {
	if d, err := url.PathUnescape(s); err == nil && utf8.ValidString(d) {
		return d
	}
	return s
}

// Keys returns the columns that paths tell, which come after those of the
// files.
//
// A folder called key=value in the path of a file, as it was named or found in
// a folder, gives all its rows a column called key: of type int64 where the
// values are integers in all paths, else string, and null for
// __HIVE_DEFAULT_PARTITION__. Names and values are percent-decoded. Where a
// file has a column of that name itself, the file counts.
func (s *Source) Keys() []string { return s.keys }

// Overruled returns the names of columns that paths tell, too, and that a file
// has itself. The files count.
func (s *Source) Overruled() []string { return s.overruled }

// PathKeys returns the names of the columns that [Open] reads from the path of
// a file.
func PathKeys(path string) []string {
	var names []string
	for _, k := range keysOf(path) {
		names = append(names, k.name)
	}
	return names
}

// addKeys adds the columns of keys to the schema.
func (s *Source) addKeys() error {
	types := map[string]arrow.DataType{}
	var names []string
	for _, in := range s.inputs {
		for _, k := range in.keys {
			if !utf8.ValidString(k.name) || !utf8.ValidString(k.value) {
				return &FileError{File: in.name, Err: fmt.Errorf("its path tells column %q, and is not UTF-8", k.name), Key: KeyUnsupported}
			}
			t, known := types[k.name]
			if !known {
				names = append(names, k.name)
			}
			switch {
			case k.null:
			case !isInteger(k.value):
				t = arrow.BinaryTypes.String
			case t == nil:
				t = arrow.PrimitiveTypes.Int64
			}
			types[k.name] = t
		}
	}
	fields := s.schema.Fields()
	for _, name := range names {
		t := types[name]
		if t == nil { // null everywhere
			t = arrow.BinaryTypes.String
		}
		if s.schema.HasField(name) {
			if err := s.checkKey(name, t); err != nil {
				return err
			}
			s.overruled = append(s.overruled, name)
			continue
		}
		s.keys = append(s.keys, name)
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	if len(s.keys) > 0 {
		meta := s.schema.Metadata()
		s.schema = arrow.NewSchema(fields, &meta)
	}
	return nil
}

// checkKey checks a key of which some files have a column: in others its
// values have to be of the same type.
func (s *Source) checkKey(name string, t arrow.DataType) error {
	i := s.schema.FieldIndices(name)[0]
	column := s.schema.Field(i).Type
	var has, lacks string
	for _, in := range s.inputs {
		switch {
		case in.schema.HasField(name):
			has = in.name
		case in.tells(name):
			lacks = in.name
		}
	}
	if lacks == "" || arrow.TypeEqual(column, t) {
		return nil
	}
	return &FileError{
		File: lacks,
		Err:  fmt.Errorf("differs from %s: column %q is %s, by its path, expected %s", has, name, t, column),
		Hint: "leave the folders in paths without a meaning (`NoHive`)",
		Key:  KeyDiffers,
	}
}

// tells reports whether the path of an input tells a column.
func (in *input) tells(name string) bool {
	return slices.ContainsFunc(in.keys, func(k key) bool { return k.name == name })
}

// isInteger reports whether a value is written as an integer of 64 bits.
func isInteger(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err == nil && value[0] != '+'
}

// column returns n rows of a key, as an array of type t.
func (k key) column(mem memory.Allocator, t arrow.DataType, n int) arrow.Array {
	b := array.NewBuilder(mem, t)
	defer b.Release()
	b.Reserve(n)
	switch b := b.(type) {
	case *array.Int64Builder:
		v, _ := strconv.ParseInt(k.value, 10, 64) // it was checked
		for range n {
			b.AppendValues([]int64{v}, []bool{!k.null})
		}
	case *array.StringBuilder:
		b.ReserveData(n * len(k.value))
		for range n {
			if k.null {
				b.AppendNull()
			} else {
				b.Append(k.value)
			}
		}
	}
	return b.NewArray()
}
