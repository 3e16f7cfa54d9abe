package model

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/aefeat/aefeat/internal/f32"
)

// Read reads a model file, all of r. What the file claims is checked before
// anything is allocated for it, and data is taken as it arrives: no file makes
// Read use more than a small multiple of its own size. The error is a
// [*FormatError] where the bytes are at fault, and a [*BareError] where they
// are weights that no settings go with.
func Read(r io.Reader) (*Model, error) {
	m, _, bare, err := readTensors(r, false)
	if err != nil {
		return nil, err
	}
	if bare {
		return nil, &BareError{m}
	}
	return m, nil
}

// BareError is the error of [Read] about weights that were made elsewhere: any
// safetensors file with the tensors encoder.weight (h,n), encoder.bias (h),
// decoder.bias (n) and, unless tied, decoder.weight (n,h), of type F32. A
// program that has settings for them can go on with Model.
type BareError struct {
	Model *Model // its Config holds the sizes and Tied, and nothing else
}

func (e *BareError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the [*FormatError] that this is to whoever wants settings.
func (e *BareError) Unwrap() error {
	return &FormatError{errors.New("not an aefeat model: a safetensors file without settings")}
}

// readTensors reads a model file, or a bare one. Of a checkpoint it keeps, if
// they are wanted, the tensors of the training in h.state; then another file is
// an error.
func readTensors(r io.Reader, training bool) (m *Model, h *fileHeader, bare bool, err error) {
	h, err = readHeader(r)
	if err != nil {
		return nil, nil, false, err
	}
	if training {
		if err := h.checkCheckpoint(); err != nil {
			return nil, nil, false, err
		}
		h.state = map[string]any{}
	}
	m = &Model{}
	bare = h.metadata["format"] != formatName
	if bare {
		err = m.sizesFrom(h)
	} else {
		err = m.settingsFrom(h)
	}
	if err != nil {
		return nil, nil, false, err
	}
	if err := h.checkTensors(m); err != nil {
		return nil, nil, false, err
	}
	if err := m.readParams(r, h); err != nil {
		return nil, nil, false, err
	}
	if bare {
		return m, h, true, nil
	}
	sum, has := h.metadata["checksum"]
	if has && sum != checksum(h.metadata["config"], h.tensors, h.data) {
		return nil, nil, false, damaged("its checksum is not that of its settings and tensors")
	}
	return m, h, false, nil
}

// fileHeader is the header of a safetensors file.
type fileHeader struct {
	metadata map[string]string
	tensors  map[string]tensor
	order    []string // names in the order of the data
	data     map[string]digest
	state    map[string]any // what the tensors of a training hold, by name; nil: not wanted
}

func readHeader(r io.Reader) (*fileHeader, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, &FormatError{errors.New("not a model file: it has fewer than 8 bytes")}
		}
		return nil, err
	}
	size := binary.LittleEndian.Uint64(length[:])
	const longest = 1 << 40 // of what might be a header: random bytes claim more
	if size < 2 || size > longest {
		return nil, &FormatError{errors.New("not a model file: it does not start as a safetensors file does")}
	}
	if size > maxHeader {
		return nil, &FormatError{fmt.Errorf("a header of %d MiB is beyond the %d MiB that are read, or this is no model file", size>>20, maxHeader>>20)}
	}
	var b bytes.Buffer // grows with what is really there
	if _, err := io.CopyN(&b, r, int64(size)); err != nil {
		return nil, endsEarly(err)
	}
	h, err := parseHeader(b.Bytes())
	if err != nil {
		return nil, damaged("in its header: %w", err)
	}
	return h, nil
}

// endsEarly turns the end of a file into damage, and leaves other errors alone.
func endsEarly(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return damaged("it ends early")
	}
	return err
}

