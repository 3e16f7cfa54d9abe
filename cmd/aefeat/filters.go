package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/imagery"
	"github.com/aefeat/aefeat/imagery/gabor"
	"github.com/aefeat/aefeat/internal/atomicfile"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// The values of --part, --space, --scale and --order. The first are defaults.
const (
	partEncoder, partDecoder = "encoder", "decoder"
	spaceModel, spaceInput   = "model", "input"
	scaleTile, scaleCommon   = "tile", "common"

	orderIndex, orderNorm, orderActivation, orderFrequency = "index", "norm", "activation", "frequency"
)

func filtersCommand(ui *console) *cli.Command {
	return &cli.Command{
		Name:      "filters",
		Usage:     "draw what the units of a model respond to, and measure it",
		UsageText: "aefeat filters -m MODEL [-m MODEL...] -o PICTURE.png [flags] [DATA...]",
		Description: `Each unit is a small picture of its weights: grey is 0, black and white are the largest of
either sign. The encoder's weights are the input that excites a unit most, the
decoder's what the unit adds to the reconstruction. --space input undoes
preprocessing, after which the two differ more. Where preprocessing takes the mean
off rows, it is off the pictures too. Dead units are crossed out.

With DATA, rows for the models, each pixel counts by how much it varies, so that
pixels that are never lit stay grey, and units are dead if their codes hardly
change. Without DATA pixels count by what standardize or zca has learned of them, and
else alike; those whose weights still are what the seed drew stay grey, and units of
such weights, or of next to none, are dead.`,
		Flags:  cliFlags("filters"),
		Action: func(c *cli.Context) error { return filters(c, ui) },
	}
}

// filtersJob is what the command line asks for.
type filtersJob struct {
	ui       *console
	progress *progress
	names    []string // of the model files
	inputs   []string
	source   sourceOptions
	output   string // "": no picture
	json     bool
	view     imagery.View
	common   bool
	order    string
	units    []int       // nil: all
	shape    model.Shape // zero: that of the model
}

// seenModel is a model with what is drawn and told of it.
type seenModel struct {
	name     string
	m        *model.Model
	guessed  bool            // its shape
	activity *stage.Activity // nil: there are no data
	panel    imagery.Panel   // all units, by their numbers
	shown    []int           // their numbers in the order of the picture
}

func filters(c *cli.Context, ui *console) error {
	j, err := newFiltersJob(c, ui)
	if err != nil {
		return err
	}
	seen, err := j.read(c.Context)
	if err != nil {
		return err
	}
	if len(j.inputs) > 0 {
		if err := j.observe(c.Context, seen); err != nil {
			return err
		}
	}
	for _, s := range seen {
		if err := j.arrange(s); err != nil {
			return err
		}
	}
	if j.output != "" {
		if err := j.draw(seen); err != nil {
			return err
		}
	}
	if j.json {
		return j.print(seen)
	}
	return nil
}

// newFiltersJob reads the flags. Its errors are usage errors.
func newFiltersJob(c *cli.Context, ui *console) (*filtersJob, error) {
	j := &filtersJob{ui: ui, names: c.StringSlice("model"), inputs: c.Args().Slice(), output: c.String("output"), json: c.Bool("json"),
		view:   imagery.View{Decoder: chosen(c, "part") == partDecoder, Input: chosen(c, "space") == spaceInput},
		common: chosen(c, "scale") == scaleCommon, order: chosen(c, "order"),
		progress: newProgress(ui, chosen(c, "progress"))}
	if err := stdinOnce(c, ui, j.names...); err != nil {
		return nil, err
	}
	if len(j.names) == 0 {
		return nil, usagef("filters", "no model: name the file that fit has written with -m").as(codeUsageInput)
	}
	if j.json {
		if !c.IsSet("output") {
			j.output = ""
		} else if j.output == "-" {
			return nil, usagef("filters", "picture and JSON cannot both go to standard output: name a file with -o").as(codeUsageOutput)
		}
	}
	if j.output != "" {
		if err := refuseTerminal(ui, "filters", "a picture", j.output); err != nil {
			return nil, err
		}
	}
	outputs := []written{{"the picture", j.output}}
	if j.json {
		outputs = append(outputs, written{"the measures", "-"})
	}
	if err := ui.keepSources("filters", outputs, reading{files: j.names, inputs: j.inputs}); err != nil {
		return nil, err
	}
	if text := c.String("shape"); text != "" {
		var err error
		if j.shape, err = model.ParseShape(text); err != nil {
			return nil, usagef("filters", "--shape: %v", err)
		}
	}
	for _, text := range names(c, "units") {
		unit, err := strconv.Atoi(text)
		if err != nil || unit < 0 {
			return nil, usagef("filters", "--units: %q is no number of a unit, which count from 0", text)
		}
		j.units = append(j.units, unit)
	}
	switch {
	case j.units != nil && j.order != orderIndex:
		return nil, usagef("filters", "--order %s does not go with --units, which are drawn in the order given", j.order)
	case j.order == orderActivation && len(j.inputs) == 0:
		return nil, usagef("filters", "--order activation needs rows that activate the units: name DATA").as(codeUsageInput)
	}
	var err error
	if j.source, err = newSourceOptions(c, j.output); err != nil {
		return nil, err
	}
	j.source.rewindable = len(j.names) > 1
	if j.output == "" {
		ui.finally("outputs", []string{}) // not standard output, by default
	}
	return j, nil
}

