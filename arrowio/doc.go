// Package arrowio reads and writes record batches.
//
// [Open] opens files, folders, patterns and standard input, [OpenReaderAt] what
// is in memory or in a store; [Source.Reader] reads them batch by batch.
// [Create] writes batches to a file that appears whole or not at all, or to
// standard output, [NewWriter] to any io.Writer. [Inspect] says what a file
// holds. Package patch finds the patches in a batch.
//
// # Formats
//
// Parquet, Arrow IPC files and Arrow IPC streams are told apart by their
// first bytes, never by their names. Parquet and IPC files need seeking: a
// redirected file has it, a pipe is copied into a temporary file first. An
// IPC stream is read as it comes, and copied only where it will be read
// twice. One that ends without its end marker is an error, unless that is
// allowed: a stream that was cut between two messages looks just like a
// shorter one. So are bytes after the end marker.
//
// Of an IPC file the schema in the footer counts: versions of polars write the
// one before the data without what a message begins with. Integers of 128 bits,
// which polars has alone, are read as the 16 bytes that they are.
//
// Of Parquet the logical types UUID and VARIANT are read as the extension types
// of Arrow that stand for them; JSON as text and GEOMETRY and GEOGRAPHY as
// binary, with metadata that names arrow.json and geoarrow.wkb; INT96 as
// timestamps without a zone, of microseconds if Spark wrote the file, else of
// nanoseconds; a value that these cannot tell is an error. What Arrow has no
// type for (ENUM, BSON, INTERVAL, times of day in UTC) is in the metadata of
// fields, PARQUET:logical_type, from where Parquet gets it back. The keys and
// values of the footer are the metadata of the schema. Lists of lists and of
// maps may lack a level between, as those of Avro and old Spark and Hive do.
//
// # Data sets of many files
//
// Several files are read one after the other. Columns are matched by name, in
// any order: those of the first file come first, then those that others add.
// Types must agree, but for the names of the elements of lists, the order of
// fields in structs, nullability and metadata. The null type goes with every
// other; lists of one fixed size, ordinary and large ones go together, and so
// do strings, or binary values, and large ones. A column that a file does not
// have is null in its rows; [Source.Missing] tells.
//
// Folders called key=value in the path of a file become columns, see
// [Source.Keys]. Files in folders that are no data are passed over, see
// [Source.Passed].
//
// What several files say alike of their columns is parsed once, small files are
// read at once, and each Reader has one file open at a time.
//
// # Damaged files
//
// A damaged, truncated, encrypted or foreign file is a [*FileError] that names
// it: never a panic, never fewer rows than it should have, and never memory out
// of proportion. The Arrow library does not promise that, so it sees nothing
// that has not been checked: of a Parquet file a footer that is written anew
// from what has been verified, and pages, one by one, whose headers, sizes and
// checksums are right; of IPC files and streams messages whose metadata has
// been verified. What it makes of them is validated before it is handed on, so
// that offsets and dictionary indexes of a batch are safe to follow, and rows
// are counted. Memory for a page or message is given only as far as the bytes
// that are there explain its size, by the most that their compression can give;
// pages, and rows of Parquet, of more than 1 GiB are refused.
//
// Changed values that still decode cannot be told from others, except in
// Parquet files whose pages have checksums, which are verified.
//
// # Memory
//
// A [Reader] holds of a Parquet file, for each column that is read, its largest
// page decompressed (and as it lies in the file, for columns other than
// numbers), and a batch of about 8 MiB; two more pages while one is being
// decompressed. Row groups may be of any size. Of an IPC file or stream it
// holds one message, as it was written, and its buffers decompressed.
// [Info.Held] is the size of these pages, or of the message, for a given file.
// A [Writer] holds about [WriteOptions.RowGroupBytes].
//
// # Compatibility
//
// Names and meanings of formats and options stay. Files that could be read
// can be read by later versions.
package arrowio
