//go:build !linux

package atomicfile

import "github.com/aefeat/aefeat/internal/disk"

func sendToDisk(f *disk.File, off, n int64) {}
