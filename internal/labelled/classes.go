package labelled

import (
	"slices"
	"strings"
)

// Classes numbers labels as they come. The zero value is ready to use.
type Classes struct {
	numbers map[string]int
	texts   []string
	compare func(x, y string) int
}

func (c *Classes) number(text string) int {
	n, known := c.numbers[text]
	if !known {
		if c.numbers == nil {
			c.numbers = map[string]int{}
		}
		text = strings.Clone(text) // of a batch that goes
		n = len(c.texts)
		c.numbers[text] = n
		c.texts = append(c.texts, text)
	}
	return n
}

// Settle renumbers the labels of training and test rows by the sorted labels
// of the training rows, which it returns. Test rows with others are taken out
// and counted.
func (c *Classes) Settle(train, test *Rows) (texts []string, unseen int) {
	seen := make([]bool, len(c.texts))
	for _, l := range train.Labels {
		seen[l] = true
	}
	for i, text := range c.texts {
		if seen[i] {
			texts = append(texts, text)
		}
	}
	slices.SortFunc(texts, c.compare)
	number := make([]int, len(c.texts))
	for i, text := range texts {
		number[c.numbers[text]] = i
	}
	for i, l := range train.Labels {
		train.Labels[i] = number[l]
	}
	kept := 0
	for i, l := range test.Labels {
		if !seen[l] {
			unseen++
			continue
		}
		test.Labels[kept] = number[l]
		for _, s := range test.Sets {
			copy(s.X[kept*s.Width:(kept+1)*s.Width], s.X[i*s.Width:])
		}
		kept++
	}
	test.Labels = test.Labels[:kept]
	for _, s := range test.Sets {
		s.X = s.X[:kept*s.Width]
	}
	return texts, unseen
}