// read reads the models, and takes out of them what will be drawn.
func (j *filtersJob) read(ctx context.Context) ([]*seenModel, error) {
	var seen []*seenModel
	for i, title := range titles(j.names) {
		s := &seenModel{name: inputName(j.names[i])}
		var err error
		if s.m, _, _, err = readModel(ctx, j.ui, j.names[i], true); err != nil {
			return nil, err
		}
		if j.shape != (model.Shape{}) {
			if j.shape.Len() != s.m.Inputs {
				return nil, usagef("filters", "%s: --shape %v has %d values, and rows of the model have %d", s.name, j.shape, j.shape.Len(), s.m.Inputs)
			}
			s.m.Shape = j.shape
		}
		_, s.guessed = s.m.PatchShape()
		for _, unit := range j.units {
			if unit >= s.m.Hidden {
				return nil, usagef("filters", "%s: there is no unit %d among %d, which count from 0", s.name, unit, s.m.Hidden)
			}
		}
		if s.panel, err = j.view.Panel(s.m, title+": "+j.view.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		seen = append(seen, s)
	}
	return seen, nil
}

// titles returns what tells files apart: their names, where these differ, else
// their paths.
func titles(names []string) []string {
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = strings.TrimSuffix(filepath.Base(inputName(name)), ".safetensors")
	}
	for i, name := range short {
		if slices.Index(short, name) != i {
			return names
		}
	}
	return short
}

// observe lets the models see the data.
func (j *filtersJob) observe(ctx context.Context, seen []*seenModel) error {
	src, err := j.source.open(ctx, j.ui, j.inputs)
	if err != nil {
		return err
	}
	defer src.Close()
	defer j.progress.clear()
	for _, s := range seen {
		if err := j.observeOne(ctx, src, s); err != nil {
			return err
		}
	}
	return nil
}

func (j *filtersJob) observeOne(ctx context.Context, src *arrowio.Source, s *seenModel) error {
	r, err := j.source.patches(ctx, src, s.m)
	if err != nil {
		return err
	}
	defer r.Release()
	total, _ := src.NumRows()
	a, err := stage.Observe(ctx, s.m, &watched{RecordReader: r, progress: j.progress, step: step{Phase: "observe", Total: total}},
		j.source.evaluation())
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, located(src, err))
	}
	if a.BadRows.Total() > 0 {
		j.ui.warn(codeSkipped, "", "%s", skipped(a.BadRows))
	}
	s.activity = &a
	s.panel.Dead = a.Dead()
	if deviations := a.Deviations(j.view.Input); slices.Max(deviations) > 0 { // else all rows are alike
		s.panel.Weights = deviations
	}
	return nil
}

// arrange decides which units are shown, and in which order.
func (j *filtersJob) arrange(s *seenModel) error {
	if j.units != nil {
		s.shown = j.units
		return nil
	}
	var key []float64
	switch j.order {
	case orderNorm:
		for _, norm := range norms(s.panel) {
			key = append(key, -norm)
		}
	case orderActivation:
		for _, mean := range s.activity.MeanCodes() {
			key = append(key, -mean)
		}
	case orderFrequency:
		var err error
		if key, err = gabor.Centroids(s.panel.Filters, s.panel.Shape); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	default:
		key = make([]float64, s.m.Hidden)
	}
	s.shown = make([]int, s.m.Hidden)
	for i := range s.shown {
		s.shown[i] = i
	}
	slices.SortStableFunc(s.shown, func(a, b int) int { return cmp.Compare(key[a], key[b]) })
	return nil
}

