package model

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc64"
	"io"
	"math"
)

// sumsMagic opens the marshalled form of sums over rows, whose layout is in
// the package comment, and sumsVersion follows it.
const (
	sumsMagic   = "aefsums"
	sumsVersion = '2'
)

// The kinds of sums, each named by eight bytes.
const (
	kindGradient   = "gradient" // of an Accumulator
	kindCost       = "cost    " // of a Validator
	kindEvaluation = "evaluate" // of an Evaluator
	kindStatistics = "moments " // of Statistics
	kindLearning   = "learning" // of Statistics, all that they hold
)

const (
	sumsHeader = len(sumsMagic) + 1 + len(kindCost) + 8 // up to the fingerprint
	sumsFrame  = sumsHeader + 8                         // and the checksum
)

var sumsTable = crc64.MakeTable(crc64.ECMA)

// sumsForm says what the marshalled form of some sums holds. The fields, in
// their order, are *int64 and []int64 for counts, and *float64, []float64 and
// []float32.
type sumsForm struct {
	kind        string
	fingerprint uint64
	fields      []any
}

// marshalSums returns sums as bytes, or the error that there was.
func marshalSums(f sumsForm, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return f.marshal(), nil
}

// marshal returns the sums as bytes and keeps every bit of them.
func (f sumsForm) marshal() []byte {
	var b bytes.Buffer
	b.Grow(f.size())
	f.write(&b) // which never fails
	return b.Bytes()
}

