// Package symmetric computes a function of symmetric matrices, the inverse
// square root ([InverseSqrt]), without their eigenvectors.
//
// A matrix A (n,n) becomes a tridiagonal one, T, by Householder's reflections:
// A = Q T Q^T. A function of A is then Q f(T) Q^T, and f(T) is cheap: the
// inverse square root is a short sum of inverses,
//
//	T^-1/2 ~ sum_j w_j (T + s_j^2)^-1
//
// and all elements of one such inverse cost a multiplication each. About 5 n^3
// operations remain, in products of a matrix and a vector, where eigenvectors
// take 10 n^3.
//
// # What a result depends on
//
// On the matrix alone. Goroutines, up to GOMAXPROCS, split rows and columns,
// never a sum, and what each works on at a time depends on n alone.
//
// # Errors
//
// That of the result is that of the eigenvalues: about 1e-15 times the largest
// eigenvalue, divided by the smallest of A + epsilon, relative to the result.
package symmetric
