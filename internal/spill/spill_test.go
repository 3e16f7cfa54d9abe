package spill

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aefeat/aefeat/internal/disk"
)

// small makes a bucket of 16 rows of 24 bytes, a block of 4 rows, and scatters
// to 4 parts at a time.
var small = sizes{bucket: 64 * 32, block: 4 * 32, fan: 2}

const width = 24

// row returns what row n must hold.
func row(n int64) []byte {
	b := make([]byte, width)
	for i := range b {
		b[i] = byte(n>>(8*(i%3))) + byte(i)
	}
	return b
}

// fill appends rows first..first+m-1, in calls of the given number of rows.
func fill(t *testing.T, s *Store, first int64, m, call int) {
	t.Helper()
	for i := 0; i < m; i += call {
		var rows []byte
		var number []int64
		for n := first + int64(i); n < first+int64(min(i+call, m)); n++ {
			rows = append(rows, row(n)...)
			number = append(number, n)
		}
		if err := s.Append(rows, number); err != nil {
			t.Fatal(err)
		}
	}
}

// sequence returns the numbers of an epoch's rows in order, and checks that
// each row is the one of its number.
func sequence(t *testing.T, s *Store, epoch uint32) []int64 {
	t.Helper()
	var got []int64
	for b, err := range s.Epoch(context.Background(), epoch) {
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range b.Order {
			if n := b.Number[i]; !bytes.Equal(b.Rows[int(i)*width:][:width], row(n)) {
				t.Fatalf("row %d holds something else", n)
			}
			got = append(got, b.Number[i])
		}
	}
	return got
}

