package main

import (
	"bytes"
	"encoding/json"
	flags "flag"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

func TestBar(t *testing.T) {
	s := step{Phase: "fit", Epoch: 2, Epochs: 5, Rows: 2150, Total: 5000, Cost: 20.6134, Mean: 0.10249}
	for _, test := range []struct {
		width int
		want  string
	}{
		{120, "epoch 2/5  [=================                       ]   43%  61.2k rows/s  cost 20.61  rhohat 0.102  0:00 left"},
		{80, "epoch 2/5  [===    ]   43%  61.2k rows/s  cost 20.61  rhohat 0.102  0:00 left"},
		{60, "epoch 2/5  [======         ]   43%  cost 20.61  0:00 left"},
		{45, "epoch 2/5  [=====       ]   43%  0:00 left"},
		{20, "epoch 2/5   43%"},
		{12, "epoch 2/5"},
		{1, ""},
	} {
		if got := s.bar(61234, test.width); got != test.want {
			t.Errorf("width %d:\ngot  %q\nwant %q", test.width, got, test.want)
		}
	}
	for width := range 200 {
		for _, s := range []step{s, {Phase: "transform", Rows: 1e12}, {Phase: "transform", Rows: 5, Total: 3}, {Phase: "fit", Epoch: 1, Epochs: 400, Cost: math.NaN()}} {
			if n := utf8.RuneCountInString(s.bar(1e6, width)); n > max(0, width-3) {
				t.Errorf("width %d: %d columns", width, n)
			}
		}
	}
	unknown := step{Phase: "fit", Epoch: 1, Epochs: 5, Rows: 1234567, Cost: 20, Mean: 0.1}.bar(1000, 120)
	if strings.Contains(unknown, "left") || !strings.Contains(unknown, "1,234,567 rows") {
		t.Errorf("time left where the rows are not known: %q", unknown)
	}
}

func TestBarOfFiles(t *testing.T) {
	// Three files of 200 are done, and half of the fourth: 3.5 in 70 s.
	s := step{Phase: "transform", File: 3, Files: 200, Rows: 7000, Done: 6000, Total: 2000}
	for width, want := range map[int]string{
		120: "transform 3/200 files, 7,000 rows  [                                        ]    1%  100 rows/s  1:05:30 left",
		60:  "transform 3/200 files, 7,000 rows  [              ]    1%",
	} {
		if got := s.bar(100, width); got != want {
			t.Errorf("width %d:\ngot  %q\nwant %q", width, got, want)
		}
	}
	// Half of one file, and all of both.
	if bar := (step{Phase: "transform", File: 1, Files: 2, Rows: 10}).bar(10, 80); !strings.Contains(bar, "50%") || !strings.HasSuffix(bar, "0:01 left") {
		t.Errorf("got %q", bar)
	}
	if bar := (step{Phase: "transform", File: 2, Files: 2, Rows: 10, Done: 10}).bar(10, 80); !strings.Contains(bar, "100%") || !strings.HasSuffix(bar, "0:00 left") {
		t.Errorf("got %q", bar)
	}
	for width := range 200 {
		for _, s := range []step{s, {Phase: "transform", Files: 1}, {Phase: "transform", Files: 1e6, File: 1e6, Rows: 1e12}} {
			if n := utf8.RuneCountInString(s.bar(1e6, width)); n > max(0, width-3) {
				t.Errorf("width %d: %d columns", width, n)
			}
		}
	}
}

func TestTimeLeft(t *testing.T) {
	// Half an epoch of 1,000 rows and three whole ones at 100 rows/s.
	s := step{Phase: "fit", Epoch: 2, Epochs: 5, Rows: 500, Total: 1000}
	if bar := s.bar(100, 120); !strings.HasSuffix(bar, "0:35 left") {
		t.Errorf("got %q", bar)
	}
	for seconds, want := range map[float64]string{0: "0:00", 59.6: "1:00", 725: "12:05", 11045: "3:04:05", 1e9: ">100 h", math.NaN(): ">100 h"} {
		if got := clock(seconds); got != want {
			t.Errorf("%v s: got %q, want %q", seconds, got, want)
		}
	}
}

// clockwork is a progress on a clock that a test moves.
func clockwork(mode string) (*progress, *bytes.Buffer, *time.Time) {
	var out bytes.Buffer
	now := time.Unix(1e9, 0)
	p := newProgress(&console{err: &out}, mode)
	p.now = func() time.Time { return now }
	p.only.last = now
	p.width = func() int { return 80 }
	return p, &out, &now
}

func TestBarIsCalmAndErased(t *testing.T) {
	p, out, now := clockwork(progressBar)
	for i := range 1000 { // a batch a millisecond for a second
		p.show(step{Phase: "fit", Epoch: 1, Epochs: 2, Rows: int64(i), Total: 1000})
		*now = now.Add(time.Millisecond)
	}
	if n := strings.Count(out.String(), "\r"); n != 10 {
		t.Errorf("drawn %d times in a second", n)
	}
	p.finish(nil, "done")
	if !strings.HasSuffix(out.String(), "\r\x1b[Kaefeat: done\n") {
		t.Errorf("the bar is not erased: %q", out)
	}
	out.Reset()
	p.clear()
	if out.Len() > 0 {
		t.Errorf("erased twice: %q", out)
	}
}

func TestPlainProgress(t *testing.T) {
	p, out, now := clockwork(progressPlain)
	s := step{Phase: "fit", Epoch: 1, Epochs: 2, Rows: 1, Total: 5000}
	p.show(s)
	*now = now.Add(2 * time.Second)
	s.Rows, s.Cost, s.Mean = 5000, 20.6134, 0.10249
	p.show(s)
	p.endEpoch(s, model.Epoch{})
	if got, want := out.String(), "aefeat: epoch 1/2: 5,000 rows, 2.5k rows/s, cost 20.613, mean activation 0.1025\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestJSONProgress(t *testing.T) {
	p, out, now := clockwork(progressJSON)
	s := step{Phase: "fit", Epoch: 1, Epochs: 2, Rows: 100, Cost: math.Inf(1)}
	for range 21 {
		p.show(s)
		*now = now.Add(time.Second / 10)
	}
	p.endEpoch(s, model.Epoch{Cost: model.Cost{Total: math.NaN()}})
	p.ui.json = true
	app := newApp(p.ui)
	err := p.ui.run(cli.NewContext(app, flags.NewFlagSet("", flags.ContinueOnError), nil), func(*cli.Context) error {
		p.finish(map[string]any{"rows": 7})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(out.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events = append(events, e["event"].(string))
	}
	if got, want := strings.Join(events, " "), "progress progress progress epoch done"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoProgress(t *testing.T) {
	p, out, _ := clockwork(progressNone)
	s := step{Phase: "fit", Epoch: 1, Epochs: 2, Rows: 100}
	p.show(s)
	p.endEpoch(s, model.Epoch{})
	if out.Len() > 0 {
		t.Errorf("got %q", out)
	}
}

// An epoch that is too short to time has no speed, and without rows there is no
// cost.
func TestUnknownProgress(t *testing.T) {
	s := step{Phase: "fit", Epoch: 1, Epochs: 2, Rows: 100, Cost: 20.6134, Mean: 0.10249}
	p, out, _ := clockwork(progressPlain)
	p.show(s)
	p.endEpoch(s, model.Epoch{})
	if got, want := out.String(), "aefeat: epoch 1/2: 100 rows, cost 20.613, mean activation 0.1025\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	s.Cost, s.Mean = math.NaN(), math.NaN()
	if bar := s.bar(1000, 120); strings.Contains(bar, "cost") || strings.Contains(bar, "rhohat") {
		t.Errorf("got %q", bar)
	}
	p, out, now := clockwork(progressJSON)
	*now = now.Add(2 * time.Second)
	p.show(s)
	if got := out.String(); !strings.Contains(got, `"mean_activation":null,`) || !strings.Contains(got, `"total_cost":null`) {
		t.Errorf("got %s", got)
	}
}

// What held-out rows cost is told with their epoch, and stays on the bar
// during the next.
func TestValidationProgress(t *testing.T) {
	s := step{Phase: "fit", Unit: "iteration", Epoch: 1, Epochs: 9, Rows: 5000, Total: 5000, Evaluations: 3, Cost: 20.6134, Mean: 0.10249}
	e := model.Epoch{Validation: &model.Cost{Total: 21.0456}}

	p, out, now := clockwork(progressPlain)
	p.show(s)
	*now = now.Add(2 * time.Second)
	p.endEpoch(s, e)
	if got, want := out.String(), "aefeat: iteration 1/9: 5,000 rows, 2.5k rows/s, cost 20.613, mean activation 0.1025, 3 evaluations, validation cost 21.046\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	// The speed is that of training, however long or short the rest took.
	p, out, now = clockwork(progressJSON)
	p.show(s)
	*now = now.Add(2 * time.Second)
	p.show(s)
	for range 2 {
		held := s
		held.Phase, held.Rows = stage.PhaseValidate, 500
		p.show(held)
		*now = now.Add(time.Second / 100)
	}
	out.Reset()
	p.endEpoch(s, e)
	if got := out.String(); !strings.Contains(got, `"rows":5000,"rows_per_second":2500,`) {
		t.Errorf("got %s", got)
	}

	p, out, _ = clockwork(progressJSON)
	p.endEpoch(s, e)
	if got := out.String(); !strings.Contains(got, `"rows_per_second":0,`) || !strings.Contains(got, `"evaluations":3,`) || !strings.Contains(got, `"validation":{"contraction":0,"reconstruction":0,"sparsity":0,"total":21.0456,`) {
		t.Errorf("got %s", got)
	}

	p, out, now = clockwork(progressBar)
	p.width = func() int { return 100 }
	p.endEpoch(s, e)
	*now = now.Add(time.Second)
	s.Epoch = 2
	p.show(s)
	if got := out.String(); !strings.Contains(got, "iteration 2/9") || !strings.Contains(got, "cost 20.61  held out 21.05") {
		t.Errorf("got %q", got)
	}
}
