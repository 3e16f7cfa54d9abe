package stage

import (
	"context"
	"errors"

	"github.com/aefeat/aefeat/model"
)

// Stop makes the fit end after the running epoch, or under model.LBFGS after
// the running pass, with the model so far; Report.Stop is then
// model.AskedToStop. There is always one epoch, or iteration, which is as long
// as the caller goes on to write rows; but where no row is visited again Run
// reads no more. The last checkpoint goes on as if the fit had not been
// stopped. Stop may be called at any time, from any goroutine, and returns at
// once.
func (f *Fitter) Stop() { f.asked.Store(true) }

// enough reports whether a reader need not be read to its end.
func (f *Fitter) enough() bool {
	return f.asked.Load() && !f.plan.keeps() && (f.reading == nil || f.reading.passed())
}

// alive reports that ctx is nil or has ended. Then it makes a checkpoint, for
// the fit may not go on.
func (f *Fitter) alive(ctx context.Context) error {
	err := alive(ctx)
	if err == nil || ctx == nil || f.err != nil {
		return err
	}
	return joined(err, f.save())
}

// save makes what may be the last checkpoint of a fit that has not ended.
func (f *Fitter) save() error {
	if f.passes == nil || f.passes.saver == nil || f.feed.idle() != nil {
		return nil // the error of training comes by itself
	}
	return f.passes.lastSave()
}

// ended makes a last checkpoint of a fit that err has ended, unless there is
// nothing to go on with: the training itself has failed, or the settings are at
// fault. It returns err.
func (f *Fitter) ended(err error) error {
	if err == nil || f.passes == nil || f.passes.saver == nil {
		return err
	}
	if f.feed.stop(); f.feed.err != nil || errors.As(err, new(*model.DivergedError)) || errors.As(err, new(*model.ConfigError)) {
		return err
	}
	return joined(err, f.passes.lastSave())
}

// endShort is called where the rows so far may not be all. The current block is
// not full then, as it is where the input goes on: the last checkpoint comes
// before it.
func (f *Fitter) endShort() error {
	if f.passes == nil {
		return nil
	}
	if err := f.feed.idle(); err != nil {
		return err
	}
	return f.passes.stopStream()
}

// joined returns err, with what else went wrong.
func joined(err, also error) error {
	if also == nil {
		return err
	}
	return errors.Join(err, also)
}