// write writes what marshal returns, which is too much to have it twice.
func (f sumsForm) write(w io.Writer) error {
	sum := crc64.New(sumsTable)
	out := io.MultiWriter(w, sum)
	b := make([]byte, 0, 1<<16)
	var err error
	flush := func() {
		if err == nil {
			_, err = out.Write(b)
		}
		b = b[:0]
	}
	put := func(word uint64) {
		if len(b) == cap(b) {
			flush()
		}
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	b = append(append(append(b, sumsMagic...), sumsVersion), f.kind...)
	put(f.fingerprint)
	for _, field := range f.fields {
		switch v := field.(type) {
		case *int64:
			put(uint64(*v))
		case []int64:
			for _, n := range v {
				put(uint64(n))
			}
		case *float64:
			put(math.Float64bits(*v))
		case []float64:
			for _, x := range v {
				put(math.Float64bits(x))
			}
		case []float32:
			for _, x := range v {
				put(math.Float64bits(float64(x)))
			}
		}
	}
	flush()
	put(sum.Sum64())
	flush()
	return err
}

// unmarshal sets the fields to sums of the same kind and fingerprint, or
// returns an error and leaves them as they are.
func (f sumsForm) unmarshal(data []byte) error {
	if err := f.check(data); err != nil {
		return err
	}
	data = data[sumsHeader:]
	next := func() uint64 {
		word := binary.LittleEndian.Uint64(data)
		data = data[8:]
		return word
	}
	for _, field := range f.fields {
		switch v := field.(type) {
		case *int64:
			*v = int64(next())
		case []int64:
			for i := range v {
				v[i] = int64(next())
			}
		case *float64:
			*v = math.Float64frombits(next())
		case []float64:
			for i := range v {
				v[i] = math.Float64frombits(next())
			}
		case []float32:
			for i := range v {
				v[i] = float32(math.Float64frombits(next()))
			}
		}
	}
	return nil
}

// check reports bytes that are no sums of this form, or were damaged.
func (f sumsForm) check(data []byte) error {
	if len(data) < sumsFrame || string(data[:len(sumsMagic)]) != sumsMagic {
		return sumsErrorf(SumsFormat, "not sums over rows")
	}
	if v := data[len(sumsMagic)]; v != sumsVersion {
		return sumsErrorf(SumsVersion, "sums of version %q: this program reads version %q", v, sumsVersion)
	}
	if kind := string(data[len(sumsMagic)+1 : sumsHeader-8]); kind != f.kind {
		return sumsErrorf(SumsForeign, "sums of kind %q, want %q", kind, f.kind)
	}
	if binary.LittleEndian.Uint64(data[sumsHeader-8:]) != f.fingerprint {
		return errForeignSums
	}
	if len(data) != f.size() {
		return sumsErrorf(SumsFormat, "sums of %d bytes, want %d", len(data), f.size())
	}
	words, sum := data[:len(data)-8], data[len(data)-8:]
	if crc64.Checksum(words, sumsTable) != binary.LittleEndian.Uint64(sum) {
		return sumsErrorf(SumsFormat, "the sums were damaged on their way")
	}
	words = words[sumsHeader:]
	for _, field := range f.fields {
		n := words8(field)
		if counts(field) {
			for i := range n {
				if v := int64(binary.LittleEndian.Uint64(words[8*i:])); v < 0 || v > maxCount {
					return sumsErrorf(SumsFormat, "sums that count %d rows", v)
				}
			}
		}
		words = words[8*n:]
	}
	return nil
}

// maxCount is more rows than there are, and leaves room to add.
const maxCount = 1 << 53

// size is the number of bytes of the form.
func (f sumsForm) size() int {
	size := sumsFrame
	for _, field := range f.fields {
		size += 8 * words8(field)
	}
	return size
}

// words8 is the number of words of eight bytes that a field takes.
func words8(field any) int {
	switch v := field.(type) {
	case []int64:
		return len(v)
	case []float64:
		return len(v)
	case []float32:
		return len(v)
	}
	return 1
}

// counts reports whether a field counts rows.
func counts(field any) bool {
	switch field.(type) {
	case *int64, []int64:
		return true
	}
	return false
}

var (
	errForeignSums = sumsErrorf(SumsForeign, "the sums were gathered with other settings or weights")
	errOwnSums     = errors.New("sums are not merged with themselves")
	errNoSums      = errors.New("sums that no New function of this package made")
)

// fingerprint tells sums apart that must not be added: it covers the
// settings, the preprocessing, the weights and, where rows are corrupted, the
// epoch of the noise.
func (m *Model) fingerprint(epoch uint32) uint64 {
	if m.Corruption == 0 {
		epoch = 0
	}
	sum := crc64.New(sumsTable)
	// Neither the encoder nor a hash can fail here.
	json.NewEncoder(sum).Encode(struct {
		Config     Config
		Preprocess meaning
		Epoch      uint32
	}{m.Config, m.Preprocess.meaning(), epoch})
	writeFloats(sum, m.Params.Flat)
	for _, t := range m.Preprocess.tensors(m.Inputs) {
		writeFloats(sum, *t.data)
	}
	return sum.Sum64()
}

// fingerprint tells statistics apart that must not be added: it covers the
// rule and the width n of its rows.
func (p Preprocess) fingerprint(n int) uint64 {
	sum := crc64.New(sumsTable)
	// Neither the encoder nor a hash can fail here.
	json.NewEncoder(sum).Encode(struct {
		Preprocess meaning
		Width      int
	}{p.meaning(), n})
	return sum.Sum64()
}

// meaning is what a rule does to values, whatever type they are stored in.
type meaning struct {
	Preprocess
	Lowest, Highest uint32 // of preprocessed values, bits of float32
}

func (p Preprocess) meaning() meaning {
	lo, hi := p.valueRange()
	scale, _ := p.factors()
	p.Method, p.Scale = cmp.Or(p.Method, PreprocessNone), float64(scale)
	p.Source, p.Min, p.Max, p.PixelMax = "", 0, 0, 0
	return meaning{p, math.Float32bits(float32(lo)), math.Float32bits(float32(hi))}
}

// addSums adds x to dst, both of one length.
func addSums(dst, x []float64) {
	for i, v := range x {
		dst[i] += v
	}
}
