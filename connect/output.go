package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

func init() {
	service.MustRegisterBatchOutput("aefeat_fit", fitSpec(), newFitOutput)
}

// fitSpec describes the settings of the output aefeat_fit.
func fitSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Trains a model on the rows of messages, in one pass without an end.").
		Description(`A message is a JSON object with an array of numbers, which is a row, or an Arrow IPC or Parquet file with a column of rows.

It is acknowledged once a checkpoint on disk holds its rows, and not before. A checkpoint is made when half of `+"`max_in_flight`"+` batches wait for it, or `+"`checkpoint_every`"+` after the first that waits. At the next start training goes on from the checkpoint. A checkpoint that cannot be written makes the messages that wait fail; their rows are forgotten, so that they can be sent again.

A message without such rows fails alone, with the reason. Without a `+"`fallback`"+` most inputs send it again and again.`).
		Fields(
			service.NewStringField("checkpoint").Description("The file that holds the state of the training, one for each output. Its folder must exist."),
			service.NewStringField("model").Description("The model file to write."),
			service.NewStringField("patch").Description("The path of the array in a JSON object, with dots, or the column of an Arrow or Parquet file.").Default("patch"),
			service.NewStringEnumField("type", "uint8", "uint16", "float32").Description("What the numbers in JSON are. One that is out of its range, or no integer where that is wanted, fails its message.").Default("uint8"),
			service.NewIntField("inputs").Description("The number of values in a row. 0: as many as the first good row has.").Default(0),
			service.NewStringField("objective").Description("As of a fit: sparse, denoising, contractive, k-sparse or plain.").Default(model.ObjectiveSparse),
			service.NewIntField("hidden").Description("The number of hidden units: the length of a code.").Default(196),
			service.NewStringField("preprocess").Description("What is done to values first: scale, patch, standardize, zca or none. Under scale floats must lie in 0 to 1.").Default(model.PreprocessScale),
			service.NewIntField("preprocess_rows").Description("The number of rows that preprocessing learns from, where it learns. Training begins after these.").Default(stage.DefaultPreprocessRows),
			service.NewIntField("seed").Description("Seed of all randomness.").Default(0),
			service.NewDurationField("checkpoint_every").Description("The longest that a message waits for a checkpoint.").Default("1s"),
			service.NewDurationField("every").Description("The time between two writings of the model file. It is written at shutdown too.").Default("5m"),
			service.NewIntField("every_rows").Description("The model file is written after so many rows too. 0: never for that.").Default(0),
			service.NewOutputMaxInFlightField().Default(32),
			service.NewBatchPolicyField("batching").Description("Without one, 1,000 messages, 8 MB or 1 s make a batch."),
		)
}

// fitSettings are those of the output beside stage.Config.
type fitSettings struct {
	model           string // path
	checkpointEvery time.Duration
	every           time.Duration
	everyRows       int64
	maxInFlight     int
}

func newFitOutput(conf *service.ParsedConfig, res *service.Resources) (out service.BatchOutput, policy service.BatchPolicy, maxInFlight int, err error) {
	p := parser{conf: conf}
	o := &fitOutput{log: res.Logger(), settings: fitSettings{
		model: p.string("model"), checkpointEvery: p.duration("checkpoint_every"),
		every: p.duration("every"), everyRows: int64(p.int("every_rows")), maxInFlight: p.int("max_in_flight"),
	}}
	o.source = source{patch: p.string("patch"), number: numberOf(p.string("type"))}
	o.trainer = trainer{checkpoint: p.string("checkpoint"), form: form{width: p.int("inputs")}}
	c := &o.trainer.config
	c.Epochs, c.Columns, c.Preprocess = 1, []string{o.source.patch}, p.string("preprocess")
	objective, hidden, seed, rows := p.string("objective"), p.int("hidden"), p.int("seed"), p.int("preprocess_rows")
	policy, err = conf.FieldBatchPolicy("batching")
	if err := cmp.Or(p.err, err); err != nil {
		return nil, policy, 0, err
	}
	if policy.IsNoop() {
		policy.Count, policy.ByteSize, policy.Period = 1000, 8<<20, "1s"
	}
	if c.Model, err = model.ForObjective(objective, hidden, c.Preprocess); err != nil {
		return nil, policy, 0, err
	}
	c.Model.Seed, c.FitDecay = uint64(seed), c.Model.K > 0
	if (model.Preprocess{Method: c.Preprocess}).Learns() {
		c.PreprocessRows = rows
	}
	if err := c.Validate(); err != nil {
		return nil, policy, 0, err
	}
	if _, err := model.NewPreprocess(c.Preprocess, "", 0, model.Rows{}); err != nil {
		return nil, policy, 0, err
	}
	if err := o.begin(context.Background()); err != nil {
		return nil, policy, 0, err
	}
	return o, policy, o.settings.maxInFlight, nil
}

