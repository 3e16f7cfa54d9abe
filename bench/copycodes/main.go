// Command copycodes is `aefeat transform` without the model: what the reading
// and the writing alone cost.
//
//	copycodes -codes CODES.parquet INPUT OUTPUT.parquet
//
// It reads every column of the input and writes it with codes that were
// computed before, by `aefeat transform --keep none`. Reading and writing
// overlap as they do in transform. Decoding a second file would cost time that
// transform does not spend, so the codes of the first -distinct rows are held
// in memory and used again for the rows after them. That is the number of
// images in MNIST, which bench/digits.py repeats: the output then is, value for
// value, what transform writes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/arrowio"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("copycodes: ")
	codes := flag.String("codes", "", "file of codes alone, one row for each of the input")
	distinct := flag.Int("distinct", 60_000, "codes to hold in memory")
	flag.Parse()
	if flag.NArg() != 2 || *codes == "" {
		log.Fatal("usage: copycodes -codes CODES.parquet INPUT OUTPUT.parquet")
	}
	if err := run(*codes, *distinct, flag.Arg(0), flag.Arg(1)); err != nil {
		log.Fatal(err)
	}
}

func run(codes string, distinct int, input, output string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	held, err := hold(ctx, codes, distinct)
	if err != nil {
		return err
	}
	source, err := arrowio.Open([]string{input}, arrowio.OpenOptions{})
	if err != nil {
		return err
	}
	defer source.Close()
	reader, err := source.Reader(ctx, nil)
	if err != nil {
		return err
	}
	defer reader.Release()
	metadata := reader.Schema().Metadata()
	schema := arrow.NewSchema(append(reader.Schema().Fields(), held.Schema().Fields()...), &metadata)
	w, err := arrowio.Create(output, schema, arrowio.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Abort()
	batches := make(chan arrow.RecordBatch, 2) // as transform has on two cores
	go func() {
		defer close(batches)
		for reader.Next() {
			batch := reader.RecordBatch()
			batch.Retain()
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
		}
	}()
	at := int64(0)
	for batch := range batches {
		for lo := int64(0); lo < batch.NumRows(); {
			from := at % held.NumRows()
			n := min(batch.NumRows()-lo, held.NumRows()-from)
			if err := write(w, schema, batch.NewSlice(lo, lo+n), held.NewSlice(from, from+n)); err != nil {
				return err
			}
			lo += n
			at += n
		}
		batch.Release()
	}
	if err := reader.Err(); err != nil {
		return err
	}
	return w.Close()
}

// hold reads the first codes of a file into one batch.
func hold(ctx context.Context, name string, rows int) (arrow.RecordBatch, error) {
	source, err := arrowio.Open([]string{name}, arrowio.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	reader, err := source.Reader(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	parts := make([][]arrow.Array, reader.Schema().NumFields())
	n := 0
	for n < rows && reader.Next() {
		batch := reader.RecordBatch()
		take := min(int(batch.NumRows()), rows-n)
		for i, c := range batch.Columns() {
			parts[i] = append(parts[i], array.NewSlice(c, 0, int64(take)))
		}
		n += take
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errors.New(name + ": no rows")
	}
	columns := make([]arrow.Array, len(parts))
	for i, p := range parts {
		if columns[i], err = array.Concatenate(p, memory.DefaultAllocator); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return array.NewRecordBatch(reader.Schema(), columns, int64(n)), nil
}

func write(w *arrowio.Writer, schema *arrow.Schema, batch, codes arrow.RecordBatch) error {
	defer batch.Release()
	defer codes.Release()
	columns := append(append([]arrow.Array{}, batch.Columns()...), codes.Columns()...)
	both := array.NewRecordBatch(schema, columns, batch.NumRows())
	defer both.Release()
	return w.Write(both)
}
