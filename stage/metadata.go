package stage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// columnKeys are the keys of metadata whose values list the columns of a
// schema, and how a value is brought up to date with the output. nil, and false
// from one that does not understand the value: the key is dropped, since
// readers believe it more than the file.
var columnKeys = map[string]func(value string, o outputColumns) (string, bool){
	"pandas":      pandasColumns,
	"huggingface": huggingFaceColumns,
	"geo":         geoColumns,
	"org.apache.spark.sql.parquet.row.metadata": sparkColumns,
	"iceberg.schema":           nil,
	"parquet.avro.schema":      nil,
	"avro.schema":              nil,
	"parquet.proto.descriptor": nil,
	"thrift.descriptor":        nil,
}

// The keys of a schema's metadata that tell which models made features.
const (
	// ModelKey has the hash of the model that made the features added last:
	// the SHA-256 of its file in hex, as model.Info has it.
	ModelKey = "aefeat.model"

	// EarlierModelsKey has the hashes of models that made features of the input
	// before, the last of them first, with spaces between.
	EarlierModelsKey = "aefeat.earlier_models"
)

// WithModel returns the metadata of an input as features have them that the
// model with this hash made of it; "": its hash is not known.
func WithModel(in arrow.Metadata, hash string) arrow.Metadata {
	var keys, values, earlier []string
	for i, key := range in.Keys() {
		value := in.Values()[i]
		switch key {
		case ModelKey:
			earlier = slices.Insert(earlier, 0, value)
		case EarlierModelsKey:
			earlier = append(earlier, value)
		default:
			keys, values = append(keys, key), append(values, value)
		}
	}
	if hash != "" {
		keys, values = append(keys, ModelKey), append(values, hash)
	}
	if len(earlier) > 0 {
		keys, values = append(keys, EarlierModelsKey), append(values, strings.Join(earlier, " "))
	}
	return arrow.NewMetadata(keys, values)
}

// outputColumns are the columns of an output: those kept, and those added.
type outputColumns struct {
	kept, added []arrow.Field
	keptNames   map[string]bool
}

func newOutputColumns(kept, added []arrow.Field) outputColumns {
	o := outputColumns{kept, added, map[string]bool{}}
	for _, f := range kept {
		o.keptNames[f.Name] = true
	}
	return o
}

func (o outputColumns) keeps(name string) bool { return o.keptNames[name] }

// metadata returns the metadata of an input as the output has it.
func (o outputColumns) metadata(in arrow.Metadata) arrow.Metadata {
	var keys, values []string
	for i, key := range in.Keys() {
		value := in.Values()[i]
		if amend, lists := columnKeys[key]; lists {
			ok := amend != nil
			if ok {
				value, ok = amend(value, o)
			}
			if !ok {
				continue
			}
		}
		keys, values = append(keys, key), append(values, value)
	}
	return arrow.NewMetadata(keys, values)
}

// inside returns the type of the numbers in an added column. length is that of
// its lists, -1 where they may have any.
func inside(t arrow.DataType) (element arrow.DataType, length int, list bool) {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		return t.Elem(), int(t.Len()), true
	case *arrow.ListType:
		return t.Elem(), -1, true
	}
	return t, 0, false
}

// An object is a JSON object, whose values stay as they are.
type object map[string]json.RawMessage

// text returns a value that is a string, "" for another.
func (o object) text(key string) string {
	var s string
	_ = json.Unmarshal(o[key], &s)
	return s
}

// list returns a value that is a list of objects.
func (o object) list(key string) (list []object, ok bool) {
	ok = json.Unmarshal(o[key], &list) == nil && list != nil && !slices.ContainsFunc(list, func(e object) bool { return e == nil })
	return list, ok
}

func (o object) set(key string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // of texts, numbers and what was parsed
	}
	o[key] = b
}

func (o object) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func parseObject(value string) (o object, ok bool) {
	return o, json.Unmarshal([]byte(value), &o) == nil && o != nil
}

