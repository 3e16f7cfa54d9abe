package disk

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// Name returns the name with which the file was opened.
func (f *File) Name() string { return f.f.Name() }

// Fd returns the descriptor. What is done with it, no test sees.
func (f *File) Fd() uintptr { return f.f.Fd() }

// Read implements [io.Reader].
func (f *File) Read(p []byte) (int, error) {
	if injected.Load() == nil {
		return f.f.Read(p)
	}
	return f.each("read", p, -1, f.f.Read)
}

// Write implements [io.Writer].
func (f *File) Write(p []byte) (int, error) {
	if injected.Load() == nil {
		return f.f.Write(p)
	}
	return f.each("write", p, -1, f.f.Write)
}

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if injected.Load() == nil {
		return f.f.ReadAt(p, off)
	}
	return f.each("read", p, off, func(p []byte) (int, error) { return f.f.ReadAt(p, off) })
}

// WriteAt implements [io.WriterAt].
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if injected.Load() == nil {
		return f.f.WriteAt(p, off)
	}
	return f.each("write", p, off, func(p []byte) (int, error) { return f.f.WriteAt(p, off) })
}

// each makes a call on bytes, on a part of them, or lets it fail.
func (f *File) each(op string, p []byte, at int64, call func([]byte) (int, error)) (int, error) {
	for {
		want := fault(Call{op, f.Name(), len(p), at})
		if errors.Is(want.Err, syscall.EINTR) {
			continue
		}
		if want.Short && want.Err != io.EOF && len(p) > 0 {
			p = p[:(len(p)+1)/2]
		}
		n := 0
		if want.Short || want.Err == nil {
			var err error
			if n, err = call(p); err != nil && err != want.Err {
				return n, err
			}
		}
		switch {
		case want.Err == io.EOF:
			return (n + 1) / 2, io.EOF
		case want.Err != nil:
			return n, &fs.PathError{Op: op, Path: f.Name(), Err: want.Err}
		}
		return n, nil
	}
}

// Seek implements [io.Seeker].
func (f *File) Seek(off int64, whence int) (at int64, err error) {
	err = do("seek", f.Name(), func() (err error) {
		at, err = f.f.Seek(off, whence)
		return err
	})
	return at, err
}

// Stat is that of [os.File].
func (f *File) Stat() (info fs.FileInfo, err error) {
	err = do("stat", f.Name(), func() (err error) {
		info, err = f.f.Stat()
		return err
	})
	return info, err
}

// Sync is that of [os.File].
func (f *File) Sync() error { return do("sync", f.Name(), f.f.Sync) }

// Truncate is that of [os.File].
func (f *File) Truncate(size int64) error {
	return do("truncate", f.Name(), func() error { return f.f.Truncate(size) })
}

// Chmod is that of [os.File].
func (f *File) Chmod(mode fs.FileMode) error {
	return do("chmod", f.Name(), func() error { return f.f.Chmod(mode) })
}

// Chown is that of [os.File].
func (f *File) Chown(user, group int) error {
	return do("chown", f.Name(), func() error { return f.f.Chown(user, group) })
}

// Close is that of [os.File], and removes what [CreateScratch] made. The file
// is closed even where it fails.
func (f *File) Close() error {
	err := f.f.Close()
	if want := fault(Call{Op: "close", Name: f.Name()}).Err; err == nil && want != nil {
		err = &fs.PathError{Op: "close", Path: f.Name(), Err: want}
	}
	if errors.Is(err, syscall.EINTR) {
		err = nil
	}
	if removed := f.removed(); err == nil {
		err = removed
	}
	return err
}
