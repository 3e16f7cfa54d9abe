//go:build !(amd64 || arm64) || purego

package f32

func best() *kernels { return &plain }

// classes returns the classes that this machine has, for tests.
func classes() []*kernels { return []*kernels{&plain} }
