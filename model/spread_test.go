package model

import (
	"math"
	"slices"
	"testing"

	"github.com/aefeat/aefeat/internal/rng"
)

// The spread is that of the rows that the network is fed with.
func TestSpread(t *testing.T) {
	const n, rows = 5, 70
	x := randomRows(3, rows, n)
	for i := range x {
		x[i] += float32(i % n)
	}
	m := sumsModel(t, n, 3)
	trainer := newTrainer(t, m, TrainOptions{BatchSize: 16, Epochs: 2, Spread: true})
	for range 2 {
		if err := trainer.Add(numbered(x, n, 0, rows), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	variance := 0.0
	for j := range n {
		mean := 0.0
		for i := range rows {
			mean += float64(x[i*n+j]) / rows
		}
		if d := math.Abs(float64(m.Spread.Mean[j]) - mean); d > 1e-6 {
			t.Errorf("mean %d is %v, want %v", j, m.Spread.Mean[j], mean)
		}
		for i := range rows {
			variance += (float64(x[i*n+j]) - mean) * (float64(x[i*n+j]) - mean) / rows
		}
	}
	if d := math.Abs(m.Spread.Variance - variance); d > 1e-12*variance {
		t.Errorf("variance %v, want %v", m.Spread.Variance, variance)
	}
}

// grouped takes rows x (m,n) into an average, in groups of these sizes. It also
// returns F and omega squared as their definitions have them.
func grouped(x [][]float64, sizes []int) (a *Average, f, omega float64) {
	centre := func(rows [][]float64) (mean []float64, squares float64) {
		mean = make([]float64, len(x[0]))
		for _, row := range rows {
			for j, v := range row {
				mean[j] += v / float64(len(rows))
			}
		}
		for _, row := range rows {
			for j, v := range row {
				squares += (v - mean[j]) * (v - mean[j])
			}
		}
		return mean, squares
	}
	a = new(Average)
	_, total := centre(x)
	within, at := 0.0, 0
	for _, size := range sizes {
		mean, squares := centre(x[at : at+size])
		at += size
		within += squares
		s := &Spread{Variance: squares / float64(size)}
		for _, v := range mean {
			s.Mean = append(s.Mean, float32(v))
		}
		a.groups.add(s, int64(size))
	}
	k, m := float64(len(sizes)), float64(len(x))
	noise := within / (m - k)
	return a, (total - within) / (k - 1) / noise, (total - within - (k-1)*noise) / (total + noise)
}

// Shards are sorted where an analysis of variance says so.
func TestSorted(t *testing.T) {
	for _, shape := range []struct {
		n     int
		sizes []int
	}{{1, []int{40, 60}}, {1, slices.Repeat([]int{30}, 8)}, {20, []int{5, 9, 200}}, {20, slices.Repeat([]int{25}, 40)}} {
		alarms := 0
		for seed := range uint64(200) {
			s := rng.New(seed, rng.Shuffle, 0, 0)
			var x [][]float64
			for i, size := range shape.sizes {
				for range size {
					row := make([]float64, shape.n)
					for j := range row {
						// With odd seeds every other group is brighter.
						row[j] = 10 + s.Float64() + float64(seed%2)*float64(i%2)*0.7
					}
					x = append(x, row)
				}
			}
			a, f, omega := grouped(x, shape.sizes)
			share, sorted := a.Sorted()
			if d := math.Abs(share - max(0, omega)); d > 1e-4 {
				t.Errorf("share %v, want %v", share, omega)
			}
			freedom := float64(len(shape.sizes) - 1)
			if want := f > 1+4*math.Sqrt(2/freedom) && omega > 0.01; sorted != want {
				t.Errorf("F %v and a share of %v, sorted %v", f, omega, sorted)
			}
			if seed%2 == 1 && !sorted {
				t.Errorf("seed %d: F %v, and no warning", seed, f)
			}
			if seed%2 == 0 && sorted {
				alarms++
			}
		}
		if alarms > 2 {
			t.Errorf("%d inputs, %d groups: %d false alarms of 100", shape.n, len(shape.sizes), alarms)
		}
	}
	var a Average
	if _, sorted := a.Sorted(); sorted {
		t.Error("no models are sorted")
	}
	for _, s := range []*Spread{{Mean: []float32{0}}, {Mean: []float32{9}}, nil} {
		if a.groups.add(s, 100); s == nil {
			break
		}
		if share, sorted := a.Sorted(); sorted != (a.groups.count == 2) || sorted && share != 1 {
			t.Errorf("constant groups: a share of %v", share)
		}
	}
	if _, sorted := a.Sorted(); sorted {
		t.Error("sorted, though one spread is unknown")
	}
}
