package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// The values of --progress.
const (
	progressAuto  = "auto"
	progressBar   = "bar"
	progressPlain = "plain"
	progressJSON  = "json"
	progressNone  = "none"
)

// redrawEvery keeps a bar calm and cheap: ten times a second looks like motion.
const redrawEvery = time.Second / 10

// reportEvery is how often --progress json tells of rows inside an epoch.
const reportEvery = time.Second

// progress shows how far a command has come, in the way --progress asks for.
// It is safe for concurrent use.
type progress struct {
	mode  string
	ui    *console
	now   func() time.Time // a test has its own clock
	width func() int

	mu     sync.Mutex
	only   pace             // of what is no sweep
	models map[string]*pace // of each model of a sweep
	began  time.Time
	shown  time.Time // when the bar or a report was last shown
	drawn  bool      // the bar is on the screen
}

// pace is how fast a training goes, or other work.
type pace struct {
	phase   string
	epoch   int
	pass    int64         // evaluations before this one
	started time.Time     // when the epoch of the phase began
	trained time.Duration // what the epoch took before its held-out rows
	last    time.Time     // when a step was last told of

	validation *model.Cost // of the last epoch, for the bar of the next
}

// step is a moment of a command's work.
type step struct {
	Phase  string // "fit", "transform", ...
	Epoch  int    // counted from 1; 0 where there are none
	Epochs int
	Rows   int64 // done in this epoch
	Total  int64 // rows that this epoch has; 0: unknown
	Cost   float64
	Mean   float64 // rhohat's mean over the units

	// Files is how many files there are, one after the other, of which File are
	// done; 0: they are one input. Rows are those of all files, of which Done
	// were before this one; Total are those of this one.
	File, Files int
	Done        int64

	Model string // which of a sweep it is about; "": there is none

	Unit string // what an epoch is called; "": epoch
	Noun string // what the rows are; "": row

	// Evaluations is how many the iterations took so far; the rows are those
	// of the next.
	Evaluations int64

	// Validation is the cost of held-out rows after the epoch before; nil:
	// there is none. show sets it.
	Validation *model.Cost
}

func newProgress(ui *console, mode string) *progress {
	if mode == progressAuto {
		mode = progressPlain
		if isTerminal(ui.err) && os.Getenv("TERM") != "dumb" {
			mode = progressBar
		}
	}
	now := time.Now()
	return &progress{mode: mode, ui: ui, now: time.Now, width: func() int { return terminalWidth(ui.err) }, only: pace{last: now}, models: map[string]*pace{}, began: now}
}

// pace returns that of a model of a sweep, or of what else there is.
func (p *progress) pace(model string) *pace {
	if model == "" {
		return &p.only
	}
	if p.models[model] == nil {
		p.models[model] = &pace{last: p.began}
	}
	return p.models[model]
}

// show tells of a step, if it is time to.
func (p *progress) show(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, at := p.now(), p.pace(s.Model)
	if s.Phase != at.phase || s.Epoch != at.epoch || s.Evaluations != at.pass {
		if s.Phase == stage.PhaseValidate {
			at.trained = at.last.Sub(at.started)
		}
		// The rows of this step have been at work since the step before it.
		at.phase, at.epoch, at.pass, at.started = s.Phase, s.Epoch, s.Evaluations, at.last
	}
	at.last = now
	s.Validation = at.validation
	rate := perSecond(s.Rows, now.Sub(at.started))
	switch {
	case p.mode == progressBar && now.Sub(p.shown) >= redrawEvery:
		p.ui.draw("\r" + s.bar(rate, p.width()) + "\x1b[K")
		p.shown, p.drawn = now, true
	case p.mode == progressJSON && now.Sub(p.shown) >= reportEvery:
		p.ui.event(s.event("progress", rate))
		p.shown = now
	}
}

