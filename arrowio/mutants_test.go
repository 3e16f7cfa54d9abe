package arrowio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/arrowio"
)

// A panic in a goroutine of the Arrow library ends the process, whatever is
// recovered here. So damaged files are read in a child of the test process: its
// death is a failure that names the mutant. Run more of them with
//
//	go test ./arrowio -run Mutants -mutants 20000
var mutants = flag.Int("mutants", 60, "damaged variants of each file to read in TestReadMutants")

// childVariable holds "file first count" in the child.
const childVariable = "ARROWIO_TEST_MUTANTS"

// seeds returns the whole files that mutants are made of.
func seeds(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.[pa]*")
	if err != nil || len(files) < 10 {
		t.Fatalf("seeds: %v %v", files, err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".py") })
	dir := t.TempDir()
	for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream} {
		name := filepath.Join(dir, "own-"+string(format))
		rec := sampleBatch(t)
		w, err := arrowio.Create(name, rec.Schema(), arrowio.WriteOptions{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		files = append(files, name)
	}
	return files
}

func TestReadMutants(t *testing.T) {
	t.Parallel()
	for _, file := range seeds(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			const lot = 2000
			for first := 0; first < *mutants; first += lot {
				readMutants(t, file, first, min(lot, *mutants-first))
			}
		})
	}
}

func readMutants(t *testing.T, file string, first, count int) {
	t.Helper()
	limit := time.Minute + time.Duration(count)*200*time.Millisecond
	out, err := runChild(limit, "TestMutantChild", fmt.Sprintf("%s=%s %d %d", childVariable, file, first, count))
	if err == nil {
		return
	}
	last := -1
	for _, m := range regexp.MustCompile(`(?m)^mutant (\d+)$`).FindAllSubmatch(out, -1) {
		last, _ = strconv.Atoi(string(m[1]))
	}
	out = regexp.MustCompile(`(?m)^(mutant \d+|=== .*)\n`).ReplaceAll(out, nil)
	if len(out) > 6000 {
		out = out[:6000]
	}
	t.Fatalf("mutant %d of %s: %v\n%s", last, file, err, out)
}

// runChild runs one test in a process of its own, with one more variable in
// its environment. It returns what the process printed, and an error if it
// failed, died or took longer than limit.
func runChild(limit time.Duration, test, variable string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %v", limit)
	}
	return out, err
}

