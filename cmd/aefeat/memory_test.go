package main

import (
	"testing"

	"github.com/aefeat/aefeat/internal/limits"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
	"github.com/apache/arrow-go/v18/arrow"
)

func TestSharesOfMemory(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		has, outside int64
		rows, heap   int64
	}{
		{0, 0, stage.DefaultMemory, 0},
		{64 << 30, 1 << 30, 1 << 30, (64<<30)/10*9 - 1<<30},
		{4 << 30, 1 << 30, 1 << 30, (4<<30)/10*9 - 1<<30},
		{1000 * mib, 250 * mib, 250 * mib, 650 * mib},
		{1000 * mib, 900 * mib, 250 * mib, 250 * mib},
		{10 * mib, 0, 32 * mib, 9 * mib},
	} {
		b := limits.Bound{Bytes: c.has, Limited: true}
		if got := rowMemory(b); got != c.rows {
			t.Errorf("of %d bytes %d keep rows, want %d", c.has, got, c.rows)
		}
		if got := heapLimit(b, c.outside); got < c.heap-10 || got > c.heap+10 {
			t.Errorf("of %d bytes, %d outside, %d are heap, want %d", c.has, c.outside, got, c.heap)
		}
	}
}

func TestLeavesRoomForItself(t *testing.T) {
	group := limits.Bound{Bytes: 64 << 20, By: "the control group allows", Limited: true}
	const want = "training takes 33 MiB of memory beside the program's own 32 MiB, and the control group allows 64 MiB"
	if err := fitMemory(group, "training takes", 33<<20, "x"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	const want = "with 9 rows this takes 8 GiB of memory, and this machine has 8 GiB"
	machine := limits.Bound{Bytes: 8 << 30, By: "this machine has"}
	err := fitMemory(machine, "with 9 rows this takes", 8<<30+1, "x")
	if err == nil || err.Error() != want || codeOf(err) != codeMemory {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, fits := range []struct {
		takes float64
		has   limits.Bound
	}{{8 << 30, machine}, {0, machine}, {1 << 50, limits.Bound{}}, {8<<30 - ownMemory, limits.Bound{Bytes: 8 << 30, Limited: true}}} {
		if err := fitMemory(fits.has, "rows take", fits.takes, "x"); err != nil {
			t.Errorf("%+v: %v", fits, err)
		}
	}
}

// Beside the rows that --memory keeps there are those that wait in the window.
func TestMemoryOfTheWindow(t *testing.T) {
	of := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: arrow.FixedSizeListOf(256, arrow.PrimitiveTypes.Float32)}}, nil)
	binding, err := patch.Bind(of, patch.BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	settings := stage.Config{Model: model.Sparse(2)}
	j := &fitJob{asksMemory: true, settings: settings, config: settings}
	trains, _ := j.memory(binding)
	j.config.Memory = 100 << 20
	defer func(old func() limits.Bound) { memoryBound = old }(memoryBound)
	for window, fits := range map[int64]bool{65: true, 63: false} { // MiB; 65,536 rows of 256 values and a number take 64.5
		memoryBound = func() limits.Bound {
			return limits.Bound{Bytes: int64(trains) + j.config.Memory + window<<20 + ownMemory, Limited: true}
		}
		if err := j.checkSize(binding); (err == nil) != fits {
			t.Errorf("with room for a window of %d MiB: %v", window, err)
		}
	}
}
