package format

// Logical types, by their numbers in the union of the format, and as the type
// that was there before.
const (
	LogicalMap       = 2
	LogicalList      = 3
	LogicalEnum      = 4
	LogicalTime      = 7
	LogicalJSON      = 12
	LogicalBSON      = 13
	LogicalUUID      = 14
	LogicalVariant   = 16
	LogicalGeometry  = 17
	LogicalGeography = 18

	ConvertedMap        = 1
	ConvertedList       = 3
	ConvertedEnum       = 4
	ConvertedTimeMillis = 7
	ConvertedTimeMicros = 8
	ConvertedJSON       = 19
	ConvertedBSON       = 20
	ConvertedInterval   = 21
)

// TypeKey is the key of a field's metadata that keeps a logical type that no
// type of Arrow stands for. Its values are those below.
const TypeKey = "PARQUET:logical_type"

const (
	TypeEnum     = "ENUM"
	TypeBSON     = "BSON"
	TypeInterval = "INTERVAL"
	TypeTimeUTC  = "TIME_UTC" // a time of day of the zone UTC
)

// Extension types of Arrow that stand for them, by name.
const (
	ExtensionJSON     = "arrow.json"
	ExtensionUUID     = "arrow.uuid"
	ExtensionVariant  = "arrow.parquet.variant"
	ExtensionGeometry = "geoarrow.wkb"
)

// The keys of a field's metadata that tell of an extension type.
const (
	ExtensionNameKey  = "ARROW:extension:name"
	ExtensionValueKey = "ARROW:extension:metadata"
)

// DefaultCRS is the system of coordinates of a geometry that names none.
const DefaultCRS = "OGC:CRS84"

// Edges are the ways between the points of a geography, by their numbers.
var Edges = []string{"spherical", "vincenty", "thomas", "andoyer", "karney"}
