package patch

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/model"
)

// Rows returns the patches of batch. first is the position in the input of the
// batch's row 0: it numbers the rows, and names them in errors. A row without a
// usable patch (null anywhere on the way to it or in it, of another width, NaN
// or infinite) is a [*RowError] with that position, the lowest one of the
// batch; with BindOptions.Skip it is left out, and skipped says why. skipped is
// ascending, and valid until the next call on b.
//
// Data of rows points into the batch where the batch holds the elements of all
// rows in one piece in the form of [Binding.Kind], and into a buffer of b
// otherwise: it is valid until the next call on b and as long as the caller
// holds the batch.
func (b *Binding) Rows(batch arrow.RecordBatch, first int64) (rows model.Rows, skipped []BadRow, err error) {
	if b.source == nil {
		return model.Rows{}, nil, errZeroBinding
	}
	if err := Usable(batch); err != nil {
		return model.Rows{}, nil, err
	}
	if err := b.resolve(batch.Schema()); err != nil {
		return model.Rows{}, nil, err
	}
	m := int(batch.NumRows())
	if m > math.MaxInt32 {
		return model.Rows{}, nil, bindError("", fmt.Sprintf("batch of %d rows, more than a batch may have", m), "")
	}
	rd := &b.reader
	rd.reset(m)
	rd.looked = false

	var (
		data []byte
		good []int32
	)
	switch {
	case m == 0:
	case b.scalar:
		data, good, err = b.scalarRows(batch, m)
	default:
		data, good, err = b.patchRows(batch, m)
	}
	if err != nil {
		if at, ok := err.(*RowError); ok && at.Row >= 0 {
			at.Row += first
		}
		return model.Rows{}, nil, err
	}
	if rd.any && !rd.skip {
		rd.first.Row += first
		return model.Rows{}, nil, rd.first
	}
	rd.number = rd.number[:0]
	for _, r := range good {
		rd.number = append(rd.number, first+int64(r))
	}
	for i := range rd.skipped {
		rd.skipped[i].Row += first
	}
	slices.SortFunc(rd.skipped, byRow)
	return model.Rows{Kind: b.kind, Width: b.width, Data: data, Number: rd.number}, rd.skipped, nil
}

// patchRows reads a column that holds whole patches.
func (b *Binding) patchRows(batch arrow.RecordBatch, m int) ([]byte, []int32, error) {
	if !b.learned() {
		if err := b.learn(batch, m); err != nil || !b.learned() {
			return nil, nil, err
		}
	}
	rd := &b.reader
	rd.begin(&b.columns[0], b.dims, rd.every(m), 0)
	rd.element, rd.images = b.source, b.images
	raw, err := rd.read(batch)
	if err != nil || len(rd.rows) == 0 {
		return nil, nil, err
	}
	data := b.patches(raw)
	return data, rd.keepGood(rd.rows), nil
}

// patches returns the patches that the reader's cursor stands on, in the form
// of b.kind, without those that it marks bad because they are not finite.
func (b *Binding) patches(raw []byte) []byte {
	rd := &b.reader
	in := rd.inOnePiece(raw)
	data := in
	if b.source.toFloat32 != nil {
		data = rd.buffer(len(in) / b.source.size * b.kind.Size())
		b.source.toFloat32(arrow.Float32Traits.CastFromBytes(data), in)
	}
	if b.source.float || b.source.huge {
		data = b.dropNotFinite(data, rd.rows, func(k, e int) float64 { return b.source.value(in, k*b.width+e) })
	}
	return data
}

// learned reports whether a row has shown all that the schema does not tell.
func (b *Binding) learned() bool {
	return product(b.dims) != unknown && !b.open && (!b.MayHoldImages() || b.images.cells == images && b.images.want.Shape.Len() > 0)
}

// learn takes the sizes of the list levels, and what images and .npy files
// hold, from the first row that is good on its own.
func (b *Binding) learn(batch arrow.RecordBatch, m int) error {
	rd := &b.reader
	dims := slices.Clone(b.dims)
	row := make([]int32, 1)
	for r := range m {
		if rd.any && !rd.skip {
			return nil
		}
		copy(dims, b.dims)
		row[0] = int32(r)
		rd.begin(&b.columns[0], dims, row, r)
		rd.element, rd.open, rd.images = b.source, b.open, b.images
		raw, err := rd.read(batch)
		if err != nil {
			return err
		}
		if len(rd.rows) == 0 {
			continue
		}
		n := product(dims)
		if b.width > 0 && n != b.width {
			rd.reject(int32(r), Ragged, func() string { return fmt.Sprintf("patch of %d values, expected %d", n, b.width) })
			continue
		}
		asked, source := b.width, b.source
		b.width, b.source, b.kind = n, rd.element, rd.element.kind
		b.patches(raw)
		if rd.bad[r] {
			b.width, b.source, b.kind = asked, source, source.kind
			continue
		}
		if b.images = rd.images; b.images.cells == anything {
			b.images.cells = others
		}
		if b.open = false; rd.shape != nil && len(b.columns[0].tensor.Shape) == 0 {
			b.columns[0].tensor.Shape = rd.shape
		}
		copy(b.dims, dims)
		return nil
	}
	return nil
}
