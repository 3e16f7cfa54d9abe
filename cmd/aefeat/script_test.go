package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	testflag "flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aefeat/aefeat/testdata"
)

// TestMain makes the test binary stand in for aefeat, real main and all. Half
// of the time scripts wait for a process, a signal or the disk, so twice as many
// run at a time as would otherwise.
func TestMain(m *testing.M) {
	if err := testflag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"aefeat": main,
		// Does what aefeat does, but for a demo that learns little and fast.
		"aefeat-quick": func() {
			demoEpochs, demoTrain = 2, testdata.DigitsTest
			main()
		},
	})
}

// TestScript runs the scripts in testdata. Beside the usual commands they
// have:
//
//	status N COMMAND...      run a command, which must exit with status N
//	events N CODE COMMAND... run a command, aefeat with --progress json: it
//	                         must exit with status N and say nothing but events
//	                         on standard error, the last an error of that code;
//	                         or if CODE is done, that it is done
//	patches FILE [KEY=VALUE...]  make a data file; see patchSpec
//	picture FILE HEIGHT WIDTH  draw a PNG image
//	png FILE                 print the size of a picture and its Go type
//	digits TRAIN TEST        write the embedded digits
//	dataset FILE ROWS        write some of them as datasets of Hugging Face do:
//	                         image, a struct of PNG bytes and a path, and label
//	weights FILE n h [tied]  make a safetensors file of bare tensors
//	rows FILE OUT            write the rows of a data file as JSON lines
//	bare FILE OUT            write them as an IPC stream without metadata
//	cut FILE BYTES           keep the first bytes of a file, or with a minus all
//	                         but the last
//	flip FILE OFFSET         flip a bit of a byte; negative offsets count from
//	                         the end
//	only DIR FILE...         the folder holds these files, in this order, and
//	                         nothing else; .tmp is where TMPDIR points
//	shell OUT PAGE           write the shell commands of a page to a file
//	encoded FILE CELL...     write rows with encoded images; see writeEncoded
//	tensors FILE OUT         write the tensors of a model, without its settings
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Condition: func(name string) (bool, error) {
			// These tests, and what they run, were told to survive a hangup.
			if name == "nohup" {
				return signal.Ignored(syscall.SIGHUP), nil
			}
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  runStatus,
			"events":  runEvents,
			"patches": makePatches,
			"picture": drawPicture,
			"png":     describePNG,
			"digits":  writeDigits,
			"dataset": writeDataset,
			"weights": makeWeights,
			"rows":    printRows,
			"bare":    writeBare,
			"cut":     cutFile,
			"flip":    flipBit,
			"only":    onlyFiles,
			"shell":   shellCommands,
			"encoded": writeEncoded,
			"tensors": copyTensors,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOMAXPROCS", "2") // same.txtar changes it
			e.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}

func runStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func runEvents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: events N CODE COMMAND...")
	}
	status, want, command := args[0], args[1], args[2:]
	if command[0] == "aefeat" {
		command = append(slices.Clone(command), "--progress=json")
	}
	runStatus(ts, false, append([]string{status}, command...))
	dones, last := 0, event{}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		var err error
		if last, err = parseEvent(line); err != nil {
			ts.Fatalf("%v: %s", err, line)
		}
		if last.Event == "done" {
			dones++
		}
	}
	if want == "done" && (last.Event != "done" || dones != 1 && !strings.Contains(command[1], "demo")) {
		ts.Fatalf("done %d times, and the last event is %+v", dones, last)
	}
	if want != "done" && (last.Event != "error" || string(last.Code) != want || fmt.Sprint(last.Code.status()) != status || dones > 0) {
		ts.Fatalf("done %d times, and the last event is %+v", dones, last)
	}
}

// An event is what programs read of any.
type event struct {
	Event   string
	Code    code
	Message string
	Hints   []string
}

// parseEvent reads a line of standard error. Errors and warnings must have all
// their fields, and codes of the table.
func parseEvent(line string) (e event, err error) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return e, err
	}
	switch e.Event {
	case "progress", "epoch", "checkpoint", "model", "trial", "file", "done", "note":
	case "error", "warning":
		for _, name := range []string{"code", "file", "column", "row", "message", "hints"} {
			if _, ok := fields[name]; !ok {
				return e, fmt.Errorf("no field %s", name)
			}
		}
		known := slices.IndexFunc(codeTable, func(row codeRow) bool { return row.code == e.Code })
		switch {
		case e.Message == "" || strings.HasPrefix(e.Message, "aefeat:"):
			return e, errors.New("no plain message")
		case known < 0 || (codeTable[known].status == exitDone) != (e.Event == "warning"):
			return e, fmt.Errorf("no code of %s: %q", e.Event, e.Code)
		}
	default:
		return e, fmt.Errorf("unknown event %q", e.Event)
	}
	return e, nil
}

