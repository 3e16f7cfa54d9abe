// Package stage trains a model on a stream of record batches and adds codes to
// one, within bounded memory.
//
// [Fitter] is pushed batches and returns a model; [Transformer] turns each
// batch into one with codes. Their Run methods, [Fit], [Transform], [Evaluate],
// [Observe] and [Explain] are loops over any array.RecordReader. [Resume] goes
// on with a fit that was interrupted, and a [Sweep] fits several models to one
// reading of the rows.
//
// # Fitting
//
// The first epoch trains on the rows while they arrive, and keeps them, in the
// narrowest form that is faithful: uint8 pixels stay uint8. On their way to the
// trainer they are shuffled within a window of 16 Mi values, but no more than
// 65,536 rows: it fills before training begins, then each row that arrives
// takes the place of a random one, which is trained on, and what is left at the
// end of the input comes last. So an input of fewer rows, such as 21,399 of 784
// values, is shuffled as a whole. Each later epoch visits the kept rows in a
// new order, near to a random one even when the input is sorted: rows belong to
// buckets of about 4 MiB by a hash of their position, buckets are visited in
// random order, and the rows inside each too. With Epochs 1 nothing is kept,
// and where an input is sorted beyond what the window mixes, it teaches its
// last rows best. With a full batch the first epoch gathers the gradient at the
// initial weights, with no need of a window, and each epoch ends with one step.
//
// Under model.LBFGS each pass is an evaluation of the cost, the first one at
// the initial weights, and Epochs bounds the iterations that one or a few of
// them make. So rows are kept for Epochs 1 too. The later passes visit the rows
// in one order, and all passes corrupt them with one sample of the noise.
//
// Config.Validation holds rows out, in a store of their own, which with Epochs
// 1 is the only one. After each epoch, or iteration, they tell what the model
// costs on rows that it was not trained on; the model of the epoch with the
// least such cost is the result.
//
// Where preprocessing learns from the data (patch, standardize, zca) and rows
// are kept, their arrival is not an epoch: it learns from all of them, and each
// of the Epochs is one over kept rows. With Epochs 1 it learns from the first
// Config.PreprocessRows rows, which wait for that and are then trained on
// first, and Report.Drift tells whether the rest of the stream was like them.
// With NoEpochs it learns from as many, and nothing more is read.
//
// The rule of preprocessing and the width of a patch come from the first 1,024
// rows, or fewer if these take more than a MiB. They are saved in the model
// with the columns, so that transforming needs neither again. Rows that will be
// held out count among these: the rule is a guess at the type of the values.
// What preprocessing learns beyond that, it learns from the others alone.
//
// # Determinism
//
// Rows of equal values and positions, an equal Config and seed give a
// bit-identical model: however the rows are cut into batches, whatever Memory
// is, and however many goroutines run.
//
// # Memory
//
// A fit takes, beyond what the caller and its batches hold,
//
//	runtime floor + TrainOptions.Memory + Config.Memory + WindowMemory
//	+ 4 MiB or 4 rows, whichever is more
//	+ Preprocess.Memory + twice the rows that wait for it
//
// where TrainOptions.Memory (package model) is parameters, optimiser and batch
// buffers, then come rows on their way to the trainer, and Preprocess.Memory is
// what learning preprocessing takes; zca keeps a square matrix of it, and each
// batch a copy of its rows. Of the optimisers L-BFGS takes most: 26 vectors of
// all parameters in float64, and two in float32. Validation adds a copy of the
// parameters, which TrainOptions.Memory counts, and what a model.Validator
// takes: the inputs, codes and reconstructions of up to 1,024 rows.
// Config.Memory holds kept rows, then write buffers of the spill file, then the
// bucket in use and the one that is read ahead; it lies outside of Go's heap on
// Linux and macOS. A stored row takes n times its element size, 8 bytes for its
// position and, in memory, 4 for its place in the order; rows are in memory
// while they fill less than three quarters of the budget. Not counted are 24
// bytes for each 256 KiB of spill file. The least budget is 16 MiB for rows of
// up to 64 KiB, and 256 rows beyond that. Held-out rows share the budget: they
// get Config.Validation of it, but neither they nor the others less than the
// least budget, which so becomes twice as large where both are kept.
//
// A Transformer takes, for each batch in work, what is added to the batch, 512
// rows of codes besides and, where the reconstruction is not kept, up to 4 MiB
// of it on its way to the score. One with a k-sparse model takes a copy of the
// weights in half their size and 4 MiB, or 128 rows, of all codes; LayoutSparse
// then takes no more beside what is added. [Transform] has GOMAXPROCS+1 pieces
// of batches in work, each of up to 8 MiB of what is added, but at least 512
// rows.
//
// The window lies outside of Go's heap likewise, and is given back at the end
// of the first epoch.
//
// A checkpoint is written from where its parts lie; but for Preprocess.Memory,
// where rows that preprocessing learned from came first, nothing is copied. One
// that is read takes the size of its file, and is then what the fit takes.
//
// Encoded images take their pixels besides, of the rows of a batch in work up
// to 8 MiB or one image, and what the Decoder takes. A Transformer that is
// pushed batches decodes each whole, up to 1 GiB.
//
// [Explain] takes the rows that it keeps, up to ExplainConfig.Top for each
// unit, the codes of 512 rows, and rows on their way as a fit does. The columns
// that ExplainConfig.Keep names stay in memory as long as a row of their batch
// is on its way.
//
// # Checkpoints
//
// A fit can be interrupted and go on to the same bits. Config.Checkpoint is
// given a [Checkpoint] at the end of each epoch or iteration and every so often
// between blocks of rows; [Checkpoint.WriteTo] writes it as a model file that
// also has the state of the training. [ReadCheckpoint] and [Resume] make a
// Fitter of it, whose input is read again from its first row: rows are not in a
// checkpoint. What was trained on before is bound, checked, kept and held out
// again, but not trained on. Learned preprocessing is in the model, and is not
// learned again. Settings are in it too; see Resume for those that may change.
//
// Full batches and L-BFGS have a state only between passes. There is nothing to
// go on from before training begins: while the first rows arrive, and while
// preprocessing is learned.
//
// The input must be the same: the good rows in their order, of the same type,
// and which of them are held out. SHA-256 over these is compared while they are
// read, and an [InputChangedError] comes before any row is trained on that was
// not read to the same sum. Other columns, the files, and how rows are cut into
// batches may differ.
//
// A fit of one epoch that holds no rows out can also go on with the next row:
// [Fitter.Checkpoint] and [ResumeForward] are for a service that cannot read
// its input again. Such a checkpoint has every row that was written before:
// those of the window lie in it as they are.
//
// With more Epochs than planned, also after the end of a fit, a resumed fit
// goes on from the weights, the schedules of rate and k being those of the new
// total. It is bit-identical to the longer fit only where these had not begun
// to differ.
//
// [Fitter.Stop] ends a fit after the running epoch with the model so far. A
// service that is told to end calls it if it can wait for that. If not, it ends
// the context of Write, Run or Finish: the fit returns its error, but makes a
// last checkpoint first, as far as it can. So does one that an error of the
// input or of the spill file ends.
//
// # Bad rows
//
// A row is bad when it holds no patch (a null, another width, NaN or an
// infinity) or when a value of it is out of range. In range is, as stored,
//
//	with PixelMax            0 to PixelMax
//	uint8, uint16            0 to 255, 0 to 65535
//	other integers           0 to 255; under standardize all
//	floats, and under none   all; 0 to 1 where the output is a sigmoid and
//	all types                preprocessing is scale or none
//
// as far as float32 goes. Without Skip the first bad row is an error that names
// column, row and value. With it bad rows are left out of a fit, out of
// preprocessing and of validation too, as if they were null; an evaluation
// leaves them out. So does an explanation, and a Transformer gives them null
// codes, both also where the code itself overflows. [patch.BadRows] then tells
// how many there were for each reason, and which were the first. When none are
// left, the error is [ErrNoRows], and tells of the first that was out of range.
//
// That other integers hold bytes is a guess, which the first rows must bear
// out: a value beyond 0 to 255 among these is an error with Skip too, as long
// as no PixelMax says what is in range.
//
// # Row numbers
//
// Rows are numbered by their position in the input, from Config.FirstRow on,
// which is 0 or more; skipped rows count. Errors name them so, as
// [patch.RowError], and the noise of a row is keyed by its number, and so is
// its lot to be held out.
package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/aefeat/aefeat/internal/spill"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// ErrNoRows is what fitting or evaluating nothing returns.
var ErrNoRows = errors.New("no rows")

