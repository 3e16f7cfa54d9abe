package main

import "golang.org/x/sys/unix"

// inMemory reports whether a folder lies in a file system that is kept in
// memory, where a spill file saves nothing.
func inMemory(dir string) bool {
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) != nil {
		return false
	}
	return stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC
}

// peakMemory returns the most memory in bytes that the program has had so far.
func peakMemory() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Maxrss << 10
}
