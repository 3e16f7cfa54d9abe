package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aefeat/aefeat/internal/limits"
	"github.com/aefeat/aefeat/testdata"
)

// The peak of a run is its own, whatever the process has taken that started it.
func TestPeakMemory(t *testing.T) {
	large := make([]byte, 400<<20)
	for i := 0; i < len(large); i += 4096 {
		large[i] = 1
	}
	if got := limits.PeakMemory(); got < int64(len(large)) {
		t.Errorf("a peak of %d bytes, after %d were in use", got, len(large))
	}
	dir := t.TempDir()
	data, record := filepath.Join(dir, "x.parquet"), filepath.Join(dir, "r.json")
	if err := os.WriteFile(data, []byte(testdata.DigitsTest), 0o666); err != nil {
		t.Fatal(err)
	}
	// As TestMain has it, the name decides what this program is.
	c := exec.Command("/proc/self/exe", "fit", "--hidden", "2", "--epochs", "1", "--report", record, "-o", filepath.Join(dir, "m"), data)
	c.Args[0] = "aefeat"
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Peak int64 `json:"peak_memory"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Peak < 20<<20 || r.Peak > 200<<20 {
		t.Errorf("a peak of %d bytes", r.Peak)
	}
	if large[len(large)-4096] != 1 {
		t.Error("changed")
	}
}
