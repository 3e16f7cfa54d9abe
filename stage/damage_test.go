package stage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/aefeat/aefeat/model"
)

// forged returns a checkpoint with another state, checksums included.
func forged(t *testing.T, saved []byte, change func(h *model.Host)) []byte {
	t.Helper()
	from, err := model.ReadCheckpoint(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := from.Trainer(0)
	if err != nil {
		t.Fatal(err)
	}
	from.Host.Data = maps.Clone(from.Host.Data)
	change(&from.Host)
	var b bytes.Buffer
	if err := trainer.WriteCheckpoint(&b, from.Host); err != nil {
		t.Skip(err) // no JSON
	}
	return b.Bytes()
}

// What a checkpoint says of a fit must go together, whoever wrote it.
func TestDamagedCheckpoints(t *testing.T) {
	p := makePatches(3000, 16, 11)
	replay := moments(t, p.reader(t, memory.DefaultAllocator, 500), Config{Model: model.Sparse(4), Epochs: 2, Validation: 0.1})[1]
	whole := moments(t, p.reader(t, memory.DefaultAllocator, 500), Config{Model: model.Sparse(4), Epochs: 3, Train: model.TrainOptions{Optimizer: model.LBFGS}})[1]
	var stream bytes.Buffer
	f, err := NewFitter(patchSchema(16), Config{Model: model.Sparse(4), Epochs: 1, Preprocess: model.PreprocessPatch, PreprocessRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	batch := p.batch(memory.DefaultAllocator, 0, 3000)
	defer batch.Release()
	if err := errors.Join(f.Write(t.Context(), batch), f.Checkpoint(&stream)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		saved    []byte
		old, new string // of the state
	}{
		{replay, `"version":2`, `"version":3`},
		{replay, `"version":2`, `"version":2,"more":2`},
		{replay, `"Epochs":2`, `"Epochs":-1`},
		{replay, `"Epochs":2`, `"Epochs":0`},
		{replay, `"Epochs":2`, `"Epochs":7`},
		{replay, `"Validation":0.1`, `"Validation":0`},
		{replay, `"Validation":0.1`, `"Validation":5`},
		{replay, `"hidden":4`, `"hidden":-4`},
		{replay, `"seed":0`, `"seed":1`},
		{replay, `"optimizer":"adam"`, `"optimizer":"lbfgs"`},
		{replay, `"optimizer":"adam"`, `"optimizer":"none"`},
		{replay, `"learning_rate":0`, `"learning_rate":0.5`},
		{replay, `"FirstRow":0`, `"FirstRow":-1`},
		{replay, `"rows":2710`, `"rows":-4`},
		{replay, `"visiting":true`, `"visiting":true,"unvalidated":true`},
		{replay, `"width":16`, `"width":15`},
		{replay, `"kind":"uint8"`, `"kind":"uint7"`},
		{replay, `"blocks":3`, `"blocks":4`},
		{replay, `"blocks":3`, `"blocks":0`},
		{replay, `"stride":1`, `"stride":0`},
		{replay, `"ended":true`, `"ended":false`},
		{whole, `"visiting":true`, `"visiting":true,"rows":4`},
		{stream.Bytes(), `"next":3000`, `"next":-1`},
		{stream.Bytes(), `"kind":"uint8"`, `"kind":"float32"`},
		{stream.Bytes(), `"kind":"uint8"`, `"kind":""`},
		{stream.Bytes(), `"width":16`, `"width":8`},
		{stream.Bytes(), `"forward"`, `"rows":1,"forward"`},
		{stream.Bytes(), `"ahead":1000`, `"ahead":-1`},
		{stream.Bytes(), `"Epochs":1`, `"Epochs":2`},
		{stream.Bytes(), `"Validation":0`, `"Validation":0.5`},
	} {
		bad := forged(t, c.saved, func(h *model.Host) {
			if !strings.Contains(string(h.State), c.old) {
				t.Errorf("no %s in %s", c.old, h.State)
			}
			h.State = []byte(strings.Replace(string(h.State), c.old, c.new, 1))
		})
		if _, err := ReadCheckpoint(bytes.NewReader(bad)); !errors.As(err, new(*model.FormatError)) {
			t.Errorf("%s for %s: error %v", c.new, c.old, err)
		}
	}
	for _, name := range []string{dataRows, dataNumbers, dataWindow, dataWindowNumbers, dataStatistics} {
		for _, change := range []func([]byte) []byte{
			func([]byte) []byte { return nil },
			func(b []byte) []byte { return b[:len(b)-1] },
			func(b []byte) []byte { return append(bytes.Clone(b), b[:8]...) },
		} {
			bad := forged(t, stream.Bytes(), func(h *model.Host) { h.Data[name] = change(h.Data[name]) })
			if _, err := ReadCheckpoint(bytes.NewReader(bad)); !errors.As(err, new(*model.FormatError)) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
	// Only the rows that are kept tell that an epoch has fewer.
	far := forged(t, replay, func(h *model.Host) {
		h.State = []byte(strings.Replace(string(h.State), `"rows":2710`, `"rows":4000`, 1))
	})
	if _, err := resumed(t, far, p.reader(t, memory.DefaultAllocator, 500), Config{}); !errors.As(err, new(*model.FormatError)) {
		t.Errorf("beyond all rows: error %v", err)
	}
	m, err := model.Read(bytes.NewReader(replay))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint(bytes.NewReader(file(t, m))); !errors.As(err, new(*model.FormatError)) {
		t.Errorf("a model: error %v", err)
	}
}

// otherKernels returns a checkpoint as if kernels of another class had computed
// it.
func otherKernels(t *testing.T, saved []byte) []byte {
	t.Helper()
	size := binary.LittleEndian.Uint64(saved)
	var header map[string]json.RawMessage
	var metadata map[string]string
	if err := errors.Join(json.Unmarshal(saved[8:8+size], &header), json.Unmarshal(header["__metadata__"], &metadata)); err != nil {
		t.Fatal(err)
	}
	text := metadata["checkpoint"]
	class := regexp.MustCompile(`"kernels":"[^"]*"`)
	metadata["checkpoint"] = class.ReplaceAllString(text, `"kernels":"abacus"`)
	metadata["checkpoint_checksum"] = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "checkpoint %x\nchecksum %s\n",
		sha256.Sum256([]byte(metadata["checkpoint"])), metadata["checksum"])))
	var err error
	if header["__metadata__"], err = json.Marshal(metadata); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b, saved[8+size:])
}

// Other kernels give other bits, so they have to be asked for.
func TestResumeOtherKernels(t *testing.T) {
	p := makePatches(3000, 16, 11)
	c := Config{Model: model.Sparse(4), Epochs: 1}
	want := fitAll(t, p.reader(t, memory.DefaultAllocator, 500), c)
	foreign := otherKernels(t, moments(t, p.reader(t, memory.DefaultAllocator, 500), c)[0])
	var e *model.KernelsError
	if _, err := resumed(t, foreign, p.reader(t, memory.DefaultAllocator, 500), Config{}); !errors.As(err, &e) || e.Want != "abacus" {
		t.Errorf("other kernels: error %v", err)
	}
	got, err := resumed(t, foreign, p.reader(t, memory.DefaultAllocator, 500), Config{OtherKernels: true})
	if err != nil {
		t.Fatal(err)
	}
	want.same(t, "asked for", got) // they are the same kernels after all
}

// No state makes a fit panic.
func FuzzState(f *testing.F) {
	p := makePatches(1100, 4, 12)
	var saved [][]byte
	r := p.reader(f, memory.DefaultAllocator, 500)
	defer r.Release()
	c := Config{Model: model.Plain(2), Epochs: 2, CheckpointEvery: 1, Checkpoint: func(k *Checkpoint) error {
		var b bytes.Buffer
		_, err := k.WriteTo(&b)
		saved = append(saved, b.Bytes())
		return err
	}}
	fit(f, r, c)
	for i, b := range saved {
		from, err := model.ReadCheckpoint(bytes.NewReader(b))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, []byte(from.Host.State))
	}
	f.Fuzz(func(t *testing.T, i int, state []byte) {
		b := forged(t, saved[uint(i)%uint(len(saved))], func(h *model.Host) { h.State = state })
		from, err := ReadCheckpoint(bytes.NewReader(b))
		if err != nil {
			return
		}
		r := p.reader(t, memory.DefaultAllocator, 500)
		defer r.Release()
		resume := Resume
		if from.state.Forward != nil {
			resume = ResumeForward
		}
		f, err := resume(from, r.Schema(), Config{Memory: 32 << 20})
		if err != nil {
			return
		}
		defer f.Close()
		if from.Epochs < 10 {
			_, _, _ = f.Run(t.Context(), r)
		}
	})
}
