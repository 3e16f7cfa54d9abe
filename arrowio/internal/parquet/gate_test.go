package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio/internal/container"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/schema"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// A textPage is a page of the second version, of texts of which some are null.
type textPage struct {
	rows, nulls int32
	levels      []byte
	data        []byte
	plain       int32 // of the data, as the header says
	codec       int32
	encoding    int32
	plainly     bool // the header says that the data are not compressed
	creator     string
}

// file makes a file of one column and one page.
func (p *textPage) file() []byte {
	head := &thrift.Writer{}
	head.Begin()
	head.Int32(1, format.DataPageV2)
	head.Int32(2, int32(len(p.levels))+p.plain)
	head.Int32(3, int32(len(p.levels)+len(p.data)))
	head.BeginField(8)
	head.Int32(1, p.rows)
	head.Int32(2, p.nulls)
	head.Int32(3, p.rows)
	head.Int32(4, p.encoding)
	head.Int32(5, int32(len(p.levels)))
	head.Int32(6, 0)
	head.Bool(7, !p.plainly)
	head.BeginField(8) // statistics
	head.Int64(3, int64(p.nulls))
	head.End()
	head.End()
	head.End()

	b := []byte(format.Magic)
	b = append(append(append(b, head.Bytes()...), p.levels...), p.data...)
	foot := p.footer(int64(len(b)) - 4)
	b = append(b, foot...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(foot)))
	return append(b, format.Magic...)
}

func (p *textPage) footer(size int64) []byte {
	w := &thrift.Writer{}
	w.Begin()
	w.Int32(1, 2)
	w.List(2, thrift.Struct, 2)
	w.Begin()
	w.Text(4, "schema")
	w.Int32(5, 1)
	w.End()
	w.Begin()
	w.Int32(1, format.ByteArray)
	w.Int32(3, format.Optional)
	w.Text(4, "s")
	w.Int32(6, 0) // UTF8
	w.End()
	w.Int64(3, int64(p.rows))
	w.List(4, thrift.Struct, 1)
	w.Begin()
	w.List(1, thrift.Struct, 1)
	w.Begin()
	w.Int64(2, 4)
	w.BeginField(3)
	w.Int32(1, format.ByteArray)
	w.List(2, thrift.I32, 0)
	w.List(3, thrift.Binary, 1)
	w.TextElement("s")
	w.Int32(4, p.codec)
	w.Int64(5, int64(p.rows))
	w.Int64(6, size)
	w.Int64(7, size)
	w.Int64(9, 4)
	w.End()
	w.End()
	w.Int64(2, size)
	w.Int64(3, int64(p.rows))
	w.End()
	w.Text(6, p.creator)
	w.End()
	return w.Bytes()
}

// texts reads the column of a file.
func texts(data []byte) (string, error) {
	r := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	f, err := Open(r, container.Options{Allocator: memory.DefaultAllocator})
	if err != nil {
		return "", err
	}
	defer f.Close()
	batches, err := f.Batches([]schema.Selection{{Index: 0}})
	if err != nil {
		return "", err
	}
	var values []string
	for {
		rec, err := batches.Next(context.Background())
		if err == io.EOF {
			return strings.Join(values, " "), nil
		}
		if err != nil {
			return "", err
		}
		for i := range int(rec.NumRows()) {
			values = append(values, rec.Column(0).ValueStr(i))
		}
		rec.Release()
	}
}

// Pages as some writers make them: without compressed data where all is null,
// as parquet-java does, and with a wrong size where nothing is compressed.
func TestOddPages(t *testing.T) {
	for name, c := range map[string]struct {
		page textPage
		want string
	}{
		"only nulls": {
			textPage{rows: 3, nulls: 3, levels: []byte{3 << 1, 0}, codec: format.Snappy},
			"(null) (null) (null)",
		},
		"only nulls, delta": {
			textPage{rows: 3, nulls: 3, levels: []byte{3 << 1, 0}, encoding: format.DeltaBytes},
			"(null) (null) (null)",
		},
		"only nulls, delta lengths": {
			textPage{rows: 3, nulls: 3, levels: []byte{3 << 1, 0}, data: []byte{0}, codec: format.Snappy, encoding: format.DeltaLength},
			"(null) (null) (null)",
		},
		"only nulls, compressed to rubbish": {
			textPage{rows: 3, nulls: 3, levels: []byte{3 << 1, 0}, data: []byte{0x3b}, codec: format.Brotli},
			"(null) (null) (null)",
		},
		"another size": {
			textPage{rows: 3, nulls: 1, levels: []byte{3, 0b101}, data: []byte("\x01\x00\x00\x00a\x02\x00\x00\x00bc"), plain: 500},
			"a (null) bc",
		},
		"no size, dictionary without its page": {
			textPage{rows: 3, nulls: 1, levels: []byte{3, 0b101}, data: []byte{1, 3, 0}, encoding: format.Dictionary},
			"",
		},
		"compressed, and denied": {
			textPage{
				rows: 3, nulls: 1, levels: []byte{3, 0b101}, data: []byte("\x0b\x28\x01\x00\x00\x00a\x02\x00\x00\x00bc"), plain: 11,
				codec: format.Snappy, plainly: true, creator: "parquet-cpp version 1.5.1-SNAPSHOT",
			},
			"a (null) bc",
		},
		"not compressed, by another writer": {
			textPage{
				rows: 3, nulls: 1, levels: []byte{3, 0b101}, data: []byte("\x01\x00\x00\x00a\x02\x00\x00\x00bc"), plain: 11,
				codec: format.Snappy, plainly: true, creator: "parquet-cpp-arrow version 3.0.0",
			},
			"a (null) bc",
		},
		"no size": {
			textPage{rows: 3, nulls: 1, levels: []byte{3, 0b101}, data: []byte("\x01\x00\x00\x00a\x02\x00\x00\x00bc")},
			"a (null) bc",
		},
	} {
		got, err := texts(c.page.file())
		if (err == nil) != (c.want != "") || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}
