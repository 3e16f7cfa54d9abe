package main

import (
	"bytes"
	"context"
	"errors"
	testflag "flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aefeat/aefeat/internal/disk"
)

// These tests let every call of the disk fail, one run of a command for each
// call and each way to fail. Of a command that fails they want an error that
// says where and what, the status of a fault of the machine (or, where a file
// ends early, of the data), outputs that are as they were, and nothing left
// behind: no file, no descriptor, no goroutine. A command that succeeds
// nonetheless must have written the very bytes.

var allFaults = testflag.Bool("faults", false, "inject all faults, not only some of each kind")

// A faulty is a command to which faults happen.
type faulty struct {
	name  string
	args  string // {in} stands for the folder of inputs, {out} for that of outputs
	stdin string // an input; with a bar in front, through a pipe
	fresh bool   // there are no outputs from before
	each  bool   // its outputs appear one by one
	last  bool   // they appear together, and only renames can fail then
	skips bool   // what is damaged is left out
	saves bool   // {out}/c is a checkpoint, from which the fit can go on
	given string // a file of {in} that is in {out}, too
}

var faultyCommands = []faulty{
	{name: "fit", args: "fit --hidden 3 --epochs 2 -o {out}/m {in}/a.parquet"},
	{name: "fit new", args: "fit --hidden 3 --epochs 1 -o {out}/m {in}/a.parquet {in}/large.parquet", fresh: true},
	{name: "fit of a pattern", args: "fit --hidden 3 --epochs 1 -o {out}/m {in}/hive/k=*/*.parquet"},
	{name: "fit of streams", args: "fit --hidden 3 --epochs 1 --init {in}/m -o {out}/m {in}/a.arrow {in}/a.arrows"},
	{name: "fit of a pipe", args: "fit --hidden 3 --epochs 1 -o {out}/m", stdin: "|a.parquet"},
	{name: "fit spilled", args: "fit --hidden 1 --epochs 2 --memory 16MiB -o {out}/m {in}/wide.arrow"},
	{name: "fit --emit", args: "fit --hidden 3 --epochs 1 --emit {out}/f.parquet -o {out}/m {in}/a.parquet", last: true},
	{name: "fit --report", args: "fit --hidden 3 --epochs 1 --report {out}/r.json -o {out}/m {in}/a.parquet", last: true},
	{name: "fit --sweep", args: "fit --sweep hidden=2,3 --epochs 1 -o {out}/s/ {in}/a.parquet", last: true},
	{name: "fit --checkpoint", args: "fit --hidden 3 --epochs 3 --checkpoint {out}/c --checkpoint-every 1ns -o {out}/m {in}/a.parquet", saves: true},
	{name: "fit --resume", args: "fit --resume {out}/c --checkpoint-every 1ns -o {out}/m", given: "c", saves: true},
	{name: "transform", args: "transform -m {in}/m -o {out}/f.parquet {in}/large.parquet"},
	{name: "transform --report", args: "transform --report {out}/r.json -m {in}/m -o {out}/f.parquet {in}/a.parquet {in}/a.arrow", last: true},
	{name: "transform of a file on stdin", args: "transform -m {in}/m -o {out}/f.arrow", stdin: "a.arrow"},
	{name: "transform to stdout", args: "transform -m {in}/m --format stream", stdin: "|a.arrows"},
	{name: "transform of a folder", args: "transform -m {in}/m -o {out}/ {in}/hive", each: true},
	{name: "transform --skip-existing", args: "transform --skip-existing -m {in}/m -o {out}/new/ {in}/hive", fresh: true, each: true},
	{name: "evaluate", args: "evaluate --report {out}/r.json -m {in}/m {in}/a.parquet"},
	{name: "probe", args: "probe --iterations 2 --features patch --test {in}/a.arrow {in}/a.parquet"},
	{name: "inspect", args: "inspect --stats {in}/a.parquet"},
	{name: "inspect a model", args: "inspect --json {in}/m"},
	{name: "filters", args: "filters -m {in}/m -o {out}/f.png"},
	{name: "explain", args: "explain -m {in}/m --top 2 --picture {out}/p.png -o {out}/e.json {in}/a.parquet", last: true},
	{name: "export", args: "export --onnx -m {in}/m -o {out}/m.onnx"},
	{name: "report", args: "report -m {in}/m -o {out}/r.html {in}/a.parquet"},
	{name: "patches", args: "patches --size 4x4 --per-image 3 --label-from folder -o {out}/p.parquet {in}/images"},
	{name: "patches of a list", args: "patches --size 4x4 --per-image 3 --list {in}/list -o {out}/p.parquet"},
	{name: "patches without bad images", args: "patches --size 4x4 --per-image 3 --on-bad-row skip -o {out}/p.parquet {in}/images", skips: true},
	{name: "patches of records", args: "patches --size 4x4 --per-image 3 --label-from file:{in}/labels.idx -o {out}/p.parquet {in}/images.idx"},
	{name: "sums", args: "sums -m {in}/m --shard 0 -o {out}/s {in}/a.parquet"},
	{name: "merge", args: "merge {in}/s0 {in}/s1 -o {out}/s"},
	{name: "statistics", args: "statistics -m {in}/z --shard 0 -o {out}/s {in}/a.parquet"},
	{name: "statistics --sums", args: "statistics -m {in}/z --sums {in}/zs -o {out}/m"},
	{name: "evaluate --sums", args: "evaluate -m {in}/m --sums {in}/e"},
	{name: "drive", args: "drive --optimizer sgd --epochs 1 --shards 2 -m {in}/m -o {out}/m", stdin: "paths"},
	{name: "drive --checkpoint", args: "drive --optimizer sgd --epochs 1 --shards 2 -m {in}/m --checkpoint {out}/c -o {out}/m", stdin: "paths", saves: true},
	{name: "average", args: "average {in}/m {in}/n -o {out}/a"},
	{name: "image-features", args: "image-features -m {in}/m --pool mean -o {out}/p.parquet {in}/images"},
}

