package main

import "os"

// isStandIn does not know: a closed stream is one that cannot be written.
func isStandIn(f *os.File) bool { return false }
