package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aefeat/aefeat/internal/f32"
)

// Host is what a program keeps in a checkpoint beside the training.
type Host struct {
	State json.RawMessage   // JSON; nil: none
	Data  map[string][]byte // by names that are not empty and valid UTF-8
}

// Checkpoint is a training that was interrupted.
type Checkpoint struct {
	Model   *Model       // as it was then; Trainer trains it further
	Options TrainOptions // of the training
	Kernels string       // what computed it, such as "avx512"
	Host    Host         // as the program gave it, its JSON perhaps with other spaces

	// OtherKernels lets Trainer go on with kernels of another class, and so to
	// other bits.
	OtherKernels bool

	state map[string]any // by name; nil: a trainer has it
}

// KernelsError says that a training would not go on to the same bits, since
// other kernels computed it so far than this process has.
type KernelsError struct{ Have, Want string }

func (e *KernelsError) Error() string {
	return fmt.Sprintf("the training was computed with kernels of the class %q, and this processor has %q, which may give other bits", e.Want, e.Have)
}

// Names of a checkpoint in its file.
const (
	checkpointKey         = "checkpoint"
	checkpointChecksumKey = "checkpoint_checksum"
	checkpointVersion     = 1
	hostPrefix            = optimizerPrefix + "host."
)

// checkpointText is the JSON under checkpointKey.
type checkpointText struct {
	Version int             `json:"version"`
	Kernels string          `json:"kernels"`
	Options TrainOptions    `json:"options"`
	Host    json.RawMessage `json:"host,omitempty"`
}

// checkpointChecksum covers the text, and with the checksum of the model file,
// which is over all tensors, the whole.
func checkpointChecksum(metadata map[string]string) string {
	text := digestOf([]byte(metadata[checkpointKey]))
	return string(digestOf(fmt.Appendf(nil, "checkpoint %s\nchecksum %s\n", text, metadata["checksum"])))
}

// WriteCheckpoint writes the model as it is and the state of its training, from
// which [ReadCheckpoint] goes on to the same bits. It changes nothing, and may
// come between any two calls of Add; for full batches and under [LBFGS] only
// between two passes, else it is an error. The file is one that [Read] takes
// for that of the model.
//
// A training that has numbers in it which are not finite is a
// [*DivergedError]. After [Trainer.Finish] has chosen among the epochs there is
// nothing to go on from.
func (t *Trainer) WriteCheckpoint(w io.Writer, host Host) error {
	switch {
	case t.err != nil:
		return t.err
	case t.finished:
		return errors.New("writing a checkpoint: the training has been finished")
	}
	s := &stateForm{}
	t.state(s)
	if errors.Is(s.err, errNotFinite) || !f32.AllFinite(t.m.Params.Flat) {
		return t.engine.diverged(math.NaN())
	}
	if s.err != nil {
		return fmt.Errorf("writing a checkpoint: %w", s.err)
	}
	tensors := append(s.tensors, t.m.tensors()...)
	for name, data := range host.Data {
		if name == "" || !utf8.ValidString(name) {
			return fmt.Errorf("writing a checkpoint: data of the name %q", name)
		}
		tensors = append(tensors, filledTensor{namedShape{hostPrefix + name, []int64{int64(len(data))}}, data})
	}
	return t.m.writeCheckpoint(w, tensors, checkpointText{checkpointVersion, f32.Kernels(), t.o, host.State})
}

// writeCheckpoint writes a checkpoint of all these tensors.
func (m *Model) writeCheckpoint(w io.Writer, tensors []filledTensor, content checkpointText) error {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	// Wide elements come first, so that all are aligned.
	slices.SortFunc(tensors, func(a, b filledTensor) int {
		_, x := a.dtype()
		_, y := b.dtype()
		return cmp.Or(cmp.Compare(y, x), strings.Compare(a.name, b.name))
	})
	return m.write(w, tensors, func(metadata map[string]string) {
		metadata[checkpointKey] = string(text)
		metadata[checkpointChecksumKey] = checkpointChecksum(metadata)
	})
}

var errNotFinite = errors.New("a number that is not finite")

