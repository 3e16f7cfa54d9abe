package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// writeShards writes shards of 200 rows, called by their number, and what goes
// wrong with them, into the folder that the test works in from here on.
func writeShards(t *testing.T, shards int) {
	t.Helper()
	t.Chdir(t.TempDir())
	s := patchSpec{rows: 200, width: 16, kind: "uint8", layout: "fixed", column: "patch", label: "string", null: -1, unlabeled: -1, batch: 100}
	write := func(name, format string, first int, noEOS bool) []byte {
		s.format, s.first, s.noEOS = format, first, noEOS
		var b bytes.Buffer
		if err := s.write(&b); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, name, b.Bytes())
		return b.Bytes()
	}
	for i := range shards {
		write(fmt.Sprint(i), "parquet", 200*i, false)
	}
	write("lacking", "stream", 0, true)
	s.rows = 0
	write("empty", "parquet", 0, false)
	s.rows = 199
	write("fewer", "parquet", 200, false)
	s.rows = 200
	dying := write("dying", "stream", 0, false)
	writeBytes(t, "dying", dying[:len(dying)-3000])
}

// Sums that do not go together, and sums of what is not whole, are an error, of
// which nothing comes.
func TestRefusedSums(t *testing.T) {
	writeShards(t, 3)
	for _, line := range []string{
		"fit --hidden 5 --objective denoising --epochs 0 -o init 0",
		"fit --init init --epochs 1 -o fitted 0",
		"fit --hidden 5 --preprocess zca --epochs 0 -o zca 0",
		"sums -m init --shard 0 -o a 0",
		"sums -m init --shard 1 --first 200 -o b 1",
		"sums -m init --shard 2 --first 400 -o c 2",
		"sums -m init --shard 1 -o forgotten 1",
		"sums -m fitted --shard 1 -o foreign 1",
		"sums -m fitted --shard 0 --of cost -o cost 0",
		"sums -m fitted --shard 0 --of evaluation -o evaluation 0",
		"sums -m fitted --shard 0 --of cost -o none empty",
		"average fitted -o mean",
	} {
		if status, said := runWith(t, "", strings.Fields(line)...); status != 0 {
			t.Fatalf("%s: status %d: %s", line, status, said)
		}
	}
	writeBytes(t, "copy", []byte(readText(t, "fitted")))
	b := []byte(readText(t, "b"))
	writeBytes(t, "broken", b[:len(b)-8])
	b[7]++
	writeBytes(t, "old", b)
	for _, test := range []struct {
		line, stdin string
		code        code
		says        string
	}{
		{"merge a a -o x", "", codeSumsShards, "shard 0 is there twice"},
		{"merge a c -o x", "", codeSumsShards, "missing: shard 1"},
		{"merge a b --shards 3 -o x", "", codeSumsShards, "missing: shard 2"},
		{"merge a b c --shards 2 -o x", "", codeSumsShards, "shard 2 is none of the 2"},
		{"merge a forgotten c -o x", "", codeSumsShards, "rows 0 to 199 of shard 1 do not follow rows 0 to 199 of shard 0"},
		{"merge a forgotten c -o x", "", codeSumsShards, "gather each shard with --first"},
		{"merge a foreign -o x", "", codeSumsForeign, "other settings or weights"},
		{"merge a 1 -o x", "", codeSumsFormat, "not sums"},
		{"merge a nothing -o x", "", "input.missing", "nothing"},
		{"merge a broken -o x", "", codeSumsFormat, "cut short"},
		{"merge a old -o x", "", codeSumsVersion, "of version '2'"},
		{"merge a b -o a", "", codeUsageOutput, "a"},
		{"drive -m init -o x --shards 3", "foreign", codeSumsForeign, "other settings or weights"},
		{"drive -m init -o x --shards 3", "a\nforeign\n", codeSumsForeign, "foreign: shard 1: the sums were gathered with other settings or weights"},
		{"drive -m init -o x --shards 3", "a\na\n", codeSumsShards, "twice"},
		{"drive -m init -o x --shards 3", "a\n", codeSumsShards, "ended before the pass is whole: missing: shards 1 to 2"},
		{"drive -m init -o x --shards 3", "a\nforgotten\nc", codeSumsShards, "do not follow"},
		{"drive -m init -o x --shards 3", "a\nold\n", codeSumsVersion, "of version '2'"},
		{"drive -m init -o x --shards 2", "c\n", codeSumsShards, "shard 2 is none of the 2"},
		{"drive -m init --shards 3", "", codeUsageOutput, "name a file for the model"},
		{"drive -m init -o x", "", codeUsage, "--shards"},
		{"drive --resume a -m init -o x", "", codeUsage, "--model does not go with --resume"},
		{"drive --resume init -o x", "", codeCheckpoint, "not a checkpoint"},
		{"sums -m init 0 -o x", "", codeUsage, "--shard"},
		{"sums -m init --shard 0 --first 1 --row-column id -o x 0", "", codeUsage, "--row-column"},
		{"sums -m init --shard 0 --row-column nothing -o x 0", "", "column.missing", "nothing"},
		{"sums -m init --shard 0 --memory 32MiB -o x 0", "", codeBudget, "of memory beside the program's own 32 MiB, and --memory gives 32 MiB"},
		{"statistics -m zca --shard 0 --memory 32MiB -o x 0", "", codeBudget, "gathering sums"},
		{"statistics -m init --shard 0 -o x 0", "", codeSetting, "learns nothing"},
		{"statistics -m init --sums cost -o x", "", codeSetting, "learns nothing"},
		{"statistics -m zca --sums cost -o x", "", codeSumsForeign, "want \"moments\""},
		{"evaluate -m init --sums cost", "", codeSumsForeign, "other settings or weights"},
		{"sums -m init --shard 0 -o x", readText(t, "lacking"), "file.unfinished", "end"},
		{"sums -m init --shard 0 -o x", readText(t, "dying"), "file.damaged", "standard input"},
		{"sums -m init --shard 1099511627776 -o x 0", "", codeUsage, "--shard 1099511627776 is too large"},
		{"sums -m init --shard 0 --first 9223372036854775800 -o x 0", "", codeUsage, "--first 9223372036854775800 is too large"},
		{"sums -m init --shard 0 --row-column= -o x 0", "", codeUsage, "its value is empty"},
		{"evaluate -m fitted --sums none", "", codeNoRows, "no rows"},
		{"evaluate -m fitted --sums evaluation --column zzz", "", codeUsageInput, "--column does not go with --sums"},
		{"evaluate -m fitted --sums evaluation --on-bad-row skip", "", codeUsageInput, "--on-bad-row does not go with --sums"},
		{"evaluate -m fitted --sums evaluation --report r", "", codeUsageInput, "--report does not go with --sums"},
		{"evaluate -m - --sums -", "", codeUsageInput, "twice"},
		{"statistics -m zca --sums cost --memory 1GiB -o x", "", codeUsageInput, "--memory does not go with --sums"},
		{"merge - - -o x", "", codeUsageInput, "twice"},
		{"drive -m init -o x --shards 3", "-\n", codeUsageInput, "name a file"},
		{"drive -m init -o x --shards 3", strings.Repeat("a", 1<<17), codeUsageInput, "longer than a path"},
		{"drive -m init -o x --shards 1099511627777", "", codeUsage, "too large"},
		{"drive -m init -o x --shards 3 --checkpoint -", "", codeUsageOutput, "--checkpoint - is no file"},
		{"drive --resume - -o x", "", codeUsageInput, "name a file"},
		{"drive -m init --shards 3 -o " + os.DevNull, "", codeUsageOutput, "is no file"},
		{"drive -m init --shards 3 -o x --learning-rate 3", "", codeUsage, "aefeat drive --help"},
		{"average fitted init -o x", "", codeSumsForeign, "not been trained"},
		{"average fitted fitted -o x", "", codeSumsShards, "fitted: the same model as fitted"},
		{"average fitted copy -o x", "", codeSumsShards, "copy: the same model as fitted"},
		{"average mean fitted -o x", "", codeSumsForeign, "another parent"},
		{"average fitted mean -o x", "", codeSumsForeign, "another parent"},
	} {
		status, said := runWith(t, test.stdin, strings.Fields(test.line+" --progress json")...)
		if want := statusOf(test.code); status != want || !strings.Contains(said, fmt.Sprintf("%q", test.code)) || !strings.Contains(strings.ReplaceAll(said, `\"`, `"`), test.says) {
			t.Errorf("%s: status %d: %s", test.line, status, said)
		}
		for _, name := range []string{"x", "x.pass-1"} {
			if _, err := os.Stat(name); err == nil {
				t.Fatalf("%s: there is %s", test.line, name)
			}
		}
	}
}

// statusOf returns the exit status of a code.
func statusOf(c code) int {
	for _, row := range codeTable {
		if row.code == c {
			return row.status
		}
	}
	return -1
}
