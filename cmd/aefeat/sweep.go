package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/internal/disk"
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
	"github.com/aefeat/aefeat/stage"
)

// This file fits several models to one reading of the rows.

// sweepJob is a fit of several models as the command line asks for it.
type sweepJob struct {
	ui       *console
	progress *progress
	dir      string
	made     bool // the folder was not there
	label    string
	jobs     []*fitJob
	settings [][]setting // of each job
}

// setting is a flag of a sweep and the value that it has for a model.
type setting struct{ name, value string }

// modelEnd is what the files of models end in.
const modelEnd = ".safetensors"

func sweep(c *cli.Context, ui *console) error {
	j, err := newSweepJob(c, ui)
	if err != nil {
		return err
	}
	defer j.abort() // after the commit it does nothing
	src, err := j.open(c.Context)
	if err != nil {
		return err
	}
	defer src.Close()
	if j.label != "" {
		if _, err := patch.BindLabel(src.Schema(), j.label); err != nil {
			return located(src, err)
		}
	}
	models, reports, err := j.fit(c.Context, src)
	if err != nil {
		return err
	}
	results, err := j.results(c.Context, src, models, reports)
	return errors.Join(j.tell(src, results), err)
}

// newSweepJob reads the flags of a sweep, and those of the fit of each of its
// models. Its errors are usage errors.
func newSweepJob(c *cli.Context, ui *console) (*sweepJob, error) {
	for _, name := range []string{"emit", "checkpoint", "checkpoint-every", "resume", "resume-other-kernels", "init", "report"} {
		if c.IsSet(name) {
			return nil, usagef("fit", "--%s does not go with --sweep: it is for one model", name)
		}
	}
	combinations, err := sweptSettings(c)
	if err != nil {
		return nil, err
	}
	j := &sweepJob{ui: ui, progress: newProgress(ui, chosen(c, "progress")), dir: c.String("output"), label: c.String("label"), settings: combinations}
	if j.dir == "" || j.dir == "-" {
		return nil, usagef("fit", "a sweep has several models: name a folder for them with -o FOLDER/").as(codeUsageOutput)
	}
	if info, err := disk.Stat(filepath.Clean(j.dir)); err == nil && !info.IsDir() {
		return nil, usagef("fit", "%s is a file, not a folder", filepath.Clean(j.dir)).as(codeUsageOutput)
	}
	seen := map[string]string{} // by values, since a value has several spellings
	for _, settings := range combinations {
		one, err := j.newModel(c, settings)
		if err != nil {
			return nil, inModel(modelName(settings), err)
		}
		key := ""
		for _, s := range settings {
			key += fmt.Sprintln(c.Value(s.name))
		}
		if other := seen[key]; other == one.model {
			return nil, usagef("fit", "--sweep has the model %s twice", other)
		} else if other != "" {
			return nil, usagef("fit", "--sweep has the model %s twice, also as %s", other, one.model)
		}
		seen[key] = one.model
		j.jobs = append(j.jobs, one)
	}
	return j, nil
}

// newModel reads the flags of the fit of one model.
func (j *sweepJob) newModel(c *cli.Context, settings []setting) (*fitJob, error) {
	name := modelName(settings)
	for _, s := range append(settings, setting{"output", filepath.Join(j.dir, name+modelEnd)}) {
		if err := giveFlag(c, s); err != nil {
			return nil, err
		}
	}
	if err := checkBounds(c); err != nil {
		return nil, err
	}
	ui := *j.ui
	ui.about = name
	one, err := newFitJob(c, &ui, nil, c.Args().Slice())
	if err != nil {
		return nil, err
	}
	one.model, one.progress, one.source.rewindable = name, j.progress, j.label != ""
	return one, nil
}

// giveFlag gives a flag a value, as if the command line did.
func giveFlag(c *cli.Context, s setting) error {
	err := c.Set(s.name, s.value)
	if err == nil {
		return nil
	}
	format := "invalid value %q for flag -%s: %w" // as the flag package writes it
	if _, yesOrNo := lookup(c.Command.Flags, spell(s.name)).(*cli.BoolFlag); yesOrNo {
		format = "invalid boolean value %q for -%s: %w"
	}
	return flagError(c.Command, fmt.Errorf(format, s.value, s.name, err))
}

