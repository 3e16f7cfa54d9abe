package model

import (
	"context"
	"errors"

	"github.com/aefeat/aefeat/internal/symmetric"
)

// whitening returns the matrix of zero-phase component analysis (n,n) of A.
// Bell and T. Sejnowski, "The 'independent components' of natural scenes are
// edge filters", 1997,
//
//	V (D + epsilon)^-1/2 V^T
//
// where V D V^T is the covariance of rows whose products about their mean are
// given. It overwrites products. As MATLAB's cov does, the covariance divides
// by rows-1. The error is that of ctx or a [*ConfigError].
func whitening(ctx context.Context, products []float64, n int, rows int64, epsilon float64) ([]float32, error) {
	for i := range products {
		products[i] /= float64(max(1, rows-1))
	}
	err := symmetric.InverseSqrt(ctx, products, n, epsilon)
	if errors.Is(err, symmetric.ErrNoRoot) {
		return nil, &ConfigError{"Preprocess",
			"zca finds no principal axes: the values are too large",
			"scale them, or use `Preprocess` standardize"}
	}
	if err != nil {
		return nil, err
	}
	return narrowed(products), nil
}