// A fault is a way in which a call fails.
type fault struct {
	disk.Fault
	on bool // and every call of its kind from here on, as on a full disk
}

// faultsOf returns the ways in which a call can fail.
func faultsOf(c disk.Call) []fault {
	interrupted := fault{Fault: disk.Fault{Err: syscall.EINTR}}
	with := func(errs ...error) (faults []fault) {
		for _, err := range errs {
			faults = append(faults, fault{Fault: disk.Fault{Err: err}})
		}
		return append(faults, interrupted)
	}
	switch c.Op {
	case "open":
		return with(syscall.EMFILE, syscall.EACCES, syscall.EIO, syscall.ENOSPC)
	case "read":
		faults := with(syscall.EIO)
		if filepath.Base(c.Name) != "list" { // who can know that lines are missing?
			faults = append(faults, fault{Fault: disk.Fault{Err: io.EOF, Short: true}})
		}
		if c.At < 0 {
			faults = append(faults, fault{Fault: disk.Fault{Short: true}})
		}
		return faults
	case "write":
		return append(with(syscall.EIO), fault{Fault: disk.Fault{Err: syscall.ENOSPC, Short: true}, on: true})
	case "sync", "truncate":
		return append(with(syscall.EIO), fault{Fault: disk.Fault{Err: syscall.ENOSPC}, on: true})
	case "link", "rename":
		return append(with(syscall.EPERM, syscall.EXDEV, syscall.EIO), fault{Fault: disk.Fault{Err: syscall.ENOSPC}, on: true})
	case "mkdir":
		return with(syscall.EACCES, syscall.ENOSPC)
	case "chmod", "chown", "remove":
		return with(syscall.EPERM, syscall.EIO)
	case "close":
		return with(syscall.EIO)
	}
	return with(syscall.EACCES, syscall.EIO)
}

// transparent reports whether nobody may notice a fault.
func (f fault) transparent() bool { return f.Err == nil || f.Err == syscall.EINTR }

func (f fault) String() string {
	text := "short"
	switch {
	case f.Err == io.EOF:
		text = "cut"
	case f.Err != nil:
		text = f.Err.Error()
	}
	if f.on {
		text += " from here on"
	}
	return text
}

