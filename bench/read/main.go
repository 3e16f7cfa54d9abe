// Command read measures how fast columns of patches are read from Parquet.
//
//	read [-rows N] [-runs N] [-procs N]
//
// It writes files of one column each and reads them in three ways, in turn:
// with arrowio, as a command of aefeat does; with pqarrow, which makes the same
// batches; and with the ColumnChunkReader below it, which makes values and
// levels and no lists, so that a reader built on it can be no faster. A table
// gives the medians in GB/s of values as they are in memory: 4 bytes for a
// float32, 1 for a uint8, which Parquet stores in 4. The last column is how
// many times faster arrowio is than pqarrow, the median of the ratios.
//
// The files are pqarrow's own, so that nobody reads what suits its writer. All
// values come from 256 different ones, and most are zero, as in images of
// strokes: a dictionary of them is small, and they compress well.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// width is the number of values of a patch: 28 by 28 pixels.
const width = 784

// groupRows is the number of rows of a row group: 31 MB of float32.
const groupRows = 10_000

// A form is one kind of file.
type form struct {
	name       string
	typ        arrow.DataType
	codec      compress.Compression
	dictionary bool
}

func forms() []form {
	var out []form
	float, pixel := arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Uint8
	for _, column := range []struct {
		name string
		typ  arrow.DataType
	}{
		{"float32, fixed-size list", arrow.FixedSizeListOf(width, float)},
		{"float32, list", arrow.ListOf(float)},
		{"uint8, list", arrow.ListOf(pixel)},
	} {
		for _, codec := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Zstd} {
			for _, dictionary := range []bool{false, true} {
				out = append(out, form{column.name, column.typ, codec, dictionary})
			}
		}
	}
	return out
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("read: ")
	rows := flag.Int("rows", 20_000, "rows of a file")
	runs := flag.Int("runs", 5, "runs of each reader")
	procs := flag.Int("procs", runtime.GOMAXPROCS(0), "processors to use at most")
	flag.Parse()
	if flag.NArg() > 0 || *rows < 1 || *runs < 1 || *procs < 1 {
		log.Fatal("usage: read [-rows N] [-runs N] [-procs N]")
	}
	runtime.GOMAXPROCS(*procs)
	if err := run(*rows, *runs); err != nil {
		log.Fatal(err)
	}
}

func run(rows, runs int) error {
	folder, err := os.MkdirTemp("", "read")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	name := filepath.Join(folder, "patches.parquet")
	fmt.Println("| column | compression | encoding | file MB | arrowio | pqarrow | ColumnChunkReader | times faster than pqarrow |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, f := range forms() {
		if err := f.write(name, rows); err != nil {
			return fmt.Errorf("write %s: %w", f, err)
		}
		if err := f.measure(name, rows, runs); err != nil {
			return fmt.Errorf("read %s: %w", f, err)
		}
	}
	return nil
}

func (f form) String() string { return fmt.Sprintf("%s, %s, %s", f.name, f.codec, f.encoding()) }

func (f form) encoding() string {
	if f.dictionary {
		return "dictionary"
	}
	return "plain"
}

// elem is the type of a value.
func (f form) elem() arrow.DataType { return f.typ.(arrow.ListLikeType).Elem() }

// write writes a file of the form.
func (f form) write(name string, rows int) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: f.typ, Nullable: true}}, nil)
	props := parquet.NewWriterProperties(parquet.WithCompression(f.codec), parquet.WithDictionaryDefault(f.dictionary))
	w, err := pqarrow.NewFileWriter(schema, out, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for left := rows; left > 0; left -= groupRows {
		rec := f.batch(schema, min(left, groupRows), rng)
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// batch makes patches: in each a rectangle of noise, 4 to 20 pixels a side, on
// zeros. A fifth of the pixels are not zero, as of written digits.
func (f form) batch(schema *arrow.Schema, rows int, rng *rand.Rand) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	lists := b.Field(0).(array.ListLikeBuilder)
	var patch [width]uint8
	for range rows {
		clear(patch[:])
		h, w := 4+rng.IntN(17), 4+rng.IntN(17)
		top, left := rng.IntN(29-h), rng.IntN(29-w)
		for y := top; y < top+h; y++ {
			for x := left; x < left+w; x++ {
				patch[28*y+x] = uint8(rng.Uint32())
			}
		}
		lists.Append(true)
		switch values := lists.ValueBuilder().(type) {
		case *array.Uint8Builder:
			values.AppendValues(patch[:], nil)
		case *array.Float32Builder:
			values.Reserve(width)
			for _, v := range patch {
				values.UnsafeAppend(float32(v) / 255)
			}
		}
	}
	return b.NewRecordBatch()
}

// measure reads a file in all ways, in turn, and prints its row of the table.
func (f form) measure(name string, rows, runs int) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	readers := []reader{readArrowio, readPqarrow, readChunks}
	var first tally
	for i, read := range readers { // once to compare, untimed
		got := tally{sums: true}
		if err := read(context.Background(), name, &got); err != nil {
			return err
		}
		if i == 0 {
			first = got
		}
		if got != first || got.values != rows*width {
			return fmt.Errorf("reader %d read %+v, the first %+v", i, got, first)
		}
	}
	bytes := float64(rows * width * f.elem().(arrow.FixedWidthDataType).Bytes())
	rates, ratios := make([][]float64, len(readers)), make([]float64, runs)
	for run := range runs {
		for i, read := range readers {
			runtime.GC() // of what the one before left
			begin := time.Now()
			if err := read(context.Background(), name, new(tally)); err != nil {
				return err
			}
			rates[i] = append(rates[i], bytes/time.Since(begin).Seconds()/1e9)
		}
		ratios[run] = rates[0][run] / rates[1][run]
	}
	fmt.Printf("| %s | %s | %s | %.1f | %.2f | %.2f | %.2f | %.1f |\n", f.name, f.codec, f.encoding(), float64(info.Size())/1e6,
		median(rates[0]), median(rates[1]), median(rates[2]), median(ratios))
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
