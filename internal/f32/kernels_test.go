package f32

import (
	"runtime"
	"testing"

	"github.com/aefeat/aefeat/internal/cpu"
)

func TestKernels(t *testing.T) {
	want := cpu.Best().String()
	if active.class == cpu.Plain {
		want = "plain " + runtime.GOARCH
	}
	if got := Kernels(); got != want {
		t.Errorf("the kernels are called %q, want %q", got, want)
	}
	// TestGemmFusedClasses and TestAgainstPlain hold the classes to this.
	for _, pair := range []struct {
		a, b string
		same bool
	}{
		{"avx2", "avx512", true}, {"avx512", "avx512", true}, {"plain arm64", "plain arm64", true},
		{"neon", "neon", true}, {"avx2", "neon", false}, {"neon", "plain arm64", false},
		{"avx2", "plain amd64", false}, {"plain amd64", "plain arm64", false}, {"avx512", "avx1024", false},
	} {
		if SameBits(pair.a, pair.b) != pair.same || SameBits(pair.b, pair.a) != pair.same {
			t.Errorf("%s: same bits: %t", pair.a+" and "+pair.b, !pair.same)
		}
	}
}