// TestMutantChild reads mutants in a process of its own.
func TestMutantChild(t *testing.T) {
	var file string
	var first, count int
	if n, _ := fmt.Sscanf(os.Getenv(childVariable), "%s %d %d", &file, &first, &count); n != 3 {
		t.Skip("runs in a child of TestReadMutants")
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := readAll(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "mutant")
	for i := first; i < first+count; i++ {
		fmt.Printf("mutant %d\n", i)
		b := mutate(whole, rand.New(rand.NewPCG(uint64(i), 0)))
		if bytes.Equal(b, whole) {
			continue
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		before := allocated()
		rows, err := readAll(name)
		if used := allocated() - before; used > 256<<20 {
			t.Errorf("mutant %d: %d MiB allocated for a file of %d bytes; %v", i, used>>20, len(b), err)
		}
		var at *arrowio.FileError
		switch {
		case err == nil && rows != want:
			t.Errorf("mutant %d: %d rows, expected %d or an error", i, rows, want)
		case err != nil && !errors.As(err, &at):
			t.Errorf("mutant %d: %v does not name the file", i, err)
		case err != nil && (at.File != name || strings.Contains(err.Error(), "\n")):
			t.Errorf("mutant %d: %q", i, err)
		}
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// readAll reads every value of a file and returns the number of rows.
func readAll(name string) (int64, error) {
	src, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		return 0, err
	}
	defer src.Close()
	r, err := src.Reader(context.Background(), nil)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rec := r.RecordBatch()
		rows += rec.NumRows()
		for _, c := range rec.Columns() {
			touch(c)
		}
	}
	return rows, r.Err()
}

// touch reads every value of an array, as code that trusts it would.
func touch(a arrow.Array) {
	if ext, ok := a.(array.ExtensionArray); ok {
		a = ext.Storage() // not every one has texts
	}
	n := 0
	for i := range a.Len() {
		n += len(a.ValueStr(i))
	}
	runtime.KeepAlive(n)
}

// mutate damages a file: bytes anywhere, numbers in the places where formats
// keep them, its length.
func mutate(whole []byte, rng *rand.Rand) []byte {
	b := slices.Clone(whole)
	parquet := bytes.HasPrefix(b, []byte("PAR1"))
	for range 1 + rng.IntN(3)*rng.IntN(2) {
		if len(b) < 32 {
			break
		}
		at := rng.IntN(len(b) - 8)
		switch k := rng.IntN(12); {
		case k == 0:
			b = b[:rng.IntN(len(b))]
		case k == 1:
			b[at] ^= 1 << rng.IntN(8)
		case k == 2:
			b[at] = byte(rng.Uint32())
		case k == 3:
			n := 1 + rng.IntN(16)
			b = slices.Delete(b, at, min(at+n, len(b)))
		case k == 4:
			b = slices.Insert(b, at, b[at:min(at+1+rng.IntN(16), len(b))]...)
		case k == 5:
			putNumber(b[at&^3:], rng)
		case parquet && k < 10:
			b = mutateFooter(b, rng)
		case parquet:
			mutatePage(b, rng)
		default:
			mutateMetadata(b, rng)
		}
	}
	return b
}

var numbers = []int64{0, 1, -1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 1000, 1 << 15, 1 << 16, 1 << 24, 1<<30 - 1, 1 << 30, 1<<31 - 1, -1 << 31, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 40, 1<<62 - 1, 1<<63 - 1, -1 << 63}

func putNumber(b []byte, rng *rand.Rand) {
	v := uint64(numbers[rng.IntN(len(numbers))])
	if rng.IntN(2) == 0 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, v)
	} else if len(b) >= 4 {
		binary.LittleEndian.PutUint32(b, uint32(v))
	}
}

// mutateFooter changes a number, a type or a text in a Parquet footer, and
// keeps the footer's length right.
func mutateFooter(b []byte, rng *rand.Rand) []byte {
	size := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	if size > len(b)-12 || size < 4 {
		return b
	}
	from, end := len(b)-8-size, len(b)-8
	footer := slices.Clone(b[from:end])
	if m := regexp.MustCompile(`ARROW:schema.{1,3}?([A-Za-z0-9+/]{40,}=*)`).FindSubmatchIndex(footer); m != nil && rng.IntN(3) == 0 {
		schema, err := base64.StdEncoding.DecodeString(string(footer[m[2]:m[3]]))
		if err == nil {
			mutateMetadata(schema, rng)
			copy(footer[m[2]:m[3]], base64.StdEncoding.EncodeToString(schema))
		}
	} else {
		places := varints(footer)
		if len(places) == 0 {
			return b
		}
		p := places[rng.IntN(len(places))]
		if rng.IntN(4) == 0 && p.head > 0 {
			footer[p.head] ^= 1 << rng.IntN(8)
		} else {
			v, _ := binary.Uvarint(footer[p.from:])
			switch rng.IntN(3) {
			case 0:
				v = uint64(numbers[rng.IntN(len(numbers))])
			case 1:
				v += uint64(rng.IntN(9)) - 4
			default:
				v ^= 1 << rng.IntN(40)
			}
			footer = slices.Replace(footer, p.from, p.end, binary.AppendUvarint(nil, v)...)
		}
	}
	out := append(slices.Clone(b[:from]), footer...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(footer)))
	return append(out, b[len(b)-4:]...)
}