func drawPicture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: picture FILE HEIGHT WIDTH")
	}
	height, err := strconv.Atoi(args[1])
	ts.Check(err)
	width, err := strconv.Atoi(args[2])
	ts.Check(err)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, img))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

// describePNG prints the size of a picture and how its pixels are stored.
func describePNG(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: png FILE")
	}
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	img, err := png.Decode(f)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%dx%d %T\n", img.Bounds().Dx(), img.Bounds().Dy(), img)
}

// patchSpec is what the KEY=VALUE pairs of the patches command say.
type patchSpec struct {
	rows, width int
	kind        string // element type
	layout      string // fixed, list, columns, binary, npy, vector (of Spark) or clash
	tensor      string // metadata of arrow.fixed_shape_tensor, of a fixed list
	format      string // parquet, arrow or stream
	batch       int    // rows of a record batch or row group
	column      string
	most        int  // the largest value of uint16
	noEOS       bool // a stream that lacks its end marker

	// first is the number of the first row: a file whose first is the number
	// of rows of another continues that one.
	first int

	// Rows with one fault each, or -1.
	null   int
	nan    int
	ragged int // the patch is too short
	big    int // a value is 1,000, or of float64 3e38

	classes   int    // labels repeat after so many rows; 0: never
	label     string // their type: string, int64, bool, dictionary or float64
	unlabeled int    // this row, or -1, has no label
}

// makePatches writes a data file of smooth pseudo-random patches with the
// columns id (int64), the patch, and label (string). It uses the Arrow
// library only, so that nothing of ours is its own judge.
func makePatches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: patches FILE [KEY=VALUE...]")
	}
	s := patchSpec{rows: 100, width: 16, kind: "uint8", layout: "fixed", format: "parquet", batch: 5000, column: "patch", most: 65535, null: -1, nan: -1, ragged: -1, big: -1, label: "string", unlabeled: -1}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "rows":
			s.rows, err = strconv.Atoi(value)
		case "width":
			s.width, err = strconv.Atoi(value)
		case "batch":
			s.batch, err = strconv.Atoi(value)
		case "first":
			s.first, err = strconv.Atoi(value)
		case "null":
			s.null, err = strconv.Atoi(value)
		case "nan":
			s.nan, err = strconv.Atoi(value)
		case "ragged":
			s.ragged, err = strconv.Atoi(value)
		case "big":
			s.big, err = strconv.Atoi(value)
		case "most":
			s.most, err = strconv.Atoi(value)
		case "classes":
			s.classes, err = strconv.Atoi(value)
		case "unlabeled":
			s.unlabeled, err = strconv.Atoi(value)
		case "label":
			s.label = value
		case "kind":
			s.kind = value
		case "layout":
			s.layout = value
		case "format":
			s.format = value
		case "tensor":
			s.tensor = value
		case "column":
			s.column = value
		case "eos":
			s.noEOS = value == "no"
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		ts.Check(err)
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(s.write(f))
	ts.Check(f.Close())
}

var elementTypes = map[string]arrow.DataType{
	"uint8": arrow.PrimitiveTypes.Uint8, "uint16": arrow.PrimitiveTypes.Uint16, "int32": arrow.PrimitiveTypes.Int32,
	"float32": arrow.PrimitiveTypes.Float32, "float64": arrow.PrimitiveTypes.Float64,
	"bool": arrow.FixedWidthTypes.Boolean, "decimal": &arrow.Decimal128Type{Precision: 38},
}

var vectorType = arrow.StructOf(
	arrow.Field{Name: "type", Type: arrow.PrimitiveTypes.Int8},
	arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	arrow.Field{Name: "indices", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
	arrow.Field{Name: "values", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64), Nullable: true},
)

var labelTypes = map[string]arrow.DataType{
	"string": arrow.BinaryTypes.String, "int64": arrow.PrimitiveTypes.Int64, "bool": arrow.FixedWidthTypes.Boolean,
	"float64":    arrow.PrimitiveTypes.Float64,
	"dictionary": &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
}