// draw writes the picture.
func (j *filtersJob) draw(seen []*seenModel) error {
	d := imagery.Drawing{Common: j.common}
	if j.units != nil {
		d.Stacked, d.Columns = true, len(j.units)
	}
	var panels []imagery.Panel
	for _, s := range seen {
		p, err := s.panel.Units(s.shown)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if j.units == nil {
			p.Labels = nil
		}
		panels = append(panels, p)
	}
	picture, err := d.Draw(panels...)
	if err != nil {
		return err
	}
	encode := func(w io.Writer) error {
		b := bufio.NewWriter(w)
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(b, picture); err != nil {
			return err
		}
		return b.Flush()
	}
	if j.output == "-" {
		err = encode(j.ui.out)
	} else {
		err = atomicfile.Write(j.output, encode)
	}
	if err != nil {
		return err
	}
	for _, s := range seen {
		shape := s.panel.Shape.String()
		if s.guessed {
			shape += " (a guess, which --shape corrects)"
		}
		j.ui.printf("%s: drew %s of %s", s.name, plural(int64(len(s.shown)), "unit"), shape)
	}
	return nil
}

// norms returns the lengths of a panel's filters.
func norms(p imagery.Panel) []float64 { return imagery.Norms(p.Filters, p.Shape.Len()) }

// filtersInfo is what --json prints of a model.
type filtersInfo struct {
	Model   string      `json:"model"` // the file
	Part    string      `json:"part"`
	Space   string      `json:"space"`
	Shape   model.Shape `json:"shape"`
	Guessed bool        `json:"shape_guessed"`
	Rows    int64       `json:"rows"` // of data; 0: there are none
	Units   []unitInfo  `json:"units"`
	Shares  sharesInfo  `json:"shares"` // of all units
}

// unitInfo is what --json prints of a unit.
type unitInfo struct {
	Unit int     `json:"unit"`
	Norm float64 `json:"norm"`

	// MeanShare is the share of the squared weights that is their mean's, of
	// the weights as the model has them.
	MeanShare float64 `json:"mean_share"`

	Activation *float64 `json:"activation"` // mean code; null: there are no data
	Dead       bool     `json:"dead"`

	R2          float64 `json:"r2"`
	Orientation float64 `json:"orientation"` // degrees
	Frequency   float64 `json:"frequency"`   // cycles a pixel
	Wedge       float64 `json:"wedge"`
	Oriented    bool    `json:"oriented"`
	Local       bool    `json:"local"`
	Lag1        float64 `json:"lag1"`
	Twin        float64 `json:"twin"`
}

type sharesInfo struct {
	gabor.Shares
	Dead float64 `json:"dead"`
}

// print writes the measures of the units that are shown, and of all together,
// as a line of JSON for each model.
func (j *filtersJob) print(seen []*seenModel) error {
	for _, s := range seen {
		info, err := j.measure(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := printJSON(j.ui.out, info); err != nil {
			return err
		}
	}
	return nil
}

func (j *filtersJob) measure(s *seenModel) (*filtersInfo, error) {
	measures, err := gabor.Measure(s.panel.Filters, s.panel.Shape)
	if err != nil {
		return nil, err
	}
	info := &filtersInfo{Model: s.name, Part: partEncoder, Space: spaceModel, Shape: s.panel.Shape, Guessed: s.guessed}
	if j.view.Decoder {
		info.Part = partDecoder
	}
	if j.view.Input {
		info.Space = spaceInput
	}
	var activations []float64
	if s.activity != nil {
		info.Rows, activations = s.activity.Rows(), s.activity.MeanCodes()
	}
	info.Shares.Shares = gabor.Count(measures)
	dead := 0
	for _, unit := range s.panel.Dead {
		if unit {
			dead++
		}
	}
	info.Shares.Dead = float64(dead) / float64(s.m.Hidden)
	lengths, means := norms(s.panel), j.view.MeanShares(s.m)
	for _, i := range s.shown {
		g := measures[i]
		u := unitInfo{Unit: i, Norm: lengths[i], MeanShare: means[i], Dead: s.panel.Dead[i],
			R2: g.R2, Orientation: g.Orientation, Frequency: g.Frequency, Wedge: g.Wedge, Oriented: g.Oriented, Local: g.Local, Lag1: g.Lag1, Twin: g.Twin}
		if activations != nil {
			u.Activation = &activations[i]
		}
		info.Units = append(info.Units, u)
	}
	return info, nil
}
