package arrowio_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

// TestWideIntegers reads integers of 128 bits, which polars alone has, as their
// bytes.
func TestWideIntegers(t *testing.T) {
	for _, name := range []string{"testdata/polars.arrow", "testdata/polars.arrows", "testdata/polars.parquet"} {
		src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		at := src.Schema().FieldIndices("wide")[0]
		r, err := src.Reader(t.Context(), [][]int{{at}})
		if err != nil {
			t.Fatal(err)
		}
		row := 0
		for r.Next() {
			values := r.RecordBatch().Column(0).(*array.FixedSizeBinary)
			for i := range values.Len() {
				if null := row == 5; null != values.IsNull(i) {
					t.Fatalf("%s: row %d: null %v", name, row, !null)
				} else if !null {
					x := slices.Clone(values.Value(i))
					slices.Reverse(x)
					want := new(big.Int).Lsh(big.NewInt(1), 128)
					want.Sub(want, new(big.Int).Lsh(big.NewInt(1), 100))
					want.Add(want, big.NewInt(int64(row)))
					if !bytes.Equal(x, want.Bytes()) {
						t.Fatalf("%s: row %d: %x, expected %x", name, row, x, want.Bytes())
					}
				}
				row++
			}
		}
		if row != 40 || r.Err() != nil {
			t.Fatal(name, row, r.Err())
		}
		r.Release()
		src.Close()
	}
}

// TestFirstMessage changes what lies before the data of a file: the schema in
// the footer counts.
func TestFirstMessage(t *testing.T) {
	good := numbersFile(t, arrow.PrimitiveTypes.Int64)
	framed := 8 + int(binary.LittleEndian.Uint32(good[12:])) // of the first message
	with := func(first []byte) []byte {
		b := bytes.Clone(good)
		clear(b[8 : 8+framed])
		copy(b[8:8+framed], first)
		return b
	}
	marker := []byte("\xff\xff\xff\xff")
	other := numbersFile(t, arrow.PrimitiveTypes.Uint64)
	lost := bytes.Clone(good)
	blocks := bytes.Index(lost, binary.LittleEndian.AppendUint64([]byte{20, 0, 0, 0}, uint64(8+framed)))
	copy(lost[blocks+4:], lost[blocks+4+24:][:19*24])
	lost[blocks] = 19
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"as it was", good, ""},
		{"without mark and length", with(good[16 : 8+framed]), ""},
		{"without length", with(append(marker, good[16:8+framed]...)), ""},
		{"without mark", with(good[12 : 8+framed]), ""},
		{"damaged", with(append(bytes.Clone(good[8:16]), make([]byte, framed-8)...)), ""},
		{"nothing", with(nil), ""},
		{"another", with(other[8 : 8+framed]), "differ"},
		{"another without mark and length", with(other[16 : 8+framed]), "differ"},
		{"a lost message", lost, "belong to no message"},
		{"a lost message without mark and length", append(append(bytes.Clone(lost[:8]), lost[16:8+framed]...), append(make([]byte, 8), lost[8+framed:]...)...), "belong to no message"},
	} {
		rows, err := readBytes(t, c.data)
		if c.want == "" && (err != nil || rows != 40) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d rows, %v, expected %q", c.name, rows, err, c.want)
		}
	}
}

// numbersFile returns an Arrow file of 20 batches of two numbers.
func numbersFile(t *testing.T, typ arrow.DataType) []byte {
	t.Helper()
	name := t.TempDir() + "/numbers"
	w, err := arrowio.Create(name, arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ}}, nil), arrowio.WriteOptions{Format: arrowio.Arrow})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ}}, nil))
		if err := b.UnmarshalJSON([]byte(`{"x": 1}`)); err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalJSON([]byte(`{"x": 2}`)); err != nil {
			t.Fatal(err)
		}
		rec := b.NewRecordBatch()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