// endEpoch tells that the epoch of s is over, and what it cost.
func (p *progress) endEpoch(s step, e model.Epoch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, at := p.now(), p.pace(s.Model)
	rate := perSecond(s.Rows, now.Sub(at.started))
	if at.phase == stage.PhaseValidate {
		rate = perSecond(s.Rows, at.trained)
	}
	at.last, at.validation = now, e.Validation
	switch p.mode {
	case progressPlain:
		line := fmt.Sprintf("%s: %s, ", s.count(), plural(s.Rows, "row"))
		if s.Model != "" {
			line = s.Model + ": " + line
		}
		if rate > 0 {
			line += round(rate) + " rows/s, "
		}
		line += fmt.Sprintf("cost %.5g, mean activation %.4g%s", s.Cost, s.Mean, idle(e.Health))
		if s.Evaluations > 0 {
			line += fmt.Sprintf(", %s", plural(s.Evaluations, "evaluation"))
		}
		if e.Validation != nil {
			line += fmt.Sprintf(", validation cost %.5g", e.Validation.Total)
		}
		p.ui.printf("%s", line)
	case progressJSON:
		event := s.event("epoch", rate)
		event["cost"] = terms(e.Cost)
		event["dead_units"], event["dense_units"], event["saturated_units"] = e.Dead, e.Dense, e.Saturated
		if e.Validation != nil {
			event["validation"] = terms(*e.Validation)
		}
		p.ui.event(event)
	}
}

// finish erases the bar and prints the lines of a report. Under --progress json
// the fields take their place, in the event that ends the command.
func (p *progress) finish(fields map[string]any, lines ...string) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == progressJSON {
		for name, value := range fields {
			p.ui.finally(name, value)
		}
		return
	}
	for _, line := range lines {
		p.ui.printf("%s", line)
	}
}

// end tells a program that a file of several is done.
func (p *progress) end(event map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == progressJSON {
		event["event"] = "file"
		p.ui.event(event)
	}
}

// checkpoint tells a program that a checkpoint is there.
func (p *progress) checkpoint(file string, c *stage.Checkpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == progressJSON {
		p.ui.event(map[string]any{"event": "checkpoint", "file": file, "epoch": c.Epoch, "epochs": c.Epochs, "rows": c.Rows})
	}
}

// warn tells of something that may be wrong while the command works.
func (p *progress) warn(code code, hint, format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.ui.warn(code, hint, format, a...)
}

// fail tells of an error that does not end the command.
func (p *progress) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.ui.fail(err)
}

// clear erases the bar.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) erase() {
	if p.drawn {
		p.ui.draw("\r\x1b[K")
		p.drawn = false
	}
}

// perSecond returns rows a second, 0 where the time is too short to tell.
func perSecond(rows int64, elapsed time.Duration) float64 {
	if elapsed > time.Microsecond {
		return float64(rows) / elapsed.Seconds()
	}
	return 0
}

func (s step) event(name string, rate float64) map[string]any {
	e := map[string]any{"event": name, "phase": s.Phase, "rows": s.Rows, "rows_per_second": math.Round(rate)}
	if s.Model != "" {
		e["model"] = s.Model
	}
	if s.Epochs > 0 {
		e["epoch"], e["epochs"] = s.Epoch, s.Epochs
		if s.Evaluations > 0 {
			e["evaluations"] = s.Evaluations
		}
		e["total_cost"], e["mean_activation"] = number(s.Cost), number(s.Mean)
	}
	switch {
	case s.Files > 0:
		e["files"], e["total_files"] = s.File, s.Files
	case s.Total > 0:
		e["total_rows"] = s.Total
	}
	return e
}

// terms is a cost by its terms, named as evaluate --json names them.
func terms(c model.Cost) map[string]any {
	values := map[string]any{"total": number(c.Total)}
	for _, term := range c.Terms() {
		values[strings.ReplaceAll(term.Name, " ", "_")] = number(term.Value)
	}
	return values
}

