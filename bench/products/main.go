//go:build openblas

// Command products times the float32 matrix products of internal/f32 beside
// OpenBLAS's, in turn within one process:
//
//	go run -tags openblas ./bench/products [-cpu 1,2] [-rounds 15]
//		[-time 8ms] [M,N,K,NN|NT|TN ...]
//
// It needs Linux, a C compiler and OpenBLAS. Without arguments it takes the
// products of training steps. It prints the GFLOP/s of both, by the fastest
// call of a round, which other work on the machine disturbs least: medians of
// the rounds, and the median of their ratios. To compare the AVX2 classes on a
// processor with AVX-512, set GODEBUG=cpu.avx512f=off and
// OPENBLAS_CORETYPE=Haswell.
package main

/*
#cgo LDFLAGS: -lopenblas
#define _GNU_SOURCE
#include <cblas.h>
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

// spread puts the calling thread on the first core and all others elsewhere:
// on a busy machine the system takes long to give each a core.
static void spread(void)
{
	cpu_set_t first, others;
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks)
		return;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	CPU_ZERO(&others);
	for (int i = 1; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		CPU_SET(i, &others);
	for (struct dirent *d; (d = readdir(tasks));)
		if (atoi(d->d_name) > 0)
			sched_setaffinity(atoi(d->d_name), sizeof others, atoi(d->d_name) == gettid() ? &first : &others);
	closedir(tasks);
}

static void multiply(int ta, int tb, int m, int n, int k, float *a, int lda, float *b, int ldb, float *c)
{
	cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
		m, n, k, 1, a, lda, b, ldb, 0, c, n);
}
*/
import "C"

import (
	"flag"
	"fmt"
	"log"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aefeat/aefeat/internal/f32"
)

// shapes are those of training steps: batches of 256 and 1,024 rows, inputs of
// 784 and 768 values, and hidden layers from 196 units to 16,384; of smaller
// patches; and of full batches.
var shapes = strings.Fields(`
	256,196,784,NN 256,196,784,NT 256,196,784,TN 256,784,196,NN 256,784,196,NT 256,784,196,TN
	196,784,256,TN 784,196,256,TN
	256,500,784,NN 256,500,784,NT 256,784,500,NT 500,784,256,TN 784,500,256,TN
	256,1000,784,NN 256,1000,784,NT 256,784,1000,NT 1000,784,256,TN 784,1000,256,TN
	1024,500,784,NN 1024,500,784,NT 1024,500,784,TN 784,500,1024,NN 784,500,1024,NT 784,500,1024,TN
	4096,1600,108,NN 4096,1600,108,NT 4096,1600,108,TN 4096,25,64,NN 4096,25,64,NT 4096,25,64,TN
	1024,4096,784,NT 1024,16384,768,NT`)

// A product is op(A) (m,k) times op(B) (k,n).
type product struct {
	m, n, k  int
	ta, tb   bool
	lda, ldb int
	a, b, c  []float32
}

func main() {
	log.SetFlags(0)
	cpus := flag.String("cpu", "1,2", "numbers of threads")
	rounds := flag.Int("rounds", 15, "rounds of a product")
	least := flag.Duration("time", 8*time.Millisecond, "time of either side in a round, at least")
	flag.Parse()
	if flag.NArg() > 0 {
		shapes = flag.Args()
	}
	fmt.Printf("%s beside %s\n\n", f32.Kernels(), C.GoString(C.openblas_get_config()))
	fmt.Println("| threads | (m,n,k) | transposes | aefeat | OpenBLAS | ratio |\n|---|---|---|---|---|---|")
	for cpu := range strings.SplitSeq(*cpus, ",") {
		threads, err := strconv.Atoi(cpu)
		if err != nil || threads < 1 {
			log.Fatalf("bad number of threads %q", cpu)
		}
		runtime.GOMAXPROCS(threads)
		C.openblas_set_num_threads(C.int(threads))
		for _, s := range shapes {
			p := newProduct(s)
			ours, theirs, ratio := p.compare(threads, *rounds, *least)
			fmt.Printf("| %d | (%d,%d,%d) | %s | %.1f | %.1f | %.3f |\n", threads, p.m, p.n, p.k, s[strings.LastIndex(s, ",")+1:], ours, theirs, ratio)
		}
	}
}

func newProduct(shape string) *product {
	p, trans := &product{}, ""
	fields := strings.ReplaceAll(shape, ",", " ")
	if _, err := fmt.Sscan(fields, &p.m, &p.n, &p.k, &trans); err != nil || len(trans) != 2 || min(p.m, p.n, p.k) < 1 {
		log.Fatalf("bad product %q: want M,N,K,NN, NT, TN or TT", shape)
	}
	p.ta, p.tb = trans[0] == 'T', trans[1] == 'T'
	p.lda, p.ldb = p.k, p.n
	if p.ta {
		p.lda = p.m
	}
	if p.tb {
		p.ldb = p.k
	}
	filled := func(n, period int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i%period - period/2)
		}
		return x
	}
	p.a, p.b, p.c = filled(p.m*p.k, 7), filled(p.k*p.n, 5), filled(p.m*p.n, 3)
	return p
}

func (p *product) ours() {
	f32.Gemm(p.ta, p.tb, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.n)
}

func (p *product) theirs() {
	number := func(b bool) C.int {
		if b {
			return 1
		}
		return 0
	}
	C.multiply(number(p.ta), number(p.tb), C.int(p.m), C.int(p.n), C.int(p.k), (*C.float)(&p.a[0]), C.int(p.lda), (*C.float)(&p.b[0]), C.int(p.ldb), (*C.float)(&p.c[0]))
}

// compare returns both rates in GFLOP/s, and the ratio.
func (p *product) compare(threads, rounds int, least time.Duration) (ours, theirs, ratio float64) {
	var us, them, ratios []float64
	for range rounds {
		x := p.rate(p.ours, threads, least)
		y := p.rate(p.theirs, threads, least)
		us, them, ratios = append(us, x), append(them, y), append(ratios, x/y)
		if threads > 1 {
			time.Sleep(30 * time.Millisecond) // OpenBLAS's threads wait busily
		}
	}
	return median(us), median(them), median(ratios)
}

// rate is that of the fastest call, after some that fill caches.
func (p *product) rate(call func(), threads int, least time.Duration) float64 {
	for range 2 {
		call()
		if threads > 1 {
			C.spread()
		}
	}
	best := time.Hour
	for begin, calls := time.Now(), 0; calls < 3 || time.Since(begin) < least; calls++ {
		start := time.Now()
		call()
		best = min(best, time.Since(start))
	}
	return 2 * float64(p.m) * float64(p.n) * float64(p.k) / best.Seconds() / 1e9
}

func median(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
