//go:build unix

package descriptors

import (
	"syscall"
	"testing"
)

// Without descriptors there is an error rather than the end of the runtime.
func TestErr(t *testing.T) {
	if err := Err(); err != nil {
		t.Fatal(err)
	}
	last := 0
	for range 50 { // fills the gaps, too
		last = max(last, dup(t))
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	few := syscall.Rlimit{Cur: uint64(last + 1 + spare), Max: was.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	if err := try(); err != nil {
		t.Errorf("%v, though there are %d", err, spare)
	}
	dup(t)
	if err := try(); err != syscall.EMFILE {
		t.Errorf("%v, want %v", err, syscall.EMFILE)
	}
	if fd, err := syscall.Dup(0); err != syscall.EMFILE {
		t.Errorf("descriptor %d is left", fd)
	}
	for fd := last + 2; fd < last+1+spare; fd++ {
		syscall.Close(fd)
	}
}

// dup takes a descriptor for the time of a test.
func dup(t *testing.T) int {
	fd, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}
