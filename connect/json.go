package connect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aefeat/aefeat/model"
)

// findField returns the value at path in a message that is one JSON object,
// and where the object's closing brace is. The object must not have a field
// that is called as one of taken.
func findField(message []byte, path, taken []string) (value []byte, end int, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(message), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		if len(bytes.TrimSpace(message)) == 0 {
			return nil, 0, errors.New("the message is empty")
		}
		return nil, 0, errors.New("the message is neither a JSON object nor Arrow or Parquet data")
	}
	value, err = fieldOf(d, message, path, taken)
	if err != nil {
		return nil, 0, err
	}
	end = int(d.InputOffset()) - 1
	if rest := bytes.TrimSpace(message[end+1:]); len(rest) > 0 {
		return nil, 0, errors.New("the message has something behind its JSON object")
	}
	if value == nil {
		return nil, 0, fmt.Errorf("field %s is missing", fieldName(path))
	}
	return value, end, nil
}

// fieldOf reads the object that d is at; a value of nil is missing.
func fieldOf(d *jsontext.Decoder, message []byte, path, taken []string) (value []byte, err error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	for d.PeekKind() != '}' {
		raw, err := d.ReadValue()
		if err != nil {
			return nil, syntax(err)
		}
		name := plain(raw)
		for _, t := range taken {
			if string(name) == t {
				return nil, fmt.Errorf("field %q is already there: name the codes otherwise with `code`", t)
			}
		}
		wanted := string(name) == path[0]
		switch {
		case wanted && len(path) > 1 && d.PeekKind() == '{':
			if value, err = fieldOf(d, message, path[1:], nil); err != nil {
				return nil, err
			}
			continue
		case wanted && len(path) > 1:
			return nil, fmt.Errorf("field %q is no object, and leads to no field %q", path[0], path[1])
		}
		raw, err = d.ReadValue()
		if err != nil {
			return nil, syntax(err)
		}
		if wanted {
			at := int(d.InputOffset())
			value = message[at-len(raw) : at]
		}
	}
	_, err = d.ReadToken()
	return value, syntax(err)
}

// plain returns a JSON string without quotes and escapes.
func plain(raw jsontext.Value) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	name, _ := jsontext.AppendUnquote(nil, raw) // its syntax is right
	return name
}

// syntax is the error of a message that is not valid JSON.
func syntax(err error) error {
	if err == nil {
		return nil
	}
	var e *jsontext.SyntacticError
	switch errors.As(err, &e); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("not valid JSON: %q is there twice", e.JSONPointer)
	case e != nil:
		return fmt.Errorf("not valid JSON at byte %d: %w", e.ByteOffset, e.Err)
	}
	return fmt.Errorf("not valid JSON: %w", err)
}

// fieldName is the name of a field for errors.
func fieldName(path []string) string { return strconv.Quote(strings.Join(path, ".")) }

// mostLevels is how deep arrays may be nested: one more than images in
// batches of volumes need.
const mostLevels = 6

// number says what the numbers of a patch are.
type number struct {
	name  string // of the type in the input, as model.Preprocess has it
	kind  model.Kind
	whole bool
	least uint64 // how far below 0 whole ones may be
	most  uint64
	bits  int // of a float, 64 or fewer
}

// numberOf returns the number for a type in the input. What is no type of JSON
// or of whole numbers counts as float64.
func numberOf(source string) number {
	switch source {
	case "uint8":
		return number{name: source, kind: model.Uint8, whole: true, most: math.MaxUint8}
	case "bool":
		return number{name: source, kind: model.Uint8, whole: true, most: 1}
	case "uint16":
		return number{name: source, kind: model.Uint16, whole: true, most: math.MaxUint16}
	case "uint32":
		return number{name: source, kind: model.Float32, whole: true, most: math.MaxUint32}
	case "uint64":
		return number{name: source, kind: model.Float32, whole: true, most: math.MaxUint64}
	case "int8", "int16", "int32", "int64":
		bits, _ := strconv.Atoi(source[len("int"):])
		return number{name: source, kind: model.Float32, whole: true, least: 1 << (bits - 1), most: 1<<(bits-1) - 1}
	case "float16":
		return number{name: source, kind: model.Float16, bits: 32}
	case "float32":
		return number{name: source, kind: model.Float32, bits: 32}
	}
	return number{name: "float64", kind: model.Float32, bits: 64}
}

