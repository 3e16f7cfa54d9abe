package main

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/imageset"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// The exit statuses, which scripts rely on.
const (
	exitDone       = 0
	exitData       = 1                          // the data, or what was asked of them
	exitUsage      = 2                          // the command line, whatever it is run on
	exitNoInput    = 3                          // a named input or pattern stands for nothing
	exitMachine    = 4                          // the machine, or aefeat itself
	exitBrokenPipe = 128 + int(syscall.SIGPIPE) // the reader of stdout has gone
)

// A code tells programs what went wrong. Codes stay: some may be added, and
// none goes or changes its meaning.
type code string

const (
	codeUsage        code = "usage.value" // unless an error of usage says otherwise
	codeUsageCommand code = "usage.command"
	codeUsageFlag    code = "usage.flag"
	codeUsageInput   code = "usage.input"
	codeUsageOutput  code = "usage.output"

	codeModelFormat code = "model.format"
	codeModelBare   code = "model.bare"

	codeColumn       code = "column.unfit"
	codeColumnOutput code = "column.output"
	codeLabels       code = "label.classes"
	codeSetting      code = "data.setting"
	codeNoRows       code = "rows.none"
	codeNoImages     code = "images.none"
	codeDiverged     code = "fit.diverged"
	codeNoNumber     code = "cost.not_finite"
	codeOther        code = "other"

	codeCheckpoint   code = "checkpoint.format"
	codeInputChanged code = "checkpoint.input"
	codeKernels      code = "checkpoint.kernels"

	codeMemory   code = "memory.machine"
	codeBudget   code = "memory.budget"
	codeThreads  code = "threads.machine"
	codeFiles    code = "files.machine"
	codeInternal code = "internal"

	// Of warnings; those about a fit are "fit." and the key of package stage.
	codeSkipped    code = "rows.skipped"
	codeUnseen     code = "label.unseen"
	codeIterations code = "probe.iterations"
	codeGuessed    code = "model.shape"
	codeSorted     code = "shards.sorted"

	codeSumsFormat  code = "sums." + model.SumsFormat
	codeSumsVersion code = "sums." + model.SumsVersion
	codeSumsForeign code = "sums." + model.SumsForeign
	codeSumsShards  code = "sums." + model.SumsShards

	codeCheckpointLost code = "checkpoint.lost"
)

