package stage

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/aefeat/aefeat/model"
)

// readBlocks reads blocks of one row of two bytes, of which the one at changed
// is another. It returns after how many there was an error.
func readBlocks(r *reading, blocks, changed int) (read int, err error) {
	r.begin(form{"uint8", model.Uint8, 2}, 0)
	for i := range blocks {
		b := &block{size: 1, rows: model.Rows{Kind: model.Uint8, Width: 2, Data: []byte{byte(i), byte(i >> 8)}, Number: []int64{int64(i)}}}
		if i == changed {
			b.rows.Data[1] ^= 128
		}
		if err := r.add(b); err != nil {
			return i + 1, err
		}
	}
	return blocks, r.end()
}

// However long the input is, an identity stays small, and a change is found
// within a hundredth of it.
func TestIdentity(t *testing.T) {
	const blocks = 3000
	whole := &reading{}
	if _, err := readBlocks(whole, blocks, -1); err != nil {
		t.Fatal(err)
	}
	want := whole.seen()
	text, err := json.Marshal(want)
	if err != nil || len(text) > 20<<10 {
		t.Errorf("%d bytes, error %v", len(text), err)
	}
	var back identity
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, *want) || back.check() != nil {
		t.Errorf("%+v, error %v, %v", back, err, back.check())
	}
	for n := 1; n <= blocks; n++ {
		part := &reading{}
		if _, err := readBlocks(part, n, -1); err != nil || part.check() != nil || n > maxMarks && len(part.Marks) < maxMarks/2 {
			t.Fatalf("%d blocks: %v, %v, %d marks", n, err, part.check(), len(part.Marks))
		}
		if n > 600 {
			n += 37
		}
	}
	again := &reading{want: want}
	if _, err := readBlocks(again, blocks, -1); err != nil || !again.passed() {
		t.Errorf("the same: %v", err)
	}
	for changed := 0; changed < blocks; changed += 7 {
		read, err := readBlocks(&reading{want: want}, blocks, changed)
		var e *InputChangedError
		if !errors.As(err, &e) || e.First > int64(changed) || e.Last < int64(changed) || e.Last-e.First >= blocks/100 || read != int(e.Last)+1 {
			t.Fatalf("block %d: after %d, %+v", changed, read, e)
		}
	}
	for _, n := range []int{1, 2, 255, 256, 257, 2999} {
		if _, err := readBlocks(&reading{want: want}, n, -1); !errors.As(err, new(*InputChangedError)) {
			t.Errorf("%d blocks: %v", n, err)
		}
	}
	if read, err := readBlocks(&reading{want: want}, blocks+5, -1); !errors.As(err, new(*InputChangedError)) || read != blocks+1 {
		t.Errorf("more: after %d blocks, %v", read, err)
	}
}
