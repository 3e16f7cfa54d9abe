package spill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/aefeat/aefeat/internal/disk"
)

// TestFaults makes every call of the disk fail once, in each of some ways: the
// error says where and what, or the rows are right all the same.
func TestFaults(t *testing.T) {
	var count int
	want, err := withFaults(t, func(disk.Call) (f disk.Fault) { count++; return f })
	if err != nil || len(want) != 250 {
		t.Fatal(len(want), err)
	}
	faults := []disk.Fault{
		{Err: syscall.EIO}, {Err: syscall.EINTR}, {Err: io.EOF, Short: true}, {Err: syscall.ENOSPC, Short: true}, {Err: syscall.EMFILE},
	}
	t.Logf("%d calls", count)
	for i := range count {
		for _, f := range faults {
			var mu sync.Mutex
			var hit disk.Call
			calls := 0
			got, err := withFaults(t, func(c disk.Call) disk.Fault {
				mu.Lock()
				defer mu.Unlock()
				if calls++; calls != i+1 || f.Err == io.EOF && c.Op != "read" {
					return disk.Fault{}
				}
				hit = c
				return f
			})
			var spill *Error
			switch {
			case err == nil && !slices.Equal(got, want):
				t.Errorf("%v %v: other rows, and no error", hit, f)
			case err == nil && f.Err != syscall.EINTR && (hit.Op == "read" || hit.Op == "write"):
				t.Errorf("%v %v: no error", hit, f)
			case err == nil:
			case f.Err == syscall.EINTR, !errors.As(err, &spill), f.Err != io.EOF && !errors.Is(err, f.Err):
				t.Errorf("%v %v: error %v", hit, f, err)
			}
		}
	}
}

// withFaults keeps rows in a store and returns the numbers of an epoch.
func withFaults(t *testing.T, decide func(disk.Call) disk.Fault) (numbers []int64, err error) {
	t.Helper()
	dir := t.TempDir()
	s, err := New(Config{Width: width, Seed: 7, Memory: small.minimum(width), Dir: dir, sizes: small})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Inject(decide)()
	defer func() {
		if closed := s.Close(); closed != nil {
			err = errors.Join(err, fmt.Errorf("close: %w", closed))
		}
		if left, readErr := os.ReadDir(dir); readErr != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, readErr)
		}
	}()
	for n := int64(0); n < 250; n++ {
		if err := s.Append(row(n), []int64{n}); err != nil {
			return nil, err
		}
	}
	if err := s.Seal(context.Background(), nil); err != nil {
		return nil, err
	}
	for epoch := range uint32(1) {
		for b, err := range s.Epoch(context.Background(), epoch) {
			if err != nil {
				return numbers, err
			}
			for _, i := range b.Order {
				if n := b.Number[i]; !bytes.Equal(b.Rows[int(i)*width:][:width], row(n)) {
					return nil, fmt.Errorf("row %d holds something else", n)
				}
				numbers = append(numbers, b.Number[i])
			}
		}
	}
	return numbers, nil
}
