package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// schemaMessage returns the metadata of a stream's first message, and where its
// version is.
func schemaMessage(t *testing.T) (meta, version []byte) {
	t.Helper()
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}}, nil)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stream := b.Bytes()
	meta = stream[8:][:binary.LittleEndian.Uint32(stream[4:])]
	root := binary.LittleEndian.Uint32(meta)
	table := root - binary.LittleEndian.Uint32(meta[root:])
	return meta, meta[root+uint32(binary.LittleEndian.Uint16(meta[table+4:])):][:2]
}

// A file of the future is not damaged.
func TestVersions(t *testing.T) {
	meta, version := schemaMessage(t)
	for v, want := range map[uint16]string{
		metadataV4:     "",
		metadataV5:     "",
		metadataV5 + 1: "its metadata is of version 6, and the last one known is 5",
		0:              "unknown version 0 of the metadata",
	} {
		binary.LittleEndian.PutUint16(version, v)
		_, err := Parse(meta)
		if got := errorText(err); got != want {
			t.Errorf("version %d: %q", v, got)
		}
		var unsupported *bound.UnsupportedError
		if future := errors.As(err, &unsupported); future != (v > metadataV5) {
			t.Errorf("version %d: unsupported %v", v, future)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
