package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// trainedModel returns a model with all of its fields set.
func trainedModel(t testing.TB, c Config) *Model {
	return trainedOn(t, c, Preprocess{Method: PreprocessScale, Source: "uint8", Scale: 1.0 / 255, Max: 255})
}

// learnedModel returns a trained model whose preprocessing was learned.
func learnedModel(t testing.TB, method string) *Model {
	return trainedOn(t, Config{Output: Linear, SparsityWeight: 1, Sparsity: 0.2}, learn(t, method, "uint8", Uint8Rows(trainingRows(), 5)))
}

func trainingRows() []uint8 {
	x := make([]uint8, 50)
	for i := range x {
		x[i] = uint8(37 * i)
	}
	return x
}

func trainedOn(t testing.TB, c Config, p Preprocess) *Model {
	m := newModel(t, c, 5, 3)
	m.Preprocess = p
	m.Binding = Binding{Columns: []string{"pixel*"}, Source: "uint8", Width: 5}
	trainer := newTrainer(t, m, TrainOptions{BatchSize: 4})
	x := trainingRows()
	for range 2 {
		if err := trainer.Add(Uint8Rows(x, 5), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := trainer.EndEpoch(); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestWriteAndRead(t *testing.T) {
	var models []*Model
	for _, c := range configs {
		c.c.Seed = math.MaxUint64 // beyond what a float64 holds
		models = append(models, trainedModel(t, c.c))
	}
	for _, method := range learning {
		models = append(models, learnedModel(t, method))
	}
	for _, m := range models {
		data := bytesOf(t, m)
		for name, r := range map[string]io.Reader{
			"at once":           bytes.NewReader(data),
			"a byte at a time":  iotest.OneByteReader(bytes.NewReader(data)),
			"data with its EOF": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			got, err := Read(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%s: read %+v, wrote %+v", name, got, m)
			}
			if !bytes.Equal(bytesOf(t, got), data) {
				t.Errorf("%s: written again it differs", name)
			}
		}
	}
}

// The layout that other programs read: safetensors, aligned, the tensors in
// order without gaps, and the settings under their names.
func TestFileLayout(t *testing.T) {
	m := trainedModel(t, configs[4].c)
	data := bytesOf(t, m)
	length := binary.LittleEndian.Uint64(data)
	if length%8 != 0 || data[8] != '{' {
		t.Errorf("header of %d bytes, starting with %q", length, data[8])
	}
	var header map[string]struct {
		Type    string `json:"dtype"`
		Shape   []int
		Offsets [2]int `json:"data_offsets"`

		Format, Version, Config string
	}
	if err := json.Unmarshal(data[8:8+length], &header); err != nil {
		t.Fatal(err)
	}
	tensors := data[8+length:]
	for name, want := range map[string]struct {
		shape []int
		data  []float32
	}{
		"encoder.weight": {[]int{3, 5}, m.Params.EncoderWeight},
		"encoder.bias":   {[]int{3}, m.Params.EncoderBias},
		"decoder.weight": {[]int{5, 3}, m.Params.DecoderWeight},
		"decoder.bias":   {[]int{5}, m.Params.DecoderBias},
	} {
		got := header[name]
		if got.Type != "F32" || !reflect.DeepEqual(got.Shape, want.shape) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i, v := range want.data {
			if bits := binary.LittleEndian.Uint32(tensors[got.Offsets[0]+4*i:]); bits != math.Float32bits(v) {
				t.Errorf("%s[%d] = %v, want %v", name, i, math.Float32frombits(bits), v)
			}
		}
		delete(header, name)
	}
	meta := header["__metadata__"]
	if meta.Format != "aefeat" || meta.Version != "1" || len(header) != 1 {
		t.Errorf("the rest of the header is %+v", header)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(meta.Config), &config); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"objective", "inputs", "hidden", "activation", "output_activation", "loss", "tied",
		"sparsity", "sparsity_weight", "weight_decay", "contraction", "corruption", "noise", "seed",
		"preprocess", "binding", "rows_seen", "history", "cost"} {
		if _, ok := config[key]; !ok {
			t.Errorf("the settings have no %q", key)
		}
	}
}

// What preprocessing has learned lies behind the parameters, under its names.
func TestLearnedLayout(t *testing.T) {
	for method, want := range map[string]map[string][]int{
		PreprocessPatch:       {},
		PreprocessStandardize: {"preprocess.mean": {5}, "preprocess.scale": {5}},
		PreprocessZCA:         {"preprocess.mean": {5}, "preprocess.whiten": {5, 5}},
	} {
		data := bytesOf(t, learnedModel(t, method))
		length := binary.LittleEndian.Uint64(data)
		var header map[string]struct {
			Shape  []int
			Config string
		}
		if err := json.Unmarshal(data[8:8+length], &header); err != nil {
			t.Fatal(err)
		}
		var config struct {
			Preprocess struct {
				Method            string
				Epsilon, Contrast float64
				Learned           struct {
					Rows      int
					Deviation float64
				}
			}
		}
		if err := json.Unmarshal([]byte(header["__metadata__"].Config), &config); err != nil {
			t.Fatal(err)
		}
		p := config.Preprocess
		if p.Method != method || p.Learned.Rows != 10 || (p.Learned.Deviation > 0) != (method == PreprocessPatch) ||
			(p.Epsilon > 0) != (method != PreprocessPatch) || (p.Contrast > 0) != (method == PreprocessZCA) {
			t.Errorf("%s: settings %+v", method, p)
		}
		got := map[string][]int{}
		for name, tensor := range header {
			if strings.HasPrefix(name, "preprocess.") {
				got[name] = tensor.Shape
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: tensors %v, want %v", method, got, want)
		}
	}
}

// pack returns a safetensors file with this header and so many bytes of data.
func pack(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

const (
	bareTied = `{"encoder.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},` +
		`"encoder.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},` +
		`"decoder.bias":{"dtype":"F32","shape":[3],"data_offsets":[32,44]}}`
	bareTiedSize = 44
)

func TestBareTensors(t *testing.T) {
	for name, header := range map[string]string{
		"plain":            bareTied,
		"foreign metadata": `{"__metadata__":{"format":"pt"},` + bareTied[1:],
		"null metadata":    `{"__metadata__":null,` + bareTied[1:],
		"spaces":           bareTied + "    ",
		"with a training":  strings.TrimSuffix(bareTied, "}") + `,"optimizer.m":{"dtype":"F64","shape":[1],"data_offsets":[44,44]}}`,
	} {
		m, _, bare, err := readTensors(bytes.NewReader(pack(header, bareTiedSize)), false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := (Config{Inputs: 3, Hidden: 2, Tied: true}); !bare || m.Config != want {
			t.Errorf("%s: bare %v, %+v", name, bare, m.Config)
		}
		var without *BareError
		var format *FormatError
		_, err = Read(bytes.NewReader(pack(header, bareTiedSize)))
		if !errors.As(err, &without) || !errors.As(err, &format) || without.Model.Config != m.Config {
			t.Errorf("%s: read as a whole model, error %v", name, err)
		}
	}

	// In another order, and untied.
	data := binary.LittleEndian.AppendUint64(nil, 0)
	header := `{"decoder.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},` +
		`"encoder.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},` +
		`"optimizer.step":{"dtype":"I64","shape":[],"data_offsets":[4,8]},` +
		`"decoder.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[24,32]},` +
		`"encoder.bias":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}`
	binary.LittleEndian.PutUint64(data, uint64(len(header)))
	data = append(data, header...)
	for _, v := range []float32{7, -1, 1, 2, 3, 4, 5, 6} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	m, _, bare, err := readTensors(bytes.NewReader(data), false)
	if err != nil || !bare || m.Tied {
		t.Fatalf("bare %v, error %v", bare, err)
	}
	equalFloats(t, m.Params.Flat, []float32{1, 2, 3, 4, 5, 6, 7})
}

// Every cut, every claim that does not hold, every foreign file is a
// FormatError that says so.
func TestDamagedFiles(t *testing.T) {
	whole := bytesOf(t, trainedModel(t, Sparse(3)))
	headerEnd := 8 + int(binary.LittleEndian.Uint64(whole))
	editOf := func(whole []byte, old, new string) []byte {
		t.Helper()
		headerEnd := 8 + int(binary.LittleEndian.Uint64(whole))
		header := string(whole[8:headerEnd])
		if !strings.Contains(header, old) {
			t.Fatalf("the header has no %s", old)
		}
		header = strings.Replace(header, old, new, 1)
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), whole[headerEnd:]...)
	}
	edit := func(old, new string) []byte { t.Helper(); return editOf(whole, old, new) }
	learned := map[string][]byte{}
	for _, method := range learning {
		learned[method] = bytesOf(t, learnedModel(t, method))
	}
	patch, standardize, zca := learned[PreprocessPatch], learned[PreprocessStandardize], learned[PreprocessZCA]
	whitenNaN := bytes.Clone(zca)
	binary.LittleEndian.PutUint32(whitenNaN[len(zca)-4:], math.Float32bits(float32(math.NaN())))
	bare := func(old, new string) []byte {
		t.Helper()
		if !strings.Contains(bareTied, old) {
			t.Fatalf("the header has no %s", old)
		}
		return pack(strings.Replace(bareTied, old, new, 1), bareTiedSize)
	}
	nan := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(nan[headerEnd+8:], math.Float32bits(float32(math.NaN())))
	infinite := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(infinite[len(whole)-4:], math.Float32bits(float32(math.Inf(-1))))
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)

	for name, c := range map[string]struct {
		data []byte
		want string // in the error
	}{
		"empty":                   {nil, "not a model file"},
		"short":                   {[]byte("abc"), "not a model file"},
		"parquet":                 {[]byte("PAR1\x15\x04\x15\x10PAR1"), "not a model file"},
		"huge header":             {append(huge, "{}"...), "not a model file"},
		"header beyond the end":   {append(binary.LittleEndian.AppendUint64(nil, maxHeader), '{'), "ends early"},
		"not JSON":                {pack("\x00\x01\x02", 0), "header"},
		"a list":                  {pack("[1,2]", 0), "header"},
		"cut JSON":                {pack(bareTied[:40], 100), "header"},
		"two objects":             {pack(bareTied+"{}", bareTiedSize), "header"},
		"rubbish after":           {pack(bareTied+"x", bareTiedSize), "header"},
		"no tensors":              {pack("{}", 0), "encoder.weight"},
		"other tensors":           {pack(`{"layer1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "encoder.weight"},
		"surplus tensor":          {edit(`{"__metadata__"`, `{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__metadata__"`), `"x"`},
		"missing tensor":          {edit(`"encoder.bias"`, `"optimizer.bias"`), "no tensor encoder.bias"},
		"twice":                   {edit(`"encoder.bias"`, `"encoder.weight"`), "two tensors"},
		"metadata twice":          {pack(`{"__metadata__":{},"__metadata__":{}}`, 0), "metadata"},
		"metadata of numbers":     {pack(`{"__metadata__":{"a":1}}`, 0), "metadata"},
		"wrong type":              {edit(`"F32"`, `"F64"`), "F64"},
		"wrong shape":             {edit(`"shape":[3,5]`, `"shape":[5,3]`), "shape"},
		"wrong rank":              {bare(`"shape":[2,3]`, `"shape":[6]`), "shape"},
		"negative size":           {bare(`"shape":[2,3]`, `"shape":[-2,-3]`), "shape"},
		"no size":                 {bare(`"shape":[2,3]`, `"shape":[0,3]`), "shape"},
		"overflowing size":        {bare(`"shape":[2,3]`, `"shape":[4294967296,4294967296]`), "shape"},
		"large size":              {bare(`"shape":[2,3]`, `"shape":[1000000000,1000000000]`), ""},
		"fractional size":         {bare(`"shape":[2,3]`, `"shape":[2.5,3]`), "encoder.weight"},
		"size beyond int64":       {bare(`"shape":[2,3]`, `"shape":[99999999999999999999,3]`), "encoder.weight"},
		"gap":                     {bare(`[24,32]`, `[28,36]`), "starts at"},
		"overlap":                 {bare(`[24,32]`, `[20,28]`), "starts at"},
		"backwards":               {bare(`[24,32]`, `[32,24]`), "lies at"},
		"negative offset":         {bare(`[0,24]`, `[-24,24]`), "lies at"},
		"one offset":              {bare(`[0,24]`, `[0]`), "lies at"},
		"three offsets":           {bare(`[0,24]`, `[0,24,30]`), "lies at"},
		"null tensor":             {pack(`{"a":null}`, 0), "lies at"},
		"offsets beyond the end":  {bare(`[32,44]`, `[32,4000000044]`), "takes"},
		"trailing byte":           {append(bytes.Clone(whole), 0), "goes on"},
		"NaN":                     {nan, "NaN"},
		"infinity":                {infinite, "infinity"},
		"unknown version":         {edit(`"version":"1"`, `"version":"2"`), `version "2"`},
		"no version":              {edit(`"version":"1"`, `"edition":"1"`), "version"},
		"no config":               {edit(`"config":`, `"confit":`), "settings"},
		"config not JSON":         {edit(`"config":"{`, `"config":"[`), "settings"},
		"sizes that do not fit":   {edit(`\"hidden\":3`, `\"hidden\":4`), "shape"},
		"tied that is not":        {edit(`\"tied\":false`, `\"tied\":true`), "decoder.weight"},
		"unknown activation":      {edit(`\"activation\":\"sigmoid\"`, `\"activation\":\"swish\"`), "swish"},
		"unknown objective":       {edit(`\"objective\":\"sparse\"`, `\"objective\":\"variational\"`), "variational"},
		"clashing settings":       {edit(`\"activation\":\"sigmoid\"`, `\"activation\":\"relu\"`), "relu"},
		"unknown preprocessing":   {edit(`\"method\":\"scale\"`, `\"method\":\"pca\"`), "pca"},
		"nothing learned":         {edit(`\"method\":\"scale\"`, `\"method\":\"patch\"`), "learned"},
		"nothing to learn":        {editOf(patch, `\"method\":\"patch\"`, `\"method\":\"none\"`), "learned"},
		"zca of a sigmoid":        {editOf(zca, `\"output_activation\":\"linear\"`, `\"output_activation\":\"sigmoid\"`), "sigmoid"},
		"zca for standardize":     {editOf(standardize, `\"method\":\"standardize\"`, `\"method\":\"zca\"`), "preprocess.whiten"},
		"standardize for zca":     {editOf(zca, `\"method\":\"zca\"`, `\"method\":\"standardize\"`), "preprocess.scale"},
		"zca for patch":           {editOf(zca, `\"method\":\"zca\"`, `\"method\":\"patch\"`), "preprocess.mean"},
		"no mean":                 {editOf(zca, `"preprocess.mean"`, `"optimizer.mean"`), "no tensor preprocess.mean"},
		"whitening of a vector":   {editOf(zca, `"shape":[5,5]`, `"shape":[25]`), "preprocess.whiten"},
		"whitening of NaN":        {whitenNaN, "NaN"},
		"negative epsilon":        {editOf(zca, `\"epsilon\":0.1`, `\"epsilon\":-0.1`), "settings"},
		"negative deviation":      {editOf(patch, `\"deviation\":`, `\"deviation\":-`), "settings"},
		"negative learned rows":   {editOf(patch, `{\"rows\":10`, `{\"rows\":-10`), "settings"},
		"negative rows":           {edit(`\"rows_seen\":`, `\"rows_seen\":-`), "rows"},
		"a spread of one input":   {edit(`\"rows_seen\":`, `\"spread\":{\"mean\":[1],\"variance\":1},\"rows_seen\":`), "spread"},
		"negative variance":       {edit(`\"rows_seen\":`, `\"spread\":{\"mean\":[1,2,3,4,5],\"variance\":-1},\"rows_seen\":`), "spread"},
		"best of no cost":         {edit(`],\"cost\":`, `],\"best_epoch\":2,\"coast\":`), "best"},
		"negative inputs":         {edit(`\"inputs\":5`, `\"inputs\":-5`), "settings"},
		"a sparsity of 0":         {edit(`\"sparsity\":0.1`, `\"sparsity\":0.0`), "sparsity"},
		"infinite number":         {edit(`\"sparsity\":0.1`, `\"sparsity\":1e999`), "settings"},
		"a range the wrong way":   {edit(`\"min\":0,\"max\":255`, `\"min\":9,\"max\":5`), "settings"},
		"a scale beyond float32":  {edit(`\"scale\":0.00`, `\"scale\":1e300,\"x\":0.00`), "settings"},
		"hidden units of 8 bytes": {edit(`\"hidden\":3`, `\"hidden\":9000000000000000000`), "settings"},
	} {
		m, _, bare, err := readTensors(bytes.NewReader(c.data), false)
		var format *FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want a FormatError with %q", name, err, c.want)
		}
		if m != nil || bare {
			t.Errorf("%s: a model beside the error", name)
		}
	}
	for _, whole := range [][]byte{whole, zca} {
		for length := range whole {
			var format *FormatError
			if _, err := Read(bytes.NewReader(whole[:length])); !errors.As(err, &format) {
				t.Fatalf("%d of %d bytes: error %v", length, len(whole), err)
			}
		}
	}
}

// Keys of the settings that this version does not know are for later ones.
func TestUnknownKeysAreIgnored(t *testing.T) {
	m := trainedModel(t, Sparse(3))
	data := bytesOf(t, m)
	end := 8 + binary.LittleEndian.Uint64(data)
	header := strings.Replace(withoutChecksum(t, string(data[8:end])), `"config":"{`, `"k":"v","config":"{\"m\":5,\"later\":{\"a\":[1]},`, 1)
	later := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	got, err := Read(bytes.NewReader(append(later, data[end:]...)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("read %+v, want %+v", got, m)
	}
}

// A reader's own error is not the file's fault.
func TestReadErrors(t *testing.T) {
	data := bytesOf(t, trainedModel(t, Sparse(3)))
	broken := errors.New("broken pipe")
	for length := range data {
		r := io.MultiReader(bytes.NewReader(data[:length]), iotest.ErrReader(broken))
		if _, err := Read(r); !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: error %v", length, err)
		}
	}
	if _, err := Read(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("at the end: error %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	m := learnedModel(t, PreprocessZCA)
	size := len(bytesOf(t, m))
	for length := range size {
		w := &shortWriter{left: length}
		if n, err := m.WriteTo(w); err == nil || n != int64(length) {
			t.Fatalf("room for %d bytes: %d written, error %v", length, n, err)
		}
	}
}

type shortWriter struct{ left int }

func (w *shortWriter) Write(b []byte) (int, error) {
	n := min(len(b), w.left)
	w.left -= n
	if n < len(b) {
		return n, errors.New("no space left")
	}
	return n, nil
}

// A header that claims far more than is there is found out before anything
// of that size is allocated.
func TestReadAllocatesWhatIsThere(t *testing.T) {
	claims := `{"encoder.weight":{"dtype":"F32","shape":[40000,40000],"data_offsets":[0,6400000000]},` +
		`"encoder.bias":{"dtype":"F32","shape":[40000],"data_offsets":[6400000000,6400160000]},` +
		`"decoder.bias":{"dtype":"F32","shape":[40000],"data_offsets":[6400160000,6400320000]}}`
	for _, data := range [][]byte{
		pack(claims, 1000),
		append(binary.LittleEndian.AppendUint64(nil, maxHeader), '{'),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, _, err := readTensors(bytes.NewReader(data), false); err == nil {
			t.Fatal("read")
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%d bytes allocated for a file of %d", got, len(data))
		}
	}
}

// FuzzRead feeds arbitrary bytes. What is read must be a model that works and
// that is written and read again without change, and not with a change.
func FuzzRead(f *testing.F) {
	for _, c := range configs {
		f.Add(bytesOf(f, trainedModel(f, c.c)))
	}
	for _, method := range learning {
		f.Add(bytesOf(f, learnedModel(f, method)))
	}
	child := trainedModel(f, configs[0].c)
	child.Parent = strings.Repeat("0f", 32)
	f.Add(bytesOf(f, child))
	f.Add(pack(bareTied, bareTiedSize))
	f.Add(pack("{}", 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, bare, err := readTensors(bytes.NewReader(data), false)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Errorf("error %v is not the file's fault", err)
			}
			return
		}
		if err := m.Config.Validate(); err != nil {
			t.Errorf("read settings that clash: %v", err)
		}
		x := make([]float32, m.Inputs)
		m.Check(Float32Rows(x, m.Inputs))
		if err := NewEncoder(m).Encode(make([]float32, m.Hidden), Float32Rows(x, m.Inputs)); err != nil {
			t.Errorf("encoding: %v", err)
		}
		if bare {
			return
		}
		written := bytesOf(t, m)
		again, err := Read(bytes.NewReader(written))
		if err != nil {
			t.Fatalf("written, it cannot be read: %v", err)
		}
		if !bytes.Equal(bytesOf(t, again), written) {
			t.Error("written twice, it differs")
		}
		written[len(written)-1-int(data[0])%(4*len(m.Params.Flat))] ^= 1 << (len(data) % 8)
		var format *FormatError
		if _, err := Read(bytes.NewReader(written)); !errors.As(err, &format) {
			t.Errorf("a bit of its tensors flipped: error %v", err)
		}
	})
}

// TestFileBytes compares it with the files of models whose history takes as
// many digits as it can.
func TestFileBytes(t *testing.T) {
	for _, method := range learning {
		for _, epochs := range []int{0, 300} {
			m := learnedModel(t, method)
			e := Epoch{Epoch: math.MaxInt32, Rows: math.MaxInt64, Validation: new(Cost)}
			fillFloats(reflect.ValueOf(&e).Elem())
			fillFloats(reflect.ValueOf(e.Validation).Elem())
			m.History = nil
			for range epochs {
				m.History = append(m.History, e)
			}
			n, err := m.WriteTo(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			got := FileBytes(m.Config, m.Preprocess.Method, epochs)
			if got < n || got > n+(64<<10)+64*int64(m.Inputs)+2048*int64(epochs) {
				t.Errorf("%s, %d epochs: %d bytes, and the file has %d", method, epochs, got, n)
			}
		}
	}
}

// fillFloats sets all numbers of a struct to one of many digits.
func fillFloats(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Float64:
			f.SetFloat(-2.2250738585072014e-308)
		case reflect.Int, reflect.Int64:
			f.SetInt(math.MaxInt64)
		case reflect.Struct:
			fillFloats(f)
		}
	}
}

// Reading a model takes little more memory than its weights twice.
func TestMemoryOfReading(t *testing.T) {
	c := Sparse(512)
	c.Inputs = 4096
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Read(&file)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	// What is read doubles as it comes, which adds up to the weights once more.
	size := 4 * uint64(len(m.Params.Flat))
	if takes := after.TotalAlloc - before.TotalAlloc; takes > 3*size+size/2 {
		t.Errorf("weights of %d bytes take %d", size, takes)
	}
}
