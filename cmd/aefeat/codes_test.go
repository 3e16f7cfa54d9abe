package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/imageset"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// codeCases are errors, and codes that they must have. What scripts cannot
// bring about stands here: permissions that root has always, a disk that fails.
var codeCases = []struct {
	err  error
	want code
}{
	{errors.New("x"), codeOther},
	{fmt.Errorf("x: %w", nil), codeOther},
	{errors.Join(), codeOther},
	{usagef("fit", "x"), codeUsage},
	{wrong("fit", &model.ConfigError{Setting: "Hidden"}), codeUsage},
	{usagef("fit", "x").as(codeUsageInput), codeUsageInput},
	{inFlags("fit", usagef("fit", "x").as(codeUsageOutput)), codeUsageOutput},

	{ofFile(syscall.ENOENT, arrowio.KeyMissing), "input.missing"},
	{ofFile(syscall.EACCES, ""), "input.permission"},
	{ofFile(fmt.Errorf("damaged: %w", pathError(syscall.EIO)), ""), "input.io"},
	{ofFile(syscall.EISDIR, ""), "input.folder"},
	{&inputError{"m", pathError(syscall.EPERM)}, "input.permission"},
	{&inputError{"m", pathError(syscall.ENOTDIR)}, "input.missing"},
	{&inputError{"m", pathError(syscall.EMFILE)}, "input.io"},
	{&inputError{"m", fmt.Errorf("m: %w", &model.FormatError{Err: io.EOF})}, codeModelFormat},
	{&inputError{"m", fmt.Errorf("m: %w", &model.BareError{})}, codeModelBare},

	{ofFile(io.EOF, ""), "file.unfit"},
	{ofFile(io.EOF, arrowio.KeyChanged), "file.changed"},
	{ofFile(io.EOF, arrowio.KeyEncrypted), "file.encrypted"},
	{ofFile(io.EOF, arrowio.KeyUnsupported), "file.unsupported"},
	{ofFile(io.EOF, arrowio.KeyTooLarge), "file.too_large"},
	{ofFile(io.EOF, arrowio.KeyBeyond), "file.beyond"},
	{ofFile(io.EOF, arrowio.KeyDiffers), "file.differs"},

	{&patch.RowError{Row: -1}, codeColumn},
	{&patch.RowError{Row: 3, Key: string(patch.Ragged)}, "patch.width"},
	{&patch.RowError{Row: 3, Key: string(patch.Damaged)}, "patch.damaged"},
	{&patch.RowError{Row: -1, Key: patch.KeyWidth}, "patch.width"},
	{&patch.RowError{Row: -1, Key: patch.KeyUnits}, "column.units"},
	{&patch.RowError{Row: -1, Key: patch.KeyNoPatch}, "column.no_patch"},
	{&arrowio.ColumnError{Row: -1}, codeColumnOutput},
	{fmt.Errorf("%w: all were skipped: %w", stage.ErrNoRows, &patch.RowError{Key: patch.KeyWidth}), codeNoRows},
	{fmt.Errorf("%w: all were left out", imageset.ErrNoImages), codeNoImages},
	{&model.DivergedError{}, codeDiverged},
	{&inputError{"c", fmt.Errorf("c: %w", &codedError{codeCheckpoint, &model.FormatError{Err: io.EOF}})}, codeCheckpoint},
	{&inputError{"a", fmt.Errorf("a: %w", &stage.InputChangedError{})}, codeInputChanged},
	{&hintedError{&model.KernelsError{}, "x"}, codeKernels},
	{&model.RangeError{}, "patch.out_of_range"},
	{inFlags("fit", &model.ConfigError{Setting: "Emphasis"}), codeSetting},
	{&codedError{codeNoNumber, io.EOF}, codeNoNumber},
	{imageError{patch.Null, io.EOF}, "image.null"},
	{imageError{patch.Unreadable, io.EOF}, "image.unreadable"},
	{imageError{patch.Unreadable, ofFile(syscall.EACCES, "")}, "input.permission"},

	{pathError(syscall.ENOENT), "output.missing"},
	{pathError(syscall.EACCES), "output.permission"},
	{pathError(syscall.EROFS), "output.permission"},
	{pathError(syscall.EISDIR), "output.folder"},
	{pathError(syscall.ENOSPC), "output.full"},
	{pathError(syscall.EDQUOT), "output.full"},
	{fmt.Errorf("writing the model: %w", pathError(syscall.EIO)), "output.io"},
	{fmt.Errorf("write standard output: %w", syscall.ENOSPC), "output.full"},
	{&stage.SpillError{Err: pathError(syscall.ENOSPC)}, "spill.full"},
	{&stage.SpillError{Err: syscall.ENOENT}, "spill.missing"},
	{&stage.SpillError{Err: syscall.ENOTDIR}, "spill.missing"},
	{&stage.SpillError{Err: syscall.EISDIR}, "spill.folder"},
	{&stage.SpillError{Err: io.ErrUnexpectedEOF}, "spill.io"},
	{&arrowio.SpoolError{Err: syscall.EACCES}, "spill.permission"},
	{inFlags("fit", &model.ConfigError{Setting: "Memory"}), codeBudget},
	{fmt.Errorf("reserving memory: %w", syscall.ENOMEM), codeMemory},
	{exhausted("fatal error: newosproc"), codeThreads},
	{noFiles(syscall.EMFILE), codeFiles},

	{&signalError{syscall.SIGINT}, "signal.interrupt"},
	{&signalError{syscall.SIGTERM}, "signal.terminate"},
	{&signalError{syscall.SIGHUP}, "signal.hangup"},

	// Of several the one whose status counts most: 4, 3, 1.
	{errors.Join(ofFile(io.EOF, arrowio.KeyDamaged), ofFile(syscall.ENOENT, arrowio.KeyMissing)), "input.missing"},
	{errors.Join(ofFile(syscall.ENOENT, arrowio.KeyMissing), ofFile(io.EOF, arrowio.KeyDamaged)), "input.missing"},
	{errors.Join(pathError(syscall.ENOSPC), ofFile(syscall.ENOENT, arrowio.KeyMissing)), "output.full"},
	{inFlags("transform", errors.Join(ofFile(io.EOF, arrowio.KeyEmpty), errors.Join(usagef("", "x"), &patch.RowError{Key: string(patch.Null)}))), "file.empty"},
	{errors.Join(usagef("", "x"), &patch.RowError{Key: string(patch.Null)}), "patch.null"},
	{&inputError{"s", &model.SumsError{Key: model.SumsFormat}}, "sums.format"},
	{&inputError{"s", &model.SumsError{Key: model.SumsVersion}}, "sums.version"},
	{&inputError{"s", &model.SumsError{Key: model.SumsForeign}}, "sums.foreign"},
	{&inputError{"s", &model.SumsError{Key: model.SumsShards}}, "sums.shards"},
	// An error about a row is about data, whatever its cause.
	{&rowAndCause{&patch.RowError{Key: string(patch.Null)}, syscall.ENOENT}, "patch.null"},
}

