package f32

import (
	"math"
	"runtime"
	"sync"
)

// Block sizes. They are constants, or functions of the shape, never of the
// machine; the order of a sum is a function of k alone.
const (
	// sliver columns of B are packed side by side: one AVX-512 register.
	sliver = 16

	// kMax is the longest block of k: a tile's rows of it stay in a first-level
	// cache.
	kMax = 320

	// rowsMax rows of A are packed at a time: 140 KiB.
	rowsMax = 112

	// panelWide elements of B are packed where tiles follow each other down: B
	// then comes from a third-level cache, once for rowsMax rows.
	panelWide = 512 << 10

	// serial multiplications are faster on one goroutine than on two.
	serial = 1 << 20
)

// Gemm computes C = alpha op(A) op(B) + beta C, where op(A) is (m,k), op(B)
// is (k,n) and C is (m,n), row-major with strides lda, ldb and ldc. With
// transA, A is stored as (k,m); with transB, B as (n,k). When beta is 0, C is
// only written: what it held before, NaN included, does not matter.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkMatrix(m, k, transA, a, lda, "f32: bad A")
	checkMatrix(k, n, transB, b, ldb, "f32: bad B")
	checkMatrix(m, n, false, c, ldc, "f32: bad C")
	if m == 0 || n == 0 {
		return
	}
	if k == 0 || alpha == 0 {
		for i := range m {
			scaleRow(beta, c[i*ldc:i*ldc+n])
		}
		return
	}
	j := newJob()
	j.gemm = gemmArgs{
		kernel: active,
		transA: transA, transB: transB,
		m: m, n: n, k: k,
		alpha: alpha, beta: beta,
		a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc,
	}
	j.do(j.gemm.cut(runtime.GOMAXPROCS(0)), func(j *job, item int) { j.gemm.item(item) })
}

// item computes one of the blocks that cut has chosen.
func (g *gemmArgs) item(i int) { g.block(i/g.across*g.rows, i%g.across*g.cols) }