// mutatePage changes a number in what looks like the header of a page. It keeps
// all places.
func mutatePage(b []byte, rng *rand.Rand) {
	var at []int
	for i := 4; i+8 < len(b); i++ {
		// Page type, then two sizes: the fields 1, 2 and 3, all 32-bit
		// integers.
		if b[i] == 0x15 && b[i+1] <= 6 && b[i+1]%2 == 0 && b[i+2] == 0x15 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return
	}
	i := at[rng.IntN(len(at))]
	places := varints(b[i:min(len(b), i+60)])
	if len(places) == 0 {
		return
	}
	p := places[rng.IntN(min(len(places), 10))]
	v, n := binary.Uvarint(b[i+p.from:])
	if rng.IntN(2) == 0 {
		v = uint64(numbers[rng.IntN(len(numbers))])
	} else {
		v += uint64(rng.IntN(5)) - 2
	}
	enc := binary.AppendUvarint(nil, v)
	copy(b[i+p.from:i+p.from+n], enc[:min(n, len(enc))])
	if n < len(enc) { // cut: end it here
		b[i+p.from+n-1] &= 0x7f
	}
}

// mutateMetadata changes a number in flatbuffers, which lie on multiples of
// four.
func mutateMetadata(b []byte, rng *rand.Rand) {
	if len(b) < 64 {
		return
	}
	at := rng.IntN(len(b)-8) &^ 3
	switch rng.IntN(3) {
	case 0:
		putNumber(b[at:], rng)
	case 1:
		binary.LittleEndian.PutUint32(b[at:], binary.LittleEndian.Uint32(b[at:])+uint32(rng.IntN(65))-32)
	default:
		binary.LittleEndian.PutUint16(b[at:], uint16(rng.IntN(64)))
	}
}

type place struct{ head, from, end int } // of a number, and of the byte with its type

// varints finds the numbers in Thrift compact bytes.
func varints(b []byte) []place {
	f := &finder{b: b}
	f.fields()
	return f.found
}

type finder struct {
	b     []byte
	pos   int
	found []place
}

// number reads a number, whose type is at head.
func (f *finder) number(head int) uint64 {
	if f.pos >= len(f.b) {
		return 0
	}
	v, n := binary.Uvarint(f.b[f.pos:])
	if n <= 0 {
		f.pos = len(f.b)
		return 0
	}
	f.found = append(f.found, place{head, f.pos, f.pos + n})
	f.pos += n
	return v
}

func (f *finder) fields() {
	for f.pos < len(f.b) {
		head := f.pos
		h := f.b[f.pos]
		f.pos++
		if h&15 == 0 {
			return
		}
		if h>>4 == 0 {
			f.number(head)
		}
		f.value(h&15, head)
	}
}

func (f *finder) value(typ byte, head int) {
	switch typ {
	case 1, 2:
	case 3:
		f.pos++
	case 4, 5, 6:
		f.number(head)
	case 7:
		f.pos += 8
	case 8:
		f.pos += int(min(f.number(head), uint64(len(f.b))))
	case 9, 10:
		f.list()
	case 12:
		f.fields()
	default:
		f.pos = len(f.b)
	}
}

func (f *finder) list() {
	if f.pos >= len(f.b) {
		return
	}
	head := f.pos
	h := f.b[f.pos]
	f.pos++
	n := uint64(h >> 4)
	if n == 15 {
		n = f.number(head)
	}
	for range min(n, uint64(len(f.b))) {
		if f.pos >= len(f.b) {
			return
		}
		if h&15 <= 2 {
			f.pos++
		} else {
			f.value(h&15, head)
		}
	}
}

// A fuzzed input is read in a worker process of the fuzzer, which outlives
// nothing that kills it, and says so.
func fuzzRead(f *testing.F, want func(name string) bool) {
	for _, file := range seeds(f) {
		if b, err := os.ReadFile(file); err != nil {
			f.Fatal(err)
		} else if want(file) {
			f.Add(b)
		}
	}
	name := filepath.Join(f.TempDir(), "input")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var at *arrowio.FileError
		if _, err := readAll(name); err != nil && !errors.As(err, &at) {
			t.Errorf("%v does not name the file", err)
		}
	})
}

func FuzzReadParquet(f *testing.F) {
	fuzzRead(f, func(name string) bool { return strings.Contains(name, "parquet") })
}

func FuzzReadIPC(f *testing.F) {
	fuzzRead(f, func(name string) bool { return !strings.Contains(name, "parquet") })
}