// parseHeader reads the JSON of a header, whose names must be distinct.
func parseHeader(b []byte) (*fileHeader, error) {
	h := &fileHeader{tensors: map[string]tensor{}, data: map[string]digest{}}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // what d.Token returns for a key
		if name == "__metadata__" {
			if h.metadata != nil {
				return nil, errors.New("two lots of metadata")
			}
			if err := d.Decode(&h.metadata); err != nil {
				return nil, fmt.Errorf("metadata: %w", err)
			}
			if h.metadata == nil {
				h.metadata = map[string]string{}
			}
			continue
		}
		if _, ok := h.tensors[name]; ok {
			return nil, fmt.Errorf("two tensors are called %q", name)
		}
		var entry tensor
		if err := d.Decode(&entry); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(entry.Offsets) != 2 || entry.Offsets[0] < 0 || entry.Offsets[1] < entry.Offsets[0] {
			return nil, fmt.Errorf("tensor %q lies at %v", name, entry.Offsets)
		}
		h.tensors[name] = entry
		h.order = append(h.order, name)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON object")
	}
	slices.SortFunc(h.order, func(a, b string) int {
		x, y := h.tensors[a].Offsets, h.tensors[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), strings.Compare(a, b))
	})
	at := int64(0)
	for _, name := range h.order {
		offsets := h.tensors[name].Offsets
		if offsets[0] != at {
			return nil, fmt.Errorf("tensor %q starts at byte %d, not %d where the one before ends", name, offsets[0], at)
		}
		at = offsets[1]
	}
	return h, nil
}

// maxRowsSeen leaves room for those of a model that begins with this one.
const maxRowsSeen = 1 << 60

// settingsFrom takes over the settings of a file of ours.
func (m *Model) settingsFrom(h *fileHeader) error {
	if v := h.metadata["version"]; v != formatVersion {
		return &FormatError{fmt.Errorf("a model file of version %q: this program reads version %s", v, formatVersion)}
	}
	var c fileConfig
	if err := json.Unmarshal([]byte(h.metadata["config"]), &c); err != nil {
		return damaged("in its settings: %w", err)
	}
	if err := c.Config.Validate(); err != nil {
		return damaged("in its settings: %w", err)
	}
	if err := c.Preprocess.validate(); err != nil {
		return damaged("in its settings: %w", err)
	}
	if err := c.Preprocess.Allows(c.Config); err != nil {
		return damaged("in its settings: %w", err)
	}
	if c.Inputs < 1 || c.RowsSeen < 0 || c.RowsSeen > maxRowsSeen {
		return damaged("in its settings: %d inputs, %d rows seen", c.Inputs, c.RowsSeen)
	}
	if c.SparsityWeight > 0 && c.Sparsity == 0 {
		// It stands for no default here: New has settled that.
		return damaged("in its settings: a sparsity of 0")
	}
	if c.Best < 0 || c.Best > 0 && c.Cost == nil {
		return damaged("in its settings: best epoch %d, whose cost is missing", c.Best)
	}
	if c.Parent != "" && !isDigest(c.Parent) {
		return damaged("in its settings: the parent %q is no SHA-256 in hex", c.Parent)
	}
	if c.Spread != nil {
		if fault := c.Spread.fault(c.Inputs); fault != "" {
			return damaged("in its settings: the spread of its rows has %s", fault)
		}
	}
	if c.Shape != nil {
		if err := c.Shape.check(c.Inputs); err != nil {
			return damaged("in its settings: %w", err)
		}
		m.Shape = *c.Shape
	}
	if i := c.Binding.Images; i != nil {
		if err := i.check(c.Inputs); err != nil {
			return damaged("in its settings: %w", err)
		}
	}
	m.Config, m.Preprocess, m.Binding = c.Config, c.Preprocess, c.Binding
	m.RowsSeen, m.History, m.Cost, m.Best, m.Parent = c.RowsSeen, c.History, c.Cost, c.Best, c.Parent
	m.NoiseEpoch, m.Spread = c.NoiseEpoch, c.Spread
	return nil
}

// sizesFrom takes over the sizes of a bare file.
func (m *Model) sizesFrom(h *fileHeader) error {
	weight, ok := h.tensors[encoderWeight]
	if !ok {
		return &FormatError{fmt.Errorf("not a model file: it has no tensor %s", encoderWeight)}
	}
	if len(weight.Shape) != 2 {
		return &FormatError{fmt.Errorf("%s has the shape %v, not (hidden, inputs)", encoderWeight, weight.Shape)}
	}
	for _, size := range weight.Shape {
		if size < 1 || size > maxWeights {
			return &FormatError{fmt.Errorf("%s has the shape %v", encoderWeight, weight.Shape)}
		}
	}
	_, untied := h.tensors[decoderWeight]
	m.Config = Config{Hidden: int(weight.Shape[0]), Inputs: int(weight.Shape[1]), Tied: !untied}
	if err := m.Config.Validate(); err != nil {
		return &FormatError{err}
	}
	return nil
}

