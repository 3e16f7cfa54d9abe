package patch

// Codes of which most are 0 take two columns: X_indices, lists of whole numbers
// that ascend, and X_values, as many values. The rest is zeros.
const (
	IndicesSuffix = "_indices"
	ValuesSuffix  = "_values"

	// UnitsKey is the key of metadata, on the field of the indices, that tells
	// how many values a code has, zeros included.
	UnitsKey = "aefeat.units"
)
