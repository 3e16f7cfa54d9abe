package cpu

import (
	"runtime"
	"testing"
)

func TestBest(t *testing.T) {
	for class, name := range map[Class]string{Plain: "plain", AVX2: "avx2", AVX512: "avx512", NEON: "neon"} {
		if class.String() != name {
			t.Errorf("class %d is called %q, want %q", class, class, name)
		}
	}
	best := Best()
	if possible := map[string]bool{"amd64": best <= AVX512, "arm64": best == NEON}; best != Plain && !possible[runtime.GOARCH] {
		t.Errorf("best class on %s is %v", runtime.GOARCH, best)
	}
}
