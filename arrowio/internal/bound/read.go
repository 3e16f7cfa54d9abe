package bound

import "io"

// ReadFullAt reads all of b. An end in the middle is io.ErrUnexpectedEOF.
func ReadFullAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadGrowing reads n bytes into memory that grows from start, so that a claim
// of bytes which are not there costs nothing.
func ReadGrowing(r io.Reader, n, start int64) ([]byte, error) {
	b := make([]byte, min(n, start))
	for done := 0; ; {
		k, err := io.ReadFull(r, b[done:])
		done += k
		if err == io.EOF && k == 0 && done < int(n) || err == io.ErrUnexpectedEOF {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if int64(done) == n {
			return b, nil
		}
		more := make([]byte, min(n, 2*int64(done)))
		copy(more, b)
		b = more
	}
}
