package arrowio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// InputFile is what is known of one file of a [Source].
type InputFile struct {
	Name   string // as in errors: a path, or "standard input"
	Format Format
	Rows   int64 // so far, of a stream that is still being read
	Bytes  int64 // likewise; 0 of a pipe without a hash

	// SHA256 is that of all bytes, in hex. "": OpenOptions.Hash did not ask for
	// it, or a pipe was not read to its end.
	SHA256 string
}

// Files tells of the files of the source, in their order. Where
// OpenOptions.Hash asked for hashes it waits until they are there. It must not
// be called while a Reader reads.
func (s *Source) Files(ctx context.Context) ([]InputFile, error) {
	if s.sums != nil {
		select {
		case <-s.sums.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := s.sums.err; err != nil {
			return nil, err
		}
	}
	files := make([]InputFile, len(s.inputs))
	for i, in := range s.inputs {
		f := &files[i]
		s.mu.Lock()
		*f = InputFile{Name: in.name, Format: in.format, Rows: max(0, s.rows[i]), Bytes: in.size}
		s.mu.Unlock()
		switch {
		case in.tap != nil:
			f.Bytes, f.SHA256 = in.tap.bytes, in.tap.hash()
		case s.sums != nil:
			f.SHA256 = s.sums.of[i]
		}
	}
	return files, nil
}

// A tap finds the hash of what comes through a pipe.
type tap struct {
	r     io.Reader
	sum   hash.Hash
	bytes int64
	ended bool
}

func newTap(r io.Reader) *tap { return &tap{r: r, sum: sha256.New()} }

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.sum.Write(p[:n])
	t.bytes += int64(n)
	t.ended = t.ended || err == io.EOF
	return n, err
}

// hash returns the hash of all that came, "" where more may come.
func (t *tap) hash() string {
	if !t.ended {
		return ""
	}
	return hex.EncodeToString(t.sum.Sum(nil))
}

// sums are the hashes of the inputs that can be sought in. One goroutine reads
// them, one after the other, while a Reader reads their rows.
type sums struct {
	of   []string      // of each input; "" of a pipe
	err  error         // what ended it
	done chan struct{} // closed at the end
	stop chan struct{} // closed by the source
}

// sumBytes are read at a time.
const sumBytes = 256 << 10

func (s *Source) startSums() {
	u := &sums{of: make([]string, len(s.inputs)), done: make(chan struct{}), stop: make(chan struct{})}
	s.sums = u
	go func() {
		defer close(u.done)
		buffer := make([]byte, sumBytes)
		for i, in := range s.inputs {
			if in.tap != nil { // it is known without
				continue
			}
			if u.of[i], u.err = in.hash(buffer, u.stop); u.err != nil {
				u.err = in.fault(u.err)
				return
			}
		}
	}()
}

// end ends the goroutine.
func (u *sums) end() {
	if u != nil {
		close(u.stop)
		<-u.done
	}
}

// hash returns the hash of an input, unless stop is closed.
func (in *input) hash(buffer []byte, stop <-chan struct{}) (string, error) {
	at := in.at
	if at == nil {
		f, err := in.reopen()
		if err != nil {
			return "", err
		}
		defer f.Close()
		at = f
	}
	sum := sha256.New()
	r := io.NewSectionReader(at, in.base, in.size)
	for {
		select {
		case <-stop:
			return "", context.Canceled
		default:
		}
		n, err := r.Read(buffer)
		sum.Write(buffer[:n])
		switch {
		case err == io.EOF:
			if at, _ := r.Seek(0, io.SeekCurrent); at != in.size {
				return "", errChanged
			}
			if err := in.unchanged(at); err != nil {
				return "", err
			}
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", err
		}
	}
}
