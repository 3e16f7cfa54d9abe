package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// How much of a value is shown, so that a row stays on a few lines.
const (
	mostElements = 6  // of a list
	mostRunes    = 40 // of a text
	mostDepth    = 3  // of lists and structs inside each other
)

// cell writes a value for people: lists and texts shortened, bytes counted, and
// nothing that a terminal would obey.
func cell(a arrow.Array, i int) string { return cellIn(a, i, 0) }

func cellIn(a arrow.Array, i, depth int) string {
	if a.IsNull(i) {
		return "null"
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return cellIn(a.Storage(), i, depth)
	case *array.Dictionary:
		if at := a.GetValueIndex(i); at >= 0 && at < a.Dictionary().Len() {
			return cellIn(a.Dictionary(), at, depth)
		}
		return "?"
	case array.ListLike:
		return listCell(a, i, depth)
	case *array.Struct:
		return structCell(a, i, depth)
	case *array.Binary:
		return bytesCell(len(a.Value(i)))
	case *array.LargeBinary:
		return bytesCell(len(a.Value(i)))
	case *array.BinaryView:
		return bytesCell(len(a.Value(i)))
	case *array.FixedSizeBinary:
		return bytesCell(len(a.Value(i)))
	case *array.Float32:
		return strconv.FormatFloat(float64(a.Value(i)), 'g', 5, 32)
	case *array.Float64:
		return strconv.FormatFloat(a.Value(i), 'g', 5, 64)
	}
	return shortened(a.ValueStr(i))
}

func bytesCell(n int) string { return "<" + plural(int64(n), "byte") + ">" }

func shortened(text string) string {
	for at := range text {
		if at > 4*mostRunes { // enough, however long it is
			text = text[:at]
			break
		}
	}
	if runes := []rune(text); len(runes) > mostRunes {
		text = string(runes[:mostRunes]) + "..."
	}
	return escaped(text)
}

func listCell(a array.ListLike, i, depth int) string {
	start, end := a.ValueOffsets(i)
	values := a.ListValues()
	if start < 0 || end < start || end > int64(values.Len()) {
		return "?"
	}
	if depth == mostDepth {
		return "[...]"
	}
	var parts []string
	for k := start; k < end; k++ {
		if len(parts) == mostElements && end-start > mostElements+1 {
			parts = append(parts, fmt.Sprintf("... %s values", count(end-start)))
			break
		}
		parts = append(parts, cellIn(values, int(k), depth+1))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func structCell(a *array.Struct, i, depth int) string {
	if depth == mostDepth {
		return "{...}"
	}
	var parts []string
	for k, f := range a.DataType().(*arrow.StructType).Fields() {
		if k == mostElements {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, shownName(f.Name)+": "+cellIn(a.Field(k), i, depth+1))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// wholeCell writes a value as JSON, all of it.
func wholeCell(a arrow.Array, i int) (text json.RawMessage, err error) {
	// Arrow trusts the offsets in lists.
	defer func() {
		if recover() != nil {
			err = errDamaged
		}
	}()
	return json.Marshal(a.GetOneForMarshal(i))
}
