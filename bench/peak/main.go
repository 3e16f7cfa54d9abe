// Command peak compares the most memory that fits take with what can be counted
// beforehand.
//
//	go run ./bench/peak [-run REGEXP]
//
// It builds the program, writes files, fits models to them and prints a line
// for each: what is counted, the peak of the resident set, and how much more
// that is. Counted are the peak of aefeat --version, what package stage lists
// (training, preprocessing, kept rows, rows on their way), what inspect says
// that reading the file holds, and two batches of 8 MiB. It needs Linux.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
)

const mib = 1 << 20

// A fit is one of a file.
type fit struct {
	name    string
	file    file
	hidden  int
	epochs  int
	flags   string
	rule    string // of preprocessing
	lbfgs   bool
	holdOut bool
	memory  int64 // for kept rows; 0: they fit
}

// A file has rows of random pixels, most of them 0, as images of strokes have.
type file struct {
	rows, width int
	value       int64          // bytes: 1 for uint8, 4 and 8 for floats
	columns     bool           // one for each pixel
	format      arrowio.Format // "": Parquet
	group       int64          // bytes of a row group, or of a batch
}

var (
	digits = file{rows: 60_000, width: 784, value: 1, group: 64 * mib}
	floats = file{rows: 60_000, width: 784, value: 4, group: 64 * mib}
)

var fits = []fit{
	{name: "784-196, one epoch", file: digits, hidden: 196, epochs: 1},
	{name: "784-196, rows in memory", file: digits, hidden: 196, epochs: 2},
	{name: "784-196, spilled", file: digits, hidden: 196, epochs: 2, flags: "--memory 16MiB", memory: 16 * mib},
	{name: "784-196, float32 in memory", file: floats, hidden: 196, epochs: 2},
	{name: "784-196, validation", file: digits, hidden: 196, epochs: 2, flags: "--validation 0.2", holdOut: true},
	{name: "784-196, zca", file: digits, hidden: 196, epochs: 2, flags: "--preprocess zca", rule: model.PreprocessZCA},
	{name: "784-196, lbfgs", file: digits, hidden: 196, epochs: 4, flags: "--optimizer lbfgs", lbfgs: true},
	{name: "3072-1000", file: file{rows: 6000, width: 3072, value: 1, group: 64 * mib}, hidden: 1000, epochs: 2},
	{name: "9,000 columns, 196 units", file: file{rows: 2000, width: 9000, value: 1, columns: true, group: 64 * mib}, hidden: 196, epochs: 1},
	{name: "784-196, row groups of 188 MB", file: file{rows: 60_000, width: 784, value: 4, group: 1024 * mib}, hidden: 196, epochs: 1},
	{name: "784-196, row groups of 376 MB", file: file{rows: 60_000, width: 784, value: 8, group: 1024 * mib}, hidden: 196, epochs: 1},
	{name: "784-196, stream, batches of 188 MB", file: file{rows: 60_000, width: 784, value: 4, format: arrowio.Stream, group: 1024 * mib}, hidden: 196, epochs: 1},
	{name: "784-196, stream, batches of 376 MB", file: file{rows: 60_000, width: 784, value: 8, format: arrowio.Stream, group: 1024 * mib}, hidden: 196, epochs: 1},
}

func main() {
	log.SetFlags(0)
	pattern := flag.String("run", "", "fits whose names this expression matches")
	// The system counts the memory of whoever starts a program as its own.
	write := flag.Int("write", -1, "write the file of the fit of this number, and do nothing else")
	flag.Parse()
	if *write >= 0 {
		held, err := fits[*write].file.write(flag.Arg(0))
		if err != nil {
			log.Fatal("peak: ", err)
		}
		fmt.Println(held)
		return
	}
	if err := measure(regexp.MustCompile(*pattern)); err != nil {
		log.Fatal("peak: ", err)
	}
}

