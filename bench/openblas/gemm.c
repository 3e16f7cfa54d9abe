/* GFLOP/s of OpenBLAS's float32 matrix product at the shapes of a training
 * step: what the kernels of internal/f32 are measured against.
 *
 *     cc -O2 -o gemm gemm.c -lopenblas
 *     env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE ./gemm [THREADS M N K NN|NT|TN]
 *
 * Prints the library's build and then, for one and two threads and all shapes
 * unless told which, the rates of the best and the median call within 0.2 s:
 * threads m n k transpose best median. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const int shapes[][3] = {
	{256, 196, 784}, {256, 784, 196}, {1024, 500, 784}, {784, 500, 1024}, {4096, 1600, 108}, {4096, 25, 64},
	{196, 784, 256}, {784, 196, 256},
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static float *filled(size_t n, int period)
{
	float *x = malloc(n * sizeof *x);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(int)(i % period) - period / 2;
	return x;
}

static void measure(int threads, const int *s, const char *trans)
{
	enum { WARM = 3, CALLS = 400 };
	int m = s[0], n = s[1], k = s[2];
	float *a = filled((size_t)m * k, 7), *b = filled((size_t)k * n, 5), *c = filled((size_t)m * n, 3);
	CBLAS_TRANSPOSE ta = trans[0] == 'T' ? CblasTrans : CblasNoTrans, tb = trans[1] == 'T' ? CblasTrans : CblasNoTrans;
	int lda = trans[0] == 'T' ? m : k, ldb = trans[1] == 'T' ? k : n;
	double flop = 2.0 * m * n * k, took[CALLS], all = 0;
	int calls = -WARM;
	for (; calls < 5 || calls < CALLS && all < 0.2; calls++) {
		double start = now();
		cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
		double time = now() - start;
		if (calls < 0)
			continue;
		took[calls] = time;
		all += time;
	}
	qsort(took, calls, sizeof *took, rising);
	printf("%d %d %d %d %s %.1f %.1f\n", threads, m, n, k, trans, flop / took[0] / 1e9, flop / took[calls / 2] / 1e9);
	fflush(stdout);
	free(a);
	free(b);
	free(c);
}

int main(int argc, char **argv)
{
	static const char *transposes[] = {"NN", "NT", "TN"};
	printf("# %s\n", openblas_get_config());
	if (argc == 6) {
		int shape[] = {atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
		openblas_set_num_threads(atoi(argv[1]));
		measure(atoi(argv[1]), shape, argv[5]);
		return 0;
	}
	for (int threads = 1; threads <= 2; threads++) {
		openblas_set_num_threads(threads);
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
			for (int j = 0; j < 3; j++)
				measure(threads, shapes[i], transposes[j]);
	}
	return 0;
}
