package stage

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// TestColumnKeys follows keys that list columns into the output. The values are
// those of pyarrow 26, datasets, Spark 3.5 and fastparquet, shortened.
func TestColumnKeys(t *testing.T) {
	const (
		spark  = "org.apache.spark.sql.parquet.row.metadata"
		range5 = `{"kind":"range","name":null,"start":0,"stop":5,"step":1}`
	)
	for _, c := range []struct {
		name, key, value string
		config           TransformConfig
		want             string // "": the key is dropped
	}{
		{name: "any", key: "custom", value: `x{`, want: `x{`},
		{name: "Avro", key: "parquet.avro.schema", value: `{"type":"record","fields":[]}`},
		{name: "Iceberg", key: "iceberg.schema", value: `{}`},
		{name: "shapes", key: "geo", value: `{"columns":{"label":{}}}`, want: `{"columns":{"label":{}}}`},
		{name: "shapes left out", key: "geo", value: `{"columns":{"label":{}}}`, config: TransformConfig{Keep: []string{"0"}}},
		{
			name: "pandas", key: "pandas",
			value: `{"index_columns":[` + range5 + `],"column_indexes":[{"name":null,"pandas_type":"unicode","numpy_type":"str","metadata":{"encoding":"UTF-8"}}],"columns":[{"name":"label","field_name":"label","pandas_type":"int64"}],"pandas_version":"3.1.1"}`,
			want: `{"index_columns":[` + range5 + `],"column_indexes":[{"name":null,"pandas_type":"unicode","numpy_type":"str","metadata":{"encoding":"UTF-8"}}],"columns":[{"name":"label","field_name":"label","pandas_type":"int64"},
				{"name":"code_0","field_name":"code_0","pandas_type":"float32","numpy_type":"float32","metadata":null},{"name":"code_1","field_name":"code_1","pandas_type":"float32","numpy_type":"float32","metadata":null}],"pandas_version":"3.1.1"}`,
		},
		{
			name: "numbers as names, and an index", key: "pandas",
			value:  `{"index_columns":["label"],"column_indexes":[{"name":null,"pandas_type":"int64","numpy_type":"int64"}],"columns":[{"name":"0","field_name":"0"},{"name":"12","field_name":"label"}]}`,
			config: TransformConfig{Layout: LayoutList},
			want:   `{"index_columns":["label"],"column_indexes":[{"name":null,"pandas_type":"mixed","numpy_type":"object","metadata":null}],"columns":[{"name":0,"field_name":"0"},{"name":"12","field_name":"label"},{"name":"code","field_name":"code","pandas_type":"list[float32]","numpy_type":"object","metadata":null}]}`,
		},
		{
			name: "dates as names, and an index left out", key: "pandas",
			value:  `{"index_columns":["label"],"column_indexes":[{"pandas_type":"datetime64[us]","numpy_type":"datetime64[us]"}],"columns":[{"name":"0","field_name":"0"},{"name":null,"field_name":"label"}]}`,
			config: TransformConfig{Layout: LayoutList, Keep: []string{"0"}},
			want:   `{"index_columns":[],"column_indexes":[{"pandas_type":"unicode","numpy_type":"object","metadata":null}],"columns":[{"name":"0","field_name":"0"},{"name":"code","field_name":"code","pandas_type":"list[float32]","numpy_type":"object","metadata":null}]}`,
		},
		{
			name: "two levels of names", key: "pandas",
			value:  `{"index_columns":[],"column_indexes":[{"pandas_type":"unicode","numpy_type":"str"},{"pandas_type":"int64","numpy_type":"int64"}],"columns":[]}`,
			config: TransformConfig{Layout: LayoutList, Prefix: "it's"},
			want:   `{"index_columns":[],"column_indexes":[{"pandas_type":"unicode","numpy_type":"str"},{"pandas_type":"unicode","numpy_type":"object","metadata":null}],"columns":[{"name":"('it\\'s', '')","field_name":"it's","pandas_type":"list[float32]","numpy_type":"object","metadata":null}]}`,
		},
		{
			name: "sparse codes", key: "pandas", config: TransformConfig{Layout: LayoutSparse, Keep: []string{}},
			value: `{"index_columns":[],"columns":[]}`,
			want: `{"index_columns":[],"columns":[{"name":"code_indices","field_name":"code_indices","pandas_type":"list[uint32]","numpy_type":"object","metadata":null},
				{"name":"code_values","field_name":"code_values","pandas_type":"list[float32]","numpy_type":"object","metadata":null}]}`,
		},
		{
			name: "an array", key: "pandas", config: TransformConfig{Layout: LayoutArray, Keep: []string{}},
			value: `{"index_columns":[],"columns":[]}`,
			want:  `{"index_columns":[],"columns":[{"name":"code","field_name":"code","pandas_type":"list[float32]","numpy_type":"object","metadata":null}]}`,
		},
		{name: "no JSON", key: "pandas", value: `{`},
		{name: "no columns", key: "pandas", value: `{"index_columns":[],"columns":7}`},
		{name: "no index", key: "pandas", value: `{"columns":[]}`},
		{name: "null columns", key: "pandas", value: `{"columns":[null],"index_columns":[]}`},
		{
			name: "Hugging Face", key: "huggingface", config: TransformConfig{Keep: []string{"label"}, Layout: LayoutList, Score: true},
			value: `{"info":{"features":{"0":{"dtype":"float32","_type":"Value"},"label":{"names":["a","b"],"_type":"ClassLabel"}},"splits":{"train":{"num_bytes":12345678901234567}}},"fingerprint":"f"}`,
			want:  `{"info":{"features":{"label":{"names":["a","b"],"_type":"ClassLabel"},"code":{"feature":{"dtype":"float32","_type":"Value"},"length":2,"_type":"Sequence"},"score":{"dtype":"float32","_type":"Value"}},"splits":{"train":{"num_bytes":12345678901234567}}},"fingerprint":"f"}`,
		},
		{
			name: "Hugging Face, sparse codes", key: "huggingface", config: TransformConfig{Keep: []string{}, Layout: LayoutSparse},
			value: `{"info":{"features":{}}}`,
			want: `{"info":{"features":{"code_indices":{"feature":{"dtype":"uint32","_type":"Value"},"length":-1,"_type":"Sequence"},
				"code_values":{"feature":{"dtype":"float32","_type":"Value"},"length":-1,"_type":"Sequence"}}}}`,
		},
		{name: "Hugging Face knows less", key: "huggingface", value: `{"info":{"features":{"0":{"dtype":"float32","_type":"Value"}}}}`},
		{name: "no features", key: "huggingface", value: `{"info":{}}`},
		{
			name: "Spark", key: spark, config: TransformConfig{Keep: []string{"label"}, Layout: LayoutList, Score: true},
			value: `{"type":"struct","fields":[{"name":"0","type":"float","nullable":true,"metadata":{}},{"name":"label","type":{"type":"udt","class":"c"},"nullable":true,"metadata":{"k":1}}]}`,
			want:  `{"type":"struct","fields":[{"name":"label","type":{"type":"udt","class":"c"},"nullable":true,"metadata":{"k":1}},{"name":"code","type":{"type":"array","elementType":"float","containsNull":true},"nullable":true,"metadata":{}},{"name":"score","type":"float","nullable":true,"metadata":{}}]}`,
		},
		{
			name: "Spark, sparse codes", key: spark, config: TransformConfig{Keep: []string{}, Layout: LayoutSparse},
			value: `{"type":"struct","fields":[]}`,
			want: `{"type":"struct","fields":[{"name":"code_indices","type":{"type":"array","elementType":"long","containsNull":true},"nullable":true,"metadata":{}},
				{"name":"code_values","type":{"type":"array","elementType":"float","containsNull":true},"nullable":true,"metadata":{}}]}`,
		},
		{name: "Spark knows less", key: spark, value: `{"type":"struct","fields":[{"name":"0","type":"float"}]}`},
		{name: "Spark otherwise", key: spark, value: `{"type":"array"}`},
	} {
		meta := arrow.NewMetadata([]string{"before", c.key, "after"}, []string{"1", c.value, "2"})
		schema := arrow.NewSchema([]arrow.Field{
			{Name: "0", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32)}, {Name: "label", Type: arrow.PrimitiveTypes.Int64},
		}, &meta)
		c.config.Columns = []string{"0"}
		tr, err := NewTransformer(&model.Model{Config: model.Config{Inputs: 3, Hidden: 2}}, schema, c.config)
		if err != nil {
			t.Fatal(c.name, err)
		}
		out := tr.Schema().Metadata()
		keys := []string{"before", c.key, "after"}
		if c.want == "" {
			keys = []string{"before", "after"}
		}
		if !reflect.DeepEqual(out.Keys(), keys) {
			t.Errorf("%s: keys %q, expected %q", c.name, out.Keys(), keys)
			continue
		}
		got, _ := out.GetValue(c.key)
		if c.want != got && (c.want == c.value || !sameJSON(t, got, c.want)) {
			t.Errorf("%s: %s, expected %s", c.name, got, c.want)
		}
	}
}

