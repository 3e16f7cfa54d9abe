package patch

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

// A field of a struct and a column of that very name are two columns, and both
// have a name.
func TestNamesThatClash(t *testing.T) {
	list := arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "img", Type: arrow.StructOf(arrow.Field{Name: "pixels", Type: list}, arrow.Field{Name: "c,d", Type: list})},
		{Name: "img.pixels", Type: list}, {Name: `"img"`, Type: list}, {Name: "", Type: list},
	}, nil)
	for name, want := range map[string][]int{
		"img.pixels": {1}, `"img.pixels"`: {1}, `"img"."pixels"`: {0, 0}, `img."pixels"`: {0, 0}, `"img".pixels`: {0, 0},
		`img.c,d`: {0, 1}, `img."c,d"`: {0, 1}, `"img"`: {2}, `"""img"""`: {2}, "": {3}, `""`: {3}, "img": {0},
		`img."pixels`: nil, `"img"pixels`: nil, `img.pi"x`: nil, `"img".`: nil, `"img"."pixels".x`: nil, `"`: nil,
	} {
		path, _, err := Find(schema, name)
		if !slices.Equal(path, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: path %v, error %v, want %v", name, path, err, want)
		}
		b, err := Bind(schema, BindOptions{Columns: []string{name}})
		switch {
		case name == "img":
			continue // a struct of two
		case want == nil:
			if err == nil {
				t.Errorf("%s is bound", name)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case !slices.Equal(b.columns[0].index, want):
			t.Errorf("%s is bound to %v, want %v", name, b.columns[0].index, want)
		}
	}
	var names []string
	for _, c := range Candidates(schema) {
		names = append(names, c.Column)
	}
	if want := []string{`"img"."pixels"`, "img.c,d", "img.pixels", `"img"`, ""}; !slices.Equal(names, want) {
		t.Errorf("candidates %q, want %q", names, want)
	}
	_, err := Bind(schema, BindOptions{})
	if err == nil || !strings.Contains(err.Error(), `be the patch: "img"."pixels" (fixed`) {
		t.Errorf("error %v", err)
	}
}

// Whatever columns are called, each has a name by which it is found.
func FuzzNames(f *testing.F) {
	f.Add("a", "b", "a.b", `"a"."b"`)
	f.Add("a.b", "c", "a", "b.c")
	f.Add("", "", ".", `""`)
	f.Add(`"`, `a"`, `""".a"`, `".a`)
	f.Fuzz(func(t *testing.T, outer, inner, other, last string) {
		u8 := arrow.PrimitiveTypes.Uint8
		fields := []arrow.Field{
			{Name: outer, Type: arrow.StructOf(arrow.Field{Name: inner, Type: u8}, arrow.Field{Name: "s", Type: arrow.StructOf(arrow.Field{Name: inner, Type: u8})})},
			{Name: other, Type: u8}, {Name: last, Type: u8},
		}
		schema := arrow.NewSchema(fields, nil)
		for _, path := range [][]int{{0, 0}, {0, 1, 0}, {1}, {2}} {
			name := nameOf(schema, path)
			got := find(schema, name)
			if slices.Equal(got, path) || ambiguous(schema, path) {
				continue
			}
			// A column may be called like the path of another in quotes.
			if !slices.ContainsFunc(fields, func(f arrow.Field) bool { return f.Name == name }) {
				t.Errorf("%q leads to %v, want %v of %v", name, got, path, fields)
			}
		}
	})
}

// What errors and hints call a column is what finds it, quotes, commas and all.
func TestNamesAreSpelledAsFound(t *testing.T) {
	for name, want := range map[string]string{
		`pixels`:                `"pixels"`,
		`画像 патч, "q" [0]`:      `"画像 патч, ""q"" [0]"`,
		`a\b`:                   `"a\b"`,
		``:                      `""`,
		"x\ny":                  `"x\ny"`, // no terminal should break the line
		`label, a`:              `"label, a"`,
		`img."pixels" and more`: `"img.""pixels"" and more"`,
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.PrimitiveTypes.Int64},
			{Name: name, Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)}}, nil)
		c := Candidates(schema)
		if len(c) != 1 || c[0].Name() != want {
			t.Errorf("%q is called %v, want %s", name, c, want)
			continue
		}
		_, _, err := Find(schema, "none")
		if e := err.(*RowError); e.Hint != `the columns are "other", `+want {
			t.Errorf("%q: %s", name, e.Hint)
		}
		if e := (&RowError{Column: name, Row: 1, Reason: "bad"}); name != "" && e.Error() != "column "+want+": row 1: bad" {
			t.Errorf("%q: %v", name, e)
		}
		if path, _, err := Find(schema, want); !strings.Contains(name, "\n") && (err != nil || path[0] != 1) {
			t.Errorf("%s finds %v, %v", want, path, err)
		}
	}
}

// The name of a struct stands for its field where only one can be the patch,
// also where a column has the name of that field's path.
func TestStructStandsForItsPatch(t *testing.T) {
	list := arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32)
	for _, c := range []struct {
		fields []arrow.Field
		want   string // or the error
	}{
		{[]arrow.Field{{Name: "pixels", Type: list}, {Name: "cls", Type: arrow.PrimitiveTypes.Int64}}, `"img"."pixels"`},
		{[]arrow.Field{{Name: "pixels", Type: list}, {Name: "mask", Type: list}}, "struct: several columns could be the patch"},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "img", Type: arrow.StructOf(c.fields...)}, {Name: "img.pixels", Type: list}}, nil)
		b, err := Bind(schema, BindOptions{Columns: []string{"img"}})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			continue
		}
		if got := b.Columns(); !slices.Equal(got, []string{c.want}) {
			t.Errorf("img is %q, want %s", got, c.want)
		}
	}
}

// A pattern of many stars is matched in no more steps than its length times
// that of the name.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "abc", true},
		{"a*", "a", true}, {"a*b", "ab", true}, {"a*b", "acbcb", true}, {"a*b", "acbc", false},
		{"#", "12", true}, {"#", "", false}, {"#", "1a", false}, {"c#*", "c12x", true},
		{"*#", "a12", true}, {"*?#", "a12", true}, {"*1#", "a11", true}, {"*1#", "a1", false},
		{"?", "é", true}, {"??", "é", false}, {"*é*", "caféine", true}, {"#?#", "1a2", true}, {"*#?#*", "x1a2b3", true},
	} {
		if got := matchPattern(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
	if matchPattern(strings.Repeat("*a", 40)+"b", strings.Repeat("a", 4000)) {
		t.Error("a name without a b matches")
	}
}

// FuzzPatterns compares with the meaning: a * takes any part of the name.
func FuzzPatterns(f *testing.F) {
	f.Add("*1#?", "a111")
	f.Add("*#*a", "12a2a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if strings.Count(pattern, "*") > 4 || len(pattern) > 20 || len(name) > 20 {
			return
		}
		var matches func(pattern, name string) bool
		matches = func(pattern, name string) bool {
			if rest, ok := strings.CutPrefix(pattern, "*"); ok {
				return matches(rest, name) || name != "" && matches(pattern, name[1:])
			}
			if pattern == "" {
				return name == ""
			}
			n := matchOne(pattern, name)
			return n > 0 && matches(pattern[1:], name[n:])
		}
		if got, want := matchPattern(pattern, name), matches(pattern, name); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
	})
}
