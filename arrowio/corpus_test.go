package arrowio_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/aefeat/aefeat/arrowio"
)

// A corpus is a folder of files that other programs wrote, good ones and
// damaged ones, such as checkouts of apache/parquet-testing and
// apache/arrow-testing, named by an absolute path:
//
//	go test ./arrowio -run Corpus -corpus DIR -v
//
// Every file is read whole in a process of its own. With -v there is a line
// for each, and a table at the end.
var corpus = flag.String("corpus", "", "folder of files to read in TestCorpus")

// corpusVariable holds the name of the file in the child.
const corpusVariable = "ARROWIO_TEST_CORPUS"

const (
	// corpusDeadline is far above what the slowest file takes, which is under
	// a second, so that only a hang reaches it on a busy machine.
	corpusDeadline = time.Minute

	// corpusMemory bounds what a child may have in use. The largest file of
	// the two corpora has 1 MiB, and none takes more than 64.
	corpusMemory = 256 << 20
)

// A verdict is what became of a file.
type verdict struct {
	Rows   int64
	Err    string // "": read to its end
	Named  bool   // the error is one of a file
	Memory uint64 // most in use, bytes

	path  string // below the folder
	death string // "": the child ended well
}

func TestCorpus(t *testing.T) {
	if *corpus == "" {
		t.Skip("no corpus: give a folder with -corpus DIR")
	}
	var verdicts []verdict
	err := filepath.WalkDir(*corpus, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !ofCorpus(t, name) {
			return nil
		}
		rel, err := filepath.Rel(*corpus, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		verdicts = append(verdicts, readInChild(name, rel))
		if other := withMagic(t, name); fuzzed(d.Name()) && other != "" {
			verdicts = append(verdicts, readInChild(other, "with magic/"+rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(verdicts) == 0 {
		t.Fatalf("%s has no Parquet and no Arrow files", *corpus)
	}
	for _, v := range verdicts {
		t.Log(v)
		v.judge(t)
	}
	t.Log("\n" + table(verdicts))
}

// ofCorpus says whether the name or the first bytes of a file are those of
// Parquet or Arrow, or whether it is one that a fuzzer found.
func ofCorpus(t *testing.T, name string) bool {
	t.Helper()
	base := filepath.Base(name)
	if strings.HasSuffix(base, ".json") || strings.HasSuffix(base, ".gz") {
		return false
	}
	for _, part := range []string{".parquet", ".arrow", ".stream", ".feather"} {
		if strings.Contains(base, part) {
			return true
		}
	}
	if fuzzed(base) {
		return true
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 6)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	for _, magic := range []string{"PAR1", "PARE", "ARROW1", "\xff\xff\xff\xff"} {
		if bytes.HasPrefix(head[:n], []byte(magic)) {
			return true
		}
	}
	return false
}

// fuzzed says whether a fuzzer made a file: nobody knows what it should give.
func fuzzed(base string) bool {
	return strings.HasPrefix(base, "crash-") || strings.HasPrefix(base, "clusterfuzz-")
}

// withMagic returns the name of a copy that has the first bytes of its format,
// where only the last ones say what a file is: other readers look at these
// alone, and so the fuzzers of these readers made many such files. "": it
// needs none.
func withMagic(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, magic := range []string{"PAR1", "ARROW1"} {
		if bytes.HasSuffix(b, []byte(magic)) && !bytes.HasPrefix(b, []byte(magic)) {
			copy(b, magic)
			other := filepath.Join(t.TempDir(), filepath.Base(name))
			if err := os.WriteFile(other, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return other
		}
	}
	return ""
}

func readInChild(name, path string) verdict {
	v := verdict{path: path}
	out, err := runChild(corpusDeadline, "TestCorpusChild", corpusVariable+"="+name)
	_, line, found := bytes.Cut(out, []byte("verdict "))
	if err == nil && !found {
		err = errors.New("no verdict")
	}
	if err == nil {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		err = json.Unmarshal(line, &v)
	}
	if err != nil {
		v.death = fmt.Sprintf("%v\n%s", err, out[:min(len(out), 4000)])
	}
	return v
}

// TestCorpusChild reads one file in a process of its own.
func TestCorpusChild(t *testing.T) {
	name := os.Getenv(corpusVariable)
	if name == "" {
		t.Skip("runs in a child of TestCorpus")
	}
	most := watchMemory()
	var v verdict
	var err error
	if v.Rows, err = readAll(name); err != nil {
		v.Err = err.Error()
		if at := (*arrowio.FileError)(nil); errors.As(err, &at) {
			v.Err = at.Err.Error()
			v.Named = at.File == name
		}
	}
	v.Memory = most()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nverdict %s\n", b)
}

// watchMemory ends the process when it uses more than it may. The function
// that it returns ends the watch and tells the most that was seen.
func watchMemory() func() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	end, most := make(chan struct{}), make(chan uint64)
	go func() {
		highest := uint64(0)
		for done := false; !done; {
			select {
			case <-end:
				done = true
			case <-time.After(time.Millisecond):
			}
			metrics.Read(s)
			highest = max(highest, s[0].Value.Uint64()-s[1].Value.Uint64())
			if highest > corpusMemory {
				fmt.Printf("%d MiB of memory in use\n", highest>>20)
				os.Exit(3)
			}
		}
		most <- highest
	}()
	return func() uint64 {
		close(end)
		return <-most
	}
}

// String is a line of the log: what became of the file, and its path.
func (v verdict) String() string {
	switch {
	case v.death != "":
		return fmt.Sprintf("died\t%s", v.path)
	case v.Err != "":
		return fmt.Sprintf("%s\t%s\t%d MiB\t%s", v.kind(), v.path, v.Memory>>20, v.Err)
	}
	return fmt.Sprintf("read\t%s\t%d MiB\t%d rows", v.path, v.Memory>>20, v.Rows)
}

// kind is the column of the table that a file is counted in.
func (v verdict) kind() string {
	switch {
	case v.death != "":
		return "died"
	case v.Err == "":
		return "read"
	case damagedText(v.Err):
		return "damaged"
	}
	return "refused"
}

// damagedText says whether an error calls a file damaged.
func damagedText(s string) bool {
	return strings.Contains(s, "damaged") || strings.Contains(s, "truncated")
}

// bad says whether a file is meant to be damaged.
func (v verdict) bad() bool {
	if path.Base(v.path) == "ARROW-GH-43605.parquet" {
		// Its dictionary indexes take no bits, which a dictionary of one value
		// allows: a reader failed over it, and it is whole.
		return false
	}
	return strings.Contains(v.path, "bad_data/") || strings.Contains(v.path, "corrupt")
}

// invalid says whether the values of a file are meant to break the rules of
// their type. A reader that knows the type may refuse it.
func (v verdict) invalid() bool { return strings.Contains(v.path, "INVALID") }

func (v verdict) judge(t *testing.T) {
	t.Helper()
	name := filepath.Join(*corpus, filepath.FromSlash(v.path))
	switch {
	case v.death != "":
		t.Errorf("%s: %s", v.path, v.death)
	case v.Err != "" && (!v.Named || strings.Contains(v.Err, "\n")):
		t.Errorf("%s: %q is not the error of a file", v.path, v.Err)
	case fuzzed(path.Base(v.path)), v.invalid():
	case v.bad():
		if v.Err == "" {
			t.Errorf("%s: a damaged file was read: %d rows", v.path, v.Rows)
		}
	case v.Err != "":
		if damagedText(v.Err) {
			t.Errorf("%s: a good file is called damaged: %s", v.path, v.Err)
		}
	default:
		want, known, err := expectedRows(name)
		if err != nil {
			t.Errorf("%s: %v", v.path, err)
		} else if known && v.Rows != want {
			t.Errorf("%s: %d rows, expected %d", v.path, v.Rows, want)
		}
	}
}

// expectedRows asks others how many rows a good file has: the library, which
// reads the footer of a Parquet file, and the JSON that lies beside the Arrow
// files of the integration tests.
func expectedRows(name string) (int64, bool, error) {
	if ext := filepath.Ext(name); ext == ".parquet" {
		rows, known := footerRows(name)
		return rows, known, nil
	} else if ext != ".arrow_file" && ext != ".stream" {
		return 0, false, nil
	}
	f, err := os.Open(strings.TrimSuffix(name, filepath.Ext(name)) + ".json.gz")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return 0, false, err
	}
	var doc struct{ Batches []struct{ Count int64 } }
	if err := json.NewDecoder(z).Decode(&doc); err != nil {
		return 0, false, err
	}
	rows := int64(0)
	for _, b := range doc.Batches {
		rows += b.Count
	}
	return rows, true, nil
}

// footerRows asks the library, which panics over some good files.
func footerRows(name string) (rows int64, known bool) {
	defer func() {
		if recover() != nil {
			rows, known = 0, false
		}
	}()
	r, err := file.OpenParquetFile(name, false)
	if err != nil {
		return 0, false
	}
	defer r.Close()
	for i := range r.NumRowGroups() { // old writers left out the sum
		rows += r.RowGroup(i).NumRows()
	}
	return rows, true
}

// table counts the files of every folder by what became of them.
func table(verdicts []verdict) string {
	kinds := []string{"read", "refused", "damaged", "died"}
	counts := map[string]map[string]int{}
	for _, v := range verdicts {
		for _, folder := range []string{path.Dir(v.path), "~all"} { // last in order
			if counts[folder] == nil {
				counts[folder] = map[string]int{}
			}
			counts[folder][v.kind()]++
			counts[folder]["files"]++
		}
	}
	var folders []string
	for folder := range counts {
		folders = append(folders, folder)
	}
	slices.SortFunc(folders, cmp.Compare[string])
	var b strings.Builder
	row := func(folder string, cell func(kind string) any) {
		fmt.Fprintf(&b, "%-72s", strings.TrimPrefix(folder, "~"))
		for _, kind := range append([]string{"files"}, kinds...) {
			fmt.Fprintf(&b, "%9v", cell(kind))
		}
		b.WriteByte('\n')
	}
	row("folder", func(kind string) any { return kind })
	for _, folder := range folders {
		row(folder, func(kind string) any { return counts[folder][kind] })
	}
	return b.String()
}