// sameJSON compares values but for the order of keys.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			t.Fatal(err, text)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

func FuzzColumnKeys(f *testing.F) {
	f.Add(`{"index_columns":["a"],"column_indexes":[{"pandas_type":"int64"}],"columns":[{"name":"0"}]}`)
	f.Add(`{"info":{"features":{"a":{}}}}`)
	f.Add(`{"type":"struct","fields":[{"name":"a"}]}`)
	o := newOutputColumns(
		[]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}},
		[]arrow.Field{{Name: "code", Type: listOf(2)}, {Name: "score", Type: arrow.PrimitiveTypes.Float32}},
	)
	f.Fuzz(func(t *testing.T, value string) {
		for key, amend := range columnKeys {
			if amend == nil {
				continue
			}
			if out, ok := amend(value, o); ok && !json.Valid([]byte(out)) {
				t.Errorf("%s: %q", key, out)
			}
		}
	})
}

// The metadata of features name the model that made them, and those that made
// features of the input before.
func TestModelKeys(t *testing.T) {
	m, err := model.New(model.Config{Inputs: 1, Hidden: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.Preprocess.Method = model.PreprocessNone
	metadata := func(in arrow.Metadata, hash, prefix string) arrow.Metadata {
		schema := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.PrimitiveTypes.Float32}}, &in)
		tr, err := NewTransformer(m, schema, TransformConfig{Columns: []string{"x"}, ModelHash: hash, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		return tr.Schema().Metadata()
	}
	other := arrow.NewMetadata([]string{"k", "l"}, []string{"v", "w"})
	first := metadata(other, "aa", "")
	second := metadata(first, "bb", "b")
	third := metadata(second, "aa", "c")
	unknown := metadata(third, "", "d")
	for _, c := range []struct {
		got  arrow.Metadata
		want map[string]string
	}{
		{metadata(other, "", ""), map[string]string{"k": "v", "l": "w"}},
		{first, map[string]string{"k": "v", "l": "w", ModelKey: "aa"}},
		{second, map[string]string{"k": "v", "l": "w", ModelKey: "bb", EarlierModelsKey: "aa"}},
		{third, map[string]string{"k": "v", "l": "w", ModelKey: "aa", EarlierModelsKey: "bb aa"}},
		{unknown, map[string]string{"k": "v", "l": "w", EarlierModelsKey: "aa bb aa"}},
	} {
		if got := c.got.ToMap(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("metadata %v, want %v", got, c.want)
		}
	}
}
