package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// newModel returns a model of n inputs and h units for data of the type
// source. It has the weights that it began with.
func newModel(t testing.TB, c model.Config, n int, method, source string) *model.Model {
	t.Helper()
	c.Inputs = n
	m, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	first := model.Float32Rows(make([]float32, n), n)
	if m.Preprocess, err = model.NewPreprocess(method, source, 0, first); err != nil {
		t.Fatal(err)
	}
	m.Binding = model.Binding{Columns: []string{"patch"}}
	return m
}

// fileOf returns the file of a model.
func fileOf(t testing.TB, m *model.Model) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// save writes a model file.
func save(t testing.TB, path string, m *model.Model) {
	t.Helper()
	put(t, path, fileOf(t, m))
}

// put makes a file appear whole, in the place of one that may be there.
func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", data, 0o666), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// newProcessor returns aefeat_transform for a model in a file of its own.
// config has further fields.
func newProcessor(t testing.TB, m *model.Model, config string) (p *transform, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "m.aef")
	save(t, path, m)
	conf, err := transformSpec().ParseYAML(fmt.Sprintf("model: %q\n%s", path, config), nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := newTransform(conf, service.MockResources())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close(context.Background()) })
	return made.(*transform), path
}

// process runs messages through p as one batch.
func process(t testing.TB, p *transform, texts ...string) service.MessageBatch {
	t.Helper()
	var batch service.MessageBatch
	for _, text := range texts {
		batch = append(batch, service.NewMessage([]byte(text)))
	}
	out, err := p.ProcessBatch(context.Background(), batch)
	if err != nil || len(out) != 1 || len(out[0]) != len(texts) {
		t.Fatalf("%d batches, error %v", len(out), err)
	}
	return out[0]
}

