package imageset

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
)

// What a job has at most, so that small images cost little to hand over and
// large ones leave no core idle.
const (
	jobImages = 32
	jobBytes  = 1 << 18
)

// A job is a few images that one goroutine decodes and works on.
type job[T any] struct {
	items []*item
	out   []T
	errs  []error
	done  chan struct{}
}

// Run decodes the images of s, calls work for each on all cores, and write with
// what work has returned, in order, on this goroutine. Images in flight are
// bounded: two jobs for each core, one being decoded and one waiting.
//
// An image that cannot be read, or that work returns an error for, ends the run
// with that error, or is counted and left out where Skip is set; an error of
// write or of reading a file ends it always. The set can be run once. When Run
// returns, nothing of it is still running.
func Run[T any](ctx context.Context, s *Set, work func(*Image) (T, error), write func(*Image, T) error) error {
	if s.channels == 0 {
		if _, err := s.First(ctx); err != nil && !errors.Is(err, ErrNoImages) {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	workers := runtime.GOMAXPROCS(0)
	jobs := make(chan *job[T])
	order := make(chan *job[T], workers)
	var readErr error // set before order is closed
	running.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = produce(ctx, s, jobs, order)
	})
	for range workers {
		running.Go(func() {
			for j := range jobs {
				for i, it := range j.items {
					if ctx.Err() == nil {
						j.out[i], j.errs[i] = doItem(s, it, work)
					}
				}
				close(j.done)
			}
		})
	}
	number := s.bad.Total() // left out by First
	for j := range order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for i, it := range j.items {
			err := j.errs[i]
			if err == nil {
				err = write(&it.Image, j.out[i])
			}
			if err != nil && !s.leaveOut(number, err) {
				return err
			}
			it.release()
			number++
		}
	}
	return readErr
}

// produce hands the items of s to the workers, and in order to the writer.
func produce[T any](ctx context.Context, s *Set, jobs, order chan<- *job[T]) error {
	for {
		j := &job[T]{done: make(chan struct{})}
		size := 0
		var err error
		for len(j.items) < jobImages && size < jobBytes {
			var it *item
			if s.first != nil {
				it, s.first = s.first, nil
			} else if it, err = s.next(ctx); err != nil {
				break
			}
			j.items = append(j.items, it)
			size += it.bytes
		}
		if len(j.items) > 0 {
			j.out, j.errs = make([]T, len(j.items)), make([]error, len(j.items))
			for _, to := range []chan<- *job[T]{order, jobs} {
				select {
				case to <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// doItem decodes an image and works on it.
func doItem[T any](s *Set, it *item, work func(*Image) (T, error)) (out T, err error) {
	if err := it.read(s); err != nil {
		return out, err
	}
	out, err = work(&it.Image)
	if err != nil {
		err = faultOf(it, err, Unfit)
	}
	return out, err
}
