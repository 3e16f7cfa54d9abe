//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

func openUnnamed(dir, name string) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(f *os.File, path string) error { return errors.ErrUnsupported }

func sendToDisk(f *os.File, off, n int64) {}
