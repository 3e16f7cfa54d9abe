package arrow17

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	old "github.com/apache/arrow/go/v17/arrow"
	oldipc "github.com/apache/arrow/go/v17/arrow/ipc"
)

// Schemas go through the bytes of an IPC stream, the one form of all types
// that both versions know. The packages for it cost a program 0.7 MB.

func importSchema(s *old.Schema) (converted *arrow.Schema, err error) {
	defer recovered(&err, "schema")
	var stream bytes.Buffer
	if err := oldipc.NewWriter(&stream, oldipc.WithSchema(s)).Close(); err != nil {
		return nil, err
	}
	r, err := ipc.NewReader(&stream, ipc.WithEnsureNativeEndian(false))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.Schema(), nil
}

func exportSchema(s *arrow.Schema) (converted *old.Schema, err error) {
	defer recovered(&err, "schema")
	var stream bytes.Buffer
	if err := ipc.NewWriter(&stream, ipc.WithSchema(s)).Close(); err != nil {
		return nil, err
	}
	r, err := oldipc.NewReader(&stream, oldipc.WithEnsureNativeEndian(false))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.Schema(), nil
}
