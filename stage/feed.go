package stage

import (
	"context"
	"slices"

	"github.com/aefeat/aefeat/model"
)

// A block holds up to 1,024 rows and about 1 MiB. Rows enough to keep the
// consumer busy for a while; and the first block is what a preprocessing rule
// is learned from, so its size must not depend on the batches of the input.
const (
	blockRows  = 1024
	blockBytes = 1 << 20
)

// feedBlocks is how many blocks a feed has: one that is filled, one that is
// consumed, and two between them so that neither waits for a hiccup of the
// other.
const feedBlocks = 4

// block is rows copied out of a batch.
type block struct {
	rows  model.Rows
	held  []bool    // which rows are held out; nil: none
	size  int       // rows of a full block
	input *identity // of all rows up to its last; nil: nobody asks
}

// blockSize is how many rows a block holds.
func blockSize(kind model.Kind, width int) int {
	return max(1, min(blockRows, blockBytes/(width*kind.Size())))
}

func newBlock(kind model.Kind, width int) *block {
	rowBytes := width * kind.Size()
	size := blockSize(kind, width)
	return &block{size: size, rows: model.Rows{
		Kind: kind, Width: width,
		Data:   make([]byte, size*rowBytes)[:0],
		Number: make([]int64, 0, size),
	}}
}

// fill copies rows from number at on, as many as fit, and returns how many.
func (b *block) fill(r model.Rows, at int) int {
	n := min(b.room(), len(r.Number)-at)
	rowBytes := rowSize(r)
	b.rows.Data = append(b.rows.Data, r.Data[at*rowBytes:(at+n)*rowBytes]...)
	b.rows.Number = append(b.rows.Number, r.Number[at:at+n]...)
	return n
}

// drop takes the rows at some positions out.
func (b *block) drop(at []int) {
	b.rows = drop(b.rows, at, b.rows.Data)
	for i := len(at) - 1; i >= 0 && len(b.held) > 0; i-- {
		b.held = slices.Delete(b.held, at[i], at[i]+1)
	}
}

// room is how many rows fit in beside those that are there.
func (b *block) room() int { return b.size - len(b.rows.Number) }

func (b *block) full() bool { return b.room() == 0 }

func (b *block) reset() {
	b.rows.Data, b.rows.Number, b.held = b.rows.Data[:0], b.rows.Number[:0], b.held[:0]
}

// feed hands blocks of rows to a consumer on a goroutine of its own, in order,
// so that reading and consuming overlap. Its methods are for one goroutine.
type feed struct {
	current *block
	free    chan *block
	full    chan *block
	done    chan struct{} // closed when the consumer has ended
	err     error         // why it ended early; valid once done is closed
	started bool
	ended   bool
}

func newFeed(kind model.Kind, width int) *feed {
	f := &feed{
		free: make(chan *block, feedBlocks),
		full: make(chan *block, feedBlocks),
		done: make(chan struct{}),
	}
	f.current = newBlock(kind, width)
	for range feedBlocks - 1 {
		f.free <- newBlock(kind, width)
	}
	return f
}

// start begins to consume. A block is valid during the call only.
func (f *feed) start(consume func(*block) error) {
	f.started = true
	go func() {
		defer close(f.done)
		for b := range f.full {
			if f.err = consume(b); f.err != nil {
				return
			}
			b.reset()
			f.free <- b
		}
	}()
}

// add copies rows into blocks, and sends those that are full.
func (f *feed) add(ctx context.Context, rows model.Rows) error {
	for at := 0; at < rows.Len(); {
		at += f.current.fill(rows, at)
		if f.current.full() {
			if err := f.send(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// send hands over the current block and takes a free one. It returns the
// consumer's error if that has ended.
func (f *feed) send(ctx context.Context) error {
	select {
	case f.full <- f.current: // has room for every block
		f.current = nil
	case <-f.done:
		return f.err
	}
	select {
	case f.current = <-f.free:
		return nil
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait ends the feed once everything sent is consumed, and returns the
// consumer's error.
func (f *feed) wait(ctx context.Context) error {
	f.end()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish sends what the current block holds and waits.
func (f *feed) finish(ctx context.Context) error {
	if len(f.current.rows.Number) > 0 {
		if err := f.send(ctx); err != nil {
			return err
		}
	}
	return f.wait(ctx)
}

// idle waits until everything sent is consumed, and leaves the feed as it is.
// It returns the consumer's error if that has ended.
func (f *feed) idle() error {
	if !f.started {
		return nil
	}
	var free [feedBlocks - 1]*block
	for i := range free {
		select {
		case free[i] = <-f.free:
		case <-f.done:
			return f.err
		}
	}
	for _, b := range free {
		f.free <- b
	}
	return nil
}

// stop ends the feed, drops what is not consumed yet, and waits until the
// consumer's goroutine is gone.
func (f *feed) stop() {
	f.end()
	for range f.full {
	}
	<-f.done
}

func (f *feed) end() {
	if !f.ended {
		close(f.full)
		f.ended = true
	}
	if !f.started {
		close(f.done)
		f.started = true
	}
}
