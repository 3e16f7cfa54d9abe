package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/aefeat/aefeat/arrowio"
)

// setInfo is what inspect --json prints of several data files: totals, the
// columns of all, and what there is to know of each.
type setInfo struct {
	dataInfo // Format is "" where they have several

	Files   []fileInfo    `json:"files"`
	Keys    []string      `json:"path_columns"` // that paths tell
	Missing []missingInfo `json:"missing"`      // columns that some files do not have
	Passed  []string      `json:"passed_over"`  // files of folders that are no data
}

type fileInfo struct {
	Name         string   `json:"name"`
	Format       string   `json:"format"`
	Bytes        int64    `json:"bytes"`
	Rows         int64    `json:"rows"`
	Groups       int      `json:"groups"`
	LargestGroup int64    `json:"largest_group"`
	Compression  []string `json:"compression"`
	Held         int64    `json:"held_bytes"`
}

type missingInfo struct {
	Column string `json:"column"`
	Files  int    `json:"files"` // without it
	First  string `json:"first"` // of them
}

func inspectSet(ctx context.Context, ui *console, src *arrowio.Source, files []arrowio.Info, rows *survey, asJSON bool) error {
	info := describeSet(src, files)
	info.lookAtCells(ctx, src)
	if asJSON {
		info.tell(rows)
		return printJSON(ui.out, info)
	}
	var t table
	t.row("files", fmt.Sprintf("%d, %s", len(files), formatSize(info.Bytes)))
	info.list(&t, src)
	if err := t.print(ui.out); err != nil {
		return err
	}
	aligned := tabwriter.NewWriter(screen{ui.out}, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(aligned, "\nrows\tsize\tformat\t   file\n")
	for i, f := range info.Files {
		if i == mostShown && len(files) > mostShown+1 {
			fmt.Fprintf(aligned, "...\t\t\t   %d more, all with --json\n", len(files)-mostShown)
			break
		}
		fmt.Fprintf(aligned, "%s\t%s\t%s\t   %s\n", strconv.FormatInt(f.Rows, 10), formatSize(f.Bytes), f.Format, escaped(f.Name))
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	return rows.print(screen{ui.out})
}

// describeSet adds up what is known of files.
func describeSet(src *arrowio.Source, files []arrowio.Info) setInfo {
	all := arrowio.Info{Format: files[0].Format, Schema: src.Schema()}
	s := setInfo{Keys: append([]string{}, src.Keys()...), Missing: []missingInfo{}, Passed: append([]string{}, src.Passed()...)}
	for _, f := range files {
		s.Files = append(s.Files, fileInfo{f.Name, string(f.Format), f.Size, f.Rows, f.Groups, f.LargestGroup, append([]string{}, f.Compression...), f.Held})
		if f.Format != all.Format {
			all.Format = ""
		}
		all.Size += f.Size
		all.Rows += f.Rows
		all.Groups += f.Groups
		all.LargestGroup = max(all.LargestGroup, f.LargestGroup)
		all.Held = max(all.Held, f.Held) // one is open at a time
		for _, codec := range f.Compression {
			if !slices.Contains(all.Compression, codec) {
				all.Compression = append(all.Compression, codec)
			}
		}
	}
	for _, m := range src.Missing() {
		s.Missing = append(s.Missing, missingInfo{m.Column, m.Files, m.First})
	}
	s.dataInfo = describeData(&all)
	s.Kind = "data_set"
	return s
}
