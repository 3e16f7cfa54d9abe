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
//	fixed-size list, list or large list of numbers     their type if it is uint8, uint16 or float16, else float32
//	the same, nested (a list of rows of pixels)        the same
//	fixed-size binary, binary, large binary            uint8, one value a byte
//	the extension arrow.fixed_shape_tensor             as its list
//	scalar columns, by pattern                         the narrowest of these types that covers them all
//	fields of structs, by a path with dots             as the field
//	dictionaries of any of these                       as the values
//
// Rows that hold none (null, of another width, NaN, infinite) are errors that
// name the row, a [*RowError], or are skipped.
//
// The package reads arrays and no files, so that whoever has batches of their
// own links no file format.
package patch
