// Package patch finds the patches in record batches and hands them on as typed
// rows.
//
// [Bind] decides which columns hold the patch, and [Binding.Rows] gives the m
// rows of a batch, n values each, in the form that package model takes.
// [BindLabel] does the same for labels. [Find] and [Paths] are what the names
// of columns mean, here and wherever columns are chosen.
//
// # What holds a patch
//
// A patch is n numbers in a row. What can hold one, and the form in which
// [Binding.Rows] hands it on:
//
//	fixed-size list, list, large list   their type if it is a [model.Kind],
//	of numbers                          else float32
//	the same, nested (a list of rows    the same
//	of pixels)
//	truth values                        uint8, 0 and 1
//	decimals                            float32
//	fixed-size, any and large binary    uint8, one value a byte
//	.npy files in binary of any width   as lists of their type
//	vectors of Spark, dense and sparse  float32
//	sparse codes, in two columns,       as a list of their values
//	X_indices and X_values
//	the extension                       as its list
//	arrow.fixed_shape_tensor
//	Array2D and so on of Hugging Face   as their lists
//	datasets, tensors of Ray and Daft
//	scalar columns, by pattern          the narrowest of these types that
//	                                    covers them all
//	fields of structs, by a path        as the field
//	with dots
//	dictionaries of any of these        as the values
//
// Rows that hold none are bad: null, of another width, not finite, or beyond
// the range of float32. They are errors that name the row, a [*RowError], or
// are skipped, each for a [Reason]; [BadRows] counts them. What else is out of
// range depends on the model, which knows what its preprocessing takes.
//
// The package reads arrays and no files, so that whoever has batches of their
// own links no file format.
package patch
