package stage

import (
	"context"
	"slices"

	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
)

// store keeps rows for passes over them, in memory and in a spill file.
type store struct {
	*spill.Store
	kind  model.Kind
	width int
}

// newStore returns a store for rows like those of first, within so many bytes
// of memory.
func (p *plan) newStore(first model.Rows, memory int64) (*store, error) {
	s, err := spill.New(spill.Config{Width: rowSize(first), Seed: p.model.Seed, Memory: memory, Dir: p.folder})
	if err != nil {
		return nil, err
	}
	return &store{s, first.Kind, first.Width}, nil
}

// visit hands all rows to add, some at a time, in the order of an epoch, and
// tells how many it has handed over.
func (s *store) visit(ctx context.Context, epoch uint32, add func(rows model.Rows, order []int32) error, tell func(done int64)) error {
	var done int64
	for bucket, err := range s.Epoch(ctx, epoch) {
		if err != nil {
			return err
		}
		rows := model.Rows{Kind: s.kind, Width: s.width, Data: bucket.Rows, Number: bucket.Number}
		for order := range slices.Chunk(bucket.Order, blockRows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := add(rows, order); err != nil {
				return err
			}
			done += int64(len(order))
			tell(done)
		}
	}
	return nil
}