// String says what the numbers may be.
func (n number) String() string {
	switch {
	case n.name == "bool":
		return "true, false, 0 or 1"
	case n.whole && n.least > 0:
		return fmt.Sprintf("%s, a whole number from -%d to %d", n.name, n.least, n.most)
	case n.whole:
		return fmt.Sprintf("%s, a whole number from 0 to %d", n.name, n.most)
	}
	return "a number"
}

// patchParser reads patches of width numbers from JSON arrays. It is not safe
// for concurrent use.
type patchParser struct {
	number number
	field  string // for errors
	width  int

	text   []byte // a valid JSON value
	at     int
	row    []byte
	values int
	depth  int
	leaf   int             // depth of numbers; 0: not known yet
	index  [mostLevels]int // of the value that is being read
	sizes  [mostLevels]int // of arrays; -1: not known yet
}

// appendPatch appends the numbers of a valid JSON value to rows of the
// number's kind.
func (p *patchParser) appendPatch(rows, value []byte) ([]byte, error) {
	if value[0] != '[' {
		return nil, fmt.Errorf("field %q is %s, expected an array of %d numbers", p.field, describe(value), p.width)
	}
	p.text, p.at, p.row, p.values, p.depth, p.leaf = value, 0, rows, 0, 0, 0
	for i := range p.sizes {
		p.sizes[i] = -1
	}
	if err := p.array(); err != nil {
		return nil, err
	}
	if p.values < p.width {
		return nil, fmt.Errorf("%s ends after %d numbers, the model takes %d", p.field, p.values, p.width)
	}
	return p.row, nil
}

// array reads the array that begins at p.at.
func (p *patchParser) array() error {
	level := p.depth
	p.depth++
	p.at++
	count := 0
	for {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n', ',':
			p.at++
			continue
		case ']':
			p.at++
			p.depth--
			if want := p.sizes[level]; want >= 0 && count != want {
				return fmt.Errorf("%s has %d values, the array before has %d", p.where(level), count, want)
			}
			p.sizes[level] = count
			return nil
		case '[':
			p.index[level] = count
			switch {
			case p.depth == mostLevels:
				return fmt.Errorf("%s is an array in more than %d levels", p.where(p.depth), mostLevels)
			case p.leaf != 0 && p.depth >= p.leaf:
				return fmt.Errorf("%s is an array, expected a number as before it", p.where(p.depth))
			}
			if err := p.array(); err != nil {
				return err
			}
		default:
			p.index[level] = count
			if err := p.scalar(); err != nil {
				return err
			}
		}
		count++
	}
}

// where names the value in so many levels.
func (p *patchParser) where(levels int) string {
	var b strings.Builder
	b.WriteString(p.field)
	for _, i := range p.index[:levels] {
		fmt.Fprintf(&b, "[%d]", i)
	}
	return b.String()
}

// located names value number i of the patch that was read last.
func (p *patchParser) located(i int) string {
	for level := p.leaf - 1; level >= 0; level-- {
		p.index[level] = i % p.sizes[level]
		i /= p.sizes[level]
	}
	return p.where(p.leaf)
}

// scalar reads the value that begins at p.at and is no array.
func (p *patchParser) scalar() error {
	start := p.at
	if c := p.text[start]; c == '"' || c == '{' {
		return p.refuse(p.text[start:])
	}
	for !ends[p.text[p.at]] { // at last the array does
		p.at++
	}
	text := p.text[start:p.at]
	if p.leaf == 0 {
		p.leaf = p.depth
	}
	switch {
	case p.leaf != p.depth:
		return fmt.Errorf("%s is %s, expected an array as before it", p.where(p.depth), describe(text))
	case p.values == p.width:
		return fmt.Errorf("%s is one too many, the model takes %d numbers", p.where(p.depth), p.width)
	}
	p.values++
	if p.number.whole {
		return p.whole(text)
	}
	return p.float(text)
}