// codeTable has the codes of all errors with their exit statuses, and those of
// all warnings, without one. The page docs/machine.md lists them.
var codeTable = []codeRow{
	{codeUsageCommand, exitUsage, "no command, or an unknown one"},
	{codeUsageFlag, exitUsage, "an unknown flag, or one without its value"},
	{codeUsage, exitUsage, "a value that a flag does not take, or that does not go with the other flags"},
	{codeUsageInput, exitUsage, "an input or model that is not named, or one too many; standard input twice"},
	{codeUsageOutput, exitUsage, "an output that would replace an input, mix with another one, fill a terminal or be of an unknown format"},

	{"input.missing", exitNoInput, "a named file, model or folder is not there; a pattern or folder without a file"},
	{"input.permission", exitMachine, "the system does not let it be read"},
	{"input.folder", exitData, "a folder stands where a file should"},
	{"input.io", exitMachine, "the system fails to read it"},

	{"file.empty", exitData, "no bytes at all"},
	{"file.foreign", exitData, "of no format that the command reads"},
	{"file.damaged", exitData, "damaged or cut short"},
	{"file.unfinished", exitData, "an Arrow stream without its end marker"},
	{"file.encrypted", exitData, "encrypted"},
	{"file.unsupported", exitData, "sound, but of a kind that cannot be read"},
	{"file.too_large", exitData, "a row or page that takes more memory than any may"},
	{"file.beyond", exitData, "sound, but beyond a limit of aefeat; see docs/limits.md"},
	{"file.differs", exitData, "other columns than the files before it"},
	{"file.changed", exitMachine, "another than when it was opened: somebody writes it"},
	{"file.unfit", exitData, "a file that cannot be used as it was asked to be"},

	{codeModelFormat, exitData, "no model file, or a damaged one"},
	{codeModelBare, exitData, "tensors without the settings of a model"},

	{codeCheckpoint, exitData, "no checkpoint, a damaged one, or one of another version"},
	{codeInputChanged, exitData, "other rows than those that the fit began with"},
	{codeKernels, exitMachine, "a checkpoint of another kind of processor"},

	{codeSumsFormat, exitData, "no sums, or damaged ones"},
	{codeSumsVersion, exitData, "sums of another version of aefeat"},
	{codeSumsForeign, exitData, "sums, or models to average, of other weights, settings or noise than the others"},
	{codeSumsShards, exitData, "a shard that is there twice, missing or none of those that there are, or has rows of another or other rows than before; a model to average that is there twice"},

	{"column.missing", exitData, "no such column"},
	{"column.ambiguous", exitData, "several columns could be meant"},
	{"column.type", exitData, "a column of a type that does not do"},
	{"column.taken", exitData, "a column of the name is there already"},
	{"column.units", exitData, "sparse codes, and nothing tells of how many units"},
	{"column.no_patch", exitData, "no column can be the patch, unless it is named"},
	{codeColumnOutput, exitData, "a column that the output cannot hold"},
	{codeColumn, exitData, "anything else about a column"},

	{"patch.width", exitData, "a patch of another number of values than the model or the other rows have"},
	{"patch.null", exitData, "a null in the patch, or in the label"},
	{"patch.not_finite", exitData, "a NaN or an infinity"},
	{"patch.out_of_range", exitData, "a value that preprocessing or the model does not take"},
	{"patch.damaged", exitData, "an array that leads out of itself"},

	{"image.unreadable", exitData, "an image that cannot be decoded"},
	{"image.null", exitData, "a row without an image"},
	{"image.unfit", exitData, "an image of another size or kind than is needed"},

	{codeNoRows, exitData, "no rows, or none that is not bad"},
	{codeNoImages, exitData, "no images, or none that can be used"},
	{codeLabels, exitData, "labels that no classifier can be fitted to"},
	{codeSetting, exitData, "a setting that does not go with the data or the model"},
	{codeDiverged, exitData, "training diverged"},
	{codeNoNumber, exitData, "a result that is no finite number"},
	{codeOther, exitData, "anything else"},

	{"output.missing", exitMachine, "the folder of an output is not there"},
	{"output.permission", exitMachine, "the system does not let an output be written"},
	{"output.folder", exitMachine, "a folder stands where an output should"},
	{"output.full", exitMachine, "no space left for an output, or it is larger than files may be"},
	{"output.io", exitMachine, "the system fails to write an output"},

	{"spill.missing", exitMachine, "the folder for temporary files is not there"},
	{"spill.permission", exitMachine, "the system does not let a temporary file be written"},
	{"spill.folder", exitMachine, "a folder stands where a temporary file should"},
	{"spill.full", exitMachine, "no space left for a temporary file"},
	{"spill.io", exitMachine, "the system fails to write or read a temporary file"},

	{codeMemory, exitMachine, "more memory is needed than the machine has, or than the process may have"},
	{codeBudget, exitMachine, "more memory is needed than --memory allows"},
	{codeThreads, exitMachine, "the system lets no other thread or process start"},
	{codeFiles, exitMachine, "the system lets the process open hardly any file"},
	{codeInternal, exitMachine, "a fault in aefeat; please report it"},

	{"signal.interrupt", 128 + int(syscall.SIGINT), "interrupted"},
	{"signal.terminate", 128 + int(syscall.SIGTERM), "terminated"},
	{"signal.hangup", 128 + int(syscall.SIGHUP), "hung up"},

	// Warnings.
	{codeSkipped, exitDone, "bad rows or images were left out"},
	{codeUnseen, exitDone, "test rows with labels that no training row has"},
	{codeIterations, exitDone, "a classifier that has not reached its minimum"},
	{codeCheckpointLost, exitDone, "a checkpoint could not be written; the one before it stays"},
	{codeGuessed, exitDone, "the shape of the patches is a guess"},
	{codeSorted, exitDone, "models to average that were fitted to rows unlike each other"},
	{codeOfWarning(stage.WarnUnused), exitDone, "a flag that changes nothing"},
	{codeOfWarning(stage.WarnDead), exitDone, "most units are dead"},
	{codeOfWarning(stage.WarnSparsity), exitDone, "the sparsity term is most of the cost"},
	{codeOfWarning(stage.WarnUnmoved), exitDone, "most units are near their initial weights"},
	{codeOfWarning(stage.WarnTwins), exitDone, "many units have a near twin"},
	{codeOfWarning(stage.WarnValidation), exitDone, "the held-out rows have no finite cost"},
	{codeOfWarning(stage.WarnDrift), exitDone, "preprocessing was learned from rows unlike the rest"},
	{codeOfWarning(stage.WarnOutOfRange), exitDone, "most rows were out of range"},
	{codeOfWarning(stage.WarnReach), exitDone, "the values use little of the range of their type"},
}

type codeRow struct {
	code   code
	status int
	means  string
}

// codeOfWarning returns the code of a warning of package stage.
func codeOfWarning(key string) code { return code("fit." + key) }

// status returns the exit status that an error of a code ends with.
func (c code) status() int {
	for _, known := range codeTable {
		if known.code == c {
			return known.status
		}
	}
	return exitData
}

