// Package arrow17 carries record batches between
// github.com/apache/arrow/go/v17, where the Go library of Arrow lived until
// 2024, and github.com/apache/arrow-go/v18, which package stage takes. The two
// can be linked into one program.
//
// [NewImporter] takes the schema of a stream of v17, and turns its batches
// into v18's. [NewReader] does so for a whole record reader. [NewExporter]
// goes back, and [Exporter.Writer] fits where a stage writes batches. A program
// that holds batches of v17 makes a Fitter or Transformer with
// [Importer.Schema], and pushes what [Importer.RecordBatch] returns.
//
// # What is shared
//
// No value is copied. A converted batch holds the buffers of its source, each
// with a reference of its own, and gives them back as it is released. So the
// source may be released as soon as it is converted, and an allocator of
// either version gets back exactly what it gave. What converting allocates,
// some hundred bytes for each array, is left to Go's garbage collector.
//
// # Types
//
// A schema becomes what an IPC stream would carry of it. So an extension type
// that the other version has registered under the same name becomes that one,
// and any other stays as its storage type, with its name in the field's
// metadata, from which the way back restores it. Names of the keys and values
// of maps are "key" and "value" in v17. Every type of v17 has its counterpart
// in v18; decimals of 32 and 64 bits have none in v17. Extension types over
// dictionaries are refused, as the IPC writers of both versions refuse them.
// Metadata of a single batch, which v17 does not know, is left out.
//
// # Hazards
//
// Make one Importer for a stream, not one for each batch. Its schema is one
// pointer, by which a stage sees at once that a batch fits; equal schemas with
// other pointers have to be compared field by field.
//
// Nothing may write into a buffer while a batch of the other version holds it.
// Builders and allocators that wait for the last release are safe. A producer
// that fills the same memory again and again, through buffers without
// an allocator or behind a memory map, is not: its next values appear in
// batches that were converted before. Copy such a batch, or release what was
// made of it before the producer goes on. This includes the output of a stage,
// whose kept columns are the buffers of its input.
//
// The last reference may be released by any goroutine, and so the allocator of
// the source is called by that one. memory.CheckedAllocator and the Go
// allocators allow this.
//
// v17.0.0 loses data without an error, and a conversion cannot see what is
// missing: its Parquet writer turns non-nullable fixed-size lists into nulls,
// and its Parquet reader takes some read errors for the end of the file, and
// columns in BYTE_STREAM_SPLIT for empty ones. Package arrowio reads such files
// whole, in a program that does not link the Parquet of v17 as well.
package arrow17