// ends has the bytes that end a number or word.
var ends = [256]bool{',': true, ']': true, ' ': true, '\t': true, '\r': true, '\n': true}

// refuse is the error of a value that is not what is expected.
func (p *patchParser) refuse(text []byte) error {
	return fmt.Errorf("%s is %s, expected %v", p.where(p.depth), describe(text), p.number)
}

// describe says what a JSON value is. It shows numbers and words alone.
func describe(text []byte) string {
	switch c := text[0]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case len(text) > 40:
		return string(text[:40]) + "..."
	}
	return string(text)
}

func (p *patchParser) whole(text []byte) error {
	negative, v, ok := wholeNumber(text)
	if !ok && p.number.name == "bool" && (text[0] == 't' || text[0] == 'f') {
		v, ok = 0, true
		if text[0] == 't' {
			v = 1
		}
	}
	if !ok || negative && v > p.number.least || !negative && v > p.number.most {
		return p.refuse(text)
	}
	switch p.number.kind {
	case model.Uint8:
		p.row = append(p.row, byte(v))
	case model.Uint16:
		p.row = binary.NativeEndian.AppendUint16(p.row, uint16(v))
	default:
		x := float32(v)
		if negative {
			x = -x
		}
		p.row = binary.NativeEndian.AppendUint32(p.row, math.Float32bits(x))
	}
	return nil
}

// wholeNumber returns the whole number that a JSON value is, exactly.
func wholeNumber(text []byte) (negative bool, v uint64, ok bool) {
	digits := text
	if digits[0] == '-' {
		negative, digits = true, digits[1:]
	}
	if len(digits) > 19 { // may be above 2^64
		return oddWhole(text)
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return oddWhole(text)
		}
		v = 10*v + uint64(c-'0')
	}
	return negative && v > 0, v, true
}

// oddWhole is wholeNumber for numbers with a fraction, an exponent or twenty
// digits. Numbers longer than these limits are refused: the exact value of one
// takes memory in proportion to its exponent.
func oddWhole(text []byte) (negative bool, v uint64, ok bool) {
	if c := text[len(text)-1]; len(text) > 64 || c < '0' || c > '9' {
		return false, 0, false
	}
	if _, exponent, _ := strings.Cut(strings.ToLower(string(text)), "e"); len(exponent) > 4 {
		return false, 0, false
	}
	x, ok := new(big.Rat).SetString(string(text))
	if !ok || !x.IsInt() {
		return false, 0, false
	}
	n := x.Num()
	negative = n.Sign() < 0
	n.Abs(n)
	return negative, n.Uint64(), n.IsUint64()
}

func (p *patchParser) float(text []byte) error {
	if c := text[len(text)-1]; c < '0' || c > '9' { // a word
		return p.refuse(text)
	}
	v, err := strconv.ParseFloat(string(text), p.number.bits)
	x := float32(v)
	if err != nil || math.IsInf(float64(x), 0) {
		return fmt.Errorf("%s is %s, beyond the range of float32", p.where(p.depth), describe(text))
	}
	if p.number.kind != model.Float16 {
		p.row = binary.NativeEndian.AppendUint32(p.row, math.Float32bits(x))
		return nil
	}
	h, ok := half(x)
	if !ok {
		return fmt.Errorf("%s is %s, beyond the range of float16", p.where(p.depth), describe(text))
	}
	p.row = binary.NativeEndian.AppendUint16(p.row, h)
	return nil
}

// half returns the bits of the IEEE half-precision number next to x, of two
// the even one; false: x is beyond their range.
func half(x float32) (bits uint16, ok bool) {
	a := math.Abs(float64(x))
	sign := uint16(math.Float32bits(x) >> 16 & 0x8000)
	if a >= 65520 { // halfway between the largest and what would come next
		return 0, false
	}
	exponent := -13 // below 2^-13 all have one distance
	if a >= 0x1p-13 {
		_, exponent = math.Frexp(a)
	}
	// Of 11 bits in front of the point, in numbers that are not below.
	units := math.RoundToEven(math.Ldexp(a, 11-exponent))
	return sign | uint16(int(exponent+13)<<10) + uint16(units), true
}
