//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import "github.com/aefeat/aefeat/internal/disk"

func claim(f *disk.File, temp string) bool { return true }

// removeAbandoned does nothing: it cannot tell whether a process lives.
func removeAbandoned(temp string) {}
