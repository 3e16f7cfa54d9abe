package model

import (
	"fmt"
	"testing"
)

// report adds the rate of the products, of which a row takes count.
func report(b *testing.B, m *Model, rows int, count float64) {
	operations := 2 * count * float64(m.Inputs) * float64(m.Hidden) * float64(rows)
	b.ReportMetric(operations*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

var benchSizes = []struct{ n, h, batch int }{{784, 196, 256}, {784, 1000, 256}, {64, 25, 256}, {108, 1600, 256}}

// A step is five products.
func BenchmarkTrainer(b *testing.B) {
	for _, size := range benchSizes {
		for _, c := range []Config{Sparse(size.h), Denoising(size.h), Contractive(size.h), KSparse(size.h)} {
			b.Run(fmt.Sprintf("%s/%dx%d", c.Objective, size.n, size.h), func(b *testing.B) {
				const batches = 4
				m := newModel(b, c, size.n, size.h)
				trainer := newTrainer(b, m, TrainOptions{BatchSize: size.batch})
				r := Float32Rows(randomRows(1, batches*size.batch, size.n), size.n)
				b.ReportAllocs()
				for b.Loop() {
					if err := trainer.Add(r, nil); err != nil {
						b.Fatal(err)
					}
				}
				report(b, m, batches*size.batch, 5)
			})
		}
	}
}

// A step of k-sparse codes is the product of the encoder, and little else.
func BenchmarkKSparse(b *testing.B) {
	for _, size := range []struct{ n, h, k, batch int }{{784, 1000, 25, 256}, {784, 4096, 32, 1024}, {768, 16384, 32, 1024}} {
		for _, tied := range []bool{true, false} {
			b.Run(fmt.Sprintf("%dx%d/k=%d/batch=%d/tied=%t", size.n, size.h, size.k, size.batch, tied), func(b *testing.B) {
				c := KSparse(size.h)
				c.K, c.Tied = size.k, tied
				trainer := newTrainer(b, newModel(b, c, size.n, size.h), TrainOptions{BatchSize: size.batch})
				r := Float32Rows(randomRows(1, size.batch, size.n), size.n)
				for b.Loop() {
					if err := trainer.Add(r, nil); err != nil {
						b.Fatal(err)
					}
				}
				report(b, trainer.m, size.batch, 5)
			})
		}
	}
}

// A pass is six products where the cost is sparse.
func BenchmarkAccumulator(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size.n, size.h), func(b *testing.B) {
			m := newModel(b, Sparse(size.h), size.n, size.h)
			a := NewAccumulator(m)
			r := Float32Rows(randomRows(1, chunkRows, size.n), size.n)
			for b.Loop() {
				if err := a.Add(r, nil); err != nil {
					b.Fatal(err)
				}
			}
			report(b, m, chunkRows, 6)
		})
	}
}

func BenchmarkEncoder(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size.n, size.h), func(b *testing.B) {
			const rows = 4096
			m := newModel(b, Sparse(size.h), size.n, size.h)
			e := NewEncoder(m)
			r := Float32Rows(randomRows(1, rows, size.n), size.n)
			dst := make([]float32, rows*size.h)
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Encode(dst, r); err != nil {
					b.Fatal(err)
				}
			}
			report(b, m, rows, 1)
		})
	}
}
