//go:build !linux

package disk

import "errors"

// Allocate is not supported.
func (f *File) Allocate(n int64) error { return errors.ErrUnsupported }