// checkTensors reports a tensor that is missing, surplus, or not what the
// settings of m make of it.
func (h *fileHeader) checkTensors(m *Model) error {
	known := map[string]bool{}
	for _, want := range m.shapes() {
		known[want.name] = true
		got, ok := h.tensors[want.name]
		switch {
		case !ok:
			return damaged("it has no tensor %s", want.name)
		case got.Type != "F32":
			return damaged("tensor %s is of type %q, not F32", want.name, got.Type)
		case !slices.Equal(got.Shape, want.shape):
			return damaged("tensor %s has the shape %v, not %v", want.name, got.Shape, want.shape)
		case got.Offsets[1]-got.Offsets[0] != 4*want.elements():
			return damaged("tensor %s of shape %v takes %d bytes", want.name, got.Shape, got.Offsets[1]-got.Offsets[0])
		}
	}
	for _, name := range h.order {
		if !known[name] && !strings.HasPrefix(name, optimizerPrefix) {
			return damaged("it has a tensor %q that no model of its kind has", name)
		}
	}
	return nil
}

// readParams reads the tensors, which end r, and notes their digests in h.
func (m *Model) readParams(r io.Reader, h *fileHeader) error {
	read := map[string][]float32{}
	buffer := make([]byte, bufferSize)
	for _, name := range h.order {
		sum := sha256.New()
		left := h.tensors[name].Offsets[1] - h.tensors[name].Offsets[0]
		ours := !strings.HasPrefix(name, optimizerPrefix)
		var values any
		if ours || h.state != nil {
			values = noValues(h.tensors[name].Type)
		}
		values, err := readTensor(io.TeeReader(r, sum), left, buffer, values)
		if err != nil {
			return err
		}
		h.data[name] = digest(hex.EncodeToString(sum.Sum(nil)))
		switch {
		case ours:
			read[name] = values.([]float32)
			if !f32.AllFinite(read[name]) {
				return damaged("tensor %s holds a NaN or an infinity", name)
			}
		case h.state != nil:
			h.state[name] = values
		}
	}
	if n, err := io.ReadFull(r, buffer[:1]); n != 0 {
		return damaged("it goes on after its last tensor")
	} else if err != io.EOF {
		return err
	}
	m.Params = newParams(m.Inputs, m.Hidden, m.Tied, nil)
	rest := m.Params.Flat
	for _, t := range tensorsOf(m.Config) {
		rest = rest[copy(rest, read[t.name]):]
	}
	for _, t := range m.Preprocess.tensors(m.Inputs) {
		*t.data = read[t.name]
	}
	return nil
}

// readTensor reads so many bytes of a tensor, and returns values with its
// elements appended, or nil where values is nil.
func readTensor(r io.Reader, left int64, buffer []byte, values any) (any, error) {
	for bytes := left; left > 0; {
		b := buffer[:min(left, int64(len(buffer)))]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, endsEarly(err)
		}
		left -= int64(len(b))
		values = appendValues(values, b, bytes)
	}
	return values, nil
}

// noValues returns no elements of a type that a file names, as [filledTensor]
// holds them; nil: the type is unknown.
func noValues(dtype string) any {
	switch dtype {
	case "F32":
		return []float32(nil)
	case "F64":
		return []float64(nil)
	case "I64":
		return []int64(nil)
	case "U8":
		return []byte(nil)
	}
	return nil
}

// appendValues appends the elements in b, a whole number of them, to what
// noValues has returned, of a tensor of so many bytes.
func appendValues(values any, b []byte, bytes int64) any {
	switch x := values.(type) {
	case []float32:
		x = room(x, len(b)/4, bytes/4)
		for ; len(b) > 0; b = b[4:] {
			x = append(x, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return x
	case []float64:
		x = room(x, len(b)/8, bytes/8)
		for ; len(b) > 0; b = b[8:] {
			x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
		return x
	case []int64:
		x = room(x, len(b)/8, bytes/8)
		for ; len(b) > 0; b = b[8:] {
			x = append(x, int64(binary.LittleEndian.Uint64(b)))
		}
		return x
	case []byte:
		return append(room(x, len(b), bytes), b...)
	}
	return nil
}

// room makes room in x for n more elements of all. It believes what is really
// there, and not what a file claims: x doubles.
func room[T any](x []T, n int, all int64) []T {
	if cap(x)-len(x) >= n {
		return x
	}
	return append(make([]T, 0, min(int64(max(2*len(x), len(x)+n)), all)), x...)
}
