package parquet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// hybrid encodes values in runs and packed groups, as chance has it.
func hybrid(rng *rand.Rand, values []int, width int) []byte {
	var b []byte
	for len(values) > 0 {
		run := 1
		for run < len(values) && values[run] == values[0] {
			run++
		}
		if run > 3 && rng.IntN(3) > 0 || rng.IntN(10) == 0 {
			b = binary.AppendUvarint(b, uint64(run)<<1)
			for i := 0; i < width; i += 8 {
				b = append(b, byte(values[0]>>i))
			}
			values = values[run:]
			continue
		}
		groups := 1 + rng.IntN(4)
		b = binary.AppendUvarint(b, uint64(groups)<<1|1)
		packed := make([]byte, groups*width)
		n := min(8*groups, len(values))
		for i, v := range values[:n] {
			for k := range width {
				at := i*width + k
				packed[at>>3] |= byte(v>>k&1) << (at & 7)
			}
		}
		b = append(b, packed...)
		values = values[n:]
	}
	return b
}

func TestLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		highest := 1 + rng.IntN(9)
		width := bits.Len(uint(highest))
		values := make([]int, 1+rng.IntN(200))
		v := 0
		for i := range values {
			if rng.IntN(4) == 0 {
				v = rng.IntN(highest + 1)
			}
			values[i] = v
		}
		b := hybrid(rng, values, width)
		got, err := countLevels(b, len(values), highest)
		want := levelCounts{first: values[0]}
		var zeros []int
		for i, v := range values {
			if v == 0 {
				want.zero++
				zeros = append(zeros, i)
			}
			if v == highest {
				want.top++
			}
		}
		if err != nil || got != want {
			t.Fatalf("%+v %v, expected %+v", got, err, want)
		}
		levels, err := unpackLevels(nil, b, len(values), highest)
		if err != nil || !slices.EqualFunc(levels, values, func(a byte, b int) bool { return int(a) == b }) {
			t.Fatalf("%v %v, expected %v", levels, err, values)
		}
		if highest == 1 {
			starts, err := rowStarts(nil, b, len(values))
			if err != nil || !slices.Equal(starts, zeros) {
				t.Fatalf("%v %v, expected %v", starts, err, zeros)
			}
		}
		if _, err := countLevels(b[:rng.IntN(min(2, len(b)))], len(values), highest); err == nil {
			t.Fatal("truncated levels are taken")
		}
		if highest&(highest+1) != 0 { // a value above it fits the width
			values[rng.IntN(len(values))] = highest + 1
			if _, err := countLevels(hybrid(rng, values, width), len(values), highest); err == nil {
				t.Fatal("a level above the highest is taken")
			}
		}
	}
}

// The oldest encoding is packed from the highest bit on.
func TestRepackLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 3000 {
		highest := 1 + rng.IntN(9)
		width := bits.Len(uint(highest))
		values := make([]int, 1+rng.IntN(200))
		old := make([]byte, (len(values)*width+7)/8)
		for i := range values {
			values[i] = rng.IntN(highest + 1)
			for k := range width {
				at := i*width + k
				old[at>>3] |= byte(values[i]>>(width-1-k)&1) << (7 - at&7)
			}
		}
		again, size, err := repackLevels(append(old, 1, 2, 3), len(values), highest)
		if err != nil || size != len(old) {
			t.Fatal(size, err)
		}
		levels, err := unpackLevels(nil, again, len(values), highest)
		if err != nil || !slices.EqualFunc(levels, values, func(a byte, b int) bool { return int(a) == b }) {
			t.Fatalf("%v %v, expected %v", levels, err, values)
		}
	}
}

func TestIndexes(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, width := range []int{1, 2, 4, 8} {
		for range 500 {
			n := 1 + rng.IntN(300)
			dict := make([]byte, n*width)
			for i := range dict {
				dict[i] = byte(rng.Uint32())
			}
			values := make([]int, 1+rng.IntN(100))
			var want []byte
			for i := range values {
				if values[i] = rng.IntN(n); i > 0 && rng.IntN(2) == 0 {
					values[i] = values[i-1]
				}
				want = append(want, dict[values[i]*width:][:width]...)
			}
			bitWidth := bits.Len(uint(n-1)) + rng.IntN(3)
			data := append([]byte{byte(bitWidth)}, hybrid(rng, values, bitWidth)...)
			c := &direct{width: width, dict: dict}
			if err := c.lookUp(&page{present: len(values), data: data}); err != nil || !bytes.Equal(c.plain, want) {
				t.Fatalf("width %d: %v", width, err)
			}
			if err := checkIndexes(data, len(values), n); err != nil {
				t.Fatal(err)
			}
			c.dict = dict[:slices.Max(values)*width]
			if err := c.lookUp(&page{present: len(values), data: data}); err == nil {
				t.Fatal("an index outside the dictionary is taken")
			}
		}
	}
}

func TestDeltaLimits(t *testing.T) {
	head := func(v ...uint64) []byte {
		var b []byte
		for _, v := range v {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	good := append(head(128, 4, 3, 10, 2), 0, 0, 0, 0) // 5, 6, 7
	d, err := newDeltaReader(good, false)
	if err != nil || d.total != 3 {
		t.Fatal(err)
	}
	for want := range int64(3) {
		if v, err := d.next(); err != nil || v != want+5 {
			t.Fatal(v, err)
		}
	}
	if _, err := d.next(); err == nil {
		t.Fatal("a value too many")
	}
	for name, b := range map[string][]byte{
		"no values in a block":     head(0, 4, 3, 10),
		"a block of 4 billion":     head(1<<32-128, 4, 3, 10),
		"no miniblocks":            head(128, 0, 3, 10),
		"miniblocks of 16":         head(128, 8, 3, 10),
		"a count of 4 billion":     head(128, 4, 1<<32, 10),
		"nothing":                  nil,
		"no first value":           head(128, 4, 3),
		"a first value of 64 bits": head(128, 4, 3, 1<<40),
	} {
		if _, err := newDeltaReader(b, false); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for n := range len(good) {
		if d, err := newDeltaReader(good[:n], false); err == nil {
			if _, err := d.skipAll(); err == nil {
				t.Errorf("%d of %d bytes are taken", n, len(good))
			}
		}
	}
}
