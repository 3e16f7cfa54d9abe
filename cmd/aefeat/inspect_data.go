package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio"
)

// dataInfo is what inspect --json prints of a data file.
type dataInfo struct {
	Kind       string          `json:"kind"` // "data"
	Rows       *int64          `json:"rows"` // null: only reading would tell
	Columns    []columnInfo    `json:"columns"`
	Candidates []candidateInfo `json:"candidates"` // what could be the patch
	Patch      *patchInfo      `json:"patch"`      // what a command without --column takes; null: none
}

type columnInfo struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
}

type candidateInfo struct {
	Column  string `json:"column"` // for --column
	Type    string `json:"type"`
	Columns int    `json:"columns"`
	Width   int    `json:"width"` // 0: only rows tell
}

type patchInfo struct {
	Columns []string `json:"columns"`
	Source  string   `json:"source"`
	Width   int      `json:"width"` // 0: only rows tell
}

func inspectData(ctx context.Context, ui *console, name string, asJSON bool) error {
	src, err := sourceOptions{command: "inspect"}.open(ctx, ui, []string{name})
	if err != nil {
		return err
	}
	defer src.Close()
	info := describeData(src)
	if asJSON {
		return json.NewEncoder(ui.out).Encode(info)
	}
	var t table
	if info.Rows != nil {
		t.row("rows", strconv.FormatInt(*info.Rows, 10))
	} else {
		t.row("rows", "not known before reading: a stream")
	}
	t.row("columns", strconv.Itoa(len(info.Columns)))
	// As many as a screen holds; a thousand pixels need no line each.
	const shown = 20
	for i, c := range info.Columns {
		if i == shown && len(info.Columns) > shown+1 {
			t.row("  ...", fmt.Sprintf("%d more", len(info.Columns)-shown))
			break
		}
		t.row("  "+c.Name, c.Type)
	}
	t.row("patch", info.patch())
	return t.print(ui.out)
}

func describeData(src *arrowio.Source) dataInfo {
	info := dataInfo{Kind: "data", Columns: []columnInfo{}, Candidates: []candidateInfo{}}
	if rows, known := src.NumRows(); known {
		info.Rows = &rows
	}
	schema := src.Schema()
	for _, f := range schema.Fields() {
		info.Columns = append(info.Columns, columnInfo{f.Name, typeName(f.Type), f.Nullable})
	}
	for _, c := range arrowio.Candidates(schema) {
		info.Candidates = append(info.Candidates, candidateInfo{c.Column, c.Type, c.Columns, c.Width})
	}
	if b, err := arrowio.Bind(schema, arrowio.BindOptions{}); err == nil {
		info.Patch = &patchInfo{b.Columns(), b.Source(), b.Width()}
	}
	return info
}

// typeName writes a type on one line.
func typeName(t arrow.DataType) string {
	return strings.Join(strings.Fields(t.String()), " ")
}

// patch says which columns are the patch where nobody names them.
func (i dataInfo) patch() string {
	if p := i.Patch; p != nil {
		return fmt.Sprintf("%s: %s x %s", columnList(p.Columns), width(p.Width), p.Source)
	}
	var could []string
	for _, c := range i.Candidates {
		could = append(could, fmt.Sprintf("%q (%s of %s)", c.Column, plural(int64(c.Columns), "column"), c.Type))
	}
	if len(could) == 0 {
		return "none of the columns can hold one"
	}
	return "choose with --column: " + alternatives(could)
}

func width(n int) string {
	if n == 0 {
		return "?"
	}
	return strconv.Itoa(n)
}
