package model

import (
	"encoding/json"
	"strings"
	"testing"
)

// The list of terms has each field of a Cost but the total, under the name that
// JSON has for it.
func TestCostTerms(t *testing.T) {
	var c Cost
	for i, term := range c.terms() {
		*term.value = float64(i + 1)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]float64
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "total")
	total := 0.0
	for _, term := range c.Terms() {
		key := strings.ReplaceAll(term.Name, " ", "_")
		if fields[key] != term.Value || term.Value == 0 {
			t.Errorf("%s is %v in JSON, %v in the list", key, fields[key], term.Value)
		}
		delete(fields, key)
		total += term.Value
	}
	if len(fields) > 0 {
		t.Errorf("not in the list: %v", fields)
	}
	if got := c.with(c.WeightDecay).Total; got != total {
		t.Errorf("total %v, want %v", got, total)
	}
}
