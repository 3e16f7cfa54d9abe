package model

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"io"
	"math"
	"slices"
	"strings"
)

// Sums are sums over the rows of a shard of a data set, or of several shards
// that follow each other: the marshalled form of what a [Gatherer] gathered, and
// what joins it to that of other shards. No model is needed for that.
type Sums struct {
	SumsInfo
	data []byte // as MarshalBinary of the gatherer made it
}

// SumsInfo tells what sums are of. Sums of equal Kind and Fingerprint merge.
type SumsInfo struct {
	Shard, Shards int64 // the first shard, from 0 up, and how many there are

	// The rows have numbers from FirstRow to below EndRow, which ascend with the
	// shards. Both are UnknownRow where nothing is drawn by them, or where they
	// were not counted.
	FirstRow, EndRow int64

	Epoch  uint32 // that keys the noise
	Inputs int    // n
	Hidden int    // h; 0 for statistics

	Kind        string // one of KindGradient and so on
	Fingerprint uint64 // of settings, preprocessing, weights and the epoch of noise
	Rows        int64
}

// UnknownRow stands for a row whose number is not known.
const UnknownRow = -1

// The kinds of sums.
const (
	KindGradient   = "gradient" // of an Accumulator
	KindCost       = "cost"     // of a Validator
	KindEvaluation = "evaluate" // of an Evaluator
	KindStatistics = "moments"  // of Statistics
)

// Gatherer is an [Accumulator], a [Validator], an [Evaluator] or [Statistics].
type Gatherer interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
	shape() sumsShape
	settle() (sumsForm, error)
	form() sumsForm
}

// sumsShape is what sums have the shape of, and the noise that is in them.
type sumsShape struct {
	n, h  int
	epoch uint32
	noisy bool // numbers of rows mean something
}

func (a *Accumulator) shape() sumsShape { return a.m.sumsShape(a.epoch, a.m.Corruption > 0) }
func (v *Validator) shape() sumsShape   { return v.m.sumsShape(fixedNoise, v.m.Corruption > 0) }
func (e *Evaluator) shape() sumsShape   { return e.m.sumsShape(fixedNoise, false) }
func (s *Statistics) shape() sumsShape  { return sumsShape{n: s.n} }

func (m *Model) sumsShape(epoch uint32, noisy bool) sumsShape {
	return sumsShape{m.Inputs, m.Hidden, epoch, noisy}
}

// GatherMemory returns how many bytes the model takes, and what gathers sums of
// the kind at it, before there is any.
func (m *Model) GatherMemory(kind string) int64 {
	c, parameters := m.Config, float64(len(m.Params.Flat))
	if kind == KindEvaluation {
		c.Corruption = 0 // rows stay as they are
	}
	floats := parameters
	for _, t := range m.Preprocess.tensors(m.Inputs) {
		floats += float64(len(*t.data))
	}
	switch kind {
	case KindGradient:
		floats += c.sumsFloats(parameters)
	case KindStatistics:
		return floatBytes(floats) + m.Preprocess.Memory(m.Inputs)
	default:
		floats += passFloats(c, float64(blockRows(c.Inputs)), false, c.Contraction > 0)
	}
	return floatBytes(floats)
}

// SumsError says what is wrong with sums of shards.
type SumsError struct {
	Key    string // SumsFormat and so on
	Reason string
	Rows   bool // the numbers of rows are wrong
}

func (e *SumsError) Error() string { return e.Reason }

// The keys of a [SumsError].
const (
	SumsFormat  = "format"  // no sums, or damaged ones
	SumsVersion = "version" // of another version
	SumsForeign = "foreign" // of other weights, settings or noise, or of another kind
	SumsShards  = "shards"  // a shard that is there twice, missing or out of range, or has rows of another
)

func sumsErrorf(key, format string, a ...any) error {
	return &SumsError{Key: key, Reason: fmt.Sprintf(format, a...)}
}

const (
	shardsMagic   = "aefshar"
	shardsVersion = '1'
	shardsHeader  = 8 * 8 // up to the sums
	infoBytes     = shardsHeader + sumsHeader + 8
)

