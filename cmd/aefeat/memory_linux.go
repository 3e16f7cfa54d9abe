package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inMemory reports whether a folder lies in a file system that is kept in
// memory, where a spill file saves nothing.
func inMemory(dir string) bool {
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) != nil {
		return false
	}
	return stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC
}

// peakMemory returns the most memory in bytes that the program has had so far,
// 0 when that is not known. Getrusage does not tell: it counts what the process
// that started this one had.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(kib, "kB\n")), 10, 64)
			return n << 10
		}
	}
	return 0
}