func ofFile(err error, key string) error { return &arrowio.FileError{File: "f", Err: err, Key: key} }

func pathError(err error) error { return &fs.PathError{Op: "open", Path: "p", Err: err} }

type imageError struct {
	reason patch.Reason
	error
}

func (e imageError) Reason() patch.Reason { return e.reason }
func (e imageError) Unwrap() error        { return e.error }

type rowAndCause struct {
	*patch.RowError
	cause error
}

func (e *rowAndCause) Unwrap() []error { return []error{e.RowError, e.cause} }

func TestCodes(t *testing.T) {
	for _, c := range codeCases {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v (%T): %s, want %s", c.err, c.err, got, c.want)
		}
	}
}

// Each code stands once in the table and in the page, and an error brings it
// about: here, or in a script.
func TestCodeTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/machine.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/machine.txtar")
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	known := map[code]bool{}
	for _, row := range codeTable {
		if known[row.code] {
			t.Errorf("%s stands in the table twice", row.code)
		}
		known[row.code] = true
		line := fmt.Sprintf("| `%s` | %d | %s |\n", row.code, row.status, row.means)
		if row.status == exitDone {
			line = fmt.Sprintf("| `%s` | %s |\n", row.code, row.means)
		}
		if !bytes.Contains(page, []byte(line)) {
			t.Errorf("docs/machine.md lacks the line %s", line)
		}
		listed++
		made := regexp.MustCompile(`(?m)^(\[linux\] )?events \d ` + regexp.QuoteMeta(string(row.code)) + ` |"code":"` + regexp.QuoteMeta(string(row.code)) + `"`).Match(script)
		for _, c := range codeCases {
			made = made || c.want == row.code
		}
		if !made && row.code != codeInternal && row.status != exitDone { // the scripts of warnings know these
			t.Errorf("no test brings about %s", row.code)
		}
	}
	if n := len(regexp.MustCompile("(?m)^\\| `[a-z]+[.a-z_]*` \\|").FindAll(page[bytes.Index(page, []byte("## Errors")):], -1)); n != listed {
		t.Errorf("docs/machine.md lists %d codes, and there are %d", n, listed)
	}
	for _, c := range codeCases {
		if !known[c.want] {
			t.Errorf("%s is not in the table", c.want)
		}
	}
}

// Errors that errors.Join made one are told of one by one, each with its hints,
// its place and the flags of the command.
func TestJoinedErrors(t *testing.T) {
	var b bytes.Buffer
	ui := &console{err: &b, json: true}
	ui.fail(inFlags("fit", errors.Join(
		&patch.RowError{File: "a", Column: "c", Row: 17, Reason: "null", Key: string(patch.Null), Hint: "use `Skip`"},
		&arrowio.FileError{File: "b", Err: syscall.ENOENT, Key: arrowio.KeyMissing})))
	want := `{"event":"error","code":"patch.null","file":"a","column":"c","row":17,"message":"a: column \"c\": row 17: null","hints":["use --on-bad-row skip"]}
{"event":"error","code":"input.missing","file":"b","column":null,"row":null,"message":"b: no such file or directory","hints":[]}
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// A panic is an error like any other, with a status of its own.
func TestCrash(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var b bytes.Buffer
		ui := &console{err: &b, json: asJSON}
		if status := crashed(ui, "index out of range"); status != exitMachine {
			t.Errorf("status %d", status)
		}
		if !strings.Contains(b.String(), "internal error: index out of range") || !strings.Contains(b.String(), "codes_test.go") {
			t.Errorf("got %s", b.String())
		}
		for line := range strings.Lines(b.String()) {
			if asJSON && !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
	}
}
