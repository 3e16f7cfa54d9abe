package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// This file writes what a fit has come to.

// end writes the model, the features and the record, and tells of the fit. All
// are written aside first; then the features appear, the model and, last, the
// record. A model that cannot go where it should is kept elsewhere.
func (j *fitJob) end(ctx context.Context, m *model.Model, src *arrowio.Source, report *stage.Report) error {
	files, err := j.record.files(ctx, src)
	if err != nil {
		return err
	}
	if j.parent != nil {
		m.Parent = j.parent.SHA256
	}
	sum := newDigest()
	aside := io.Writer(sum)
	if j.out.replaces() {
		aside = io.MultiWriter(j.out, sum)
	}
	if err := writeModel(aside, m); err != nil {
		return j.rescue(ctx, m, err)
	}
	j.record.fitted(j, m, src, files, report, sum)
	j.features.config.ModelHash = sum.String()
	var features *outputFile
	tell := func() {}
	if j.emit != "" {
		j.report(m, src, report)
		features, tell, err = j.features.make(ctx, j.ui, j.progress, src, m, j.emit)
		if errors.Is(err, syscall.EPIPE) { // whoever reads them has had enough
			j.record.abort()
			j.record = nil
			return cmp.Or(j.commit(ctx, m, nil), err)
		}
		if err != nil {
			return j.rescue(ctx, m, err)
		}
		defer features.Abort() // after the commit it does nothing
	}
	if err := j.commit(ctx, m, features); err != nil {
		return err
	}
	if j.emit == "" {
		j.report(m, src, report)
	}
	tell()
	return nil
}

// commit makes the outputs of a fit appear.
func (j *fitJob) commit(ctx context.Context, m *model.Model, features *outputFile) error {
	if !j.out.replaces() {
		if err := writeModel(j.out, m); err != nil {
			return err
		}
	}
	if err := j.record.commit(features, j.out); err != nil {
		return j.rescue(ctx, m, err)
	}
	return nil
}

// rescue keeps a model, after err, that training has taken long for: beside
// the output, or else in the folder for temporary files. It adds to err where
// it is. What would have been written to a pipe or device is not kept.
func (j *fitJob) rescue(ctx context.Context, m *model.Model, err error) error {
	if !j.out.replaces() || j.out.file.Appeared() || m.RowsSeen == 0 {
		return err
	}
	j.out.Abort() // which gives back the room that it has
	beside, elsewhere := j.output, filepath.Join(os.TempDir(), filepath.Base(j.output))
	path, lost := keepModel(beside, m, true)
	if lost != nil {
		path, lost = keepModel(elsewhere, m, true)
	}
	if lost != nil { // what is perhaps on the disk is more than nothing
		path, lost = keepModel(beside, m, false)
	}
	switch {
	case lost != nil:
		return err
	case ctx.Err() != nil: // the signal will be told of, and not err
		j.ui.printf("the trained model is kept in %s", path)
		return err
	}
	return fmt.Errorf("%w; the trained model is kept in %s", err, path)
}

// keepModel writes a model under a name that is free, like that of the output,
// and does so with as little as a system has to be able to. With stored it must
// be on the disk.
func keepModel(output string, m *model.Model, stored bool) (path string, err error) {
	var f *disk.File
	for i := 1; ; i++ {
		path = fmt.Sprintf("%s.kept-%d", output, i)
		if f, err = disk.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, os.ErrExist) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if err = writeModel(f, m); err == nil && stored {
		err = f.Sync()
	}
	if err = cmp.Or(err, f.Close()); err != nil {
		_ = disk.Remove(path) // there is an error already
	}
	return path, err
}