// SpillError is a failure of the temporary file that holds rows: no space
// left, or a block that came back different. Dir is the folder, Err, which it
// unwraps to, what went wrong, and Hint what may help.
type SpillError = spill.Error

var (
	errNoContext = errors.New("stage: the context is nil")
	errNoModel   = errors.New("stage: the model is nil")
	errNoSchema  = errors.New("stage: the schema is nil")

	errNoParams        = errors.New("stage: the model has no parameters")
	errZeroTransformer = errors.New("stage: a Transformer comes from NewTransformer")
)

// schemaOf returns the schema of a reader that somebody handed in.
func schemaOf(r array.RecordReader) (*arrow.Schema, error) {
	if r == nil {
		return nil, errors.New("stage: the reader is nil")
	}
	return r.Schema(), nil
}

// readError returns what ended the batches of r, nil for their end.
func readError(r array.RecordReader) error {
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// alive reports that ctx is nil or has ended.
func alive(ctx context.Context) error {
	if ctx == nil {
		return errNoContext
	}
	return ctx.Err()
}

// paramsFault says what keeps the parameters of m from being used: there are
// none, or they are not of the sizes of its settings. "": nothing.
func paramsFault(m *model.Model) string {
	p, n, h := m.Params, m.Inputs, m.Hidden
	if p == nil {
		return "the model has no parameters"
	}
	decoder := n * h
	if m.Tied {
		decoder = 0
	}
	if n < 1 || h < 1 || len(p.EncoderWeight) != h*n || len(p.EncoderBias) != h || len(p.DecoderWeight) != decoder || len(p.DecoderBias) != n ||
		len(p.Flat) != h*n+h+decoder+n {
		return "the model's parameters are not of its sizes"
	}
	return ""
}

// learnedFault says what keeps a rule of preprocessing from being used on rows
// of n values: what it should have learned is not there. "": nothing.
func learnedFault(p model.Preprocess, n int) string {
	if !p.Learns() {
		return ""
	}
	l := p.Learned
	if l == nil {
		return fmt.Sprintf("the model's preprocessing %s has not been learned", p.Method)
	}
	standardize, zca := p.Method == model.PreprocessStandardize, p.Method == model.PreprocessZCA
	if (standardize || zca) && len(l.Mean) != n || standardize && len(l.Scale) != n || zca && len(l.Whiten) != n*n {
		return fmt.Sprintf("the model's preprocessing %s was learned from rows of another width", p.Method)
	}
	return ""
}

// bindTo binds the columns that a model takes, or those that c names, and
// returns the model with its preprocessing rule adapted to them. Of a model
// without parameters the schema tells the width, if the model does not.
func bindTo(m *model.Model, schema *arrow.Schema, c EvaluateConfig) (*model.Model, *patch.Binding, error) {
	switch {
	case m == nil:
		return nil, nil, errNoModel
	case schema == nil:
		return nil, nil, errNoSchema
	case m.Hidden < 1:
		return nil, nil, &model.ConfigError{Setting: "Hidden", Reason: fmt.Sprintf("%d is not a positive number", m.Hidden)}
	}
	if m.Params != nil {
		if fault := cmp.Or(paramsFault(m), learnedFault(m.Preprocess, m.Inputs)); fault != "" {
			return nil, nil, errors.New("stage: " + fault)
		}
	}
	if err := checkImages(c.Images); err != nil {
		return nil, nil, err
	}
	b, err := patch.Bind(schema, c.BindOptions(m))
	if err != nil {
		var e *patch.RowError
		switch isRow := errors.As(err, &e); {
		case isRow && len(c.Columns) == 0:
			err = &patch.RowError{Column: e.Column, Row: e.Row, Key: e.Key,
				Reason: "the model was fitted on this column: " + e.Reason, Hint: couldBe(schema, m.Inputs)}
		case isRow && e.Hint == "":
			err = &patch.RowError{Column: e.Column, Row: e.Row, Key: e.Key, Reason: e.Reason, Hint: couldBe(schema, m.Inputs)}
		}
		return nil, nil, err
	}
	if err := useless(c.Images, b); err != nil {
		return nil, nil, err
	}
	adapted := *m
	adapted.Inputs = cmp.Or(m.Inputs, b.Width())
	adapted.Preprocess, err = m.Preprocess.Adapt(b.Source(), c.PixelMax)
	if err != nil {
		return nil, nil, err
	}
	return &adapted, b, nil
}

// BindOptions returns how the rows are bound that m is to take. Cells of bytes
// are what m was trained on, or raw bytes where a largest value is given for
// them.
func (c EvaluateConfig) BindOptions(m *model.Model) patch.BindOptions {
	o := patch.BindOptions{Columns: c.Columns, Width: m.Inputs, Source: m.Preprocess.Source, Skip: c.Skip,
		Decode: c.Decode, Images: imagesAre(c.Images, imagesOf(m))}
	if len(o.Columns) == 0 {
		o.Columns = m.Binding.Columns
	}
	if c.PixelMax != 0 || o.Source == "" {
		o.Source = "uint8"
	}
	if o.BytesCure = "name the largest pixel with `PixelMax` 255"; cmp.Or(m.Preprocess.Method, model.PreprocessNone) == model.PreprocessNone {
		o.BytesCure = "fit a model to such rows" // PixelMax is refused
	}
	return o
}

// couldBe says which columns of schema could hold patches of the given width.
func couldBe(schema *arrow.Schema, width int) string {
	could := slices.DeleteFunc(patch.Candidates(schema), func(c patch.Candidate) bool { return c.Width != 0 && c.Width != width })
	if len(could) == 0 {
		return fmt.Sprintf("no column of the data can hold a patch of %d values", width)
	}
	return "name the column that holds the patch with `Columns`, which could be " + patch.Listed(could)
}
