package rng

import (
	"math"
	"testing"
)

// The known answers that come with Random123, for ten rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	const all = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		var got [4]uint32
		got[0], got[1], got[2], got[3] = philox(c.counter, c.key)
		if got != c.want {
			t.Errorf("philox(%08x, %08x) = %08x, want %08x", c.counter, c.key, got, c.want)
		}
	}
}

// A stream is the block function over consecutive counters: its layout is
// part of what version 1 of the model file freezes.
func TestStreamLayout(t *testing.T) {
	s := New(0x1122334455667788, Corruption, 7, 0xabcd_89abcdef)
	key := [2]uint32{0x55667788, 0x11223344}
	for i := range uint32(3) {
		var want [4]uint32
		want[0], want[1], want[2], want[3] = philox([4]uint32{i, 0x89abcdef, 5<<16 | 0xabcd, 7}, key)
		for j, w := range want {
			if got := s.Uint32(); got != w {
				t.Fatalf("block %d word %d is %08x, want %08x", i, j, got, w)
			}
		}
	}
	u, w := New(3, Weights, 1, 2), New(3, Weights, 1, 2)
	lo, hi := w.Uint32(), w.Uint32()
	if got, want := u.Uint64(), uint64(hi)<<32|uint64(lo); got != want {
		t.Errorf("Uint64 = %x, want %x", got, want)
	}
}

func TestFill(t *testing.T) {
	for n := range 20 {
		u, v := New(9, Bucket, 0, 0), New(9, Bucket, 0, 0)
		u.Uint32()
		for range 4 { // to the second block
			v.Uint32()
		}
		got := make([]uint64, n)
		u.Fill(got)
		for i, g := range got {
			if want := v.Uint64(); g != want {
				t.Errorf("Fill of %d: number %d is %x, want %x", n, i, g, want)
			}
		}
		if g, want := u.Uint32(), v.Uint32(); g != want {
			t.Errorf("after Fill of %d: %x, want %x", n, g, want)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, s Stream) {
		v := s.Uint64()
		if other, ok := seen[v]; ok {
			t.Errorf("streams %s and %s start alike", name, other)
		}
		seen[v] = name
	}
	add("base", New(1, Weights, 0, 0))
	add("seed", New(2, Weights, 0, 0))
	add("high seed", New(1<<32|1, Weights, 0, 0))
	add("purpose", New(1, Bucket, 0, 0))
	add("epoch", New(1, Weights, 1, 0))
	add("row", New(1, Weights, 0, 1))
	add("row 2^32", New(1, Weights, 0, 1<<32))
	add("row 2^47", New(1, Weights, 0, 1<<47))
	add("row 2^49", New(1, Weights, 0, 1<<49))
}

// chi2 is the statistic of counts against equal shares.
func chi2(counts []int) float64 {
	total := 0
	for _, c := range counts {
		total += c
	}
	want := float64(total) / float64(len(counts))
	sum := 0.0
	for _, c := range counts {
		sum += (float64(c) - want) * (float64(c) - want) / want
	}
	return sum
}

// checkEven fails when counts are farther from equal than chance allows:
// five standard deviations of the chi-square, either way.
func checkEven(t *testing.T, what string, counts []int) {
	t.Helper()
	df := float64(len(counts) - 1)
	if x := chi2(counts); math.Abs(x-df) > 5*math.Sqrt(2*df)+5 {
		t.Errorf("%s: chi-square %.1f with %v degrees of freedom", what, x, df)
	}
}

func TestUint32n(t *testing.T) {
	s := New(1, Shuffle, 0, 0)
	for _, n := range []uint32{1, 2, 3, 10, 97} {
		counts := make([]int, n)
		for range 20_000 {
			counts[s.Uint32n(n)]++
		}
		checkEven(t, "Uint32n", counts)
	}
	// A range where the plain modulus would favour the low third two to one.
	counts := make([]int, 3)
	for range 30_000 {
		counts[s.Uint32n(3<<30)>>30]++
	}
	checkEven(t, "Uint32n(3<<30)", counts)
}

func TestFloat64(t *testing.T) {
	s := New(2, Shuffle, 0, 0)
	counts := make([]int, 64)
	for range 100_000 {
		v := s.Float64()
		if v < 0 || v >= 1 {
			t.Fatalf("Float64 = %v", v)
		}
		counts[int(v*64)]++
	}
	checkEven(t, "Float64", counts)
}

func TestNorm(t *testing.T) {
	s := New(3, Corruption, 0, 0)
	const m = 200_000
	counts := make([]int, 50)
	var sum, square float64
	for range m {
		v := s.Norm()
		sum += v
		square += v * v
		// Through the normal distribution function the numbers are uniform.
		counts[min(int(0.5*math.Erfc(-v/math.Sqrt2)*50), 49)]++
	}
	checkEven(t, "Norm", counts)
	if mean := sum / m; math.Abs(mean) > 5/math.Sqrt(m) {
		t.Errorf("mean %v", mean)
	}
	if v := square / m; math.Abs(v-1) > 5*math.Sqrt(2.0/m) {
		t.Errorf("variance %v", v)
	}
}

func TestShuffle(t *testing.T) {
	distinct := map[[4]int]int{}
	for row := range uint64(24_000) {
		s := New(5, RowOrder, 0, row)
		p := [4]int{0, 1, 2, 3}
		s.Shuffle(4, func(i, j int) { p[i], p[j] = p[j], p[i] })
		distinct[p]++
	}
	if len(distinct) != 24 {
		t.Fatalf("%d of 24 orders occurred", len(distinct))
	}
	var counts []int
	for _, c := range distinct {
		counts = append(counts, c)
	}
	checkEven(t, "Shuffle", counts)
}

func BenchmarkUint32(b *testing.B) {
	s := New(1, Corruption, 0, 0)
	var x uint32
	for b.Loop() {
		x += s.Uint32()
	}
	_ = x
}

func BenchmarkFill(b *testing.B) {
	s := New(1, Corruption, 0, 0)
	dst := make([]uint64, 25)
	b.SetBytes(8 * 25)
	for b.Loop() {
		s.Fill(dst)
	}
}

func BenchmarkNorm(b *testing.B) {
	s := New(1, Corruption, 0, 0)
	var x float64
	for b.Loop() {
		x += s.Norm()
	}
	_ = x
}
