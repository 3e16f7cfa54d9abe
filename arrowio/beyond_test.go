package arrowio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

// nested is a number inside of structs.
func nested(levels int) arrow.DataType {
	t := arrow.DataType(arrow.PrimitiveTypes.Uint8)
	for range levels {
		t = arrow.StructOf(arrow.Field{Name: "a", Type: t, Nullable: true})
	}
	return t
}

// written returns a file with one null of a type, or with no rows.
func written(t *testing.T, format arrowio.Format, typ arrow.DataType, rows int) []byte {
	t.Helper()
	of := arrow.NewSchema([]arrow.Field{{Name: "v", Type: typ, Nullable: true}}, nil)
	var out bytes.Buffer
	w, err := arrowio.NewWriter(&out, of, arrowio.WriteOptions{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	if rows > 0 {
		a := array.MakeArrayOfNull(memory.DefaultAllocator, typ, rows)
		if err := w.Write(array.NewRecordBatch(of, []arrow.Array{a}, int64(rows))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A sound file beyond a limit is not called damaged.
func TestBeyond(t *testing.T) {
	huge := written(t, arrowio.Stream, arrow.PrimitiveTypes.Uint8, 0)
	binary.LittleEndian.PutUint32(huge[4:], 300<<20)
	for name, c := range map[string]struct {
		file []byte
		pipe bool
		want string
	}{
		"deep Parquet":     {file: written(t, arrowio.Parquet, nested(64), 1), want: "its schema is nested beyond the 64 levels that are read, of which a list takes two"},
		"deep Arrow file":  {file: written(t, arrowio.Arrow, nested(65), 0), want: "its schema is nested beyond the 64 levels that are read"},
		"deep stream":      {file: written(t, arrowio.Stream, nested(65), 0), want: "its schema is nested beyond the 64 levels that are read"},
		"metadata":         {file: huge, pipe: true, want: "metadata of 300 MiB are beyond the 256 MiB that are read"},
		"not beyond":       {file: written(t, arrowio.Parquet, nested(63), 1)},
		"not beyond Arrow": {file: written(t, arrowio.Arrow, nested(63), 0)},
	} {
		var src *arrowio.Source
		var err error
		if c.pipe {
			src, err = arrowio.Open(nil, arrowio.OpenOptions{Stdin: io.MultiReader(bytes.NewReader(c.file))})
		} else {
			src, err = arrowio.OpenReaderAt(bytes.NewReader(c.file), int64(len(c.file)), name, arrowio.OpenOptions{})
		}
		if err == nil {
			_, err = countRows(src)
			src.Close()
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var at *arrowio.FileError
		if !errors.As(err, &at) || at.Key != arrowio.KeyBeyond || at.Hint == "" || !strings.HasSuffix(err.Error(), ": "+c.want) {
			t.Errorf("%s: %v, hint %q", name, err, at)
		}
	}
}