// schema returns the fields: id, the patch, label.
func (s patchSpec) schema() *arrow.Schema {
	element := elementTypes[s.kind]
	fields := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}
	switch s.layout {
	case "fixed":
		f := arrow.Field{Name: s.column, Type: arrow.FixedSizeListOfNonNullable(int32(s.width), element), Nullable: s.null >= 0}
		if s.tensor != "" {
			f.Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.fixed_shape_tensor", s.tensor})
		}
		fields = append(fields, f)
	case "list":
		fields = append(fields, arrow.Field{Name: s.column, Type: arrow.ListOf(element), Nullable: true})
	case "binary":
		fields = append(fields, arrow.Field{Name: s.column, Type: &arrow.FixedSizeBinaryType{ByteWidth: s.width}})
	case "npy":
		fields = append(fields, arrow.Field{Name: s.column, Type: arrow.BinaryTypes.Binary})
	case "vector":
		fields = append(fields, arrow.Field{Name: s.column, Type: vectorType})
	case "clash":
		list := arrow.FixedSizeListOf(int32(s.width), element)
		fields = append(fields, arrow.Field{Name: "img", Type: arrow.StructOf(arrow.Field{Name: "px", Type: list})}, arrow.Field{Name: "img.px", Type: list})
	case "columns":
		for j := range s.width {
			fields = append(fields, arrow.Field{Name: s.column + strconv.Itoa(j), Type: element, Nullable: s.null >= 0})
		}
	}
	return arrow.NewSchema(append(fields, arrow.Field{Name: "label", Type: labelTypes[s.label], Nullable: s.unlabeled >= 0}), nil)
}

// value is pixel j of row i, in [0, 1]: a wave whose length and phase hang on
// the row, so that there is something to learn.
func (s patchSpec) value(i, j int) float64 {
	return 0.5 + 0.5*math.Sin(float64(j)*(0.2+float64(i%7)/10)+float64(i*i%31))
}

func (s patchSpec) batches(yield func(arrow.RecordBatch) error) error {
	schema := s.schema()
	for start := 0; start < s.rows; start += s.batch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := start; i < min(start+s.batch, s.rows); i++ {
			s.row(b, i)
		}
		rec := b.NewRecordBatch()
		err := yield(rec)
		rec.Release()
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s patchSpec) row(b *array.RecordBuilder, i int) {
	number := s.first + i
	b.Field(0).(*array.Int64Builder).Append(int64(number))
	last := b.Schema().NumFields() - 1
	s.appendLabel(b.Field(last), number)
	if s.layout == "columns" {
		for j := range s.width {
			if i == s.null && j == 2 {
				b.Field(1 + j).AppendNull()
				continue
			}
			s.append(b.Field(1+j), i, j)
		}
		return
	}
	if i == s.null {
		b.Field(1).AppendNull()
		return
	}
	all := b
	switch b := b.Field(1).(type) {
	case *array.FixedSizeListBuilder:
		b.Append(true)
		for j := range s.width {
			s.append(b.ValueBuilder(), i, j)
		}
	case *array.ListBuilder:
		b.Append(true)
		width := s.width
		if i == s.ragged {
			width--
		}
		for j := range width {
			s.append(b.ValueBuilder(), i, j)
		}
	case *array.BinaryBuilder:
		header := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n", s.width)
		file := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
		file = append(file, header...)
		for j := range s.width {
			file = append(file, byte(255*s.value(number, j)))
		}
		b.Append(file)
	case *array.StructBuilder:
		s.appendStruct(b, i)
		if s.layout == "clash" {
			other := all.Field(2).(*array.FixedSizeListBuilder)
			other.Append(true)
			for j := range s.width {
				s.append(other.ValueBuilder(), i, s.width-j)
			}
		}
	case *array.FixedSizeBinaryBuilder:
		pixels := make([]byte, s.width)
		for j := range pixels {
			pixels[j] = byte(255 * s.value(number, j))
		}
		b.Append(pixels)
	}
}

// appendStruct appends a field px, or a vector, every other one sparse.
func (s patchSpec) appendStruct(b *array.StructBuilder, i int) {
	b.Append(true)
	if list, ok := b.FieldBuilder(0).(*array.FixedSizeListBuilder); ok {
		list.Append(true)
		for j := range s.width {
			s.append(list.ValueBuilder(), i, j)
		}
		return
	}
	sparse := i%2 == 0
	values := b.FieldBuilder(3).(*array.ListBuilder)
	values.Append(true)
	for j := range s.width {
		s.append(values.ValueBuilder(), i, j)
	}
	if !sparse {
		b.FieldBuilder(0).(*array.Int8Builder).Append(1)
		b.FieldBuilder(1).AppendNull()
		b.FieldBuilder(2).AppendNull()
		return
	}
	b.FieldBuilder(0).(*array.Int8Builder).Append(0)
	b.FieldBuilder(1).(*array.Int32Builder).Append(int32(s.width))
	indices := b.FieldBuilder(2).(*array.ListBuilder)
	indices.Append(true)
	for j := range s.width {
		indices.ValueBuilder().(*array.Int32Builder).Append(int32(j))
	}
}