// checkMatrix panics unless x holds a (rows,cols) matrix, transposed or not.
func checkMatrix(rows, cols int, trans bool, x []float32, ld int, message string) {
	if trans {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 || ld < max(1, cols) {
		panic(message)
	}
	if rows > 0 && cols > 0 && len(x) < (rows-1)*ld+cols {
		panic(message)
	}
}

func scaleRow(beta float32, row []float32) {
	if beta == 0 {
		clear(row)
		return
	}
	for j := range row {
		row[j] *= beta
	}
}

// gemmArgs is one product. Its C is cut into blocks, one for an item of the
// job, and each is computed from start to end by one goroutine with packed
// copies of its own: sharing those between cores costs more than making
// them twice.
type gemmArgs struct {
	kernel         *kernels
	transA, transB bool
	m, n, k        int
	alpha, beta    float32
	a, b, c        []float32
	lda, ldb, ldc  int

	rows, cols int  // of a block
	across     int  // blocks side by side
	kBlock     int  // k is cut into blocks of this length, the last one shorter
	packA      bool // or tiles read A where it is
}

// cut chooses the blocks of C and returns their number.
func (g *gemmArgs) cut(workers int) int {
	g.kBlock = kBlock(g.k)
	mr, nr := g.kernel.rows, max(g.kernel.cols, sliver)
	// A tile's rows in steps of 2 KiB would all compete for the same few
	// places of a first-level cache, more than it has.
	g.packA = g.transA || g.kernel.packed || mr > 8 && g.lda%512 == 0
	if g.m*g.n < serial/g.k {
		workers = 1
	}
	best := math.Inf(1)
	items := 0
	for rounds := 1; rounds <= 4 && (rounds == 1 || workers > 1); rounds++ {
		for across := 1; across <= workers*rounds; across++ {
			down := workers * rounds / across
			if down*across != workers*rounds {
				continue
			}
			rows := roundUp((g.m+down-1)/down, mr)
			cols := roundUp((g.n+across-1)/across, nr)
			// The time of one item in multiplications of a register, measured
			// on AVX-512: products and, per element, packing.
			time := float64(min(rows, g.m)*roundUp(min(cols, g.n), sliver)) / sliver
			time += 0.25 * float64(min(cols, g.n))
			if g.packA {
				time += 0.3 * float64(min(rows, g.m))
			}
			// A round more costs a hand-over, but less waiting for the last.
			time = time*(float64(rounds)+0.1) + 2000*float64(rounds)/float64(g.k)
			if time < best {
				best = time
				g.rows, g.cols, g.across = rows, cols, (g.n+cols-1)/cols
				items = g.across * ((g.m + rows - 1) / rows)
			}
		}
	}
	return items
}

// down says in which order tiles follow each other. Packed rows of A are
// multiplied by one sliver of B after the other, down the columns of C, since a
// wide panel of B saves packing them again. Rows that are read where they are
// go a tile at a time along a panel that the second-level cache holds: there,
// and in C, neighbours in a row are near each other in memory.
func (g *gemmArgs) down() bool { return g.packA && g.kernel.down }

// kBlock is the length of the blocks of k, which decides the order of a sum.
func kBlock(k int) int {
	blocks := (k + kMax - 1) / kMax
	return roundUp((k+blocks-1)/blocks, 16)
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// block computes the block of C whose first element is (i0,j0).
func (g *gemmArgs) block(i0, j0 int) {
	nr := max(g.kernel.cols, sliver)
	cols := min(g.cols, g.n-j0)
	// Panels as wide as each other: A is read, and packed, once for each.
	most := g.kernel.panel
	if g.down() {
		most = panelWide
	}
	panels := (cols*g.kBlock-1)/most + 1
	width := roundUp((cols+panels-1)/panels, nr)
	panel := getBuffer(min(width, roundUp(cols, sliver)) / sliver * sliverPitch(g.kBlock))
	defer panel.free()
	for j := j0; j < j0+cols; j += width {
		for p := 0; p < g.k; p += g.kBlock {
			g.panel(panel.x, i0, j, p, min(g.rows, g.m-i0), min(width, j0+cols-j), min(g.kBlock, g.k-p))
		}
	}
}

// panel adds the products of a block of k to rows rows and cols columns of C.
func (g *gemmArgs) panel(b []float32, i0, j0, p, rows, cols, length int) {
	pitch := sliverPitch(length)
	if g.transB {
		for j := 0; j < cols; j += sliver {
			g.kernel.packT(b[j/sliver*pitch:], sliver, g.b[(j0+j)*g.ldb+p:], g.ldb, min(sliver, cols-j), length)
		}
	} else {
		g.kernel.packN(b, sliver, pitch, g.b[p*g.ldb+j0:], g.ldb, cols, length)
	}
	beta := float32(1)
	if p == 0 {
		beta = g.beta
	}
	mr := g.kernel.rows
	step := rows
	var tiles *buffer
	if g.packA {
		step = min(step, rowsMax/mr*mr)
		tiles = getBuffer(roundUp(step, mr) / mr * g.tilePitch())
		defer tiles.free()
	}
	for ; rows > 0; i0, rows = i0+step, rows-step {
		if g.packA {
			g.packTiles(tiles.x, i0, min(step, rows), p, length)
		}
		g.tiles(tiles, b, i0, j0, p, min(step, rows), cols, length, beta)
	}
}

// tiles adds the products of rows rows of A and a panel of B.
func (g *gemmArgs) tiles(packed *buffer, b []float32, i0, j0, p, rows, cols, length int, beta float32) {
	mr, nr := g.kernel.rows, g.kernel.cols
	pitch := sliverPitch(length)
	tile := func(i, j int) {
		var a []float32
		rowStride, kStride := g.lda, 1
		if packed != nil {
			a, rowStride, kStride = packed.x[i/mr*g.tilePitch():], 1, mr
		} else {
			a = g.a[(i0+i)*g.lda+p:]
		}
		g.kernel.tile(min(mr, rows-i), min(nr, cols-j), length, a, rowStride, kStride, b[j/sliver*pitch+j%sliver:], g.alpha, beta, g.c[(i0+i)*g.ldc+j0+j:], g.ldc)
	}
	if g.down() {
		for j := 0; j < cols; j += nr {
			for i := 0; i < rows; i += mr {
				tile(i, j)
			}
		}
		return
	}
	for i := 0; i < rows; i += mr {
		for j := 0; j < cols; j += nr {
			tile(i, j)
		}
	}
}

// sliverPitch is the distance between packed slivers of B. One line more than
// the sliver keeps those of a round length out of each other's cache places.
func sliverPitch(length int) int { return sliver * (length + 1) }

// tilePitch is the distance between packed tiles of A: kernels write whole
// registers, so up to one more than the tile.
func (g *gemmArgs) tilePitch() int { return g.kernel.rows*g.kBlock + sliver }

// packTiles packs rows of op(A), a tile's side by side.
func (g *gemmArgs) packTiles(dst []float32, i0, rows, p0, length int) {
	mr := g.kernel.rows
	if g.transA {
		g.kernel.packN(dst, mr, g.tilePitch(), g.a[p0*g.lda+i0:], g.lda, rows, length)
		return
	}
	for i := 0; i < rows; i += mr {
		g.kernel.packT(dst[i/mr*g.tilePitch():], mr, g.a[(i0+i)*g.lda+p0:], g.lda, min(mr, rows-i), length)
	}
}

// A buffer is scratch memory from a pool.
type buffer struct{ x []float32 }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer(n int) *buffer {
	b := buffers.Get().(*buffer)
	if cap(b.x) < n {
		b.x = make([]float32, n)
	}
	b.x = b.x[:cap(b.x)]
	return b
}

func (b *buffer) free() { buffers.Put(b) }