// A faultRig runs commands in a folder.
type faultRig struct {
	t    *testing.T
	root string
	faulty
	old map[string]string // outputs from before
}

// An outcome is what came of a run.
type outcome struct {
	status int
	out    string            // standard output
	files  map[string]string // below {out} and the folder for temporary files
	errors string            // what errors say
	codes  []code            // of errors
	said   string            // standard error
	calls  []disk.Call
	hit    *disk.Call // the call that failed
}

func TestFaults(t *testing.T) {
	root := t.TempDir()
	makeFaultyInputs(t, root)
	t.Setenv("TMPDIR", filepath.Join(root, "tmp"))
	total, tolerated := 0, map[string]int{}
	for _, c := range faultyCommands {
		t.Run(c.name, func(t *testing.T) {
			rig := &faultRig{t: t, root: root, faulty: c}
			n := rig.all(tolerated)
			total += n
			t.Logf("%d faults", n)
		})
	}
	t.Logf("%d faults in all; those without which a command could do:", total)
	for _, what := range slices.Sorted(maps.Keys(tolerated)) {
		t.Logf("%5d %s", tolerated[what], what)
	}
}

// all injects the faults into a command and returns how many there were.
func (r *faultRig) all(tolerated map[string]int) int {
	r.clean()
	whole := r.run(nil)
	if whole.status != 0 {
		r.t.Fatalf("undisturbed: status %d: %s", whole.status, whole.said)
	}
	spilled := slices.ContainsFunc(whole.calls, func(c disk.Call) bool { return c.Op == "write" && r.place(c) == "tmp" })
	if strings.Contains(r.name, "spilled") && !spilled {
		r.t.Fatal("nothing was spilled")
	}
	r.old = map[string]string{}
	if !r.fresh {
		for name := range whole.files {
			r.old[name] = "what was there before"
		}
		if r.given != "" {
			delete(r.old, "out/"+r.given)
		}
		r.clean()
		whole = r.run(nil) // there are other calls
	}
	if r.given != "" {
		r.old["out/"+r.given] = readText(r.t, filepath.Join(r.root, "in", r.given))
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	n := 0
	for i, call := range whole.calls {
		for _, f := range faultsOf(call) {
			what := call.Op + " " + r.place(call) + " " + f.String()
			seen[what]++
			// Package spill makes all calls on its file fail, on fewer rows.
			if !*allFaults && random.IntN(oneIn(seen[what])) > 0 || spilled && seen[what] > 3 {
				continue
			}
			r.clean()
			got := r.run(func(j int, c disk.Call) (disk.Fault, bool) {
				// Goroutines may make other calls this time.
				return f.Fault, j == i && c.Op == call.Op && r.place(c) == r.place(call) || f.on && j > i && alike(c, call)
			})
			if got.hit == nil {
				continue
			}
			n++
			for _, fault := range r.judge(whole, got, f) {
				r.t.Errorf("call %d, %s %s: %s: %s\n%s", i, got.hit.Op, got.hit.Name, f, fault, got.said)
			}
			if got.status == 0 && !f.transparent() {
				tolerated[what]++
			}
		}
	}
	return n
}

// oneIn says of how many faults one is injected, if not all are: more of those
// that are the first of their kind.
func oneIn(seen int) int {
	few := 4
	if testing.Short() {
		few = 40
	}
	if seen > 1 {
		few *= 20
	}
	return few
}

// alike reports whether a disk that is full, or broken, for b is so for a.
func alike(a, b disk.Call) bool {
	full := []string{"write", "sync", "truncate", "link", "rename", "mkdir"}
	return slices.Contains(full, a.Op) && slices.Contains(full, b.Op)
}

// place says what a file is, without the names that differ from run to run.
func (r *faultRig) place(c disk.Call) string {
	rel, err := filepath.Rel(r.root, c.Name)
	if err != nil || strings.HasPrefix(rel, "..") {
		return "elsewhere"
	}
	dir, _, below := strings.Cut(filepath.ToSlash(rel), "/")
	switch {
	case r.given != "" && rel == filepath.Join("out", r.given):
		return "both" // an input and an output
	case strings.Contains(rel, ".aefeat-spill-"), !below && (c.Op == "read" || c.Op == "write"):
		return "tmp" // it lies beside the output
	case !below && (c.Op == "stat" || c.Op == "open"):
		return "folder" // of both
	}
	return dir
}

// judge returns what is wrong with a run to which a fault happened.
func (r *faultRig) judge(whole, got outcome, f fault) (wrong []string) {
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	files := maps.Clone(got.files)
	if got.hit.Op == "remove" && got.status != 0 {
		delete(files, r.relative(got.hit.Name)) // nobody can remove it
	}
	if c := "out/c"; r.saves && files[c] != whole.files[c] && files[c] != r.old[c] {
		if err := r.resumes(whole); err != nil {
			say("the checkpoint: %v", err)
		}
	}
	if c := "out/c"; r.saves {
		files[c] = map[bool]string{true: whole.files[c], false: r.old[c]}[got.status == 0]
	}
	switch {
	case got.status == 0 && r.skips && f.Err == io.EOF:
		return nil
	case got.status == 0:
		if got.out != whole.out || !maps.Equal(files, whole.files) {
			say("status 0, and other outputs: %s", difference(files, whole.files))
		}
		return wrong
	case f.transparent():
		say("status %d", got.status)
	case got.status != exitMachine && (f.Err != io.EOF || got.status != exitData):
		say("status %d", got.status)
	}
	for name, text := range files {
		path := filepath.Join(r.root, name)
		for of, model := range whole.files {
			if strings.HasPrefix(filepath.Base(name), filepath.Base(of)+".kept-") && strings.Contains(got.errors, path) && text == model {
				delete(files, name) // a model that cannot go where it should
			}
		}
	}
	if r.each || r.last && (got.hit.Op == "rename" || got.hit.Op == "link") {
		for name, text := range files {
			if text == whole.files[name] {
				delete(files, name)
				if old, ok := r.old[name]; ok {
					files[name] = old
				}
			}
		}
	}
	if !maps.Equal(files, r.old) {
		say("outputs: %s", difference(files, r.old))
	}
	if f.Err != io.EOF && !strings.Contains(got.errors, f.Err.Error()) {
		say("the error does not say what happened")
	}
	if !r.names(got.errors, got.hit.Name) {
		say("the error does not name the file")
	}
	prefix := map[string]string{"in": "input.", "out": "output.", "tmp": "spill."}[r.place(*got.hit)]
	if f.Err != io.EOF && !slices.ContainsFunc(got.codes, func(c code) bool { return strings.HasPrefix(string(c), prefix) }) {
		say("codes %s", got.codes)
	}
	return wrong
}

// resumes goes on from the checkpoint that a run has left. The model must be
// that of a fit without a break.
func (r *faultRig) resumes(whole outcome) error {
	command, _, _ := strings.Cut(r.args, " ")
	again := &faultRig{t: r.t, root: r.root, faulty: faulty{args: command + " --resume {out}/c -o {out}/again", stdin: r.stdin}}
	o := again.run(nil)
	if o.status != 0 {
		return errors.New(o.said)
	}
	if o.files["out/again"] != whole.files["out/m"] {
		return errors.New("another model")
	}
	return nil
}

// names reports whether a message names a file, or of those that have no name
// that anybody knows the folder.
func (r *faultRig) names(message, name string) bool {
	in := filepath.Join(r.root, "in")
	switch {
	case strings.Contains(message, name), !strings.HasPrefix(name, r.root):
		return true
	case r.stdin != "" && name == filepath.Join(in, strings.Trim(r.stdin, "|")):
		return strings.Contains(message, "standard input")
	}
	return !strings.HasPrefix(name, in) && strings.Contains(message, filepath.Dir(name))
}

func (r *faultRig) relative(name string) string {
	rel, err := filepath.Rel(r.root, name)
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}

func difference(got, want map[string]string) string {
	var b strings.Builder
	for name, text := range got {
		if old, ok := want[name]; !ok {
			fmt.Fprintf(&b, "%s is there; ", name)
		} else if old != text {
			fmt.Fprintf(&b, "%s differs (%d bytes, not %d); ", name, len(text), len(old))
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			fmt.Fprintf(&b, "%s is gone; ", name)
		}
	}
	return b.String()
}

// clean brings the outputs from before back.
func (r *faultRig) clean() {
	for _, dir := range []string{"out", "tmp"} {
		dir = filepath.Join(r.root, dir)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o777)); err != nil {
			r.t.Fatal(err)
		}
	}
	if r.given != "" {
		writeBytes(r.t, filepath.Join(r.root, "out", r.given), []byte(readText(r.t, filepath.Join(r.root, "in", r.given))))
	}
	for name, text := range r.old {
		name = filepath.Join(r.root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(text), 0o666)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// run runs the command. decide, if not nil, says what becomes of its call i.
func (r *faultRig) run(decide func(i int, c disk.Call) (disk.Fault, bool)) (o outcome) {
	r.t.Helper()
	var stdin io.Reader = strings.NewReader("")
	if name, piped := strings.CutPrefix(r.stdin, "|"); name != "" {
		f, err := os.Open(filepath.Join(r.root, "in", name))
		if err != nil {
			r.t.Fatal(err)
		}
		defer f.Close()
		if stdin = f; piped {
			stdin = struct{ io.Reader }{f}
		}
	}
	var out, said bytes.Buffer
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	var mu sync.Mutex
	restore := disk.Inject(func(c disk.Call) disk.Fault {
		mu.Lock()
		defer mu.Unlock()
		o.calls = append(o.calls, c)
		f, yes := disk.Fault{}, false
		if decide != nil {
			f, yes = decide(len(o.calls)-1, c)
		}
		if !yes {
			return disk.Fault{Skip: c.Op == "sync"} // to save time
		}
		if o.hit == nil {
			o.hit = &c
		}
		return f
	})
	o.status = r.command(stdin, &out, &said)
	restore()
	for wait := time.Now(); runtime.NumGoroutine() > goroutines || openDescriptors() > descriptors; runtime.Gosched() {
		if time.Since(wait) > 20*time.Second {
			r.t.Errorf("%v: %d goroutines and %d descriptors were left", o.hit, runtime.NumGoroutine()-goroutines, openDescriptors()-descriptors)
			break
		}
	}
	o.out, o.said = out.String(), said.String()
	for line := range strings.Lines(o.said) {
		e, err := parseEvent(line)
		if err != nil {
			r.t.Errorf("%v: %s", err, line)
		}
		if e.Event == "error" {
			o.errors += e.Message + "\n"
			o.codes = append(o.codes, e.Code)
		}
	}
	o.files = r.outputs()
	return o
}

// command is what main does.
func (r *faultRig) command(stdin io.Reader, out, said io.Writer) (status int) {
	args := strings.NewReplacer("{in}", filepath.Join(r.root, "in"), "{out}", filepath.Join(r.root, "out")).Replace(r.args)
	ui := &console{in: stdin, out: out, err: said, json: true}
	defer func() {
		if p := recover(); p != nil {
			status = crashed(ui, p)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return finish(ctx, ui, runApp(ctx, newApp(ui), append([]string{"aefeat"}, append(strings.Fields(args), "--progress=json")...)))
}

// outputs returns what is below the folders of outputs and temporary files.
func (r *faultRig) outputs() map[string]string {
	files := map[string]string{}
	for _, dir := range []string{"out", "tmp"} {
		err := filepath.WalkDir(filepath.Join(r.root, dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			if strings.HasSuffix(name, ".json") {
				text = withoutTimes.ReplaceAll(text, nil)
			}
			files[r.relative(name)] = string(text)
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return files
}

// withoutTimes are the fields of a record that differ from run to run.
var withoutTimes = regexp.MustCompile(`"(started|seconds|peak_memory)": [^\n]*`)

// openDescriptors counts what this process has open; 0 where nothing tells.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// makeFaultyInputs makes the folder {in}.
func makeFaultyInputs(t *testing.T, root string) {
	t.Helper()
	in := filepath.Join(root, "in")
	write := func(name string, s patchSpec) {
		s.kind, s.layout, s.column = "uint8", "fixed", "patch"
		s.label, s.null, s.unlabeled, s.classes = "string", -1, -1, 3
		var b bytes.Buffer
		if err := s.write(&b); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, filepath.Join(in, name), b.Bytes())
	}
	write("a.parquet", patchSpec{rows: 40, width: 16, format: "parquet", batch: 40})
	write("a.arrow", patchSpec{rows: 40, width: 16, format: "arrow", batch: 20})
	write("a.arrows", patchSpec{rows: 40, width: 16, format: "stream", batch: 20})
	write("large.parquet", patchSpec{rows: 3000, width: 16, format: "parquet", batch: 1500})
	write("wide.arrow", patchSpec{rows: 3300, width: 4096, format: "arrow", batch: 500})
	for i, dir := range []string{"k=1", "k=2", "k=10"} {
		write("hive/"+dir+"/b.parquet", patchSpec{rows: 10, width: 16, format: "parquet", batch: 10, first: 10 * i})
	}
	var list bytes.Buffer
	for i, name := range []string{"images/x/1.png", "images/x/2.png", "images/y/1.png"} {
		picture := image.NewGray(image.Rect(0, 0, 9, 7))
		for j := range picture.Pix {
			picture.Pix[j] = uint8(i*j*j + 30*j)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, picture); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, filepath.Join(in, name), b.Bytes())
		fmt.Fprintln(&list, filepath.Join(in, name))
	}
	writeBytes(t, filepath.Join(in, "list"), list.Bytes())
	writeBytes(t, filepath.Join(in, "labels.idx"), []byte{0, 0, 8, 1, 0, 0, 0, 2, 7, 9})
	writeBytes(t, filepath.Join(in, "images.idx"), append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 9}, make([]byte, 2*9*9)...))
	rig := &faultRig{t: t, root: root, faulty: faulty{args: "fit --hidden 3 --epochs 1 --shape 4x4 --pixel-max 255 -o {in}/m {in}/a.parquet"}}
	rig.clean()
	if o := rig.run(nil); o.status != 0 {
		t.Fatal(o.said)
	}
	for _, args := range []string{
		"sums -m {in}/m --shard 0 -o {in}/s0 {in}/a.parquet",
		"sums -m {in}/m --shard 1 -o {in}/s1 {in}/a.parquet",
		"sums -m {in}/m --shard 0 --of evaluation -o {in}/e {in}/a.parquet",
		"fit --hidden 3 --epochs 0 --preprocess zca -o {in}/z {in}/a.parquet",
		"fit --hidden 3 --epochs 2 --shape 4x4 --pixel-max 255 -o {in}/n {in}/a.parquet",
		"statistics -m {in}/z --shard 0 -o {in}/zs {in}/a.parquet",
	} {
		rig.args = args
		if o := rig.run(nil); o.status != 0 {
			t.Fatal(o.said)
		}
	}
	writeBytes(t, filepath.Join(in, "paths"), fmt.Appendf(nil, "%s\n%s\n", filepath.Join(in, "s0"), filepath.Join(in, "s1")))
	// The second of the checkpoints that a fit writes.
	rig.args = "fit --hidden 3 --epochs 3 --checkpoint {out}/c --checkpoint-every 1ns -o {out}/m {in}/a.parquet"
	written := 0
	o := rig.run(func(_ int, c disk.Call) (f disk.Fault, yes bool) {
		if c.Op == "rename" && filepath.Base(c.Name) == "c" {
			if written++; written == 2 {
				writeBytes(t, filepath.Join(in, "c"), []byte(readText(t, c.Name)))
			}
		}
		return f, false
	})
	if o.status != 0 || written < 2 {
		t.Fatalf("%d checkpoints: %s", written, o.said)
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeBytes(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, b, 0o666)); err != nil {
		t.Fatal(err)
	}
}