func open(t *testing.T, memory int64, z sizes) *Store {
	t.Helper()
	s, err := New(Config{Width: width, Seed: 7, Memory: memory, Dir: t.TempDir(), sizes: z})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSequenceDoesNotDependOnMemory(t *testing.T) {
	for _, m := range []int{1, 63, 64, 65, 1000, 5000, 20000} {
		t.Run(fmt.Sprint(m), func(t *testing.T) {
			plenty := open(t, 10<<20, small)
			fill(t, plenty, 100, m, m)
			if err := plenty.Seal(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
			if plenty.Spilled() != 0 {
				t.Fatal("spilled")
			}
			for _, memory := range []int64{small.minimum(width), 3 * small.minimum(width)} {
				for _, call := range []int{7, 500} {
					for _, fan := range []int{1, 2, 5} {
						z := small
						z.fan = fan
						tight := open(t, memory, z)
						fill(t, tight, 100, m, call)
						if err := tight.Seal(context.Background(), nil); err != nil {
							t.Fatal(err)
						}
						if (tight.Spilled() > 0) != (m >= 1000) {
							t.Fatalf("%d bytes spilled", tight.Spilled())
						}
						for _, epoch := range []uint32{2, 3} {
							want, got := sequence(t, plenty, epoch), sequence(t, tight, epoch)
							if !slices.Equal(got, want) {
								t.Fatalf("memory %d, calls of %d rows, %d bits, epoch %d: another sequence", memory, call, fan, epoch)
							}
						}
					}
				}
			}
		})
	}
}

// An epoch may begin after any number of its rows, those of a file too.
func TestEpochFrom(t *testing.T) {
	const m = 500
	for _, memory := range []int64{10 << 20, small.minimum(width)} {
		s := open(t, memory, small)
		fill(t, s, 0, m, 100)
		if err := s.Seal(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if (s.Spilled() > 0) != (memory < 10<<20) {
			t.Fatalf("%d bytes spilled", s.Spilled())
		}
		whole := sequence(t, s, 2)
		for from := range m + 2 {
			var got []int64
			for b, err := range s.EpochFrom(context.Background(), 2, int64(from)) {
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range b.Order {
					if n := b.Number[i]; !bytes.Equal(b.Rows[int(i)*width:][:width], row(n)) {
						t.Fatalf("row %d holds something else", n)
					}
					got = append(got, b.Number[i])
				}
			}
			if !slices.Equal(got, whole[min(from, m):]) {
				t.Fatalf("from row %d of the epoch: another sequence", from)
			}
		}
	}
}

func TestTwoLevelsOfSplit(t *testing.T) {
	s := open(t, small.minimum(width), small)
	const m = 16000 // of 250 buckets: 8 bits, of which the first pass sees 2
	fill(t, s, 0, m, 1000)
	var calls, last, of int64
	err := s.Seal(context.Background(), func(done, total int64) {
		if done <= last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		calls, last, of = calls+1, done, total
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.bits != 8 || s.partBits != 8 || of != 3*m || last != of {
		t.Fatalf("%d bits, parts of %d bits, %d of %d rows handled: the levels were not what this test wants", s.bits, s.partBits, last, of)
	}
	// Every block that a level read is free for the next one.
	inUse := int64(0)
	for _, p := range s.parts {
		inUse += int64(len(p.extents))
	}
	if s.blocks > inUse*5/4 {
		t.Errorf("the file has %d blocks where %d are in use", s.blocks, inUse)
	}
	got := sequence(t, s, 2)
	if len(got) != m {
		t.Fatalf("%d rows", len(got))
	}
	slices.Sort(got)
	for i, n := range got {
		if n != int64(i) {
			t.Fatalf("row %d is missing or double", i)
		}
	}
}

func TestOrderDiffersByEpochAndSeed(t *testing.T) {
	s := open(t, 1<<20, small)
	fill(t, s, 0, 500, 500)
	if err := s.Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	two := sequence(t, s, 2)
	if slices.Equal(two, sequence(t, s, 3)) {
		t.Error("epochs 2 and 3 have one order")
	}
	if !slices.Equal(two, sequence(t, s, 2)) {
		t.Error("epoch 2 differs from itself")
	}
	other, err := New(Config{Width: width, Seed: 8, Memory: 1 << 20, sizes: small})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	fill(t, other, 0, 500, 500)
	if err := other.Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(two, sequence(t, other, 2)) {
		t.Error("seeds 7 and 8 give one order")
	}
}

// A sorted input must come out mixed: of rows with ten labels in sorted order,
// any 256 that follow each other hold each label about 26 times. Buckets are
// of 64 rows here; with a perfect shuffle the chance of one label filling half
// of a window is nil.
func TestSortedInputIsMixed(t *testing.T) {
	s := open(t, small.minimum(width), small)
	const m = 20000
	fill(t, s, 0, m, 999)
	if err := s.Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	var chi float64
	got := sequence(t, s, 2)
	windows := 0
	for at := 0; at+256 <= m; at += 256 {
		var count [10]float64
		for _, n := range got[at : at+256] {
			count[n*10/m]++
		}
		for _, c := range count {
			chi += (c - 25.6) * (c - 25.6) / 25.6
		}
		windows++
	}
	// Nine degrees of freedom a window: mean 9, deviation sqrt(18) each.
	if mean := chi / float64(windows); mean > 10.5 || mean < 7.5 {
		t.Errorf("labels in a window of 256 rows have chi-square %.2f, want about 9", mean)
	}
}

func TestNothingIsLeftInTheFolder(t *testing.T) {
	s := open(t, small.minimum(width), small)
	fill(t, s, 0, 5000, 500)
	if s.file == nil {
		t.Fatal("not spilled")
	}
	if runtime.GOOS != "windows" {
		if left, _ := os.ReadDir(s.dir); len(left) > 0 {
			t.Errorf("%s is visible while the file is open", left[0].Name())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

func TestDamage(t *testing.T) {
	damages := []struct {
		name   string
		damage func(s *Store) error
		sealed bool
		want   string
	}{
		{"flipped byte, before splitting", flip, false, "did not read back"},
		{"flipped byte, in an epoch", flip, true, "did not read back"},
		{"cut file", func(s *Store) error { return s.file.Truncate(int64(s.blockBytes()) * 3) }, true, "unexpected EOF"},
		{"closed file", func(s *Store) error { return s.file.Close() }, true, "closed"},
	}
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			s, err := New(Config{Width: width, Memory: small.minimum(width), Dir: t.TempDir(), sizes: small})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			fill(t, s, 0, 5000, 500)
			if d.sealed {
				if err := s.Seal(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.damage(s); err != nil {
				t.Fatal(err)
			}
			if !d.sealed {
				err = s.Seal(context.Background(), nil)
			} else {
				for _, e := range s.Epoch(context.Background(), 2) {
					err = e
				}
			}
			checkError(t, err, s.dir, d.want)
		})
	}
}

func flip(s *Store) error {
	at := int64(s.blockBytes()) * 2
	b := make([]byte, 1)
	if _, err := s.file.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 4
	_, err := s.file.WriteAt(b, at)
	return err
}

func checkError(t *testing.T, err error, dir, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %q does not name %q and %q", err, dir, want)
	}
	if !strings.Contains(e.Hint, "`SpillDir`") || !strings.Contains(e.Hint, "`Memory`") {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestNoSpaceLeft(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	s := open(t, small.minimum(width), small)
	fill(t, s, 0, 2000, 2000)
	if s.file == nil {
		t.Fatal("not spilled")
	}
	s.file.Close()
	s.file = disk.FromOS(full)
	for n := int64(2000); err == nil; n++ {
		err = s.Append(row(n), []int64{n})
	}
	checkError(t, err, s.dir, "no space left")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v is not ENOSPC", err)
	}
}

func TestMissingFolder(t *testing.T) {
	dir := t.TempDir() + "/none"
	var missing *Error
	if err := CheckFolder(dir); !errors.As(err, &missing) || missing.Dir != dir || !errors.Is(err, os.ErrNotExist) || missing.Hint == "" {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(CheckFolder(""), CheckFolder(t.TempDir())); err != nil {
		t.Error(err)
	}
	s, err := New(Config{Width: width, Memory: small.minimum(width), Dir: dir, sizes: small})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := int64(0); err == nil; n++ {
		err = s.Append(row(n), []int64{n})
	}
	checkError(t, err, dir, "no such file")
}

func TestBudgetBelowTheMinimum(t *testing.T) {
	if got := Minimum(784); got != 16<<20 {
		t.Errorf("minimum for 784 bytes a row is %d", got)
	}
	if got := Minimum(1 << 20); got != 4*64*(1<<20+8) {
		t.Errorf("minimum for 1 MiB a row is %d", got)
	}
	_, err := New(Config{Width: 784, Memory: 16<<20 - 1})
	if err == nil || !strings.Contains(err.Error(), "16 MiB") {
		t.Errorf("got %v", err)
	}
}

// When the system cannot reserve the memory, less is tried.
func TestBudgetBeyondTheMachine(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("memory is not mapped here")
	}
	plenty, beyond := open(t, 1<<20, small), open(t, 1<<62, small)
	for _, s := range []*Store{plenty, beyond} {
		fill(t, s, 0, 3000, 100)
		if err := s.Seal(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(sequence(t, plenty, 2), sequence(t, beyond, 2)) {
		t.Error("another sequence")
	}
}

func TestCancel(t *testing.T) {
	s := open(t, small.minimum(width), small)
	fill(t, s, 0, 5000, 500)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Seal(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Seal: %v", err)
	}

	for _, memory := range []int64{small.minimum(width), 1 << 20} {
		s := open(t, memory, small)
		fill(t, s, 0, 5000, 500)
		if err := s.Seal(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		seen := 0
		for _, err := range s.Epoch(ctx, 2) {
			seen++
			if seen == 3 {
				cancel()
			}
			if (err != nil) != (seen == 4) || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("bucket %d: %v", seen, err)
			}
		}
		// Breaking off waits for the read ahead, so the next loop may begin.
		for range s.Epoch(context.Background(), 2) {
			break
		}
		if got := len(sequence(t, s, 2)); got != 5000 {
			t.Errorf("%d rows", got)
		}
	}
}

// The real sizes: 12 bytes a row and 16 MiB, more rows than fit.
func TestDefaultSizes(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	const m = 2 << 20
	s, err := New(Config{Width: 4, Memory: 16 << 20, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, number := make([]byte, 4<<10), make([]int64, 1<<10)
	for n := 0; n < m; n += len(number) {
		for i := range number {
			number[i] = int64(n + i)
			binary.LittleEndian.PutUint32(rows[4*i:], uint32(n+i))
		}
		if err := s.Append(rows, number); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if s.Spilled() == 0 {
		t.Error("nothing was spilled")
	}
	seen := make([]bool, m)
	for b, err := range s.Epoch(context.Background(), 2) {
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range b.Order {
			n := b.Number[i]
			if seen[n] || binary.LittleEndian.Uint32(b.Rows[4*i:]) != uint32(n) {
				t.Fatalf("row %d is wrong or double", n)
			}
			seen[n] = true
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Errorf("row %d is missing", i)
	}
}

// The order is part of what a seed means: these figures must never change.
func TestOrderIsFrozen(t *testing.T) {
	s := open(t, 1<<20, sizes{bucket: 64 * 32, block: 4 * 32, fan: 2})
	fill(t, s, 0, 1000, 1000)
	if err := s.Seal(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	want := []int64{633, 277, 429, 704, 216, 281, 807, 809, 551, 512, 837, 647}
	if got := sequence(t, s, 2)[:12]; !slices.Equal(got, want) {
		t.Errorf("epoch 2 begins with %d, want %d", got, want)
	}
}

func BenchmarkEpochFromFile(b *testing.B) {
	const m = 200_000 // of 784 bytes: 150 MiB
	s, err := New(Config{Width: 784, Memory: 32 << 20, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rows, number := make([]byte, 1000*784), make([]int64, 1000)
	for n := 0; n < m; n += len(number) {
		for i := range number {
			number[i] = int64(n + i)
		}
		if err := s.Append(rows, number); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Seal(context.Background(), nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(m * 784)
	for b.Loop() {
		for _, err := range s.Epoch(context.Background(), 2) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
