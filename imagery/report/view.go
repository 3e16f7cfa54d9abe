package report

import (
	"fmt"
	"image"
	"strings"

	"github.com/aefeat/aefeat/model"
)

// view is a page as the template shows it.
type view struct {
	Page
	*tiles
	FilterTiles  []tile
	FiltersShown string // how many, where not all are; ""
	AnyDead      bool

	EpochName string
	Charts    []chart
	Columns   []string // of the table of epochs
	Epochs    [][]string
	Thinned   bool
	HeldOut   bool // some epochs have a cost of held-out rows

	Histogram *chart
	Kinds     []kind

	ExampleTiles []exampleView
	Noisy        bool
	UnitViews    []unitView
	UnitsShown   string
}

// kind is units of one kind.
type kind struct {
	Name, Meaning string
	Count         int
	Numbers       string
}

type exampleView struct {
	Tiles   []tile
	Caption string
}

type unitView struct {
	Unit
	Tile    tile
	Patches []tile
}

func newView(p Page) (*view, error) {
	v := &view{Page: p, tiles: newTiles(), EpochName: p.History.Unit}
	if v.EpochName == "" {
		v.EpochName = "epoch"
	}
	for _, fill := range []func() error{v.filters, v.units, v.examples} {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	v.history()
	v.activity()
	return v, nil
}

// shown says how many of something are shown, where that is not all.
func shown(n, of int, what string) string {
	if n >= of {
		return ""
	}
	return fmt.Sprintf("These are the first %s of %s %s.", count(n), count(of), what)
}

func (v *view) filters() error {
	f := v.Page.Filters
	pictures := f.Tiles[:min(len(f.Tiles), MaxFilters)]
	linked := map[int]bool{}
	for _, u := range v.Page.Units[:min(len(v.Page.Units), MaxUnits)] {
		linked[u.Number] = true
	}
	for i, m := range pictures {
		dead := i < len(f.Dead) && f.Dead[i]
		alt := fmt.Sprintf("unit %d", i)
		if dead {
			alt += ", dead"
			v.AnyDead = true
		}
		t, err := v.tile(m, alt)
		if err != nil {
			return err
		}
		t.Dead = dead
		if linked[i] {
			t.Link = fmt.Sprintf("#unit-%d", i)
		}
		v.FilterTiles = append(v.FilterTiles, t)
	}
	v.FiltersShown = shown(len(pictures), f.Of, "units")
	return nil
}

func (v *view) units() error {
	units := v.Page.Units[:min(len(v.Page.Units), MaxUnits)]
	for _, u := range units {
		t, err := v.tile(u.Filter, fmt.Sprintf("filter of unit %d", u.Number))
		if err != nil {
			return err
		}
		uv := unitView{Unit: u, Tile: t}
		for _, p := range u.Patches {
			t, err := v.tile(p.Tile, p.Caption)
			if err != nil {
				return err
			}
			uv.Patches = append(uv.Patches, t)
		}
		v.UnitViews = append(v.UnitViews, uv)
	}
	v.UnitsShown = shown(len(units), v.Page.UnitsOf, "units that are not dead")
	return nil
}

func (v *view) examples() error {
	for _, e := range v.Page.Examples {
		x := exampleView{Caption: e.Caption}
		for _, part := range []struct {
			m   image.Image
			alt string
		}{{e.Original, "as it came"}, {e.Corrupted, "with noise"}, {e.Reconstructed, "rebuilt"}} {
			if part.m == nil {
				continue
			}
			t, err := v.tile(part.m, e.Caption+", "+part.alt)
			if err != nil {
				return err
			}
			x.Tiles = append(x.Tiles, t)
		}
		v.Noisy = v.Noisy || e.Corrupted != nil
		v.ExampleTiles = append(v.ExampleTiles, x)
	}
	return nil
}

// history makes the curves and the table of the epochs.
func (v *view) history() {
	h := v.Page.History
	if len(h.Epochs) == 0 {
		return
	}
	v.Charts = []chart{costChart(h, v.EpochName)}
	names := termsOn(h.Epochs)
	if len(names) > 1 {
		v.Charts = append(v.Charts, termChart(h, names, v.EpochName))
	}
	v.HeldOut = hasValidation(h.Epochs)
	v.Columns = append([]string{v.EpochName, "cost"}, names...)
	if v.HeldOut {
		v.Columns = append(v.Columns, "held-out cost")
	}
	v.Columns = append(v.Columns, "mean activation", "dead units")
	kept := thin(len(h.Epochs), maxEpochs)
	v.Thinned = len(kept) < len(h.Epochs)
	for _, i := range kept {
		e := h.Epochs[i]
		row := []string{count(e.Epoch), figure(e.Cost.Total)}
		for _, name := range names {
			row = append(row, figure(term(e.Cost, name)))
		}
		if v.HeldOut {
			cell := "none"
			if e.Validation != nil {
				cell = figure(e.Validation.Total)
			}
			row = append(row, cell)
		}
		v.Epochs = append(v.Epochs, append(row, figure(e.MeanActivation), count(e.Dead)))
	}
}

// figure writes a number for a table: four digits, zeros at the end included.
func figure(v float64) string { return fmt.Sprintf("%#.4g", v) }

// thin returns up to most of n numbers from 0 on, evenly spread, the last
// included.
func thin(n, most int) []int {
	var kept []int
	for i := range n {
		if n <= most || (i+1)*most/n > i*most/n {
			kept = append(kept, i)
		}
	}
	return kept
}

// termsOn names the terms of the cost that are not 0 throughout.
func termsOn(epochs []model.Epoch) []string {
	var names []string
	for i, t := range epochs[0].Cost.Terms() {
		on := i == 0
		for _, e := range epochs {
			on = on || e.Cost.Terms()[i].Value != 0
		}
		if on {
			names = append(names, t.Name)
		}
	}
	return names
}

// term is the value of a term of a cost.
func term(c model.Cost, name string) float64 {
	for _, t := range c.Terms() {
		if t.Name == name {
			return t.Value
		}
	}
	return 0
}

func hasValidation(epochs []model.Epoch) bool {
	for _, e := range epochs {
		if e.Validation != nil {
			return true
		}
	}
	return false
}

// activity makes the histogram, and counts the units of each kind.
func (v *view) activity() {
	a := v.Page.Activity
	if len(a.Units) == 0 {
		return
	}
	v.Histogram = histogram(a)
	for _, k := range []struct {
		name, meaning string
		is            func(model.Unit) bool
	}{
		{"dead", "the code hardly tells rows apart", func(u model.Unit) bool { return u.Dead }},
		{"dense", "active on more than half of the rows", func(u model.Unit) bool { return u.Dense }},
		{"saturated", "at an end of its range on 99% of the rows", func(u model.Unit) bool { return u.Saturated }},
	} {
		const most = 30
		var numbers []string
		n := 0
		for i, u := range a.Units {
			if !k.is(u) {
				continue
			}
			if n++; n <= most {
				numbers = append(numbers, fmt.Sprint(i))
			}
		}
		list := strings.Join(numbers, ", ")
		if n > most {
			list += ", and more"
		}
		v.Kinds = append(v.Kinds, kind{k.name, k.meaning, n, list})
	}
}
