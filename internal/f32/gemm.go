package f32

import (
	"runtime"
	"sync"
)

// Block sizes. They are constants, or functions of the shape, never of the
// machine; the order of a sum is a function of k alone.
const (
	sliver      = 16        // columns of B packed side by side: one AVX-512 register
	kMax        = 512       // longest block of k: 12 rows of A stay in a first-level cache beside the B that streams past
	nBytes      = 512 << 10 // columns of B worked on at a time: half of a second-level cache
	packSlivers = 8         // slivers packed by one item
	bMax        = 8 << 20   // elements of B packed at a time: 32 MiB
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
	all := gemmArgs{
		kernel: active,
		transA: transA, transB: transB,
		m: m, n: n, k: k,
		alpha: alpha, beta: beta,
		a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc,
	}
	all.runGroups(max(bMax/k/sliver*sliver, sliver))
}

// runGroups computes that many columns of C at a time, a multiple of sliver.
func (g gemmArgs) runGroups(columns int) {
	for g.n > columns {
		group := g
		group.n = columns
		group.run()
		g.n -= columns
		g.c = g.c[columns:]
		if g.transB {
			g.b = g.b[columns*g.ldb:]
		} else {
			g.b = g.b[columns:]
		}
	}
	g.run()
}

// checkMatrix panics unless x holds a (rows,cols) matrix, stored transposed or not.
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

// gemmArgs is one product whose B is packed whole: first the slivers of B,
// then blocks of C.
type gemmArgs struct {
	kernel         *kernels
	transA, transB bool
	m, n, k        int
	alpha, beta    float32
	a, b, c        []float32
	lda, ldb, ldc  int

	packA              bool
	kBlock             int       // k is cut into blocks of this length, the last one shorter
	packed             []float32 // op(B): for each block of k, slivers of (block,16)
	slivers, packItems int
	rows, cols         int // size of an item's block of C
	rowItems           int
}

func (g *gemmArgs) run() {
	blocks := (g.k + kMax - 1) / kMax
	g.kBlock = ((g.k+blocks-1)/blocks + 15) / 16 * 16
	g.slivers = (g.n + sliver - 1) / sliver
	buffer := getBuffer(g.slivers * sliver * g.k)
	g.packed = buffer.x
	g.packItems = (g.slivers + packSlivers - 1) / packSlivers

	mr := g.kernel.rows
	g.packA = g.transA || g.lda%512 == 0 && mr > 8
	workers := runtime.GOMAXPROCS(0)
	g.cols = max(nBytes/4/g.kBlock/32*32, 32)
	colItems := (g.n + g.cols - 1) / g.cols
	g.cols = ((g.n+colItems-1)/colItems + 31) / 32 * 32
	colItems = (g.n + g.cols - 1) / g.cols
	g.rows = min(max(g.m/(4*workers)/mr*mr, mr), 8*mr)
	g.rowItems = (g.m + g.rows - 1) / g.rows

	j := newJob()
	j.gemm = *g
	j.packed.Store(0)
	j.do(g.packItems+g.rowItems*colItems, gemmItem)
	buffer.free()
}

func gemmItem(j *job, item int) {
	g := &j.gemm
	if item < g.packItems {
		g.pack(item)
		j.packed.Add(1)
		return
	}
	for spin := 0; j.packed.Load() != int64(g.packItems); spin++ {
		if spin > spins {
			runtime.Gosched()
		}
	}
	item -= g.packItems
	g.block(item%g.rowItems*g.rows, item/g.rowItems*g.cols)
}

// pack copies a few slivers of op(B), all of k.
func (g *gemmArgs) pack(item int) {
	first := item * packSlivers
	last := min(first+packSlivers, g.slivers)
	for p := 0; p < g.k; p += g.kBlock {
		length := min(g.kBlock, g.k-p)
		dst := g.packed[sliver*p*g.slivers:]
		if !g.transB {
			j := first * sliver
			g.kernel.packN(dst[j*length:], sliver, sliver*length, g.b[p*g.ldb+j:], g.ldb, min(last*sliver, g.n)-j, length)
			continue
		}
		for s := first; s < last; s++ {
			j := s * sliver
			g.kernel.packT(dst[j*length:], sliver, g.b[j*g.ldb+p:], g.ldb, min(sliver, g.n-j), length)
		}
	}
}

// block computes the block of C whose first element is (i0,j0).
func (g *gemmArgs) block(i0, j0 int) {
	rows, cols := min(g.rows, g.m-i0), min(g.cols, g.n-j0)
	mr, nr := g.kernel.rows, g.kernel.cols
	var panel *buffer
	if g.packA {
		tiles := (rows + mr - 1) / mr
		panel = getBuffer(tiles * g.tilePitch())
		defer panel.free()
	}
	for p := 0; p < g.k; p += g.kBlock {
		length := min(g.kBlock, g.k-p)
		beta := float32(1)
		if p == 0 {
			beta = g.beta
		}
		if g.packA {
			g.packPanel(panel.x, i0, rows, p, length)
		}
		for i := 0; i < rows; i += mr {
			var a []float32
			rowStride, kStride := g.lda, 1
			if g.packA {
				a = panel.x[i/mr*g.tilePitch():]
				rowStride, kStride = 1, mr
			} else {
				a = g.a[(i0+i)*g.lda+p:]
			}
			for j := j0; j < j0+cols; j += nr {
				b := g.packed[sliver*p*g.slivers+j*length:]
				g.kernel.tile(min(mr, rows-i), min(nr, g.n-j), length, a, rowStride, kStride, b, g.alpha, beta, g.c[(i0+i)*g.ldc+j:], g.ldc)
			}
		}
	}
}

// tilePitch is the distance between packed tiles of A: kernels write whole
// registers, so up to one more than the tile.
func (g *gemmArgs) tilePitch() int { return g.kernel.rows*g.kBlock + sliver }

// packPanel packs rows of op(A), a tile's side by side.
func (g *gemmArgs) packPanel(dst []float32, i0, rows, p0, length int) {
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