// parser reads settings, and keeps the first error.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func (p *parser) string(name string) string {
	v, err := p.conf.FieldString(name)
	p.err = cmp.Or(p.err, err)
	return v
}

func (p *parser) int(name string) int {
	v, err := p.conf.FieldInt(name)
	p.err = cmp.Or(p.err, err)
	return v
}

func (p *parser) duration(name string) time.Duration {
	v, err := p.conf.FieldDuration(name)
	p.err = cmp.Or(p.err, err)
	return v
}

// fitOutput is the output aefeat_fit. Batches of messages are written to the
// trainer one after the other, and then wait together for a checkpoint: a
// round.
type fitOutput struct {
	log      *service.Logger
	source   source
	settings fitSettings

	mu      sync.Mutex
	trainer trainer // not open after a failure
	open    bool
	round   *round    // nil: nobody waits
	failed  time.Time // when the last round failed, if none has passed since
	written time.Time // when the model was
	fresh   int64     // rows in the checkpoint that the model was not trained on
}

// round is batches that wait for the same checkpoint.
type round struct {
	done    chan struct{} // closed at its end
	err     error         // of the checkpoint; valid once done is closed
	batches int
	rows    int64
	timer   *time.Timer
}

// begin opens the trainer, and refuses a model file that is not of its fit.
func (o *fitOutput) begin(ctx context.Context) error {
	if o.settings.model == o.trainer.checkpoint {
		return errors.New("`model` and `checkpoint` are one file")
	}
	if err := o.trainer.open(ctx); err != nil {
		return err
	}
	o.open, o.written = true, time.Now()
	return o.recognize()
}

// recognize refuses a model file that this fit did not write, rather than
// replace it.
func (o *fitOutput) recognize() error {
	file, err := os.Open(o.settings.model)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	t := &o.trainer
	if t.fitter == nil {
		return fmt.Errorf("model %s is there and checkpoint %s is not: a fit that begins would replace the model: move it, or give another name", o.settings.model, t.checkpoint)
	}
	m, err := model.Read(file)
	if err != nil {
		return fmt.Errorf("model %s: %w", o.settings.model, err)
	}
	c := t.config.Model
	if m.Inputs != t.form.width || m.Hidden != c.Hidden || m.Objective != c.Objective || m.Seed != c.Seed || m.Preprocess.Method != t.config.Preprocess {
		return fmt.Errorf("model %s is of another fit than checkpoint %s: move it, or give another name", o.settings.model, t.checkpoint)
	}
	return nil
}

// Connect does nothing: the trainer is open, or will be when rows come.
func (o *fitOutput) Connect(context.Context) error { return nil }

// WriteBatch trains on the rows of messages. It returns when a checkpoint that
// holds them is on disk, or cannot be written.
func (o *fitOutput) WriteBatch(ctx context.Context, messages service.MessageBatch) error {
	if err := o.pause(ctx); err != nil {
		return err
	}
	rows := make([]model.Rows, len(messages))
	bad := make([]error, len(messages))
	for i, m := range messages {
		text, err := m.AsBytes()
		if err == nil {
			rows[i], err = o.source.rows(text)
		}
		bad[i] = err
	}
	r, err := o.take(ctx, rows, bad)
	if err != nil {
		return err
	}
	if r != nil {
		select {
		case <-r.done:
		case <-ctx.Done():
			o.end(r) // rather than leave it open whether its rows were taken
		}
		if <-r.done; r.err != nil {
			return r.err
		}
	}
	return rejected(messages, bad)
}

