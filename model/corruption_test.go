package model

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/aefeat/aefeat/internal/rng"
)

// corruptRows corrupts rows that are all value, with the row numbers 0 on.
func corruptRows(c Config, rows int, value float32) []float32 {
	x, dst := make([]float32, rows*c.Inputs), make([]float32, rows*c.Inputs)
	number := make([]int64, rows)
	for i := range x {
		x[i] = value
	}
	for i := range number {
		number[i] = int64(i)
	}
	newCorrupter(c, Preprocess{}).rows(dst, x, c.Inputs, number, 1)
	return dst
}

// Exactly round(v n) components, half to even, of every row.
func TestMaskCount(t *testing.T) {
	for _, n := range []int{1, 2, 10, 63, 64, 65, 128, 784} {
		for _, v := range []float64{0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.35, 0.5, 0.75, 0.9, 0.99, 1} {
			want := int(math.RoundToEven(v * float64(n)))
			dst := corruptRows(Config{Inputs: n, Corruption: v, Seed: 3}, 50, 1)
			for row := range 50 {
				zeros := 0
				for _, x := range dst[row*n : (row+1)*n] {
					switch x {
					case 0:
						zeros++
					case 1:
					default:
						t.Fatalf("n %d, v %v: a component is %v", n, v, x)
					}
				}
				if zeros != want {
					t.Fatalf("n %d, v %v: %d components masked, want %d", n, v, zeros, want)
				}
			}
		}
	}
	// The halves: 2.5 goes to 2, 3.5 to 4.
	for v, want := range map[float64]int{0.25: 2, 0.35: 4} {
		if got := newCorrupter(Config{Inputs: 10, Corruption: v}, Preprocess{}).count; got != want {
			t.Errorf("%v of 10 components are %d, want %d", v, got, want)
		}
	}
}

// checkEven fails when counts, each with the same expectation, are farther
// from it than chance allows: five standard deviations of the chi-square with
// df degrees of freedom. variance is that of a single count over its
// expectation.
func checkEven(t *testing.T, what string, counts []int, variance float64) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	want := float64(total) / float64(len(counts))
	x := 0.0
	for _, c := range counts {
		x += (float64(c) - want) * (float64(c) - want) / (want * variance)
	}
	df := float64(len(counts))
	if math.Abs(x-df) > 5*math.Sqrt(2*df) {
		t.Errorf("%s: chi-square %.1f over %d counts", what, x, len(counts))
	}
}

// Every component is as likely as any other, and so is every pair, whether
// components had to be added to the independent bits or removed from them.
func TestMaskUniform(t *testing.T) {
	const rows = 20_000
	for _, c := range []struct {
		n int
		v float64
	}{{12, 0.25}, {12, 0.3}, {20, 0.07}, {20, 0.5}, {70, 0.1}, {70, 0.93}} {
		t.Run(fmt.Sprint(c.n, c.v), func(t *testing.T) {
			n := c.n
			dst := corruptRows(Config{Inputs: n, Corruption: c.v, Seed: 5}, rows, 1)
			single, together := make([]int, n), make([]int, n*n)
			masked := make([]int, 0, n)
			for row := range rows {
				masked = masked[:0]
				for j, x := range dst[row*n : (row+1)*n] {
					if x == 0 {
						for _, i := range masked {
							together[j*n+i]++
						}
						masked = append(masked, j)
						single[j]++
					}
				}
			}
			var pair []int
			for j := range n {
				pair = append(pair, together[j*n:j*n+j]...)
			}
			k := float64(len(masked))
			p := k / float64(n)
			checkEven(t, "components", single, 1-p)
			q := p * (k - 1) / float64(n-1)
			if k > 1 {
				checkEven(t, "pairs", pair, 1-q)
			}
		})
	}
}

// All sets of two out of five components are equally likely.
func TestMaskSubsets(t *testing.T) {
	const rows = 50_000
	dst := corruptRows(Config{Inputs: 5, Corruption: 0.4, Seed: 6}, rows, 1)
	counts := map[[5]float32]int{}
	for row := range rows {
		counts[[5]float32(dst[row*5:])]++
	}
	if len(counts) != 10 {
		t.Fatalf("%d sets of components, want 10", len(counts))
	}
	var list []int
	for _, c := range counts {
		list = append(list, c)
	}
	checkEven(t, "sets", list, 0.9)
}

