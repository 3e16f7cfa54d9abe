package limits

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestLeastBound(t *testing.T) {
	before := Memory()
	if before.Bytes <= 0 || before.By == "" {
		t.Fatalf("%+v", before)
	}
	mapped, data := mappedBytes()
	if mapped <= 0 || data <= 0 || data > mapped {
		t.Fatalf("%d bytes mapped, %d of data", mapped, data)
	}
	all := func() int64 { n, _ := mappedBytes(); return n }
	private := func() int64 { _, n := mappedBytes(); return n }
	for _, c := range []struct {
		resource int
		by       string
		taken    func() int64
	}{{unix.RLIMIT_AS, "ulimit -v leaves", all}, {unix.RLIMIT_DATA, "ulimit -d leaves", private}} {
		var was unix.Rlimit
		if err := unix.Getrlimit(c.resource, &was); err != nil {
			t.Fatal(err)
		}
		if was.Cur != unix.RLIM_INFINITY {
			t.Skip("these tests run under a limit")
		}
		first := c.taken()
		limit := first + 512<<20
		low := unix.Rlimit{Cur: uint64(limit), Max: was.Max}
		if err := unix.Setrlimit(c.resource, &low); err != nil {
			t.Fatal(err)
		}
		b, near := Memory(), Near()
		if err := unix.Setrlimit(c.resource, &was); err != nil {
			t.Fatal(err)
		}
		// The runtime may map more meanwhile.
		if b.By != c.by || !b.Limited || b.Bytes > limit-first || b.Bytes < limit-c.taken() {
			t.Errorf("%+v, want what %s of %d bytes", b, c.by, limit-first)
		}
		if !near {
			t.Errorf("a limit of %s is not near", c.by)
		}
	}
	if rest(unix.RLIMIT_CORE, 1<<62, "x").Bytes > 1 {
		t.Error("something is left of less than was taken")
	}
}