// MaxShards is more shards than there are, and leaves room to add.
const MaxShards = 1 << 40

// WriteSums writes what g gathered of a shard whose rows have numbers from first
// to below end, in any order; [UnknownRow] for both if they were not counted.
// [Sums.UnmarshalBinary] reads it. More rows may follow for g.
func WriteSums(w io.Writer, g Gatherer, shard, first, end int64) (SumsInfo, error) {
	if shard < 0 || shard >= MaxShards {
		return SumsInfo{}, sumsErrorf(SumsShards, "there is no shard %d: they count from 0", shard)
	}
	f, err := g.settle()
	if err != nil {
		return SumsInfo{}, err
	}
	shape := g.shape()
	if !shape.noisy {
		first, end = UnknownRow, UnknownRow
	}
	info := SumsInfo{Shard: shard, Shards: 1, FirstRow: first, EndRow: end, Epoch: shape.epoch, Inputs: shape.n, Hidden: shape.h,
		Kind: kindOf(f.kind), Fingerprint: f.fingerprint, Rows: *f.fields[0].(*int64)}
	if !info.numbered() {
		return SumsInfo{}, fmt.Errorf("%d rows cannot have numbers from %d to below %d", info.Rows, first, end)
	}
	return info, info.write(w, f.write)
}

// write writes the form of all sums around the words that write writes.
func (s SumsInfo) write(w io.Writer, write func(io.Writer) error) error {
	sum := crc64.New(sumsTable)
	out := io.MultiWriter(w, sum)
	b := append([]byte(shardsMagic), shardsVersion)
	for _, v := range []int64{s.Shard, s.Shards, s.FirstRow, s.EndRow, int64(s.Epoch), int64(s.Inputs), int64(s.Hidden)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	if _, err := out.Write(b); err != nil {
		return err
	}
	if err := write(out); err != nil {
		return err
	}
	_, err := w.Write(binary.LittleEndian.AppendUint64(nil, sum.Sum64()))
	return err
}

// kindName is the kind that marshalled sums say.
func kindName(data []byte) string {
	return kindOf(string(data[len(sumsMagic)+1 : sumsHeader-8]))
}

// kindOf is a kind without the spaces that fill its eight bytes.
func kindOf(kind string) string { return strings.TrimRight(kind, " ") }

// Into replaces what g holds by the sums, whose kind, settings, weights and
// epoch of noise must be those of g. The error is a [*SumsError].
func (s *Sums) Into(g Gatherer) error { return g.UnmarshalBinary(s.data) }

// WriteTo writes the sums as bytes, whose layout is in the package comment.
func (s *Sums) WriteTo(w io.Writer) (int64, error) {
	out := &countingWriter{w: w}
	err := s.write(out, func(w io.Writer) error {
		_, err := w.Write(s.data)
		return err
	})
	return out.n, err
}

// MarshalBinary returns what WriteTo writes.
func (s *Sums) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(shardsHeader + len(s.data) + 8)
	_, err := s.WriteTo(&b)
	return b.Bytes(), err
}

// UnmarshalBinary sets s to sums that WriteSums or WriteTo wrote. It keeps data. The
// error is a [*SumsError].
func (s *Sums) UnmarshalBinary(data []byte) error {
	info, err := parseInfo(data)
	if err != nil {
		return err
	}
	at := len(data) - 8
	if at < infoBytes+8 || at%8 != 0 || crc64.Checksum(data[:at], sumsTable) != binary.LittleEndian.Uint64(data[at:]) {
		return sumsErrorf(SumsFormat, "the sums were damaged on their way, or cut short")
	}
	read := Sums{SumsInfo: info, data: data[shardsHeader:at:at]}
	if err := read.checkShape(); err != nil {
		return err
	}
	*s = read
	return nil
}

// ReadSumsInfo reads the beginning of marshalled sums, which tells what they
// are of; damage behind it is not seen. The error is a [*SumsError] where the
// bytes are at fault.
func ReadSumsInfo(r io.Reader) (SumsInfo, error) {
	head := make([]byte, infoBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return SumsInfo{}, err
	}
	return parseInfo(head[:n])
}

