package connect

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/model"
)

// lookEvery is how often a model file is looked at: soon enough for a change,
// and seldom enough to cost nothing beside a message.
const lookEvery = time.Second

// modelFile is a model file that may be replaced while its model is in use.
// It is safe for concurrent use.
type modelFile struct {
	path    string
	log     *service.Logger
	current atomic.Pointer[coder]
	looked  atomic.Int64 // when the file was looked at, in nanoseconds
	reading atomic.Bool
	readers sync.WaitGroup

	// stat is of the file that was read last, whether it was good or bad. It
	// belongs to whoever has set reading.
	stat os.FileInfo

	make func(*model.Model, string) (*coder, error)
}

// openModelFile reads the model file. make is called with each model and its
// hash.
func openModelFile(path string, log *service.Logger, make func(*model.Model, string) (*coder, error)) (*modelFile, error) {
	f := &modelFile{path: path, log: log, make: make}
	c, stat, err := f.read()
	if err != nil {
		return nil, err
	}
	f.stat = stat
	f.current.Store(c)
	f.looked.Store(time.Now().UnixNano())
	return f, nil
}

// coder returns the coder of the model. When it is time to, it begins to look
// for another.
func (f *modelFile) coder() *coder {
	now, looked := time.Now().UnixNano(), f.looked.Load()
	if now-looked >= int64(lookEvery) && f.looked.CompareAndSwap(looked, now) {
		f.look()
	}
	return f.current.Load()
}

// look reads the file, beside the work, if it is another.
func (f *modelFile) look() {
	if !f.reading.CompareAndSwap(false, true) {
		return
	}
	stat, err := os.Stat(f.path)
	if err != nil || same(stat, f.stat) {
		// A file that is gone is about to be replaced.
		f.reading.Store(false)
		return
	}
	f.readers.Go(func() {
		defer f.reading.Store(false)
		f.replace()
	})
}

// replace reads the file, and if it is good its model takes over.
func (f *modelFile) replace() {
	c, stat, err := f.read()
	if stat != nil {
		f.stat = stat
	}
	old := f.current.Load()
	switch {
	case err != nil:
		f.log.Errorf("The model stays as it was, %s cannot be used: %v", f.path, err)
		return
	case c.hash == old.hash:
		return
	}
	f.current.Store(c)
	m := c.model
	log := f.log.Infof
	if m.Inputs != old.model.Inputs || m.Hidden != old.model.Hidden {
		log = f.log.Warnf
	}
	log("The model is now %s: %d inputs and %d hidden units, before %d and %d", c.hash, m.Inputs, m.Hidden, old.model.Inputs, old.model.Hidden)
}

var errWritten = errors.New("the file is still being written")

// read reads the file whole. What it returns of the file is nil where the file
// has to be read again.
func (f *modelFile) read() (*coder, os.FileInfo, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	m, info, err := model.ReadInfo(file)
	if after, statErr := file.Stat(); statErr != nil || !same(stat, after) {
		return nil, nil, errors.Join(errWritten, err)
	}
	if err != nil {
		return nil, stat, err
	}
	c, err := f.make(m, info.Hash)
	return c, stat, err
}

// same reports whether a file is still what it was.
func same(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// close waits for what is being read.
func (f *modelFile) close() { f.readers.Wait() }