// ReadCheckpoint reads what [Trainer.WriteCheckpoint] wrote, all of r. What the
// file claims is checked before anything is allocated for it, as by [Read]. The
// error is a [*FormatError] where the bytes are at fault.
func ReadCheckpoint(r io.Reader) (*Checkpoint, error) {
	m, h, _, err := readTensors(r, true)
	if err != nil {
		return nil, err
	}
	if h.metadata[checkpointChecksumKey] != checkpointChecksum(h.metadata) {
		return nil, damaged("the checksum of its training is not right")
	}
	var text checkpointText
	if err := json.Unmarshal([]byte(h.metadata[checkpointKey]), &text); err != nil {
		return nil, damaged("in its training: %w", err)
	}
	c := &Checkpoint{Model: m, Options: text.Options, Kernels: text.Kernels, Host: Host{State: text.Host}, state: h.state}
	for name, values := range h.state {
		if name, ok := strings.CutPrefix(name, hostPrefix); ok {
			if c.Host.Data == nil {
				c.Host.Data = map[string][]byte{}
			}
			data, ok := values.([]byte)
			if !ok {
				return nil, damaged("in its training: data %q that are no bytes", name)
			}
			c.Host.Data[name] = data
			delete(h.state, hostPrefix+name)
		}
	}
	o, err := c.Options.WithDefaults(m.Config, m.Preprocess.Method)
	if err != nil {
		return nil, damaged("in its training: %w", err)
	}
	if o != c.Options {
		return nil, damaged("in its training: settings that are not settled")
	}
	if _, err := c.restore(o); err != nil {
		return nil, damaged("in its training: %w", err)
	}
	return c, nil
}

// checkCheckpoint reports a header that is not one of a checkpoint, and tensors
// of a training that cannot be read.
func (h *fileHeader) checkCheckpoint() error {
	text, ok := h.metadata[checkpointKey]
	if !ok || h.metadata["format"] != formatName {
		return &FormatError{errors.New("not a checkpoint: it has no state of a training")}
	}
	var version struct{ Version int }
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return damaged("in its training: %w", err)
	}
	if version.Version != checkpointVersion {
		return &FormatError{fmt.Errorf("a checkpoint of version %d: this program reads version %d", version.Version, checkpointVersion)}
	}
	for name, t := range h.tensors {
		if !strings.HasPrefix(name, optimizerPrefix) {
			continue
		}
		values := noValues(t.Type)
		if values == nil {
			return damaged("tensor %s is of type %q", name, t.Type)
		}
		_, left := filledTensor{data: values}.dtype()
		for _, size := range t.Shape {
			if size < 0 || size > 0 && left > math.MaxInt64/size {
				return damaged("tensor %s has the shape %v", name, t.Shape)
			}
			left *= size
		}
		if bytes := t.Offsets[1] - t.Offsets[0]; bytes != left {
			return damaged("tensor %s of shape %v takes %d bytes", name, t.Shape, bytes)
		}
	}
	return nil
}

// Trainer returns the trainer that wrote the checkpoint, with c.Model. epochs
// are the planned ones from here on, counted from the start of the training; 0:
// as they were. With others the learning rate and the codes kept follow the
// schedule of these, and a training that ended with its epochs goes on; it may
// also have ended already.
//
// It is called once. The error is a [*KernelsError], which c.OtherKernels
// forgoes, or a [*ConfigError].
func (c *Checkpoint) Trainer(epochs int) (*Trainer, error) {
	if c.state == nil {
		return nil, errors.New("model: a second trainer of one checkpoint")
	}
	if have := f32.Kernels(); !c.OtherKernels && !f32.SameBits(have, c.Kernels) {
		return nil, &KernelsError{have, c.Kernels}
	}
	o := c.Options
	o.Epochs = cmp.Or(epochs, o.Epochs)
	if _, err := o.WithDefaults(c.Model.Config, c.Model.Preprocess.Method); err != nil {
		return nil, err
	}
	t, err := c.restore(o)
	if err != nil {
		return nil, err
	}
	t.engine.allocate()
	c.state = nil
	return t, nil
}

// restore returns a trainer with the state of c, which shares its memory and
// has no buffers yet.
func (c *Checkpoint) restore(o TrainOptions) (*Trainer, error) {
	t := bareTrainer(c.Model, o)
	s := &stateForm{loaded: maps.Clone(c.state)}
	t.state(s)
	if s.err != nil {
		return nil, s.err
	}
	for name := range s.loaded {
		return nil, fmt.Errorf("a tensor %q that no training of its kind has", name)
	}
	return t, nil
}
