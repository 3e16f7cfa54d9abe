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
