//go:build linux || darwin

package spill

import "syscall"

// reserve maps n bytes that read as zero and take memory only once written.
func reserve(n int) ([]byte, error) {
	return syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
}

func unreserve(mem []byte) error { return syscall.Munmap(mem) }
