package stage

import (
	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/patch"
)

// The phases of a fit.
const (
	// PhaseLearn comes before the first epoch: preprocessing learns from rows
	// as they arrive.
	PhaseLearn = "learn"

	// PhaseResume reads again what came before a checkpoint. Its epoch is the
	// last that had ended.
	PhaseResume = "resume"

	PhaseStream  = "stream"  // the first epoch: training on rows as they arrive
	PhaseArrange = "arrange" // the rows of the spill file are brought into buckets
	PhaseTrain   = "train"   // a later epoch

	// PhaseValidate finds the cost of held-out rows, as part of the epoch that
	// has just been trained.
	PhaseValidate = "validate"
)

// Progress says how far a fit is.
type Progress struct {
	Phase          string
	Epoch, Epochs  int         // under model.LBFGS iterations; iteration 0 is the first evaluation
	Evaluations    int64       // that have ended under model.LBFGS
	Rows           int64       // done in this phase and epoch, or evaluation
	TotalRows      int64       // of these; 0 while unknown
	Cost           float64     // so far; NaN before any row has told
	MeanActivation float64     // likewise
	Done           bool        // the epoch has ended
	Result         model.Epoch // set when Done, and but for its validation in PhaseValidate
}

// Report tells about a fit that has ended.
type Report struct {
	Rows    int64         `json:"rows"`               // rows trained on, each counted once
	HeldOut int64         `json:"held_out,omitempty"` // rows held out for validation
	Skipped int64         `json:"skipped"`            // bad rows left out
	Spilled int64         `json:"spilled"`            // bytes written to the spill file
	Epochs  []model.Epoch `json:"epochs"`

	// BadRows tells of the rows that were skipped: why, and which came first.
	BadRows patch.BadRows `json:"bad_rows,omitzero"`

	Stop model.StopReason `json:"stop"` // why there were no more epochs

	// Evaluations are passes over the rows under model.LBFGS.
	Evaluations int64 `json:"evaluations,omitempty"`

	// Best is the epoch that held-out rows chose, the model's.
	Best int `json:"best_epoch,omitempty"`

	// Drift is model.Statistics.Drift, where preprocessing was learned from the
	// first rows of a stream: large, these were no fair sample.
	Drift float64 `json:"drift,omitempty"`

	// Reach is model.Preprocess.Reach of the first rows, where the type of the
	// data alone chose the divisor: small, it may be the wrong one.
	Reach float64 `json:"reach,omitempty"`

	warnings []Warning
}
