package parquet

import (
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// rewrite writes a footer for the library, which holds what has been checked
// and nothing else: no statistics, indexes or keys. It has the one row group
// given, or none.
func (f *footer) rewrite(g *rowGroup) []byte {
	w := &thrift.Writer{}
	w.Begin()
	w.Int32(1, 2)
	w.List(2, thrift.Struct, len(f.nodes))
	for i, n := range f.nodes {
		n.write(w, i == 0)
	}
	if g != nil {
		w.Int64(3, g.rows)
		w.List(4, thrift.Struct, 1)
		f.writeGroup(w, g)
	} else {
		w.Int64(3, 0)
		w.List(4, thrift.Struct, 0)
	}
	if f.schema != "" {
		w.List(5, thrift.Struct, 1)
		w.Begin()
		w.Text(1, format.SchemaKey)
		w.Text(2, f.schema)
		w.End()
	}
	w.End()
	return w.Bytes()
}

func (n *node) write(w *thrift.Writer, root bool) {
	w.Begin()
	if n.physical >= 0 {
		w.Int32(1, n.physical)
		if n.physical == format.Fixed {
			w.Int32(2, n.length)
		}
	}
	if !root {
		w.Int32(3, n.repetition)
	}
	w.Text(4, n.name)
	if n.physical < 0 {
		w.Int32(5, n.children)
	}
	if n.converted >= 0 {
		w.Int32(6, n.converted)
	}
	if n.hasScale {
		w.Int32(7, n.scale)
	}
	if n.hasPrec {
		w.Int32(8, n.precision)
	}
	if n.hasFieldID {
		w.Int32(9, n.fieldID)
	}
	if n.logical != nil {
		w.Field(10, thrift.Struct)
		w.Raw(n.logical)
	}
	w.End()
}

func (f *footer) writeGroup(w *thrift.Writer, g *rowGroup) {
	w.Begin()
	w.List(1, thrift.Struct, len(g.chunks))
	for i, c := range g.chunks {
		w.Begin()
		w.Int64(2, c.start)
		w.BeginField(3)
		w.Int32(1, c.physical)
		w.List(2, thrift.I32, 0)
		w.List(3, thrift.Binary, len(f.leaves[i].path))
		for _, name := range f.leaves[i].path {
			w.TextElement(name)
		}
		w.Int32(4, c.codec)
		w.Int64(5, c.values)
		w.Int64(6, c.size)
		w.Int64(7, c.size)
		w.Int64(9, c.start) // the first page, be it the dictionary
		w.End()
		w.End()
	}
	w.Int64(2, 0)
	w.Int64(3, g.rows)
	w.End()
}