// rejected returns the error of the messages that have one.
func rejected(messages service.MessageBatch, bad []error) error {
	n := 0
	var all *service.BatchError
	for i, err := range bad {
		if err == nil {
			continue
		}
		if n++; n == 1 {
			all = service.NewBatchError(messages, err)
		}
		all.Failed(i, err)
	}
	if n == 0 {
		return nil
	}
	return all
}

// pause waits a second after a failure, since most inputs send again at once.
func (o *fitOutput) pause(ctx context.Context) error {
	o.mu.Lock()
	failed := o.failed
	o.mu.Unlock()
	if failed.IsZero() {
		return nil
	}
	select {
	case <-time.After(time.Until(failed.Add(time.Second))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take writes rows to the trainer and returns the round that they are in; nil
// where there are none. Those that do not fit become errors in bad.
func (o *fitOutput) take(ctx context.Context, rows []model.Rows, bad []error) (*round, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		if err := o.trainer.open(ctx); err != nil {
			o.failed = time.Now()
			return nil, err
		}
		o.open = true
	}
	good := o.choose(rows, bad)
	if good.Len() == 0 {
		return nil, nil
	}
	r := o.enter()
	r.rows += int64(good.Len())
	// What a context ends in the midst of could not be said to be trained on.
	if err := o.trainer.write(context.WithoutCancel(ctx), good); err != nil {
		o.finish(r, err)
	} else if r.batches >= (o.settings.maxInFlight+1)/2 { // the others come meanwhile
		o.finish(r, o.trainer.save())
	}
	return r, nil
}

// choose returns the rows that the trainer takes.
func (o *fitOutput) choose(rows []model.Rows, bad []error) (good model.Rows) {
	for i, r := range rows {
		if bad[i] != nil || r.Len() == 0 {
			continue
		}
		if bad[i] = o.trainer.check(r); bad[i] == nil {
			good.Kind, good.Width = r.Kind, r.Width
			good.Data = append(good.Data, r.Data...)
		}
	}
	return good
}

// enter adds a batch to the round, a new one if there is none.
func (o *fitOutput) enter() *round {
	if o.round == nil {
		r := &round{done: make(chan struct{})}
		r.timer = time.AfterFunc(o.settings.checkpointEvery, func() { o.end(r) })
		o.round = r
	}
	o.round.batches++
	return o.round
}

// end makes the checkpoint that a round waits for, if that has not been done.
func (o *fitOutput) end(r *round) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.round == r {
		o.finish(r, o.trainer.save())
	}
}

// finish ends a round with the error of its checkpoint. After one the trainer
// goes back to the checkpoint before, which does not hold the rows that are
// going to be sent again.
func (o *fitOutput) finish(r *round, err error) {
	r.timer.Stop()
	o.round = nil
	if r.err = err; err != nil {
		o.trainer.close()
		o.open, o.failed = false, time.Now()
	} else {
		o.failed = time.Time{}
		o.fresh += r.rows
	}
	close(r.done)
	if due := time.Since(o.written) >= o.settings.every || o.settings.everyRows > 0 && o.fresh >= o.settings.everyRows; err == nil && due {
		o.writeModel(context.Background())
	}
}

// writeModel writes the model of all rows in the checkpoint. It is made by
// another trainer, since a fit that has ended cannot go on.
func (o *fitOutput) writeModel(ctx context.Context) {
	t := trainer{config: o.trainer.config, checkpoint: o.trainer.checkpoint, form: o.trainer.form}
	defer t.close()
	err := t.open(ctx)
	if err == nil && t.fitter != nil {
		var m *model.Model
		if m, err = t.finish(ctx); err == nil {
			err = atomicfile.Write(o.settings.model, func(w io.Writer) error {
				_, err := m.WriteTo(w)
				return err
			})
		}
	}
	o.written = time.Now()
	if err != nil { // no message is at stake: their rows are in the checkpoint
		o.log.Errorf("The model was not written: %v", err)
		return
	}
	o.fresh = 0
}

// Close writes the model.
func (o *fitOutput) Close(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.round != nil {
		o.finish(o.round, o.trainer.save())
	}
	o.writeModel(ctx)
	o.trainer.close()
	o.open = false
	return nil
}
