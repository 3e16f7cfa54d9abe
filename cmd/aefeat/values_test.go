package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		text string
		want int64 // 0: an error
	}{
		{"1", 1},
		{"268435456", 1 << 28},
		{"256MiB", 1 << 28},
		{"256 mib", 1 << 28},
		{"256M", 1 << 28},
		{"4GiB", 4 << 30},
		{"4g", 4 << 30},
		{"1.5k", 1536},
		{"2TiB", 2 << 40},
		{"1e9", 1e9},
		{"1E3", 1000},
		{"4GB", 4e9},
		{"16kB", 16000},
		{"100B", 100},
		{"9007199254740993", 1<<53 + 1},
		{"", 0},
		{"MiB", 0},
		{"0", 0},
		{"0.5", 0},
		{"-1", 0},
		{"-1GiB", 0},
		{"12 XiB", 0},
		{"nan", 0},
		{"inf", 0},
		{"1e30", 0},
		{"9000000TiB", 0},
	} {
		got, err := parseSize(test.text)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%q: got %d, error %v, want %d", test.text, got, err, test.want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{1: "1 B", 1023: "1023 B", 1 << 30: "1 GiB", 1536: "1.5 KiB", 5 << 42: "20 TiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
		if back, err := parseSize(want); back != n || err != nil {
			t.Errorf("%q does not read back: %d, %v", want, back, err)
		}
	}
}

func TestSplit(t *testing.T) {
	for list, want := range map[string][]string{
		``: {""}, `,`: {"", ""}, `a`: {"a"}, `a,`: {"a", ""}, `label,a\,b,c`: {"label", "a,b", "c"}, `a\b`: {`a\b`},
		`"label, a",id`: {"label, a", "id"}, `"",id`: {"", "id"}, `id,""`: {"id", ""}, `"none"`: {"none"},
		`"say ""hi"", or not"`: {`say "hi", or not`}, `"""a"""`: {`"a"`},
		`"a,b"."c,d",e`: {`"a,b"."c,d"`, "e"}, `a."b,c"`: {`a."b,c"`},
		`5" disk,3" disk`: {`5" disk`, `3" disk`}, `"open,b`: {`"open`, "b"}, `"a"b,c`: {`"a"b`, "c"},
		`画像 патч\, "q" [0]`: {`画像 патч, "q" [0]`}, `"画像 патч, ""q"" [0]"`: {`画像 патч, "q" [0]`}, "x\ny": {"x\ny"},
	} {
		if got := split(list); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}

// Every name can be said, in a list of others.
func FuzzSplit(f *testing.F) {
	for _, name := range []string{"", "a", `a,b`, `"`, `\`, `\,`, `""","`, "a\nb", `"a"."b"`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		split(name)
		said := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		if got := split("x," + said + "," + said); len(got) != 3 || got[1] != name || got[2] != name {
			t.Errorf("%q came as %q", name, got)
		}
	})
}

// A column that inspect lists can be named as it is listed.
func TestColumnName(t *testing.T) {
	for name, want := range map[string]string{
		"image": "image", "label, a": `"label, a"`, `画像 патч, "q" [0]`: `"画像 патч, ""q"" [0]"`, `5" wide`: `"5"" wide"`, "": `""`, " a": `" a"`, "a*b": "a*b",
	} {
		got := columnName(name)
		if words := split(got); got != want || len(words) != 1 || words[0] != name {
			t.Errorf("%q is listed as %s, want %s; that names %q", name, got, want, words)
		}
	}
}

func TestPeriod(t *testing.T) {
	for text, want := range map[string]string{"30s": "30s", "10m": "10m", "1h": "1h", "1h30m": "1h30m", "0": "0s", "0s": "0s", " 90s ": "1m30s", "250ms": "250ms"} {
		var p period
		if err := p.Set(text); err != nil || p.String() != want {
			t.Errorf("%q: %s, %v, want %s", text, &p, err, want)
		}
	}
	for _, text := range []string{"", "10", "-1s", "1d", "soon"} {
		var p period
		if err := p.Set(text); err == nil {
			t.Errorf("%q is taken for %s", text, &p)
		}
	}
}