// sweptSettings returns all combinations of the values that the --sweep flags
// list. The first flag varies slowest.
func sweptSettings(c *cli.Context) ([][]setting, error) {
	combinations := [][]setting{nil}
	for _, text := range c.StringSlice("sweep") {
		name, values, err := parseSweep(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(combinations[0], func(s setting) bool { return s.name == name }) {
			return nil, usagef("fit", "--sweep %s is given twice: list all of its values in one", name)
		}
		if c.IsSet(name) {
			return nil, usagef("fit", "--%s and --sweep %s are both given: give one of them", name, name)
		}
		var longer [][]setting
		for _, settings := range combinations {
			for _, value := range values {
				longer = append(longer, append(slices.Clip(settings), setting{name, value}))
			}
		}
		combinations = longer
	}
	return combinations, nil
}

// parseSweep reads NAME=VALUE,VALUE.
func parseSweep(text string) (name string, values []string, err error) {
	name, list, ok := strings.Cut(text, "=")
	name = strings.TrimLeft(strings.TrimSpace(name), "-")
	if !ok {
		return "", nil, usagef("fit", "--sweep %s: there are no values: write one such as --sweep hidden=64,196", text)
	}
	var names []string
	for _, f := range flagsOf("fit") {
		if f.sweeps() {
			names = append(names, f.name)
		}
	}
	if !slices.Contains(names, name) {
		e := usagef("fit", "--sweep %s: %s is no setting that a model may have to itself", text, name)
		if near := nearest(name, names); near != "" {
			e.hints = append([]string{"did you mean --sweep " + near + "=" + list + "?"}, e.hints...)
		} else {
			e.hints = append([]string{"choose " + alternatives(names)}, e.hints...)
		}
		return "", nil, e
	}
	for _, value := range strings.Split(list, ",") {
		if value = strings.TrimSpace(value); value == "" {
			return "", nil, usagef("fit", "--sweep %s: a value is empty", text)
		}
		values = append(values, value)
	}
	return name, values, nil
}

// sweeps reports whether models of a sweep may differ in a flag: it is about
// the model or its training, and a number or one of a few words.
func (f flag) sweeps() bool {
	if f.category != categoryModel && f.category != categoryTraining || f.field == nil && f.name != "objective" || f.key == "OtherKernels" {
		return false
	}
	switch f.value.(type) {
	case int, uint64, float64, bool, costTerm, choice:
		return true
	}
	return false
}

// modelName names a model of a sweep, and its file.
func modelName(settings []setting) string {
	var words []string
	for _, s := range settings {
		words = append(words, s.name+"="+s.value)
	}
	return strings.Join(words, ",")
}

// memberError is an error about one model of a sweep.
type memberError struct {
	model string
	err   error
}

func (e *memberError) Error() string { return e.model + ": " + e.err.Error() }
func (e *memberError) Unwrap() error { return e.err }

// inModel says which model of a sweep an error is about; nil of nil.
func inModel(name string, err error) error {
	if err == nil {
		return nil
	}
	return &memberError{name, err}
}

// open makes the folder and opens the inputs.
func (j *sweepJob) open(ctx context.Context) (*arrowio.Source, error) {
	if _, err := disk.Stat(j.dir); err != nil {
		j.made = true
	}
	if err := disk.MkdirAll(j.dir, 0o777); err != nil {
		return nil, err
	}
	return j.jobs[0].source.open(ctx, j.ui, j.jobs[0].inputs)
}

// abort leaves nothing of outputs that were not committed.
func (j *sweepJob) abort() {
	committed := false
	for _, one := range j.jobs {
		one.out.Abort()
		committed = committed || one.out != nil && one.out.file != nil && one.out.file.Appeared()
	}
	if j.made && !committed {
		_ = disk.Remove(filepath.Clean(j.dir)) // it may hold what was kept
	}
}

// fit fits the models and writes their files, all of them or none.
func (j *sweepJob) fit(ctx context.Context, src *arrowio.Source) ([]*model.Model, []*stage.Report, error) {
	defer j.progress.clear()
	var configs []stage.Config
	var outputs []*outputFile
	var err error
	total := j.jobs[0].source.count(src)
	for _, one := range j.jobs {
		if one.out, err = createOutput(j.ui, one.output); err != nil {
			return nil, nil, err
		}
		one.total = total
		configs, outputs = append(configs, one.config), append(outputs, one.out)
	}
	models, reports, err := j.train(ctx, src, configs)
	if err != nil {
		return nil, nil, j.advise(src, err)
	}
	for i, one := range j.jobs {
		if err := writeModel(one.out, models[i]); err != nil {
			return nil, nil, j.rescue(ctx, models, err)
		}
	}
	if err := commitAll(outputs...); err != nil {
		return nil, nil, j.rescue(ctx, models, err)
	}
	return models, reports, nil
}

// train fits the models to the rows of src.
func (j *sweepJob) train(ctx context.Context, src *arrowio.Source, configs []stage.Config) ([]*model.Model, []*stage.Report, error) {
	s, err := stage.NewSweep(src.Schema(), configs)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	if err := j.makeRoom(s.Patch(), s.Windows()); err != nil {
		return nil, nil, err
	}
	if err := require(src, s.Columns()); err != nil {
		return nil, nil, err
	}
	r, err := read(ctx, src, s.Columns())
	if err != nil {
		return nil, nil, err
	}
	r = j.jobs[0].source.firstRows(r)
	defer r.Release()
	if s.Patch().Width() > 0 {
		return s.Run(ctx, r)
	}
	sized := &sizedReader{RecordReader: r, makeRoom: func(p *patch.Binding) error { return j.makeRoom(p, s.Windows()) }, patch: s.Patch()}
	models, reports, err := s.Run(ctx, sized)
	if sized.tooLarge != nil {
		err = sized.tooLarge
	}
	return models, reports, err
}

// makeRoom makes sure of memory for all trainings and windows, and on the disk
// for the models that they end with.
func (j *sweepJob) makeRoom(patch *patch.Binding, windows int) error {
	takes, learns := 0.0, map[string]float64{}
	for _, one := range j.jobs {
		trains, rule := one.memory(patch)
		takes += trains
		learns[one.config.Preprocess] = rule
	}
	for _, rule := range learns {
		takes += rule
	}
	if patch.Width() > 0 {
		takes += float64(windows) * float64(stage.WindowMemory(patch.Kind(), patch.Width()))
	}
	what := fmt.Sprintf("training %s side by side takes", plural(int64(len(j.jobs)), "model"))
	if err := fitMemory(memoryBound(), what, takes, "sweep fewer values at a time, or smaller ones of --hidden or --batch-size"); err != nil {
		return err
	}
	if first := j.jobs[0]; first.asksMemory {
		if err := fitMemory(memoryBound(), formatSize(first.config.Memory)+" for rows (--memory) and the training of the models take",
			takes+float64(first.config.Memory), "give less with --memory: rows that do not fit go to a file"); err != nil {
			return err
		}
	}
	if patch.Width() == 0 {
		return nil
	}
	for _, one := range j.jobs {
		if err := one.reserve(patch); err != nil {
			return err
		}
	}
	return nil
}

// advise names the model that an error is about, and what flag may cure it.
func (j *sweepJob) advise(src *arrowio.Source, err error) error {
	if of := (*stage.SweepError)(nil); errors.As(err, &of) {
		one := j.jobs[of.Model]
		return inModel(one.model, one.advise(src, located(src, of.Err)))
	}
	return j.jobs[0].advise(src, located(src, err))
}

// rescue keeps the models, after err, as [fitJob.rescue] does.
func (j *sweepJob) rescue(ctx context.Context, models []*model.Model, err error) error {
	for i, one := range j.jobs {
		err = one.rescue(ctx, models[i], err)
	}
	return err
}

// sweepResult is a row of the table, and what a program is told of a model.
type sweepResult struct {
	job      *fitJob
	settings []setting
	model    *model.Model
	report   *stage.Report
	accuracy float64 // in [0,1], where there is a label
}

// results gathers what is known of the models. With an error of the classifiers
// it is all but the accuracies.
func (j *sweepJob) results(ctx context.Context, src *arrowio.Source, models []*model.Model, reports []*stage.Report) ([]sweepResult, error) {
	var all []sweepResult
	for i, one := range j.jobs {
		all = append(all, sweepResult{job: one, settings: j.settings[i], model: models[i], report: reports[i]})
	}
	if j.label == "" {
		return all, nil
	}
	defer j.progress.clear()
	for i := range all {
		if err := j.probe(ctx, src, &all[i]); err != nil {
			j.label = "" // there is nothing to show
			return all, inModel(all[i].job.model, located(src, err))
		}
	}
	return all, nil
}

// probe finds out how well a classifier reads the labels from the codes of a
// model.
func (j *sweepJob) probe(ctx context.Context, src *arrowio.Source, r *sweepResult) error {
	judge := &reportJob{ui: r.job.ui, progress: j.progress, source: r.job.source, model: r.model, label: j.label, asked: true}
	p, train, test, err := judge.labelled(ctx, src, j.label, r.report.Rows+r.report.HeldOut+r.report.Skipped)
	if err != nil {
		return err
	}
	train.Sets, test.Sets = train.Sets[:1], test.Sets[:1] // the codes alone
	result, err := p.judge(ctx, train, test)
	if err != nil {
		return err
	}
	r.accuracy = result.Features.Accuracy
	return nil
}

// tell prints the table, and tells of warnings and of each model.
func (j *sweepJob) tell(src *arrowio.Source, results []sweepResult) error {
	var files []string
	for _, r := range results {
		files = append(files, r.job.output)
		j.progress.fitted(r.event(j.label != ""))
	}
	j.ui.finally("outputs", files)
	first := results[0].report
	event := withBadRows(map[string]any{"rows": first.Rows + first.HeldOut, "models": len(results)}, src, first.BadRows)
	lines := []string{fmt.Sprintf("fitted %s to %s; they are in %s", plural(int64(len(results)), "model"), plural(first.Rows+first.HeldOut, "row"), j.dir)}
	if first.Skipped > 0 {
		lines = append(lines, skipped(first.BadRows))
	}
	j.progress.finish(event, lines...)
	for _, r := range results {
		for _, w := range r.report.Warnings() {
			warnFit(r.job.ui, r.model, w)
		}
	}
	return printSweep(screen{j.ui.out}, results, j.label)
}

// fitted tells a program of a model of a sweep.
func (p *progress) fitted(event map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == progressJSON {
		p.ui.event(event)
	}
}

// event is what a program is told.
func (r sweepResult) event(probed bool) map[string]any {
	settings := map[string]string{}
	for _, s := range r.settings {
		settings[s.name] = s.value
	}
	e := map[string]any{"event": "model", "model": r.job.model, "file": r.job.output, "settings": settings,
		"epochs": len(r.report.Epochs), "rows": r.report.Rows, "spilled": r.report.Spilled}
	if last, ok := r.kept(); ok {
		e["cost"], e["stop"] = terms(last.Cost), r.report.Stop
		e["dead_units"], e["dense_units"], e["saturated_units"] = last.Dead, last.Dense, last.Saturated
		if last.Validation != nil {
			e["validation"] = terms(*last.Validation)
		}
	}
	if r.report.Best > 0 {
		e["best_epoch"], e["held_out"] = r.report.Best, r.report.HeldOut
	}
	if probed {
		e["accuracy"] = r.accuracy
	}
	return e
}

// kept returns the epoch whose weights the model has; ok is false where there
// was none.
func (r sweepResult) kept() (e model.Epoch, ok bool) {
	n := r.report.Best
	if n == 0 {
		n = len(r.report.Epochs)
	}
	if n == 0 {
		return e, false
	}
	return r.report.Epochs[n-1], true
}

// printSweep prints a line for each model.
func printSweep(out io.Writer, results []sweepResult, label string) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, s := range results[0].settings {
		fmt.Fprintf(w, "%s\t", s.name)
	}
	fmt.Fprint(w, "epochs\tcost\t")
	validated := slices.ContainsFunc(results, func(r sweepResult) bool { return r.report.Best > 0 })
	if validated {
		fmt.Fprint(w, "best\theld-out cost\t")
	}
	fmt.Fprint(w, "dead\tdense\tsaturated\t")
	if label != "" {
		fmt.Fprint(w, "accuracy\t")
	}
	fmt.Fprintln(w)
	for _, r := range results {
		for _, s := range r.settings {
			fmt.Fprintf(w, "%s\t", s.value)
		}
		fmt.Fprintf(w, "%d\t", len(r.report.Epochs))
		last, ok := r.kept()
		cells := []string{"-"}
		if ok {
			cells[0] = fmt.Sprintf("%.5g", last.Cost.Total)
		}
		if validated {
			held := []string{"-", "-"}
			if r.report.Best > 0 {
				held[0] = fmt.Sprint(r.report.Best)
			}
			if last.Validation != nil {
				held[1] = fmt.Sprintf("%.5g", last.Validation.Total)
			}
			cells = append(cells, held...)
		}
		cells = append(cells, fmt.Sprint(last.Dead), fmt.Sprint(last.Dense), fmt.Sprint(last.Saturated))
		if label != "" {
			cells = append(cells, fmt.Sprintf("%.2f%%", 100*r.accuracy))
		}
		fmt.Fprintf(w, "%s\t\n", strings.Join(cells, "\t"))
	}
	return w.Flush()
}
