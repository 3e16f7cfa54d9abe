package model

// Model is an autoencoder and what is known about its making. Its methods,
// and everything made from it, read Params where they are: whoever changes
// them must make sure that nobody reads them meanwhile.
type Model struct {
	Config
	Params     *Params
	Preprocess Preprocess // zero: values are taken as they are
	Binding    Binding    // zero: unknown
	Shape      Shape      // of a row; zero: unknown

	// RowsSeen are the rows trained on, those of every epoch counted. With
	// Parent they include those that the parent had seen.
	RowsSeen int64

	History []Epoch // the epochs, oldest first
	Cost    *Cost   // of the last epoch, or the best; nil before any

	// Best is the epoch that Params are of, where held-out rows chose it; 0:
	// the last.
	Best int

	// Parent is the [Info.Hash] of the model file that the initial weights came
	// from; "": from none. Whoever makes a model of such a file sets it.
	Parent string

	// NoiseEpoch is the epoch that keys the noise where sums over rows are
	// gathered at these weights: what [Trainer.Begin] returned, if the model is
	// a point of a training that is spread over processes. 0 elsewhere.
	NoiseEpoch uint32

	// Spread is that of the rows of the first epoch, where
	// [TrainOptions.Spread] asked for it; nil: unknown.
	Spread *Spread
}

// Binding says which part of the input the rows came from.
type Binding struct {
	Columns []string `json:"columns,omitempty"` // names or patterns of columns
	Source  string   `json:"source,omitempty"`  // element type in the input
	Width   int      `json:"width,omitempty"`   // n
	Images  *Images  `json:"images,omitempty"`  // what became of encoded images; nil: there were none
}

// Epoch is what training saw in one pass over the rows: one line of a model's
// history.
type Epoch struct {
	Epoch          int     `json:"epoch"` // counted from 1
	Rows           int64   `json:"rows"`
	Cost           Cost    `json:"cost"`
	MeanActivation float64 `json:"mean_activation"` // of rhohat over the units
	Health

	// Validation is the cost over held-out rows, at the weights of the end.
	Validation *Cost `json:"validation,omitempty"`
}

// New returns a model with initial weights, and with the defaults of c filled
// in. The sizes must be known; the error is what [Config.Validate] reports.
func New(c Config) (*Model, error) {
	if c.Inputs == 0 {
		return nil, &ConfigError{"Inputs", "the width of a row is not known", ""}
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Objective == "" {
		c.Objective = c.objective()
	}
	if c.SparsityWeight > 0 {
		c.Sparsity = c.rho()
	}
	m := &Model{Config: c, Params: newParams(c.Inputs, c.Hidden, c.Tied, nil)}
	m.Params.initialize(c.Seed, c.initialBias())
	return m, nil
}
