package main

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value   string
	choices []string
}

// oneOf is a choice whose default is the first word.
func oneOf(words ...string) choice { return choice{words[0], words} }

// namesOf is a choice among the names of an enumeration of package model, whose
// values count from 0. The default is the first.
func namesOf[T interface {
	~uint8
	encoding.TextMarshaler
}]() choice {
	var names []string
	for v := T(0); ; v++ {
		name, err := v.MarshalText()
		if err != nil { // there are no more
			return oneOf(names...)
		}
		names = append(names, string(name))
	}
}

func (c *choice) String() string { return c.value }

// Get is for [cli.Context.Value].
func (c *choice) Get() any { return c.value }

func (c *choice) Set(s string) error {
	for _, known := range c.choices {
		if s == known {
			c.value = s
			return nil
		}
	}
	hint := ""
	if near := nearest(s, c.choices); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return fmt.Errorf("choose %s%s", alternatives(c.choices), hint)
}

// alternatives writes "a, b or c".
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// chosen returns the word given for a flag that takes one of a few, or its
// default.
func chosen(c *cli.Context, name string) string { return c.Generic(name).(*choice).value }

// size is the value of a flag that takes a number of bytes.
type size int64

func (s *size) Set(text string) error {
	n, err := parseSize(text)
	if err != nil {
		return err
	}
	*s = size(n)
	return nil
}

func (s *size) String() string { return formatSize(int64(*s)) }

// period is the value of a flag that takes a time.
type period time.Duration

func (p *period) Set(text string) error {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d < 0 {
		return fmt.Errorf("not a time: write one such as 30s, 10m or 1h30m")
	}
	*p = period(d)
	return nil
}

// String leaves out what is 0 at the end, as in 10m.
func (p *period) String() string {
	text := time.Duration(*p).String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// Units of bytes. A bare letter means the power of 1024, as for sort -S.
var units = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1}, {"", 1},
}

// parseSize reads sizes such as 268435456, 256MiB, 1.5g, 4 GB and 1e9.
func parseSize(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	for _, unit := range units {
		number, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		number = strings.TrimSpace(number)
		// Whole numbers of bytes are exact, beyond 2^53 too.
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n > 0 && float64(n)*unit.bytes < math.MaxInt64 {
			return n * int64(unit.bytes), nil
		}
		x, err := strconv.ParseFloat(number, 64)
		if bytes := x * unit.bytes; err == nil && bytes >= 1 && bytes < math.MaxInt64 {
			return int64(bytes), nil
		}
		break
	}
	return 0, fmt.Errorf("not a size: write a number of bytes, or one such as 256MiB, 4GiB or 1e9")
}

// formatSize writes a number of bytes for people.
func formatSize(n int64) string {
	unit := "B"
	x := float64(n)
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if x < 1024 {
			break
		}
		x, unit = x/1024, larger
	}
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) + " " + unit
}

// split cuts a list such as "label,id" at its commas. "\\," is a comma in a
// name, and so is one in double quotes, which a name may stand in: "a, b". Of
// a path of such names the quotes are left to package patch.
func split(list string) []string {
	var words []string
	for {
		word, n := firstWord(list)
		words = append(words, word)
		if n == len(list) {
			return words
		}
		list = list[n+1:]
	}
}

// firstWord returns the first word of a list, and how many bytes of the list
// it takes.
func firstWord(list string) (word string, n int) {
	if n := quotedLen(list); n > 0 && (n == len(list) || list[n] == ',') {
		return strings.ReplaceAll(list[1:n-1], `""`, `"`), n
	}
	var b strings.Builder
	begins := true // a name of a path
	for n < len(list) && list[n] != ',' {
		size := 1
		switch {
		case strings.HasPrefix(list[n:], `\,`):
			n++
		case begins && quotedLen(list[n:]) > 0:
			size = quotedLen(list[n:])
		}
		begins = list[n] == '.'
		b.WriteString(list[n : n+size])
		n += size
	}
	return b.String(), n
}

// quotedLen returns the length of the quoted name that s begins with, 0 where
// there is none.
func quotedLen(s string) int {
	if !strings.HasPrefix(s, `"`) {
		return 0
	}
	for at := 1; at < len(s); at++ {
		switch {
		case s[at] != '"':
		case strings.HasPrefix(s[at+1:], `"`):
			at++
		default:
			return at + 1
		}
	}
	return 0
}

// columns collects what the --column flags name.
func columns(c *cli.Context) []string { return names(c, "column") }

// names collects what all the flags of one name list.
func names(c *cli.Context, flag string) []string {
	var all []string
	for _, list := range c.StringSlice(flag) {
		all = append(all, split(list)...)
	}
	return all
}

// keep returns the input columns that the output has: nil for all.
func keep(c *cli.Context) []string {
	switch list := c.String("keep"); list {
	case "all":
		return nil
	case "none", "":
		return []string{}
	default:
		return split(list)
	}
}
