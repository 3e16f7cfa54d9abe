package main

import (
	"time"

	"github.com/aefeat/aefeat/arrowio"
	"github.com/aefeat/aefeat/model"
)

// This file has --report: a record of the run, for whoever wants to know later
// where a file came from. docs/record.md describes it.

// recordLayout is the version of the record. Keys may be added within one;
// none changes its meaning, and none goes.
const recordLayout = 1

// record is what --report writes.
type record struct {
	Layout     int       `json:"record"`
	Command    string    `json:"command"`
	Arguments  []string  `json:"arguments"`
	Version    string    `json:"version"`
	Started    time.Time `json:"started"`
	Seconds    float64   `json:"seconds"`
	PeakMemory int64     `json:"peak_memory,omitempty"` // bytes; 0: not known

	Rows    int64   `json:"rows"` // that were trained on, transformed or judged
	Skipped int64   `json:"skipped"`
	BadRows badRows `json:"bad_rows"`

	Inputs   []inputRecord   `json:"inputs"`
	Outputs  []outputRecord  `json:"outputs"`
	Warnings []warningRecord `json:"warnings"`

	Model    modelRecord `json:"model"` // that was made, or used
	Seed     uint64      `json:"seed"`
	Settings any         `json:"settings"`

	*fitRecord
	Evaluation *model.Evaluation `json:"evaluation,omitempty"`
}

// fitRecord is what only the record of a fit has.
type fitRecord struct {
	Parent      *modelRecord     `json:"parent"`  // null: none
	Resumed     *resumedRecord   `json:"resumed"` // null: the fit ran in one go
	Training    trainingRecord   `json:"training"`
	HeldOut     int64            `json:"held_out"`
	Epochs      []model.Epoch    `json:"epochs"`
	Best        int              `json:"best_epoch,omitempty"`
	Evaluations int64            `json:"evaluations,omitempty"` // of L-BFGS
	Stop        model.StopReason `json:"stop"`
	Units       unitsRecord      `json:"units"`
	Drift       float64          `json:"drift,omitempty"`
	Spilled     int64            `json:"spilled"`
	Emit        *featureSettings `json:"emit,omitempty"`
}

// inputRecord is a file that was read.
type inputRecord struct {
	File   string         `json:"file"` // "-": standard input
	Format arrowio.Format `json:"format"`
	Rows   int64          `json:"rows"`
	Bytes  int64          `json:"bytes"`
	SHA256 *string        `json:"sha256"` // null: the input was not read to its end
}

// outputRecord is a file that was written.
type outputRecord struct {
	File   string         `json:"file"` // "-": standard output
	Kind   string         `json:"kind"` // "model" or "features"
	Format arrowio.Format `json:"format,omitempty"`
	Input  string         `json:"input,omitempty"` // that it was made of, where each input has an output
	Rows   int64          `json:"rows"`            // of a model those that it was fitted to
	Bytes  int64          `json:"bytes"`
	SHA256 string         `json:"sha256"`
}

type warningRecord struct {
	Code    code   `json:"code"`
	Message string `json:"message"`
}

// modelRecord is a model and the file that it is in.
type modelRecord struct {
	File     string `json:"file"`
	SHA256   string `json:"sha256"`
	RowsSeen int64  `json:"rows_seen"`
}

// resumedRecord is the checkpoint that a fit went on from.
type resumedRecord struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Epoch  int    `json:"epoch"` // epochs that had ended
	Rows   int64  `json:"rows"`  // of the next that had been trained on
}

// trainingRecord is how a model was trained, defaults filled in.
type trainingRecord struct {
	Optimizer      string   `json:"optimizer"`
	LearningRate   float64  `json:"learning_rate,omitempty"`
	Momentum       *float64 `json:"momentum,omitempty"` // of sgd
	BatchSize      int      `json:"batch_size"`         // 0: all rows
	Epochs         int      `json:"epochs"`             // asked for, or iterations
	Validation     float64  `json:"validation"`
	ValidationKey  string   `json:"validation_key,omitempty"`
	Patience       int      `json:"patience"`
	PreprocessRows int64    `json:"preprocess_rows,omitempty"` // that it was learned from
	BadRow         string   `json:"on_bad_row"`
}

// unitsRecord is the health of the hidden units at the end of the epoch that
// the model is of.
type unitsRecord struct {
	Hidden int `json:"hidden"`
	model.Health
}

// modelSettings are those of a model file, under its keys.
type modelSettings struct {
	model.Config
	Preprocess model.Preprocess `json:"preprocess"`
	Binding    model.Binding    `json:"binding"`
	Shape      *model.Shape     `json:"shape,omitempty"`
}

func settingsOf(m *model.Model) modelSettings {
	s := modelSettings{Config: m.Config, Preprocess: m.Preprocess, Binding: m.Binding}
	if m.Shape != (model.Shape{}) {
		s.Shape = &m.Shape
	}
	return s
}

// rowSettings say which rows a model is used on.
type rowSettings struct {
	Columns  []string `json:"columns"`
	BadRow   string   `json:"on_bad_row"`
	PixelMax float64  `json:"pixel_max,omitempty"`
}

func rowSettingsOf(m *model.Model, columns []string, skip bool, pixelMax float64) rowSettings {
	s := rowSettings{Columns: columns, BadRow: onBadRow(skip), PixelMax: pixelMax}
	if len(columns) == 0 {
		s.Columns = m.Binding.Columns
	}
	return s
}

func onBadRow(skip bool) string {
	if skip {
		return "skip"
	}
	return "fail"
}

// featureSettings say what rows are given.
type featureSettings struct {
	rowSettings
	Layout         string   `json:"layout"`
	Prefix         string   `json:"prefix"`
	Keep           []string `json:"keep"` // null: all
	Reconstruction bool     `json:"reconstruction"`
	Score          bool     `json:"score"`
}

func (f features) settings(m *model.Model) featureSettings {
	c := f.config
	return featureSettings{rowSettingsOf(m, c.Columns, c.Skip, c.PixelMax), c.Layout, c.Prefix, c.Keep, c.Reconstruction, c.Score}
}