// codedError is an error whose code the command knows.
type codedError struct {
	code code
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// inputError is an error about a file that is no data: a model, a list.
type inputError struct {
	file string
	err  error // names the file
}

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// codeOf decides the code of an error, and with it the exit status. Of several
// errors it is that of the one whose status counts most.
func codeOf(err error) code {
	if c := ownCode(err); c != "" {
		return c
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return codeOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		return worst(e.Unwrap())
	}
	return codeOther
}

// worst returns the code of the error that counts most. An error about a row
// that has a cause is about that row.
func worst(all []error) code {
	var found code
	for i, err := range all {
		c := codeOf(err)
		if _, row := err.(*patch.RowError); row && i == 0 {
			return c
		}
		if found == "" || weight(c.status()) > weight(found.status()) {
			found = c
		}
	}
	if found == "" {
		return codeOther
	}
	return found
}

// weight orders exit statuses by what matters more to whoever runs the command
// again: a machine that needs mending, an input that is not there, bad data.
func weight(status int) int {
	return slices.Index([]int{exitDone, exitUsage, exitData, exitNoInput, exitMachine}, status)
}

// ownCode returns the code of an error where its type or value tells, and else
// "".
func ownCode(err error) code {
	switch err {
	case nil:
		return codeOther
	case stage.ErrNoRows:
		return codeNoRows
	case imageset.ErrNoImages:
		return codeNoImages
	}
	switch e := err.(type) {
	case *usageError:
		return e.code
	case *codedError:
		return e.code
	case *signalError:
		return e.code()
	case *model.ConfigError:
		return codeOfSetting(e)
	case *model.DivergedError:
		return codeDiverged
	case *model.KernelsError:
		return codeKernels
	case *stage.InputChangedError:
		return codeInputChanged
	case *model.BareError:
		return codeModelBare
	case *model.SumsError:
		return code("sums." + e.Key)
	case *model.FormatError:
		return codeModelFormat
	case *model.RangeError:
		return "patch.out_of_range"
	}
	return codeOfData(err)
}

// codeOfData is ownCode of what is about files, columns and rows.
func codeOfData(err error) code {
	switch e := err.(type) {
	case *patch.RowError:
		return codeOfRow(e)
	case *arrowio.ColumnError:
		return codeColumnOutput
	case *arrowio.FileError:
		if e.Key != "" {
			return code("file." + e.Key).orInput()
		}
		return codeOfSystem("input", e.Err, "file.unfit")
	case *inputError:
		return codeOfSystem("input", e.err, "")
	case *stage.SpillError:
		return codeOfSystem("spill", e.Err, "spill.io")
	case *arrowio.SpoolError:
		return codeOfSystem("spill", e.Err, "spill.io")
	case interface{ Reason() patch.Reason }: // of an image
		var file *arrowio.FileError
		if errors.As(err, &file) && codeOf(file).status() == exitMachine {
			return codeOf(file)
		}
		return code("image." + e.Reason())
	case *fs.PathError: // what is read has been told above
		return codeOfSystem("output", e.Err, "output.io")
	case syscall.Errno:
		return codeOfSystem("output", e, "output.io")
	}
	return ""
}

// orInput is the code of an input for a file that is not there.
func (c code) orInput() code {
	if c == "file."+arrowio.KeyMissing {
		return "input.missing"
	}
	return c
}

// codeOfRow is the code of an error about rows or columns.
func codeOfRow(e *patch.RowError) code {
	switch e.Key {
	case patch.KeyMissing, patch.KeyAmbiguous, patch.KeyType, patch.KeyTaken, patch.KeyUnits, patch.KeyNoPatch:
		return code("column." + e.Key)
	case string(patch.Unreadable):
		return "image.unreadable"
	case string(patch.Ragged):
		return "patch." + patch.KeyWidth
	case "":
		return codeColumn
	}
	return code("patch." + e.Key)
}

// codeOfSetting is the code of a setting that is no wrong use of the command
// line.
func codeOfSetting(e *model.ConfigError) code {
	if slices.ContainsFunc(flagTable, func(f flag) bool { return f.key == e.Setting && f.category == categoryMachine }) {
		return codeBudget
	}
	return codeSetting
}

// codeOfSystem is the code of an error of the system about an input, an output
// or a spill file; other, if it is none.
func codeOfSystem(place code, err error, other code) code {
	var system syscall.Errno
	switch is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}; {
	case is(syscall.ENOMEM):
		return codeMemory
	case is(fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG):
		return place + ".missing"
	case is(fs.ErrPermission, syscall.EROFS):
		return place + ".permission"
	case is(syscall.EISDIR):
		return place + ".folder"
	case place != "input" && is(syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		return place + ".full"
	case errors.As(err, &system):
		return place + ".io"
	}
	return other
}
