//go:build !linux

package disk

import "errors"

// CreateUnnamed fails: only Linux can.
func CreateUnnamed(dir, name string) (*File, error) { return nil, errors.ErrUnsupported }

// Link fails, since there are no such files.
func (f *File) Link(name string) error { return errors.ErrUnsupported }
