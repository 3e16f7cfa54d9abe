package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/stage"
)

// mostPayload is the largest result of a payload. Compressed data may stand for
// any number of rows, and a result is in memory whole.
const mostPayload = 1 << 30

// isPayload reports whether a message is Arrow or Parquet by its first bytes.
func isPayload(text []byte) bool {
	return bytes.HasPrefix(text, []byte("PAR1")) || bytes.HasPrefix(text, []byte("ARROW1")) ||
		bytes.HasPrefix(text, []byte("\xff\xff\xff\xff"))
}

// payloads adds codes to Arrow and Parquet data. Most have one schema, so that
// the last Transformer serves again. It is safe for concurrent use.
type payloads struct {
	last atomic.Pointer[schemaTransformer]
}

type schemaTransformer struct {
	schema      []byte // as an IPC stream has it
	transformer *stage.Transformer
}

// transformer returns a Transformer for data of a schema.
func (p *payloads) transformer(c *coder, schema *arrow.Schema) (*stage.Transformer, error) {
	// Schemas that are equal to Arrow may have other names and metadata inside
	// of types, which the output is to have too.
	var written bytes.Buffer
	if err := ipc.NewWriter(&written, ipc.WithSchema(schema)).Close(); err != nil {
		return nil, err
	}
	if last := p.last.Load(); last != nil && bytes.Equal(last.schema, written.Bytes()) {
		return last.transformer, nil
	}
	o := stage.TransformConfig{Layout: c.layout, Prefix: c.name, ModelHash: c.hash, Decode: imagery.Whole()}
	if c.column != "" {
		o.Columns = []string{c.column}
	}
	t, err := stage.NewTransformer(c.model, schema, o)
	if err != nil {
		return nil, err
	}
	p.last.Store(&schemaTransformer{written.Bytes(), t})
	return t, nil
}

// code returns data with codes, in the format that it had.
func (p *payloads) code(ctx context.Context, c *coder, data []byte) ([]byte, error) {
	source, err := arrowio.OpenReaderAt(bytes.NewReader(data), int64(len(data)), "the message", arrowio.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	r, err := source.Reader(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	t, err := p.transformer(c, r.Schema())
	if err != nil {
		return nil, err
	}
	out := limitedBuffer{most: mostPayload}
	w, err := arrowio.NewWriter(&out, t.Schema(), arrowio.WriteOptions{Format: source.Format()})
	if err != nil {
		return nil, err
	}
	if _, err := t.Run(ctx, r, w); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// limitedBuffer is a buffer of a bounded size.
type limitedBuffer struct {
	bytes.Buffer
	most int // bytes
}

func (b *limitedBuffer) Write(data []byte) (int, error) {
	if b.Len()+len(data) > b.most {
		return 0, fmt.Errorf("the data with codes take more than %d MiB: send fewer rows in a message", b.most>>20)
	}
	return b.Buffer.Write(data)
}
