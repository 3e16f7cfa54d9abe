package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/aefeat/aefeat/model"
)

// fields are those of a message: numbers, or the bytes of the others.
type fields struct {
	numbers map[protowire.Number][]uint64
	bytes   map[protowire.Number][][]byte
}

func parse(t *testing.T, b []byte) fields {
	t.Helper()
	f := fields{map[protowire.Number][]uint64{}, map[protowire.Number][][]byte{}}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal("no message")
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			f.numbers[number] = append(f.numbers[number], v)
			b = b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				t.Fatal("no message")
			}
			f.bytes[number] = append(f.bytes[number], v)
			b = b[n:]
		default:
			t.Fatalf("wire type %d", kind)
		}
	}
	return f
}

// run computes the code of one row as the graph says.
func run(t *testing.T, file []byte, row []float64) []float64 {
	t.Helper()
	graph := parse(t, parse(t, file).bytes[7][0])
	values := map[string][]float64{"patch": row}
	for _, b := range graph.bytes[5] {
		tensor := parse(t, b)
		raw, name := tensor.bytes[9][0], string(tensor.bytes[8][0])
		var x []float64
		for len(raw) > 0 {
			if tensor.numbers[2][0] == typeFloat {
				x, raw = append(x, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))), raw[4:]
			} else {
				x, raw = append(x, float64(binary.LittleEndian.Uint64(raw))), raw[8:]
			}
		}
		values[name] = x
	}
	for _, b := range graph.bytes[1] {
		n := parse(t, b)
		var in [][]float64
		for _, name := range n.bytes[1] {
			x, ok := values[string(name)]
			if !ok {
				t.Fatalf("%s takes %s, which is not there", n.bytes[4][0], name)
			}
			in = append(in, x)
		}
		out := operate(t, string(n.bytes[4][0]), in)
		for i, name := range n.bytes[2] {
			values[string(name)] = out[i]
		}
	}
	return values["code"]
}

// operate computes what an operator means for one row.
func operate(t *testing.T, op string, in [][]float64) [][]float64 {
	t.Helper()
	each := func(f func(v, w float64) float64) [][]float64 {
		out := slices.Clone(in[0])
		for i := range out {
			w := 0.
			if len(in) > 1 {
				w = in[1][i%len(in[1])]
			}
			out[i] = f(out[i], w)
		}
		return [][]float64{out}
	}
	switch op {
	case "Cast", "Identity":
		return [][]float64{in[0]}
	case "Mul":
		return each(func(v, w float64) float64 { return v * w })
	case "Add":
		return each(func(v, w float64) float64 { return v + w })
	case "Sub":
		return each(func(v, w float64) float64 { return v - w })
	case "Div":
		return each(func(v, w float64) float64 { return v / w })
	case "Sqrt":
		return each(func(v, _ float64) float64 { return math.Sqrt(v) })
	case "Sigmoid":
		return each(func(v, _ float64) float64 { return 1 / (1 + math.Exp(-v)) })
	case "Tanh":
		return each(func(v, _ float64) float64 { return math.Tanh(v) })
	case "Relu":
		return each(func(v, _ float64) float64 { return max(v, 0) })
	case "Clip":
		return each(func(v, w float64) float64 { return min(max(v, w), in[2][0]) })
	case "ReduceMean":
		sum := 0.
		for _, v := range in[0] {
			sum += v
		}
		return [][]float64{{sum / float64(len(in[0]))}}
	case "Gemm":
		out := slices.Clone(in[2])
		for i := range out {
			for j, v := range in[0] {
				out[i] += v * in[1][i*len(in[0])+j]
			}
		}
		return [][]float64{out}
	case "MatMul":
		n := len(in[1]) / len(in[0])
		out := make([]float64, n)
		for j, v := range in[0] {
			for i := range out {
				out[i] += v * in[1][j*n+i]
			}
		}
		return [][]float64{out}
	case "TopK":
		order := make([]int, len(in[0]))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool { return in[0][order[i]] > in[0][order[j]] })
		var values, index []float64
		for _, i := range order[:int(in[1][0])] {
			values, index = append(values, in[0][i]), append(index, float64(i))
		}
		return [][]float64{values, index}
	case "Shape":
		return [][]float64{{1, float64(len(in[0]))}}
	case "ConstantOfShape":
		return [][]float64{make([]float64, int(in[0][1]))}
	case "ScatterElements":
		out := slices.Clone(in[0])
		for i, at := range in[1] {
			out[int(at)] = in[2][i]
		}
		return [][]float64{out}
	}
	t.Fatalf("operator %s", op)
	return nil
}

// TestWrite compares codes of graphs with those of the encoder.
func TestWrite(t *testing.T) {
	const n, h, m = 9, 6, 40
	r := rand.New(rand.NewPCG(1, 2))
	for _, objective := range model.Objectives() {
		for _, activation := range []model.Activation{model.Sigmoid, model.Tanh, model.ReLU, model.Linear} {
			for _, method := range model.PreprocessMethods() {
				config, err := model.ForObjective(objective, h, method)
				if err != nil {
					t.Fatal(err)
				}
				config.Inputs = n
				if config.K > 0 {
					config.K, config.KEncode = 2, 1.5
				} else if config.SparsityWeight == 0 || activation == model.Sigmoid {
					config.Activation = activation
				}
				mod, err := model.New(config)
				if err != nil {
					continue // which does not go together
				}
				rows := model.Rows{Kind: model.Uint8, Width: n, Data: make([]byte, m*n)}
				for i := range rows.Data {
					rows.Data[i] = byte(r.IntN(256))
				}
				if mod.Preprocess, err = model.NewPreprocess(method, "uint8", 0, rows); err != nil {
					t.Fatal(err)
				}
				if mod.Preprocess.Learns() {
					s := model.NewStatistics(mod.Preprocess, n)
					if err := s.Add(rows); err != nil {
						t.Fatal(err)
					}
					if mod.Preprocess, err = s.Learn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				for i := range mod.Params.EncoderBias {
					mod.Params.EncoderBias[i] = r.Float32() - 0.5
				}
				codes := make([]float32, m*h)
				if err := model.NewEncoder(mod).Encode(codes, rows); err != nil {
					t.Fatal(err)
				}
				var file bytes.Buffer
				if err := Write(&file, mod, InputType(mod), "hash"); err != nil {
					t.Fatal(err)
				}
				for i := range m {
					row := make([]float64, n)
					for j := range row {
						row[j] = float64(rows.Data[i*n+j])
					}
					for j, got := range run(t, file.Bytes(), row) {
						if want := float64(codes[i*h+j]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
							t.Fatalf("%s, %v, %s: row %d, unit %d: %v, want %v", objective, config.Activation, method, i, j, got, want)
						}
					}
				}
			}
		}
	}
}

func TestTypes(t *testing.T) {
	m := &model.Model{Preprocess: model.Preprocess{Source: "decimal"}}
	if got := InputType(m); got != "float32" {
		t.Errorf("decimals come as %s", got)
	}
	if err := Write(nil, m, "decimal", ""); err == nil {
		t.Error("a graph of decimals")
	}
}