func (s patchSpec) appendLabel(b array.Builder, number int) {
	if number-s.first == s.unlabeled {
		b.AppendNull()
		return
	}
	if s.classes > 0 {
		number %= s.classes
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append("row" + strconv.Itoa(number))
	case *array.Int64Builder:
		// -6, -3, 0, ... 12, which is not the order of their digits.
		b.Append(int64(3 * (number - 2)))
	case *array.BooleanBuilder:
		b.Append(number%2 == 0)
	case *array.Float64Builder:
		b.Append(float64(number))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString("row" + strconv.Itoa(number)); err != nil {
			panic(err)
		}
	}
}

func (s patchSpec) append(b array.Builder, i, j int) {
	x := s.value(s.first+i, j)
	if i == s.nan && j == 3 {
		x = math.NaN()
	}
	if i == s.big && j == 3 {
		x = 1000
	}
	switch b := b.(type) {
	case *array.Uint8Builder:
		b.Append(uint8(255 * x))
	case *array.Uint16Builder:
		b.Append(uint16(float64(s.most) * x))
	case *array.Int32Builder:
		if i == s.big && j == 3 {
			x /= 255
		}
		b.Append(int32(255 * x))
	case *array.BooleanBuilder:
		b.Append(x > 0.5)
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(255 * x)))
	case *array.Float32Builder:
		b.Append(float32(x))
	case *array.Float64Builder:
		if i == s.big && j == 3 {
			x = 3e38
		}
		b.Append(x)
	}
}

func (s patchSpec) write(w io.Writer) error {
	schema := s.schema()
	var writer interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	var err error
	switch s.format {
	case "parquet":
		writer, err = pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, parquet.NewWriterProperties(parquet.WithDictionaryDefault(false)),
			pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	case "arrow":
		writer, err = ipc.NewFileWriter(w, ipc.WithSchema(schema))
	case "stream":
		writer = ipc.NewWriter(w, ipc.WithSchema(schema))
	default:
		err = fmt.Errorf("unknown format %q", s.format)
	}
	if err != nil {
		return err
	}
	if err := s.batches(writer.Write); err != nil {
		return err
	}
	if s.noEOS {
		return nil
	}
	return writer.Close()
}

func writeDigits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: digits TRAIN TEST")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(testdata.DigitsTrain), 0o666))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(testdata.DigitsTest), 0o666))
}

// writeDataset writes Parquet with the Arrow library alone.
func writeDataset(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dataset FILE ROWS")
	}
	m, err := strconv.Atoi(args[1])
	ts.Check(err)
	p, err := file.NewParquetReader(strings.NewReader(testdata.DigitsTrain))
	ts.Check(err)
	r, err := pqarrow.NewFileReader(p, pqarrow.ArrowReadProperties{BatchSize: int64(m)}, memory.DefaultAllocator)
	ts.Check(err)
	batches, err := r.GetRecordReader(context.Background(), nil, nil)
	ts.Check(err)
	if !batches.Next() {
		ts.Fatalf("no digits: %v", batches.Err())
	}
	digits := batches.RecordBatch().NewSlice(0, int64(m))
	pixels := digits.Column(0).(array.ListLike)
	values := pixels.ListValues().(*array.Uint8).Uint8Values()

	schema := arrow.NewSchema([]arrow.Field{
		{Name: "image", Nullable: true, Type: arrow.StructOf(
			arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
			arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})},
		digits.Schema().Field(1),
	}, nil)
	images := array.NewStructBuilder(memory.DefaultAllocator, schema.Field(0).Type.(*arrow.StructType))
	for i := range m {
		from, to := pixels.ValueOffsets(i)
		var b bytes.Buffer
		ts.Check(png.Encode(&b, &image.Gray{Pix: values[from:to], Stride: 28, Rect: image.Rect(0, 0, 28, 28)}))
		images.Append(true)
		images.FieldBuilder(0).(*array.BinaryBuilder).Append(b.Bytes())
		images.FieldBuilder(1).(*array.StringBuilder).Append(strconv.Itoa(i) + ".png")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(), pqarrow.NewArrowWriterProperties())
	ts.Check(err)
	ts.Check(w.Write(array.NewRecordBatch(schema, []arrow.Array{images.NewArray(), digits.Column(1)}, int64(m))))
	ts.Check(w.Close())
}