func measure(which *regexp.Regexp) error {
	dir, err := os.MkdirTemp("", "peak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "aefeat")
	build := exec.Command("go", "build", "-o", program, "./cmd/aefeat")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the program: %w", err)
	}
	floor, err := peak(program, "--version")
	if err != nil {
		return err
	}
	fmt.Println("| fit | counted | peak | more |\n|---|---|---|---|")
	for i, f := range fits {
		if !which.MatchString(f.name) {
			continue
		}
		name := filepath.Join(dir, "x")
		out, err := exec.Command(os.Args[0], "-write", fmt.Sprint(i), name).Output()
		if err != nil {
			return fmt.Errorf("writing a file: %w", err)
		}
		held, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			return err
		}
		args := strings.Fields(fmt.Sprintf("fit --quiet --hidden %d --epochs %d %s -o %s %s", f.hidden, f.epochs, f.flags, filepath.Join(dir, "m"), name))
		most, err := peak(program, args...)
		if err != nil {
			return err
		}
		counted := floor + held + f.counted()
		fmt.Printf("| %s | %d MiB | %d MiB | %+.0f%% |\n", f.name, counted/mib, most/mib, 100*(float64(most)/float64(counted)-1))
	}
	return nil
}

// peak returns the largest resident set of a command in bytes.
func peak(program string, args ...string) (int64, error) {
	c := exec.Command(program, args...)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("aefeat %s: %w", strings.Join(args, " "), err)
	}
	return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, nil
}

// counted is what package stage lists, and two batches.
func (f fit) counted() int64 {
	if f.rule == "" {
		f.rule = model.PreprocessScale
	}
	config, err := model.ForObjective("sparse", f.hidden, f.rule)
	if err != nil {
		log.Fatal(err)
	}
	config.Inputs = f.file.width
	train := model.TrainOptions{Validate: f.holdOut}
	if f.lbfgs {
		train.Optimizer = model.LBFGS
	}
	train, err = train.WithDefaults(config, f.rule)
	if err != nil {
		log.Fatal(err)
	}
	row := int64(f.file.width) * f.file.value
	total := train.Memory(config) + model.Preprocess{Method: f.rule}.Memory(f.file.width) + max(4*mib, 4*row) + 2*8*mib
	if f.holdOut {
		total += 1024 * 4 * int64(2*f.file.width+f.hidden)
	}
	if f.epochs > 1 {
		rows := int64(f.file.rows) * (row + 12)
		if f.memory > 0 {
			rows = f.memory
		}
		total += rows
	}
	return total
}

// write writes the file, and returns what reading it holds.
func (f file) write(name string) (held int64, err error) {
	element := map[int64]arrow.DataType{1: arrow.PrimitiveTypes.Uint8, 4: arrow.PrimitiveTypes.Float32, 8: arrow.PrimitiveTypes.Float64}[f.value]
	fields := []arrow.Field{{Name: "image", Type: arrow.FixedSizeListOfNonNullable(int32(f.width), element)}}
	if f.columns {
		fields = nil
		for i := range f.width {
			fields = append(fields, arrow.Field{Name: fmt.Sprint("p", i), Type: element})
		}
	}
	w, err := arrowio.Create(name, arrow.NewSchema(fields, nil), arrowio.WriteOptions{RowGroupBytes: f.group, Format: f.format})
	if err != nil {
		return 0, err
	}
	defer w.Abort()
	b := array.NewRecordBuilder(memory.DefaultAllocator, w.Schema())
	random := rand.New(rand.NewPCG(1, 2))
	for range f.rows {
		f.row(b, random)
	}
	batch := b.NewRecordBatch()
	if err := w.Write(batch); err != nil {
		return 0, err
	}
	batch.Release()
	if err := w.Close(); err != nil {
		return 0, err
	}
	info, err := arrowio.Inspect(name, arrowio.OpenOptions{})
	if err != nil {
		return 0, err
	}
	return info.Held, nil
}

func (f file) row(b *array.RecordBuilder, random *rand.Rand) {
	values := b.Field(0)
	if list, ok := values.(*array.FixedSizeListBuilder); ok {
		list.Append(true)
		values = list.ValueBuilder()
	}
	for i := range f.width {
		if f.columns {
			values = b.Field(i)
		}
		pixel := max(0, random.IntN(1280)-1024)
		switch v := values.(type) {
		case *array.Uint8Builder:
			v.Append(uint8(pixel))
		case *array.Float32Builder:
			v.Append(float32(pixel) / 255)
		case *array.Float64Builder:
			v.Append(float64(pixel) / 255)
		}
	}
}