func parseInfo(data []byte) (info SumsInfo, err error) {
	if len(data) < len(shardsMagic)+1 || string(data[:len(shardsMagic)]) != shardsMagic {
		return info, sumsErrorf(SumsFormat, "not sums of a shard")
	}
	if v := data[len(shardsMagic)]; v != shardsVersion {
		return info, sumsErrorf(SumsVersion, "sums of a shard of version %q: this program reads version %q", v, shardsVersion)
	}
	if len(data) < infoBytes {
		return info, sumsErrorf(SumsFormat, "the sums are cut short")
	}
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(data[8*i:])) }
	inner := data[shardsHeader:]
	if string(inner[:len(sumsMagic)]) != sumsMagic {
		return info, sumsErrorf(SumsFormat, "not sums of a shard")
	}
	if v := inner[len(sumsMagic)]; v != sumsVersion {
		return info, sumsErrorf(SumsVersion, "sums of version %q: this program reads version %q", v, sumsVersion)
	}
	info = SumsInfo{Shard: word(1), Shards: word(2), FirstRow: word(3), EndRow: word(4), Epoch: uint32(word(5)), Inputs: int(word(6)), Hidden: int(word(7)),
		Kind: kindName(inner), Fingerprint: uint64(word(shardsHeader/8 + 2)), Rows: word(shardsHeader/8 + 3)}
	known := slices.Contains([]string{KindGradient, KindCost, KindEvaluation, KindStatistics}, info.Kind)
	if !known || info.Shard < 0 || info.Shards < 1 || info.Shard > MaxShards || info.Shards > MaxShards ||
		uint64(word(5)) > math.MaxUint32 || word(6) < 1 || word(6) > maxWeights || word(7) < 0 || word(7) > maxWeights/word(6) ||
		info.Rows < 0 || info.Rows > maxCount || !info.numbered() {
		return info, sumsErrorf(SumsFormat, "the sums are damaged: they tell of no shard that there can be")
	}
	return info, nil
}

// checkShape reports a number of words that sums of such a kind and shape
// cannot have, and the numbers that are counts and cannot be.
func (s *Sums) checkShape() error {
	n, h, words := int64(s.Inputs), int64(s.Hidden), int64(len(s.data)-sumsFrame)/8
	fits := false
	switch s.Kind {
	case KindGradient: // tied or not; with S and s, P, both or neither
		for _, weights := range []int64{n * h, 2 * n * h} {
			base := 3 + weights + 2*h + n
			for _, terms := range []int64{0, n*h + h, h, n*h + 2*h} {
				fits = fits || words == base+terms
			}
		}
	case KindCost:
		fits = words == 2+h || words == 2+2*h
	case KindEvaluation:
		fits = words == 4+n+5*h || words == 4+n+6*h
		for i := int(words - 2*h); fits && int64(i) < words; i++ {
			fits = s.count(i) >= 0 && s.count(i) <= maxCount
		}
	case KindStatistics:
		fits = words == 1+2*n || words == 1+2*n+n*n
	}
	if !fits {
		return sumsErrorf(SumsFormat, "the sums are damaged: %d bytes are not those of %d inputs and %d units", len(s.data), n, h)
	}
	return nil
}

// MergeSums merges marshalled sums of shards that follow each other, b after a,
// as [Sums.Merge] does, and returns the bytes of the whole.
func MergeSums(a, b []byte) ([]byte, error) {
	var first, second Sums
	if err := first.UnmarshalBinary(slices.Clone(a)); err != nil {
		return nil, err
	}
	if err := second.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	if err := first.Merge(&second); err != nil {
		return nil, err
	}
	return first.MarshalBinary()
}