// content returns the content of a message that must have no error.
func content(t testing.TB, m *service.Message) string {
	t.Helper()
	if err := m.GetError(); err != nil {
		t.Fatal(err)
	}
	text, err := m.AsBytes()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// coded is a message as this package writes it.
type coded struct {
	ID      int       `json:"id"`
	Code    []float32 `json:"code"`
	Indices []uint32  `json:"code_indices"`
	Values  []float32 `json:"code_values"`
}

func decode(t testing.TB, m *service.Message) coded {
	t.Helper()
	var c coded
	if err := json.Unmarshal([]byte(content(t, m)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// want returns the codes that package stage gives one row of a column.
func want(t testing.TB, m *model.Model, patch arrow.Array) []float32 {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "patch", Type: patch.DataType()}}, nil)
	tr, err := stage.NewTransformer(m, schema, stage.TransformConfig{Layout: stage.LayoutList})
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.Transform(context.Background(), array.NewRecordBatch(schema, []arrow.Array{patch}, int64(patch.Len())))
	if err != nil {
		t.Fatal(err)
	}
	return out.Column(1).(*array.FixedSizeList).ListValues().(*array.Float32).Float32Values()
}

// column returns a column of patches of n values from their JSON.
func column(t testing.TB, typ arrow.DataType, n int, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, arrow.FixedSizeListOf(int32(n), typ), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A JSON array gives the code of the same numbers in a column of the type that
// the model was trained on, bit for bit.
func TestTypes(t *testing.T) {
	for _, test := range []struct {
		typ    arrow.DataType
		values string
	}{
		{arrow.PrimitiveTypes.Uint8, "0, 255, 7, 128"},
		{arrow.PrimitiveTypes.Uint16, "0, 65535, 7, 300"},
		{arrow.PrimitiveTypes.Int8, "-128, 127, 0, -1"},
		{arrow.PrimitiveTypes.Int16, "-32768, 32767, 0, -1"},
		{arrow.PrimitiveTypes.Int32, "-2147483648, 2147483647, 16777217, -1"},
		{arrow.PrimitiveTypes.Int64, "-9223372036854775808, 9223372036854775807, 9007199254740993, 3"},
		{arrow.PrimitiveTypes.Uint32, "4294967295, 16777219, 0, 1"},
		{arrow.PrimitiveTypes.Uint64, "18446744073709551615, 9007199791611905, 0, 1"},
		{arrow.PrimitiveTypes.Float32, "0.1, -1e-45, 3.4028234e38, 16777217"},
		{arrow.PrimitiveTypes.Float64, "0.1, -1e-300, 1.00000005960464477, 9007199254740993"},
	} {
		m := newModel(t, model.Config{Hidden: 3, Activation: model.Tanh, Output: model.Linear}, 4, "none", test.typ.Name())
		for i := range m.Params.EncoderWeight { // large numbers must not all end at 1
			m.Params.EncoderWeight[i] *= 1e-3
		}
		p, _ := newProcessor(t, m, "")
		got := decode(t, process(t, p, `{"patch":[`+test.values+`]}`)[0]).Code
		if want := want(t, m, column(t, test.typ, 4, "[["+test.values+"]]")); !equalBits(got, want) {
			t.Errorf("%v: %v, want %v", test.typ, got, want)
		}
	}
}

func equalBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// The same of preprocessing that divides, with a code in closed form.
func TestClosedForm(t *testing.T) {
	m := newModel(t, model.Config{Hidden: 2}, 2, "scale", "uint8")
	copy(m.Params.EncoderWeight, []float32{1, 0, 0, 2})
	copy(m.Params.EncoderBias, []float32{0, -1})
	p, _ := newProcessor(t, m, "")
	got := decode(t, process(t, p, `{"patch":[255,51]}`)[0]).Code
	for j, u := range []float64{1, 2*0.2 - 1} {
		if want := 1 / (1 + math.Exp(-u)); math.Abs(float64(got[j])-want) > 1e-6 {
			t.Errorf("unit %d: %v, want %v", j, got[j], want)
		}
	}
}

// What stands around the patch stays as it is, byte for byte.
func TestMessageStays(t *testing.T) {
	m := newModel(t, model.Config{Hidden: 1}, 4, "scale", "uint8")
	p, path := newProcessor(t, m, "patch: img.patch\n")
	for _, before := range []string{
		`{"img":{"patch":[1,2,3,4]}`,
		` {"id": 9007199254740993, "é\u0041" : "<\ud83d\ude00>" , "img" : {"patch" : [ [1 , 2.0] , [30e-1,4] ], "x":[{}]} , "z":1e400 `,
		`{"a.b":null,"img":{"\u0070atch":[[[1],[2]],[[3],[4]]]}`,
		"{\"latin\":\"\xe9\",\"img\":{\"patch\":[1,2,3,4]}\n",
	} {
		out := process(t, p, before+"} \n")[0]
		text := content(t, out)
		if !strings.HasPrefix(text, before+`,"code":[`) || !strings.HasSuffix(text, "]} \n") {
			t.Errorf("%s became %s", before, text)
		}
		if hash, _ := out.MetaGet(ModelKey); hash != hashOf(t, path) {
			t.Errorf("hash %q, want %q", hash, hashOf(t, path))
		}
	}
	one := decode(t, process(t, p, `{"img":{"patch":[1,2,3,4]}}`)[0])
	if want := want(t, m, column(t, arrow.PrimitiveTypes.Uint8, 4, "[[1,2,3,4]]")); !equalBits(one.Code, want) {
		t.Errorf("%v, want %v", one.Code, want)
	}
}

func hashOf(t *testing.T, path string) string {
	t.Helper()
	_, info, err := model.ReadInfo(bytes.NewReader(file(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return info.Hash
}

// A message that came as a structure, as from a mapping, is coded too.
func TestStructured(t *testing.T) {
	p, _ := newProcessor(t, newModel(t, model.Config{Hidden: 2}, 3, "scale", "uint8"), "")
	m := service.NewMessage(nil)
	m.SetStructured(map[string]any{"patch": []any{int64(1), 2.0, json.Number("3")}})
	if _, err := p.ProcessBatch(t.Context(), service.MessageBatch{m}); err != nil {
		t.Fatal(err)
	}
	if want := decode(t, process(t, p, `{"patch":[1,2,3]}`)[0]).Code; !equalBits(decode(t, m).Code, want) {
		t.Error("another code")
	}
}

// Each bad message is marked with the reason, and stays.
func TestBadMessages(t *testing.T) {
	type bad struct{ text, want string }
	check := func(name string, m *model.Model, config string, tests []bad) {
		t.Helper()
		p, _ := newProcessor(t, m, config)
		for _, test := range tests {
			out := process(t, p, test.text)[0]
			err := out.GetError()
			if err == nil || err.Error() != test.want {
				t.Errorf("%s: %s\n got %v\nwant %v", name, test.text, err, test.want)
			}
			if text, _ := out.AsBytes(); string(text) != test.text {
				t.Errorf("%s: %s became %s", name, test.text, text)
			}
			if _, ok := out.MetaGet(ModelKey); ok {
				t.Errorf("%s: %s names a model", name, test.text)
			}
		}
	}
	config := model.Config{Hidden: 2}
	byte4 := "expected uint8, a whole number from 0 to 255"
	check("uint8", newModel(t, config, 4, "scale", "uint8"), "", []bad{
		{`{"patch":[1,2,3,300]}`, "patch[3] is 300, " + byte4},
		{`{"patch":[1,2,3,256]}`, "patch[3] is 256, " + byte4},
		{`{"patch":[-1,2,3,4]}`, "patch[0] is -1, " + byte4},
		{`{"patch":[1,1.5,3,4]}`, "patch[1] is 1.5, " + byte4},
		{`{"patch":[1,1e-400,3,4]}`, "patch[1] is 1e-400, " + byte4},
		{`{"patch":[1,1e99999,3,4]}`, "patch[1] is 1e99999, " + byte4},
		{`{"patch":[1,1.0000000000000000000000000001,3,4]}`, "patch[1] is 1.0000000000000000000000000001, " + byte4},
		{`{"patch":[1,18446744073709551617,3,4]}`, "patch[1] is 18446744073709551617, " + byte4},
		{`{"patch":[1,` + strings.Repeat("9", 60) + `,3,4]}`, "patch[1] is " + strings.Repeat("9", 40) + "..., " + byte4},
		{`{"patch":[[1,2],[3,300]]}`, "patch[1][1] is 300, " + byte4},
		{`{"patch":[1,null,3,4]}`, "patch[1] is null, " + byte4},
		{`{"patch":[1,true,3,4]}`, "patch[1] is true, " + byte4},
		{`{"patch":[1,"NaN",3,4]}`, "patch[1] is a string, " + byte4},
		{`{"patch":[1,{"a":[]},3,4]}`, "patch[1] is an object, " + byte4},
		{`{"patch":[1,NaN,3,4]}`, "not valid JSON at byte 12: invalid character 'N' at start of value"},
		{`{"patch":[1,2,3]}`, "patch ends after 3 numbers, the model takes 4"},
		{`{"patch":[]}`, "patch ends after 0 numbers, the model takes 4"},
		{`{"patch":[1,2,3,4,5]}`, "patch[4] is one too many, the model takes 4 numbers"},
		{`{"patch":[[1,2],[3,4],[5,6]]}`, "patch[2][0] is one too many, the model takes 4 numbers"},
		{`{"patch":[[1,2],[3]]}`, "patch[1] has 1 values, the array before has 2"},
		{`{"patch":[[1],[2,3,4]]}`, "patch[1] has 3 values, the array before has 1"},
		{`{"patch":[[1,2],3,4]}`, "patch[1] is 3, expected an array as before it"},
		{`{"patch":[1,[2,3,4]]}`, "patch[1] is an array, expected a number as before it"},
		{`{"patch":[[[[[[[1]]]]]]]}`, "patch[0][0][0][0][0][0] is an array in more than 6 levels"},
		{`{"patch":null}`, `field "patch" is null, expected an array of 4 numbers`},
		{`{"patch":"AQIDBA=="}`, `field "patch" is a string, expected an array of 4 numbers`},
		{`{"pitch":[1,2,3,4]}`, `field "patch" is missing`},
		{`{}`, `field "patch" is missing`},
		{``, "the message is empty"},
		{` `, "the message is empty"},
		{`[1,2,3,4]`, "the message is neither a JSON object nor Arrow or Parquet data"},
		{`{"patch":[1,2,3,4]`, "not valid JSON at byte 18: unexpected EOF"},
		{`{"patch":[1,2,3,4]}{}`, "the message has something behind its JSON object"},
		{`{"patch":[1,2,3,4],"code":0}`, "field \"code\" is already there: name the codes otherwise with `code`"},
		{`{"patch":[1,2,3,4],"patch":[1,2,3,4]}`, `not valid JSON: "/patch" is there twice`},
	})
	check("path", newModel(t, config, 1, "scale", "uint8"), "patch: a.b", []bad{
		{`{"a":{"b":[256]}}`, "a.b[0] is 256, " + byte4},
		{`{"a":{"c":[1]}}`, `field "a.b" is missing`},
		{`{"a":[1]}`, `field "a" is no object, and leads to no field "b"`},
	})
	check("bool", newModel(t, config, 1, "scale", "bool"), "", []bad{{`{"patch":[2]}`, "patch[0] is 2, expected true, false, 0 or 1"}})
	check("int8", newModel(t, config, 1, "scale", "int8"), "", []bad{
		{`{"patch":[-129]}`, "patch[0] is -129, expected int8, a whole number from -128 to 127"},
		{`{"patch":[-1]}`, "patch[0] is -1, outside 0 to 255: the preprocessing rule for int8 values was settled for that range"},
	})
	check("float32", newModel(t, config, 2, "scale", "float32"), "", []bad{
		{`{"patch":[0.5,1e39]}`, "patch[1] is 1e39, beyond the range of float32"},
		{`{"patch":[0.5,1e400]}`, "patch[1] is 1e400, beyond the range of float32"},
		{`{"patch":[[0.5],[1.5]]}`, "patch[1][0] is 1.5, outside 0 to 1: a sigmoid output needs values in [0, 1]"},
		{`{"patch":[0.5,null]}`, "patch[1] is null, expected a number"},
		{`{"patch":[0.5,"Infinity"]}`, "patch[1] is a string, expected a number"},
	})
	linear := model.Config{Hidden: 2, Activation: model.ReLU, Output: model.Linear}
	check("float16", newModel(t, linear, 1, "none", "float16"), "", []bad{{`{"patch":[65520]}`, "patch[0] is 65520, beyond the range of float16"}})
	large := newModel(t, linear, 1, "none", "float32")
	large.Params.EncoderWeight[0] = 1e10
	check("overflow", large, "", []bad{{`{"patch":[1e30]}`, "the patch has values up to 1e+30: too large, what the model makes of it overflows"}})
	check("sparse", newModel(t, config, 1, "scale", "uint8"), "layout: sparse", []bad{
		{`{"patch":[1],"code_values":0}`, "field \"code_values\" is already there: name the codes otherwise with `code`"},
	})
}

// Bad messages among good ones, in more messages than are encoded at a time:
// the others have the codes that they have alone, and all keep their order.
func TestBatch(t *testing.T) {
	m := newModel(t, model.Config{Hidden: 5, Activation: model.ReLU, Output: model.Linear}, 3, "none", "float32")
	m.Params.EncoderWeight[0] = 1e10
	p, _ := newProcessor(t, m, "")
	random := rand.New(rand.NewPCG(1, 2))
	const many = 2*encodeRows + 500
	var texts []string
	for i := range many {
		x := random.NormFloat64()
		switch {
		case i%97 == 3:
			texts = append(texts, fmt.Sprintf(`{"id":%d,"patch":[1,2]}`, i))
		case i == 700: // its code overflows
			texts = append(texts, fmt.Sprintf(`{"id":%d,"patch":[1e38,1e38,1e38]}`, i))
		default:
			texts = append(texts, fmt.Sprintf(`{"id":%d,"patch":[%v,%v,2]}`, i, x, -x))
		}
	}
	for i, out := range process(t, p, texts...) {
		if i%97 == 3 || i == 700 {
			if text, _ := out.AsBytes(); out.GetError() == nil || string(text) != texts[i] {
				t.Errorf("message %d is not marked, or has changed", i)
			}
			continue
		}
		if got, alone := content(t, out), content(t, process(t, p, texts[i])[0]); got != alone || !strings.HasPrefix(got, fmt.Sprintf(`{"id":%d,`, i)) {
			t.Fatalf("message %d: %s, alone %s", i, got, alone)
		}
	}
}

// Sparse layout says the same as list, of k-sparse models and others.
func TestSparse(t *testing.T) {
	for _, c := range []model.Config{
		model.KSparse(40),
		{Hidden: 40, Activation: model.ReLU, Output: model.Linear},
	} {
		m := newModel(t, c, 8, "none", "float32")
		list, _ := newProcessor(t, m, "code: f\n")
		pairs, _ := newProcessor(t, m, "code: f\nlayout: sparse\n")
		var texts []string
		for i := range 20 {
			texts = append(texts, fmt.Sprintf(`{"patch":[%d,1,-2,0,3,%d,1,1]}`, i-10, i*i))
		}
		sparse := process(t, pairs, texts...)
		for i, dense := range process(t, list, texts...) {
			var d struct{ F []float32 }
			var s struct {
				F       any
				Indices []int     `json:"f_indices"`
				Values  []float32 `json:"f_values"`
			}
			if err := errors.Join(json.Unmarshal([]byte(content(t, dense)), &d), json.Unmarshal([]byte(content(t, sparse[i])), &s)); err != nil {
				t.Fatal(err)
			}
			filled := make([]float32, len(d.F))
			for j, at := range s.Indices {
				if s.Values[j] == 0 || j > 0 && at <= s.Indices[j-1] {
					t.Fatalf("indices %v, values %v", s.Indices, s.Values)
				}
				filled[at] = s.Values[j]
			}
			if s.F != nil || len(d.F) != 40 || len(s.Indices) == 40 || !slices.Equal(filled, d.F) {
				t.Fatalf("message %d: %v, want %v", i, s, d)
			}
		}
	}
}

// Whole numbers are what math/big says they are, however they are written.
func TestWholeNumber(t *testing.T) {
	texts := []string{"0", "-0", "0.0", "-0e5", "0e-9", "1E2", "1e+2", "120e-1", "125e-1", "0.5e1", "18446744073709551615", "18446744073709551616",
		"-9223372036854775808", "9999999999999999999", "10000000000000000000", "0.18446744073709551615e20", "9007199254740993.0", "1e19", "1e20"}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		digits := strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
		switch random.IntN(4) {
		case 0:
			at := random.IntN(len(digits))
			if at > 0 {
				digits = digits[:at] + "." + digits[at:]
			}
		case 1:
			digits += fmt.Sprintf("e%d", random.IntN(9)-4)
		case 2:
			digits = "-" + digits
		}
		texts = append(texts, digits)
	}
	for _, text := range texts {
		x, ok := new(big.Rat).SetString(text)
		want := ok && x.IsInt() && new(big.Int).Abs(x.Num()).IsUint64()
		negative, v, got := wholeNumber([]byte(text))
		if got != want {
			t.Fatalf("%s: %v, want %v", text, got, want)
		}
		if y := new(big.Int).SetUint64(v); got {
			if negative {
				y.Neg(y)
			}
			if y.Cmp(x.Num()) != 0 || negative && v == 0 {
				t.Fatalf("%s: %v", text, y)
			}
		}
	}
}

// Every half-precision number comes back from its decimal, and what lies
// between two goes to the nearer, or the even one.
func TestHalf(t *testing.T) {
	value := func(bits int) float64 {
		if bits < 1<<10 {
			return float64(bits) * 0x1p-24
		}
		return math.Ldexp(float64(bits&1023+1024), bits>>10-25)
	}
	for bits := range 31 << 10 {
		for _, sign := range []float64{1, -1} {
			middle := (value(bits) + value(bits+1)) / 2
			for x, want := range map[float64]int{
				value(bits):                       bits,
				math.Nextafter(middle, 0):         bits,
				middle:                            bits + bits&1,
				math.Nextafter(middle, 1<<17) + 0: bits + 1,
			} {
				x32 := float32(x)
				if float64(x32) != x {
					continue // no float32, from which half starts
				}
				got, ok := half(x32 * float32(sign))
				if math.Signbit(sign) {
					want |= 1 << 15
				}
				if inRange := want&0x7fff < 31<<10; ok != inRange || ok && int(got) != want {
					t.Fatalf("%v: %x %v, want %x", sign*x, got, ok, want)
				}
			}
		}
	}
}

// payload returns rows of four bytes in a format.
func payload(t testing.TB, format arrowio.Format, name string, rows string) []byte {
	t.Helper()
	a := column(t, arrow.PrimitiveTypes.Uint8, 4, rows)
	ids := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range a.Len() {
		ids.Append(int64(i))
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: name, Type: a.DataType()}}, nil)
	return dataFile(t, array.NewRecordBatch(schema, []arrow.Array{ids.NewArray(), a}, int64(a.Len())), format)
}

// dataFile returns a batch as a file.
func dataFile(t testing.TB, batch arrow.RecordBatch, format arrowio.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := arrowio.NewWriter(&out, batch.Schema(), arrowio.WriteOptions{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(batch), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Arrow and Parquet payloads are, byte for byte, what package stage makes of
// them, and bad ones are marked, among JSON messages.
func TestPayloads(t *testing.T) {
	m := newModel(t, model.Config{Hidden: 2}, 4, "scale", "uint8")
	for _, layout := range []string{stage.LayoutList, stage.LayoutSparse} {
		p, path := newProcessor(t, m, "code: f\nlayout: "+layout)
		for _, format := range []arrowio.Format{arrowio.Parquet, arrowio.Arrow, arrowio.Stream} {
			data := payload(t, format, "patch", "[[1,2,3,4],[255,254,253,252]]")
			source, err := arrowio.OpenReaderAt(bytes.NewReader(data), int64(len(data)), "", arrowio.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := source.Reader(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := stage.NewTransformer(m, r.Schema(), stage.TransformConfig{Layout: layout, Prefix: "f", ModelHash: hashOf(t, path)})
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			w, err := arrowio.NewWriter(&want, tr.Schema(), arrowio.WriteOptions{Format: format})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tr.Run(t.Context(), r, w); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r.Release()

			cut := string(data[:len(data)-9])
			out := process(t, p, `{"patch":[1,2,3,4]}`, string(data), cut, string(payload(t, format, "other", "[[1,2,3,4]]")), string(data), "{")
			for i, good := range []bool{true, true, false, false, true, false} {
				err := out[i].GetError()
				if (err == nil) != good {
					t.Errorf("%s, %s: message %d: %v", format, layout, i, err)
				}
				hash, _ := out[i].MetaGet(ModelKey)
				if (hash != "") != good {
					t.Errorf("%s, %s: message %d has the hash %q", format, layout, i, hash)
				}
			}
			if got := content(t, out[1]); got != want.String() || content(t, out[4]) != got {
				t.Errorf("%s, %s: other bytes than from the stage", format, layout)
			}
			if text, _ := out[2].AsBytes(); string(text) != cut {
				t.Errorf("%s, %s: a bad payload has changed", format, layout)
			}
		}
	}
	p, _ := newProcessor(t, m, "patch: other")
	content(t, process(t, p, string(payload(t, arrowio.Stream, "other", "[[1,2,3,4]]")))[0])
}

// A result that is too large is an error, as soon as it is.
func TestLimit(t *testing.T) {
	b := limitedBuffer{most: 1 << 20}
	if n, err := b.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := b.Write([]byte{0}); n != 0 || err == nil || b.Len() != 1<<20 {
		t.Errorf("%d bytes of %d, %v", n, b.Len(), err)
	}
}

// due makes it time to look at the model file, and waits for what is read.
func due(t testing.TB, p *transform) {
	t.Helper()
	p.file.looked.Store(0)
	p.file.coder()
	p.file.close()
}

// The old model serves until a new one is good.
func TestReload(t *testing.T) {
	config := model.Config{Hidden: 2}
	first, second := newModel(t, config, 2, "scale", "uint8"), newModel(t, config, 2, "scale", "uint8")
	second.Params.EncoderBias[0] = 3
	p, path := newProcessor(t, first, "")
	const text = `{"patch":[1,2]}`
	code := func() string { return content(t, process(t, p, text)[0]) }
	before := code()
	hash := hashOf(t, path)
	good := file(t, path)
	torn := slices.Clone(good)
	torn[len(torn)-5] ^= 1
	for name, change := range map[string]func() error{
		"torn":  func() error { return os.WriteFile(path, torn, 0o666) },
		"short": func() error { return os.WriteFile(path, good[:100], 0o666) },
		"empty": func() error { return os.Truncate(path, 0) },
		"gone":  func() error { return os.Remove(path) },
		"same":  func() error { return os.WriteFile(path, good, 0o666) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		due(t, p)
		due(t, p)
		if got := code(); got != before {
			t.Errorf("%s: %s, before %s", name, got, before)
		}
		if got, _ := process(t, p, text)[0].MetaGet(ModelKey); got != hash {
			t.Errorf("%s: hash %s", name, got)
		}
		if name == "gone" {
			put(t, path, good)
		}
	}
	save(t, path, second)
	if got := code(); got != before {
		t.Errorf("%s before it was time to look, want %s", got, before)
	}
	due(t, p)
	if got := code(); got == before {
		t.Error("the new model does not serve")
	}
	if got, _ := process(t, p, text)[0].MetaGet(ModelKey); got != hashOf(t, path) {
		t.Errorf("hash %s, want %s", got, hashOf(t, path))
	}
}

// Threads share a processor while models come and go: each batch has the codes
// of one model, the one that it names.
func TestParallel(t *testing.T) {
	config := model.Config{Hidden: 3}
	models := make([]*model.Model, 2)
	codes := map[string]string{}
	const text = `{"patch":[1,2,3]}`
	for i := range models {
		models[i] = newModel(t, config, 3, "scale", "uint8")
		models[i].Params.EncoderBias[0] = float32(i)
		p, path := newProcessor(t, models[i], "")
		codes[hashOf(t, path)] = content(t, process(t, p, text)[0])
	}
	p, path := newProcessor(t, models[0], "")
	var threads sync.WaitGroup
	for range 4 {
		threads.Go(func() {
			for range 100 {
				p.file.looked.Store(0)
				hashes := map[string]bool{}
				for _, m := range process(t, p, text, text, "{", text) {
					if m.GetError() != nil {
						continue
					}
					got, _ := m.AsBytes()
					hash, _ := m.MetaGet(ModelKey)
					hashes[hash] = true
					if codes[hash] != string(got) {
						t.Errorf("%s of model %s, want %s", got, hash, codes[hash])
					}
				}
				if len(hashes) != 1 {
					t.Errorf("models %v in one batch", hashes)
				}
			}
		})
	}
	for i := range 50 {
		save(t, path, models[i%2])
		runtime.Gosched()
	}
	threads.Wait()
}

// What cannot work is told before the first message.
func TestConfig(t *testing.T) {
	good := filepath.Join(t.TempDir(), "m.aef")
	save(t, good, newModel(t, model.Config{Hidden: 2}, 2, "scale", "uint8"))
	bad := filepath.Join(t.TempDir(), "bad.aef")
	put(t, bad, []byte("no model"))
	for _, test := range []struct{ config, want string }{
		{fmt.Sprintf("model: %q", good+"x"), "no such file"},
		{fmt.Sprintf("model: %q", bad), "not"},
		{fmt.Sprintf("model: %q\ncode: ''", good), "field code: the name is empty"},
		{fmt.Sprintf("model: %q\npatch: ''", good), "field patch: the name is empty"},
	} {
		conf, err := transformSpec().ParseYAML(test.config, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newTransform(conf, service.MockResources()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.config, err, test.want)
		}
	}
}

// FuzzMessage compares with encoding/json: a message is coded only if that
// reads the numbers too, and then the result is what it was and a code.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{`{"patch":[1,2,3,4]}`, `{"patch":[[1,2],[3,4]],"x":1}`, `{"patch":[1,2e0,3,4.0]}`, `{"patch":[1,"a",{},[]]}`, `{"p\u0061tch":[]}`} {
		f.Add([]byte(text))
	}
	p, _ := newProcessor(f, newModel(f, model.Config{Hidden: 2}, 4, "scale", "uint8"), "")
	f.Fuzz(func(t *testing.T, text []byte) {
		if isPayload(text) {
			return // package arrowio has a test of its own
		}
		out := process(t, p, string(text))[0]
		if out.GetError() != nil {
			if after, _ := out.AsBytes(); !bytes.Equal(after, text) {
				t.Errorf("%q became %q", text, after)
			}
			return
		}
		var before, after map[string]any
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(content(t, out)), &after); err != nil {
			t.Fatal(err)
		}
		var flat []float64
		var walk func(any)
		walk = func(v any) {
			if list, ok := v.([]any); ok {
				for _, v := range list {
					walk(v)
				}
				return
			}
			flat = append(flat, v.(float64))
		}
		walk(before["patch"])
		if code, _ := after["code"].([]any); len(flat) != 4 || len(code) != 2 || len(after) != len(before)+1 {
			t.Errorf("%q became %v", text, after)
		}
		for _, v := range flat {
			if v != math.Trunc(v) || v < 0 || v > 255 {
				t.Errorf("%v was taken", v)
			}
		}
	})
}
