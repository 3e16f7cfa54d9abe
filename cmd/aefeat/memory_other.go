//go:build !linux

package main

// inMemory is only known on Linux.
func inMemory(string) bool { return false }

// peakMemory returns the most memory in bytes that the program has had so far,
// 0 when that is not known.
func peakMemory() int64 { return 0 }
