//go:build !linux

package main

// inMemory is only known on Linux.
func inMemory(string) bool { return false }

// machineMemory returns the bytes of memory that the machine has, 0 when that
// is not known.
func machineMemory() int64 { return 0 }
