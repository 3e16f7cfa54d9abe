//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/aefeat/aefeat/internal/disk"
)

// claim locks a file for as long as it is open, which tells others that its
// process lives. It reports false where one of them has taken the name temp, if
// it has one, for one that was left behind.
func claim(f *disk.File, temp string) bool {
	switch err := lock(f); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false
	case err != nil: // the file system has no locks, and nobody removes anything
		return true
	}
	return temp == "" || names(temp, f)
}

// removeAbandoned removes a file whose process has ended before it could rename
// or remove it.
func removeAbandoned(temp string) {
	f, err := disk.Open(temp)
	if err != nil {
		return
	}
	defer f.Close()
	if lock(f) == nil && names(temp, f) {
		_ = disk.Remove(temp) // which the next run does, too
	}
}

func lock(f *disk.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// names reports whether a name still is that of a file.
func names(name string, f *disk.File) bool {
	is, err := f.Stat()
	at, atErr := disk.Lstat(name)
	return err == nil && atErr == nil && os.SameFile(is, at)
}
