package arrowio

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/ipc"
	"github.com/aefeat/aefeat/arrowio/internal/parquet"
	"github.com/aefeat/aefeat/arrowio/internal/parquetw"
)

// Format is a file format of record batches.
type Format string

const (
	Parquet Format = "parquet"
	Arrow   Format = "arrow"  // Arrow IPC file
	Stream  Format = "stream" // Arrow IPC stream
)

// formats are all that can be read and written.
var formats = []struct {
	name Format
	container.Format
}{
	{Parquet, container.Format{Is: parquet.Is, Open: parquet.Open, NewEncoder: parquetw.NewEncoder}},
	{Arrow, ipc.File},
	{Stream, ipc.Stream},
}

// format returns what has a name.
func (f Format) format() (container.Format, error) {
	var names []string
	for _, known := range formats {
		if known.name == f {
			return known.Format, nil
		}
		names = append(names, fmt.Sprintf("%q", known.name))
	}
	last := len(names) - 1
	return container.Format{}, fmt.Errorf("unknown format %q: it is %s or %s", f, strings.Join(names[:last], ", "), names[last])
}

// sniff tells what the first bytes of an input are, and an error that says what
// else they may be.
func sniff(head []byte) (Format, error) {
	if len(head) == 0 {
		return "", errEmpty
	}
	for _, f := range formats {
		if f.Is(head) {
			return f.name, nil
		}
	}
	for _, f := range foreign {
		if strings.HasPrefix(string(head), f.magic) {
			return "", &foreignError{fmt.Sprintf("%v: it looks like %s", ErrForeign, f.name)}
		}
	}
	if len(head) < 8 && (strings.HasPrefix("PAR1", string(head)) || strings.HasPrefix("ARROW1", string(head))) {
		return "", fmt.Errorf("truncated: only %d bytes", len(head))
	}
	return "", &foreignError{ErrForeign.Error()}
}

var errEmpty = &foreignError{"empty input"}

// ErrForeign is in the error of a file that by its first bytes is neither
// Parquet nor Arrow, or has none. [Open] passes over those that it finds in
// folders.
var ErrForeign = errors.New("neither Parquet nor Arrow")

// A foreignError says why a file is foreign.
type foreignError struct{ reason string }

func (e *foreignError) Error() string { return e.reason }
func (e *foreignError) Unwrap() error { return ErrForeign }

// foreign are formats that people take for data files.
var foreign = []struct{ magic, name string }{
	{"\x1f\x8b", "compressed with gzip"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd"},
	{"BZh", "compressed with bzip2"},
	{"\xfd7zXZ", "compressed with xz"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x89PNG", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"\x93NUMPY", "a NumPy array"},
	{"\x89HDF", "an HDF5 file"},
	{"ORC", "an ORC file"},
	{"Obj\x01", "an Avro file"},
	{"FEA1", "a Feather file of the first version"},
}
