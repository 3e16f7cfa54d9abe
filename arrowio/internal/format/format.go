// Package format is what reading and writing Parquet share: the numbers of the
// format, and its hybrid encoding of levels and indexes.
package format

// Physical types.
const (
	Boolean   = 0
	Int32     = 1
	Int64     = 2
	Int96     = 3
	Float     = 4
	Double    = 5
	ByteArray = 6
	Fixed     = 7 // byte arrays of one length
)

// Codecs of compression. LZ4 is in the framing of Hadoop, LZ4Raw has none.
const (
	Uncompressed = 0
	Snappy       = 1
	Gzip         = 2
	LZO          = 3
	Brotli       = 4
	LZ4          = 5
	Zstd         = 6
	LZ4Raw       = 7
)

// Repetitions of a field.
const (
	Required = 0
	Optional = 1
	Repeated = 2
)

// Types of pages.
const (
	DataPage       = 0
	DictionaryPage = 2
	DataPageV2     = 3
)

// Encodings of values and levels.
const (
	Plain           = 0
	PlainDictionary = 2 // the old number of Dictionary, and of dictionaries
	RLE             = 3
	BitPacked       = 4
	Delta           = 5
	DeltaLength     = 6
	DeltaBytes      = 7
	Dictionary      = 8
	ByteSplit       = 9
)

// Magic begins and ends every file.
const Magic = "PAR1"

// SchemaKey is where a footer keeps the Arrow schema: an IPC message in base64.
const SchemaKey = "ARROW:schema"

// MaxPage bounds pages, in bytes without compression. Writers aim at 1 MiB;
// DuckDB has pages of 100.
const MaxPage = 1 << 30
