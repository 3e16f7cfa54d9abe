package imageset

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// Unfit is why an image is left out that the work of [Run] did not take, such
// as one smaller than a patch.
const Unfit patch.Reason = "unfit"

// errNull is the error of a row without an image.
var errNull = errors.New("null image")

// errOutput is the error of an image whose place the output would take.
var errOutput = errors.New("the output would replace it")

// A badImage is an error about one image, which can be left out.
type badImage struct {
	error
	reason patch.Reason
}

func (e *badImage) Unwrap() error { return e.error }

// Reason says for programs what is wrong with the image.
func (e *badImage) Reason() patch.Reason { return e.reason }

func reasonOf(err error) patch.Reason {
	if errors.Is(err, errNull) {
		return patch.Null
	}
	return patch.Unreadable
}

// A hintedError says what to do about it.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

func hintOf(err error) string {
	var hinted *hintedError
	if errors.As(err, &hinted) {
		return hinted.hint
	}
	return ""
}

// faultOf makes an error about an image one that names it and can be skipped.
func faultOf(it *item, err error, reason patch.Reason) error {
	var file *arrowio.FileError
	switch {
	case ofMachine(err) && errors.As(err, &file):
		return file
	case ofMachine(err), errors.Is(err, errOutput):
		return it.fault(err)
	}
	var setting *model.ConfigError // which no other image would mend
	if hintOf(err) == "" && !errors.As(err, &setting) {
		hint := "leave bad images out with `Skip`"
		if reason == patch.Unreadable {
			hint = "mend it or convert it to PNG, or " + hint
		}
		err = &hintedError{err, hint}
	}
	return &badImage{it.fault(err), reason}
}

// ofMachine reports whether the system failed to give a file that is there. The
// image in it may be sound: nobody wants to go on without it.
func ofMachine(err error) bool {
	var system syscall.Errno
	for _, name := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EISDIR, syscall.EINVAL} {
		if errors.Is(err, name) {
			return false
		}
	}
	return errors.As(err, &system)
}

// ofFile makes an error about a file one that names it.
func ofFile(name string, err error) error {
	var named *arrowio.FileError
	if errors.As(err, &named) {
		return err
	}
	e := &arrowio.FileError{File: name, Err: err, Hint: hintOf(err)}
	switch {
	case errors.Is(err, errForeign):
		e.Key = arrowio.KeyForeign
	case errors.Is(err, fs.ErrNotExist):
		e.Key = arrowio.KeyMissing
	}
	return e
}

// A rowError is an error about an image in a file.
type rowError struct {
	*patch.RowError
	cause error
}

func (e *rowError) Unwrap() []error { return []error{e.RowError, e.cause} }

// ofRow makes an error about an image in a file one that names both.
func ofRow(name, column string, row int64, err error) error {
	return &rowError{&patch.RowError{File: name, Column: column, Row: row, Reason: err.Error(), Hint: hintOf(err)}, err}
}
