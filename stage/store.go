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

// visit hands rows to each, some at a time, in the order of an epoch: all but
// the first so many of them.
func (s *store) visit(ctx context.Context, epoch uint32, from int64, each func(rows model.Rows, order []int32) error) error {
	for bucket, err := range s.EpochFrom(ctx, epoch, from) {
		if err != nil {
			return err
		}
		rows := model.Rows{Kind: s.kind, Width: s.width, Data: bucket.Rows, Number: bucket.Number}
		for order := range slices.Chunk(bucket.Order, blockRows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := each(rows, order); err != nil {
				return err
			}
		}
	}
	return nil
}