// number is x where JSON can hold it, and null where it cannot.
func number(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

// bar draws s on one line that leaves 3 columns of the terminal free, so that
// it is not wrapped, even by the ^C that a terminal shows when it is pressed.
// What matters least goes first where there is little room.
func (s step) bar(rate float64, width int) string {
	width = max(0, width-3)
	head := s.head()
	var left, cost, mean, held, speed string
	if rate > 0 {
		speed = round(rate) + " " + cmp.Or(s.Noun, "row") + "s/s"
	}
	if s.Epochs > 0 && s.Model == "" && !math.IsNaN(s.Cost) {
		cost = fmt.Sprintf("cost %.4g", s.Cost)
		mean = fmt.Sprintf("rhohat %.3f", s.Mean)
	}
	if s.Validation != nil && s.Model == "" {
		held = fmt.Sprintf("held out %.4g", s.Validation.Total)
	}
	done := plural(s.Rows, cmp.Or(s.Noun, "row"))
	share, known := s.share()
	if known {
		done = fmt.Sprintf("%3.0f%%", math.Floor(100*share))
		if rate > 0 && s.Phase != stage.PhaseArrange {
			left = clock(s.remaining()/rate) + " left"
		}
	}
	const minBar = 4 // cells; leaves room for all the rest on 80 columns
	frame := 0
	if known {
		frame = len("  []") + minBar
	}
	fixed := func() int {
		n := len(head)
		for _, part := range []string{done, speed, cost, held, mean, left} {
			if part != "" {
				n += 2 + len(part)
			}
		}
		return n
	}
	room := func() int { return width - fixed() }
	for _, part := range []*string{&mean, &speed, &held, &cost, &left} {
		if room() < frame {
			*part = ""
		}
	}
	line := head
	if cells := min(room()-len("  []"), 40); known && cells >= minBar {
		full := int(float64(cells) * share)
		line += "  [" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "]"
	}
	for _, part := range []string{done, speed, cost, held, mean, left} {
		if part != "" {
			line += "  " + part
		}
	}
	return line[:min(len(line), width)]
}

// share is how much of the epoch, or of all files, is done, if that is known.
func (s step) share() (share float64, known bool) {
	if s.Total > 0 {
		share = min(1, float64(s.Rows-s.Done)/float64(s.Total))
	}
	if s.Files == 0 {
		return share, s.Total > 0
	}
	return min(1, (float64(s.File)+share)/float64(s.Files)), true
}

// head names what is going on.
func (s step) head() string {
	head := s.Phase
	switch {
	case s.Epochs > 0:
		head = s.count()
	case s.Files > 0:
		head = fmt.Sprintf("%s %s/%s, %s", s.Phase, count(int64(s.File)), plural(int64(s.Files), "file"), plural(s.Rows, "row"))
	}
	switch s.Phase {
	case stage.PhaseLearn:
		return "learning the preprocessing"
	case stage.PhaseValidate:
		return head + " (held-out rows)"
	case stage.PhaseArrange:
		return head + " (sorting the spill file)"
	}
	return head
}

// count writes which epoch or iteration it is, of how many.
func (s step) count() string {
	return fmt.Sprintf("%s %d/%d", cmp.Or(s.Unit, "epoch"), s.Epoch, s.Epochs)
}

// remaining is how many rows there are to go, over all epochs. Of several files
// it is a guess: those to come have as many as those before.
func (s step) remaining() float64 {
	if s.Files > 0 {
		share, _ := s.share()
		return float64(s.Rows) * (1 - share) / share
	}
	rows := float64(s.Total - s.Rows)
	if s.Epochs > s.Epoch {
		rows += float64(s.Epochs-s.Epoch) * float64(s.Total)
	}
	return max(0, rows)
}

// clock writes seconds as 0:42, 12:05 or 3:04:05.
func clock(seconds float64) string {
	if !(seconds < 100*3600) {
		return ">100 h"
	}
	s := int(math.Round(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// round writes a number with three digits: 61.2k.
func round(x float64) string {
	suffix := ""
	for _, s := range []string{"k", "M", "G"} {
		if x < 999.5 {
			break
		}
		x, suffix = x/1000, s
	}
	digits := 0
	if suffix != "" && x < 99.5 {
		digits = 1
	}
	return strconv.FormatFloat(x, 'f', digits, 64) + suffix
}
