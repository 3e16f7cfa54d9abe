package patch

import (
	"testing"

	"github.com/aefeat/aefeat/model"
)

func TestCover(t *testing.T) {
	byName := map[string]*element{}
	for _, e := range elements {
		byName[e.name] = e
	}
	for _, c := range [][3]string{
		{"uint8", "uint8", "uint8"}, {"uint8", "uint16", "uint16"}, {"uint8", "int8", "int16"}, {"int64", "uint8", "int64"},
		{"uint64", "int8", "float64"}, {"uint32", "int8", "int64"}, {"float16", "uint8", "float32"}, {"int32", "float32", "float64"},
		{"float16", "float64", "float64"}, {"int16", "int8", "int16"}, {"int16", "float16", "float32"}, {"uint16", "int16", "int32"},
		{"int64", "float16", "float64"}, {"bool", "bool", "bool"}, {"bool", "uint8", "uint8"}, {"bool", "int8", "int8"},
		{"bool", "float16", "float32"}, {"bool", "decimal", "decimal"}, {"decimal", "int64", "decimal"}, {"decimal", "decimal", "decimal"}, {"decimal", "float32", "float64"},
		{"decimal", "uint64", "float64"}, {"decimal", "float64", "float64"},
	} {
		a, b := byName[c[0]], byName[c[1]]
		if got := cover(a, b).name; got != c[2] {
			t.Errorf("%s and %s: %s, want %s", c[0], c[1], got, c[2])
		}
		if got := cover(b, a).name; got != c[2] {
			t.Errorf("%s and %s: %s, want %s", c[1], c[0], got, c[2])
		}
	}
}

// TestElements finds what an entry of the table leaves out.
func TestElements(t *testing.T) {
	for i, e := range elements {
		if elementOfID(e.id) != e {
			t.Errorf("%s: another entry has its type", e.name)
		}
		if i > 0 && e.size < elements[i-1].size {
			t.Errorf("%s comes after wider elements", e.name)
		}
		if e.value == nil {
			t.Errorf("%s: no value", e.name)
		}
		if e.kind.Size() == 0 {
			t.Errorf("%s: rows of kind %q", e.name, e.kind)
		}
		if e.toFloat32 == nil && e.size != e.kind.Size() || e.toFloat32 != nil && e.kind != model.Float32 {
			t.Errorf("%s: nothing makes %s of it", e.name, e.kind)
		}
		if e.weave[model.Float32] == nil {
			t.Errorf("%s: no rows of float32", e.name)
		}
		for _, o := range elements {
			if c := cover(e, o); e.weave[c.kind] == nil || o.weave[c.kind] == nil {
				t.Errorf("%s and %s: rows for %s cannot have both", e.name, o.name, c.name)
			}
		}
		for _, method := range []string{model.PreprocessNone, model.PreprocessScale} {
			if _, err := model.NewPreprocess(method, e.name, 0, model.Rows{}); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
		}
	}
}