// Merge adds the sums of the shards that follow those of s; next keeps its own.
// The result depends, in the last digits, on the order of merges, and on nothing
// else: it is what Merge of the gatherers would give. The error is a
// [*SumsError] that leaves s as it was.
func (s *Sums) Merge(next *Sums) error {
	if err := s.Precedes(next.SumsInfo); err != nil {
		return err
	}
	if len(s.data) != len(next.data) || s.Inputs != next.Inputs || s.Hidden != next.Hidden {
		return foreignSums(next.SumsInfo)
	}
	h, last := s.Hidden, len(s.data)/8-4 // words before the checksum
	switch s.Kind {
	case KindStatistics:
		s.addMoments(next)
	case KindEvaluation:
		units := last - 4*h
		s.addFloats(next, 1, units)
		for i := units; i < units+h; i++ {
			s.setFloat(i, min(s.float(i), next.float(i)))
			s.setFloat(i+h, max(s.float(i+h), next.float(i+h)))
		}
		for i := units + 2*h; i < last; i++ {
			s.setCount(i, s.count(i)+next.count(i))
		}
	default:
		s.addFloats(next, 1, last)
	}
	s.SumsInfo = s.With(next.SumsInfo)
	s.setCount(0, s.Rows)
	at := len(s.data) - 8
	binary.LittleEndian.PutUint64(s.data[at:], crc64.Checksum(s.data[:at], sumsTable))
	return nil
}

// Precedes reports, as a [*SumsError], why the sums that next tells of cannot
// be merged with those of s as the ones that follow.
func (s SumsInfo) Precedes(next SumsInfo) error {
	switch {
	case s.Kind != next.Kind || s.Fingerprint != next.Fingerprint:
		return foreignSums(next)
	case next.Shard < s.Shard+s.Shards:
		return sumsErrorf(SumsShards, "shard %d is there twice", next.Shard)
	case next.Shard > s.Shard+s.Shards:
		return sumsErrorf(SumsShards, "missing: %s", shardRange(s.Shard+s.Shards, next.Shard))
	case s.hasNumbers() && next.hasNumbers() && next.FirstRow < s.EndRow:
		return &SumsError{Key: SumsShards, Rows: true, Reason: fmt.Sprintf("rows %d to %d of %s do not follow rows %d to %d of %s: noise is drawn by numbers that rows have in the whole",
			next.FirstRow, next.EndRow-1, next.Name(), s.FirstRow, s.EndRow-1, s.Name())}
	}
	return nil
}

// With returns what the sums are of when those that next tells of, which
// follow, are merged into them.
func (s SumsInfo) With(next SumsInfo) SumsInfo {
	switch {
	case !s.hasNumbers() && s.Rows > 0: // they stay unknown
	case s.Rows == 0:
		s.FirstRow, s.EndRow = next.FirstRow, next.EndRow
	case next.hasNumbers():
		s.EndRow = next.EndRow
	case next.Rows > 0:
		s.FirstRow, s.EndRow = UnknownRow, UnknownRow
	}
	s.Shards += next.Shards
	s.Rows += next.Rows
	return s
}

// hasNumbers reports whether there are rows whose numbers are known.
func (s SumsInfo) hasNumbers() bool { return s.Rows > 0 && s.FirstRow != UnknownRow }

// numbered reports whether the rows can have such numbers.
func (s SumsInfo) numbered() bool {
	if s.FirstRow == UnknownRow {
		return s.EndRow == UnknownRow
	}
	return s.FirstRow >= 0 && s.EndRow >= s.FirstRow && s.Rows <= s.EndRow-s.FirstRow
}

// Fits reports, as a [*SumsError], why g would not take in the sums.
func (s SumsInfo) Fits(g Gatherer) error {
	f := g.form()
	if f.kind != fmt.Sprintf("%-8s", s.Kind) {
		return sumsErrorf(SumsForeign, "%s: sums of kind %q, want %q", s.Name(), s.Kind, kindOf(f.kind))
	}
	if f.fingerprint != s.Fingerprint {
		return sumsErrorf(SumsForeign, "%s: %v", s.Name(), errForeignSums)
	}
	return nil
}

