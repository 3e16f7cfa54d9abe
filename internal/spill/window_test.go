package spill

import (
	"bytes"
	"slices"
	"testing"
)

// out returns the numbers of rows 0 to m in the order in which they go out of a
// window, given in calls of some rows, and checks that each is the row of its
// number.
func out(t *testing.T, w *Window, m, call int) []int64 {
	t.Helper()
	var got []int64
	note := func(rows []byte, number []int64) {
		for i, n := range number {
			if !bytes.Equal(rows[i*width:(i+1)*width], row(n)) {
				t.Fatalf("row %d holds something else", n)
			}
		}
		got = append(got, number...)
	}
	for i := 0; i < m; i += call {
		var rows []byte
		var number []int64
		for n := int64(i); n < int64(min(i+call, m)); n++ {
			rows, number = append(rows, row(n)...), append(number, n)
		}
		kept := w.Exchange(rows, number)
		note(rows[kept*width:], number[kept:])
	}
	rows, number := w.Held()
	for _, i := range w.Order() {
		note(rows[int(i)*width:][:width], number[i:i+1])
	}
	return got
}

func window(t *testing.T, size int) *Window {
	t.Helper()
	w, err := NewWindow(width, size, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Every row goes out once, in one order however it came in, and none much
// before its turn.
func TestWindow(t *testing.T) {
	const m, size = 5000, 300
	want := out(t, window(t, size), m, 1)
	for _, call := range []int{7, size, 1024, m} {
		if got := out(t, window(t, size), m, call); !slices.Equal(got, want) {
			t.Errorf("another order in calls of %d rows", call)
		}
	}
	ages := 0
	for i, n := range want {
		if n > int64(i+size) {
			t.Fatalf("row %d went out as number %d of a window of %d", n, i, size)
		}
		ages += max(0, i+size-int(n))
	}
	if mean := ages / m; mean < size/2 || mean > 2*size {
		t.Errorf("rows were in for the time of %d others, in a window of %d", mean, size)
	}
	all := slices.Clone(want)
	slices.Sort(all)
	for i, n := range all {
		if n != int64(i) {
			t.Fatalf("row %d is %d", i, n)
		}
	}
}

// Fewer rows than a window holds are shuffled all the same, and what it holds
// makes another one like it.
func TestWindowOfFewRows(t *testing.T) {
	few := out(t, window(t, 300), 100, 9)
	if len(few) != 100 || slices.IsSorted(few) {
		t.Errorf("%d rows, in their order: %v", len(few), slices.IsSorted(few))
	}
	if none := out(t, window(t, 300), 0, 1); len(none) != 0 {
		t.Errorf("%d rows out of none", len(none))
	}
	a, b := window(t, 50), window(t, 50)
	out(t, a, 200, 13)
	rows, number := a.Held()
	if kept := b.Exchange(bytes.Clone(rows), slices.Clone(number)); kept != 50 || !slices.Equal(a.Order(), b.Order()) {
		t.Errorf("%d rows", kept)
	}
	if again, n := b.Held(); !bytes.Equal(again, rows) || !slices.Equal(n, number) {
		t.Error("another window")
	}
}