func TestSaltAndPepper(t *testing.T) {
	const n, rows = 40, 20_000
	c := Config{Inputs: n, Corruption: 0.25, Noise: SaltPepper, Seed: 7}
	dst := corruptRows(c, rows, 0.5)
	salt := make([]int, n)
	for row := range rows {
		changed := 0
		for j, x := range dst[row*n : (row+1)*n] {
			switch x {
			case 0:
				changed++
			case 1:
				changed++
				salt[j]++
			case 0.5:
			default:
				t.Fatalf("a component is %v", x)
			}
		}
		if changed != 10 {
			t.Fatalf("%d components changed, want 10", changed)
		}
	}
	checkEven(t, "salt", salt, 1-0.125)
	total := 0
	for _, c := range salt {
		total += c
	}
	if share := float64(total) / (10 * rows); math.Abs(share-0.5) > 5*0.5/math.Sqrt(10*rows) {
		t.Errorf("%v of the changed components are salt", share)
	}

	// The range is that of preprocessed space.
	k := newCorrupter(c, Preprocess{Scale: 1.0 / 64, Offset: -1, Min: 0, Max: 128})
	if k.lo != -1 || k.hi != 1 {
		t.Errorf("range %v to %v, want -1 to 1", k.lo, k.hi)
	}
}

func TestGaussianNoise(t *testing.T) {
	const n, rows = 30, 10_000
	dst := corruptRows(Config{Inputs: n, Corruption: 0.2, Noise: Gaussian, Seed: 8}, rows, 0.5)
	var sum, square float64
	for _, x := range dst {
		d := float64(x) - 0.5
		sum += d
		square += d * d
	}
	m := float64(len(dst))
	if mean := sum / m; math.Abs(mean) > 5*0.2/math.Sqrt(m) {
		t.Errorf("mean %v", mean)
	}
	if v := square / m; math.Abs(v/0.04-1) > 5*math.Sqrt(2/m) {
		t.Errorf("variance %v", v)
	}
}

// The noise of a row is keyed by seed, epoch and number: not by its place in
// a batch, its neighbours or the number of goroutines.
func TestNoiseKey(t *testing.T) {
	const n, rows = 50, 100
	for _, noise := range []Noise{Masking, Gaussian, SaltPepper} {
		c := Config{Inputs: n, Corruption: 0.3, Noise: noise, Seed: 9}
		corrupt := func(c Config, x []float32, number []int64, epoch uint32) []float32 {
			dst := make([]float32, len(x))
			newCorrupter(c, Preprocess{}).rows(dst, x, n, number, epoch)
			return dst
		}
		x := randomRows(10, rows, n)
		number := make([]int64, rows)
		s := rng.New(1, rng.Shuffle, 0, 0)
		for i := range number {
			number[i] = int64(s.Uint32())
		}
		all := corrupt(c, x, number, 2)
		for i := range rows {
			equalFloats(t, corrupt(c, x[i*n:(i+1)*n], number[i:i+1], 2), all[i*n:(i+1)*n])
		}
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
			equalFloats(t, corrupt(c, x, number, 2), all)
		}()
		seeded := c
		seeded.Seed++
		number2 := append([]int64(nil), number...)
		number2[0]++
		for what, other := range map[string][]float32{
			"epoch":  corrupt(c, x, number, 3)[:n],
			"seed":   corrupt(seeded, x, number, 2)[:n],
			"number": corrupt(c, x, number2, 2)[:n],
		} {
			same := 0
			for i, v := range other {
				if v == all[i] {
					same++
				}
			}
			if same == n {
				t.Errorf("%v: another %s gives the same noise", noise, what)
			}
		}
	}
}

func BenchmarkCorruption(b *testing.B) {
	const n, rows = 784, 256
	x, dst := randomRows(1, rows, n), make([]float32, rows*n)
	number := make([]int64, rows)
	for i := range number {
		number[i] = int64(i)
	}
	for _, noise := range []Noise{Masking, SaltPepper, Gaussian} {
		for _, v := range []float64{0.25, 0.3} {
			b.Run(fmt.Sprintf("%v-%v", noise, v), func(b *testing.B) {
				c := newCorrupter(Config{Inputs: n, Corruption: v, Noise: noise}, Preprocess{})
				b.SetBytes(4 * n * rows)
				for b.Loop() {
					c.rows(dst, x, n, number, 1)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}