// Whole reports, as a [*SumsError], why sums are not those of shards 0 to
// shards-1.
func (s SumsInfo) Whole(shards int64) error {
	switch last := s.Shard + s.Shards; {
	case last > shards:
		return sumsErrorf(SumsShards, "shard %d is none of the %d", last-1, shards)
	case s.Shard > 0:
		return sumsErrorf(SumsShards, "missing: %s", shardRange(0, s.Shard))
	case last < shards:
		return sumsErrorf(SumsShards, "missing: %s", shardRange(last, shards))
	}
	return nil
}

func foreignSums(s SumsInfo) error {
	return sumsErrorf(SumsForeign, "%s: the sums were gathered with other settings or weights than the others", s.Name())
}

// Name says which shards the sums are of.
func (s SumsInfo) Name() string { return shardRange(s.Shard, s.Shard+s.Shards) }

func shardRange(first, end int64) string {
	if end-first == 1 {
		return fmt.Sprintf("shard %d", first)
	}
	return fmt.Sprintf("shards %d to %d", first, end-1)
}

// Words of the sums, counted from the first behind the fingerprint.

func (s *Sums) word(i int) []byte         { return s.data[sumsHeader+8*i:] }
func (s *Sums) count(i int) int64         { return int64(binary.LittleEndian.Uint64(s.word(i))) }
func (s *Sums) setCount(i int, v int64)   { binary.LittleEndian.PutUint64(s.word(i), uint64(v)) }
func (s *Sums) float(i int) float64       { return math.Float64frombits(uint64(s.count(i))) }
func (s *Sums) setFloat(i int, v float64) { s.setCount(i, int64(math.Float64bits(v))) }

// addFloats adds the words lo up to hi of next.
func (s *Sums) addFloats(next *Sums, lo, hi int) {
	for i := lo; i < hi; i++ {
		s.setFloat(i, s.float(i)+next.float(i))
	}
}

// addMoments does what Statistics.Merge does.
func (s *Sums) addMoments(next *Sums) {
	if next.Rows == 0 {
		return
	}
	n := s.Inputs
	share := float64(next.Rows) / float64(s.Rows+next.Rows)
	weight := share * float64(s.Rows)
	delta := make([]float64, n)
	for j := range delta {
		delta[j] = next.float(1+j) - s.float(1+j)
		s.setFloat(1+j, s.float(1+j)+float64(share*delta[j]))
		squares := 1 + n + j
		s.setFloat(squares, s.float(squares)+(next.float(squares)+float64(weight*delta[j]*delta[j])))
	}
	products := 1 + 2*n
	for i := range len(s.data)/8 - 4 - products {
		at := products + i
		s.setFloat(at, s.float(at)+(next.float(at)+float64(weight*delta[i/n]*delta[i%n])))
	}
}

// Merger merges sums of shards, added in their order, by one tree: neighbours
// in pairs, the pairs in pairs and so on, what is odd at the end going up as it
// is. So equal parts of 2^k shards that were merged by themselves give the bits
// of all shards merged at once. It holds the sums of one part for each level of
// the tree, log2 of how many were added. The zero value is ready.
type Merger struct {
	parts []part
}

// part is a subtree: how many were added that it is of.
type part struct {
	sums  *Sums
	added int
}

// Add adds the next sums, which are the merger's from there on. The error is a
// [*SumsError], after which the merger is of no more use.
func (m *Merger) Add(s *Sums) error {
	m.parts = append(m.parts, part{s, 1})
	for n := len(m.parts); n > 1 && m.parts[n-2].added == m.parts[n-1].added; n = len(m.parts) {
		if err := m.join(); err != nil {
			return err
		}
	}
	return nil
}

// join merges the last two parts.
func (m *Merger) join() error {
	n := len(m.parts)
	a, b := &m.parts[n-2], m.parts[n-1]
	a.added += b.added
	m.parts = m.parts[:n-1]
	return a.sums.Merge(b.sums)
}

// Sums returns the sums of all that were added, nil for none. Nothing is added
// after it.
func (m *Merger) Sums() (*Sums, error) {
	for len(m.parts) > 1 {
		if err := m.join(); err != nil {
			return nil, err
		}
	}
	if len(m.parts) == 0 {
		return nil, nil
	}
	return m.parts[0].sums, nil
}
