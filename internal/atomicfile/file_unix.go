//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/aefeat/aefeat/internal/disk"
)

// openDescriptor opens the paths that stand for a descriptor of this process,
// such as /dev/stdout: the very descriptor, so that output goes on where it
// stands. It returns nil for other paths.
func openDescriptor(path string) (*disk.File, error) {
	n := -1
	switch path {
	case "/dev/stdout":
		n = 1
	case "/dev/stderr":
		n = 2
	default:
		for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
			if digits, ok := strings.CutPrefix(path, dir); ok {
				var err error
				if n, err = strconv.Atoi(digits); err != nil {
					return nil, nil
				}
			}
		}
	}
	if n < 0 {
		return nil, nil
	}
	fd, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return disk.FromOS(os.NewFile(uintptr(fd), path)), nil
}

// keepOwner gives f the owner of the file that it replaces, where that is
// allowed.
func keepOwner(f *disk.File, info fs.FileInfo) {
	old, ok := info.Sys().(*syscall.Stat_t)
	if now, err := f.Stat(); ok && err == nil {
		if st, ok := now.Sys().(*syscall.Stat_t); ok && (st.Uid != old.Uid || st.Gid != old.Gid) {
			_ = f.Chown(int(old.Uid), int(old.Gid))
			_ = f.Chmod(info.Mode().Perm()) // chown may clear bits
		}
	}
}

// syncDir makes a new name durable. The file itself is on disk already, so a
// failure is no reason to say that it is not.
func syncDir(dir string) {
	if d, err := disk.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// closedToRename says that a file that is open cannot be renamed.
const closedToRename = false
