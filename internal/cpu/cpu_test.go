package cpu

import (
	"runtime"
	"testing"
)

func TestBest(t *testing.T) {
	for class, name := range map[Class]string{Plain: "plain", AVX2: "avx2", AVX512: "avx512"} {
		if class.String() != name {
			t.Errorf("class %d is called %q, want %q", class, class, name)
		}
	}
	if best := Best(); best > AVX512 || best != Plain && runtime.GOARCH != "amd64" {
		t.Errorf("best class on %s is %v", runtime.GOARCH, best)
	}
}