// pandasColumns amends what pandas and pyarrow know of a data frame. The labels
// of its columns may be of any type, to which pandas would convert the names
// added: then they become labels of different types.
func pandasColumns(value string, o outputColumns) (string, bool) {
	frame, ok := parseObject(value)
	if !ok {
		return "", false
	}
	columns, ok := frame.list("columns")
	if !ok {
		return "", false
	}
	field := func(c object) string {
		if name := c.text("field_name"); name != "" {
			return name
		}
		return c.text("name") // of fastparquet, and of long ago
	}
	columns = slices.DeleteFunc(columns, func(c object) bool { return !o.keeps(field(c)) })
	var index []json.RawMessage // names, and ranges
	if json.Unmarshal(frame["index_columns"], &index) != nil {
		return "", false
	}
	named := map[string]bool{}
	index = slices.DeleteFunc(index, func(i json.RawMessage) bool {
		var name string
		if json.Unmarshal(i, &name) != nil {
			return false
		}
		named[name] = true
		return !o.keeps(name)
	})
	labelled := slices.DeleteFunc(slices.Clone(columns), func(c object) bool { return named[field(c)] })
	levels, _ := frame.list("column_indexes")
	for _, level := range levels {
		mixLabels(level, labelled, len(levels) == 1)
	}
	for _, f := range o.added {
		element, _, list := inside(f.Type)
		name, pandas, numpy := f.Name, element.Name(), element.Name()
		if list {
			pandas, numpy = "list["+pandas+"]", "object"
		}
		if len(levels) > 1 {
			name = fmt.Sprintf("('%s'%s)", pythonText.Replace(name), strings.Repeat(", ''", len(levels)-1))
		}
		c := object{}
		for key, value := range map[string]any{
			"name": name, "field_name": f.Name, "pandas_type": pandas, "numpy_type": numpy, "metadata": nil,
		} {
			c.set(key, value)
		}
		columns = append(columns, c)
	}
	frame.set("columns", columns)
	if levels != nil {
		frame.set("column_indexes", levels)
	}
	frame.set("index_columns", append([]json.RawMessage{}, index...))
	return frame.String(), true
}

// pythonText quotes what ends a text in Python.
var pythonText = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`)

// mixLabels makes a level of a data frame's labels one that may have the names
// added. Where it is the only one, labels that are numbers stay numbers; others
// become texts.
func mixLabels(level object, columns []object, only bool) {
	switch typ := level.text("pandas_type"); {
	case strings.HasPrefix(typ, "mixed"), slices.Contains([]string{"unicode", "string", "empty", "bytes"}, typ):
		return
	case only && slices.Contains([]string{"int", "uint", "float"}, strings.TrimRight(typ, "0123456789")):
		for _, c := range columns {
			if name := []byte(c.text("name")); json.Valid(name) {
				c["name"] = name
			}
		}
		level.set("pandas_type", "mixed")
	default:
		level.set("pandas_type", "unicode")
	}
	level.set("numpy_type", "object")
	level.set("metadata", nil)
}

// huggingFaceColumns amends the features of a data set.
func huggingFaceColumns(value string, o outputColumns) (string, bool) {
	set, ok := parseObject(value)
	if !ok {
		return "", false
	}
	info, ok := parseObject(string(set["info"]))
	if !ok {
		return "", false
	}
	features, ok := parseObject(string(info["features"]))
	if !ok {
		return "", false
	}
	for name := range features {
		if !o.keeps(name) {
			delete(features, name)
		}
	}
	for _, f := range o.kept {
		if features[f.Name] == nil { // of another file, or a path
			return "", false
		}
	}
	for _, f := range o.added {
		element, length, list := inside(f.Type)
		feature := map[string]any{"dtype": element.Name(), "_type": "Value"}
		if list {
			feature = map[string]any{"feature": feature, "length": length, "_type": "Sequence"}
		}
		features.set(f.Name, feature)
	}
	info.set("features", features)
	set.set("info", info)
	return set.String(), true
}

// sparkColumns amends Spark's schema, which has to name every column.
func sparkColumns(value string, o outputColumns) (string, bool) {
	row, ok := parseObject(value)
	if !ok || row.text("type") != "struct" {
		return "", false
	}
	all, ok := row.list("fields")
	if !ok {
		return "", false
	}
	named := map[string]object{}
	for _, s := range slices.Backward(all) { // of two the first
		named[s.text("name")] = s
	}
	var fields []object
	for _, f := range o.kept {
		s := named[f.Name]
		if s == nil {
			return "", false
		}
		fields = append(fields, s)
	}
	for _, f := range o.added {
		s := object{}
		s.set("name", f.Name)
		element, _, list := inside(f.Type)
		name := "float"
		if element.ID() == arrow.UINT32 { // Spark has no type of so many bits without a sign
			name = "long"
		}
		s.set("type", name)
		if list {
			s.set("type", map[string]any{"type": "array", "elementType": name, "containsNull": true})
		}
		s.set("nullable", true)
		s.set("metadata", struct{}{})
		fields = append(fields, s)
	}
	row.set("fields", fields)
	return row.String(), true
}

// geoColumns keeps what is said of columns of shapes while these are kept.
func geoColumns(value string, o outputColumns) (string, bool) {
	geo, ok := parseObject(value)
	if !ok {
		return "", false
	}
	shapes, _ := parseObject(string(geo["columns"]))
	for name := range shapes {
		if !o.keeps(name) {
			return "", false
		}
	}
	return value, true
}
