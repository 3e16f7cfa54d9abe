package main

import "testing"

func TestProbeRefusesWhatDoesNotFit(t *testing.T) {
	const want = "2,097,153 rows of 1,024 values take 8 GiB of memory, and this machine has 8 GiB"
	if err := fitMemory(1<<21+1, 1024, 8<<30); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	for _, fits := range []struct{ rows, has int64 }{{1 << 21, 8 << 30}, {0, 8 << 30}, {1 << 40, 0}} {
		if err := fitMemory(fits.rows, 1024, fits.has); err != nil {
			t.Errorf("%+v: %v", fits, err)
		}
	}
}
