//go:build !linux

package limits

// Memory returns the least of what bounds the memory of this process, beyond
// what it has taken already where that counts.
func Memory() Bound { return Bound{} }

// PeakMemory returns the most bytes of memory that this process has had so far,
// 0 when that is not known.
func PeakMemory() int64 { return 0 }

// Near reports whether this process may meet a limit that the Go runtime does
// not survive.
func Near() bool { return false }
