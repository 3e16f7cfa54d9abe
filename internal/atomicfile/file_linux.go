package atomicfile

import (
	"golang.org/x/sys/unix"

	"github.com/aefeat/aefeat/internal/disk"
)

// sendToDisk makes the system begin to write a part of a file to the disk. It
// does not wait, and failing does no harm.
func sendToDisk(f *disk.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}
