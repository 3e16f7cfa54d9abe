//go:build unix

package descriptors

import "syscall"

// try opens a few descriptors. Where it cannot, it leaves none: opening a file
// is an error then, and not the end of the program.
func try() error {
	var taken []int
	for range spare {
		fd, err := syscall.Dup(0)
		if err == syscall.EBADF {
			break // there is nothing to try it with
		}
		if err != nil {
			return err
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken {
		syscall.Close(fd)
	}
	return nil
}