// makeWeights writes a safetensors file with nothing but tensors, as a user
// of another framework would.
func makeWeights(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: weights FILE N H [tied]")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	h, err := strconv.Atoi(args[2])
	ts.Check(err)
	tensors := []struct {
		name  string
		shape []int
	}{{"encoder.weight", []int{h, n}}, {"encoder.bias", []int{h}}, {"decoder.weight", []int{n, h}}, {"decoder.bias", []int{n}}}
	header := map[string]any{}
	var data []byte
	for _, t := range tensors {
		if len(args) > 3 && t.name == "decoder.weight" {
			continue
		}
		start, size := len(data), 1
		for _, d := range t.shape {
			size *= d
		}
		for i := range size {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(0.3*math.Sin(float64(start+i)))))
		}
		header[t.name] = map[string]any{"dtype": "F32", "shape": t.shape, "data_offsets": []int{start, len(data)}}
	}
	text, err := json.Marshal(header)
	ts.Check(err)
	whole := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(append(whole, text...), data...), 0o666))
}

// printRows prints a data file with the Arrow library alone, whatever its
// format.
func printRows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rows FILE OUT")
	}
	var out bytes.Buffer
	eachBatch(ts, args[0], func(rec arrow.RecordBatch) { ts.Check(array.RecordToJSON(rec, &out)) })
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o666))
}

// writeBare writes a data file as a stream, without any metadata.
func writeBare(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bare FILE OUT")
	}
	var out bytes.Buffer
	var w *ipc.Writer
	eachBatch(ts, args[0], func(rec arrow.RecordBatch) {
		fields := rec.Schema().Fields()
		for i := range fields {
			fields[i].Metadata = arrow.Metadata{}
		}
		schema := arrow.NewSchema(fields, nil)
		if w == nil {
			w = ipc.NewWriter(&out, ipc.WithSchema(schema))
		}
		ts.Check(w.Write(array.NewRecordBatch(schema, rec.Columns(), rec.NumRows())))
	})
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o666))
}

// eachBatch reads a data file with the Arrow library alone.
func eachBatch(ts *testscript.TestScript, name string, each func(arrow.RecordBatch)) {
	f, err := os.Open(ts.MkAbs(name))
	ts.Check(err)
	defer f.Close()
	var magic [4]byte
	_, err = f.ReadAt(magic[:], 0)
	ts.Check(err)
	switch string(magic[:]) {
	case "PAR1":
		p, err := file.NewParquetReader(f)
		ts.Check(err)
		r, err := pqarrow.NewFileReader(p, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		ts.Check(err)
		table, err := r.ReadTable(context.Background())
		ts.Check(err)
		defer table.Release()
		tr := array.NewTableReader(table, 0)
		defer tr.Release()
		for tr.Next() {
			each(tr.RecordBatch())
		}
	case "ARRO":
		r, err := ipc.NewFileReader(f)
		ts.Check(err)
		for i := range r.NumRecords() {
			rec, err := r.RecordBatch(i)
			ts.Check(err)
			each(rec)
		}
	default:
		r, err := ipc.NewReader(f)
		ts.Check(err)
		for r.Next() {
			each(r.RecordBatch())
		}
		ts.Check(r.Err())
	}
}

func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	name := ts.MkAbs(args[0])
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	if n < 0 {
		info, err := os.Stat(name)
		ts.Check(err)
		n += info.Size()
	}
	ts.Check(os.Truncate(name, n))
}

func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if n < 0 {
		n += len(data)
	}
	data[n] ^= 0x10
	ts.Check(os.WriteFile(name, data, 0o666))
}

// shellCommands collects the blocks of shell in a page, README.md or one of
// docs.
func shellCommands(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shell OUT PAGE")
	}
	text, err := os.ReadFile("../../" + args[1])
	ts.Check(err)
	var commands strings.Builder
	for i, block := range strings.Split(string(text), "```") {
		if lines, ok := strings.CutPrefix(block, "sh\n"); ok && i%2 == 1 {
			commands.WriteString(lines)
		}
	}
	if commands.Len() == 0 {
		ts.Fatalf("%s shows no commands", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(commands.String()), 0o666))
}

// onlyFiles checks what a folder holds, hidden files included: nothing must be
// left behind.
func onlyFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: only DIR FILE...")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if got, want := strings.Join(have, " "), strings.Join(args[1:], " "); got != want {
		ts.Fatalf("%s holds %q, want %q", args[0], got, want)
	}
}
