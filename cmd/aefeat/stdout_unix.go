//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/aefeat/aefeat/internal/disk"
)

// isStandIn reports whether a standard stream was closed when the program
// began. The Go runtime then opens the null device in its place, for reading
// and writing, where whoever wants to lose output opens it for writing.
func isStandIn(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
		return err != nil
	}
	is, err := f.Stat()
	null, nullErr := disk.Stat(os.DevNull)
	return err == nil && nullErr == nil && os.SameFile(is, null)
}
