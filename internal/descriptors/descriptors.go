// Package descriptors finds out whether the system lets this process open
// files.
//
// The Go runtime takes two descriptors when the first file is opened, and ends
// the program where it does not get them. Libraries open files as they are
// loaded, long before main. So this package looks before them: it is loaded
// early, since it needs nothing but package syscall.
package descriptors

// Err returns the error of the system where it lets this process open hardly
// any file. Then there is no descriptor left at all, so that nothing can be
// done but to say so.
func Err() error { return err }

var err = try()

// spare is how many descriptors there must be: for a file, two that the runtime
// takes for it, and one more.
const spare = 4
