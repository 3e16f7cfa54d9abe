// Package testdata embeds small real data for the demo, tests and examples.
//
// DigitsTrain and DigitsTest are whole Parquet files of MNIST digits with two
// columns: image, a fixed-size list of 784 uint8 pixels (28 rows of 28, 0 is
// background), and label, the digit as uint8. They are strings so that nobody
// can change them; strings.NewReader makes them readable and seekable.
// README.md names their source and licence.
//
// The go command skips folders called testdata in "./...", so this package is
// vetted and tested by name.
package testdata

import _ "embed"

// DigitsTrain holds 5,000 training digits: every 12th row of the MNIST
// training set.
//
//go:embed digits_train.parquet
var DigitsTrain string

// DigitsTest holds 1,000 held-out digits: every 10th row of the MNIST test
// set.
//
//go:embed digits_test.parquet
var DigitsTest string
