package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// keepLargestSorted is the meaning of KeepLargest for one row without NaNs.
func keepLargestSorted(z []float32, k int) []float32 {
	order := make([]int, len(z))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case z[i] > z[j]:
			return -1
		case z[i] < z[j]:
			return 1
		}
		return 0
	})
	kept := make([]float32, len(z))
	for _, i := range order[:min(k, len(z))] {
		kept[i] = z[i]
	}
	return kept
}

func TestKeepLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	negativeZero := float32(math.Copysign(0, -1))
	values := map[string]func(int) float32{
		"normal":     func(int) float32 { return float32(r.NormFloat64()) },
		"few values": func(int) float32 { return float32(r.IntN(5) - 2) },
		"all equal":  func(int) float32 { return -3 },
		"zeros":      func(int) float32 { return []float32{0, negativeZero}[r.IntN(2)] },
		"rising":     func(i int) float32 { return float32(i) },
		"falling":    func(i int) float32 { return float32(-i) },
		"waves":      func(i int) float32 { return float32(i * 7919 % 31) },
		"extremes": func(int) float32 {
			return []float32{math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), math.SmallestNonzeroFloat32, 0, 1}[r.IntN(7)]
		},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 15, 24, 25, 40, 100, 257, 1000, 20000} {
				const rows = 3
				for _, k := range []int{1, 2, n / 40, n / 10, n / 2, n - 1, n, n + 1} {
					if k < 1 {
						continue
					}
					z := make([]float32, rows*n)
					for i := range z {
						z[i] = value(i)
					}
					var want []float32
					for i := range rows {
						want = append(want, keepLargestSorted(z[i*n:(i+1)*n], k)...)
					}
					KeepLargest(z, n, k)
					if !slices.Equal(z, want) {
						t.Fatalf("n %d, k %d: not the largest, of equals the first", n, k)
					}
				}
			}
		})
	}
}

func TestGate(t *testing.T) {
	a := make([]float32, 40_000)
	d, want := make([]float32, len(a)), make([]float32, len(a))
	for i := range a {
		a[i], d[i] = float32(i%3-1), float32(i)
		if a[i] != 0 {
			want[i] = d[i]
		}
	}
	Gate(d, a)
	if !slices.Equal(d, want) {
		t.Error("the gate lets through what it should not")
	}
}

func BenchmarkKeepLargest(b *testing.B) {
	const rows = 256
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ n, k int }{{196, 25}, {1000, 25}, {1000, 50}, {1000, 100}, {4000, 25}} {
		b.Run(fmt.Sprintf("%d of %d", c.k, c.n), func(b *testing.B) {
			z, from := make([]float32, rows*c.n), make([]float32, rows*c.n)
			for i := range from {
				from[i] = float32(r.NormFloat64())
			}
			for b.Loop() {
				copy(z, from)
				KeepLargest(z, c.n, c.k)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/rows, "us/row")
		})
	}
}

func BenchmarkGate(b *testing.B) {
	a, d := make([]float32, 256*1000), make([]float32, 256*1000)
	for i := 0; i < len(a); i += 40 {
		a[i] = 1
	}
	for b.Loop() {
		Gate(d, a)
	}
}
