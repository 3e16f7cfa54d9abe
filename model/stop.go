package model

// StopReason says why a training has ended.
type StopReason uint8

// The reasons.
const (
	NotStopped       StopReason = iota
	OutOfEpochs                 // all planned epochs, or iterations, are done
	Converged                   // L-BFGS lowers the cost no further
	LineSearchFailed            // L-BFGS found no lower cost, twice in a row
	OutOfPatience               // nothing was gained for Patience epochs
	AskedToStop                 // whoever trains did not go on
)

var stopNames = []string{"not stopped", "epochs", "converged", "line search", "patience", "stopped"}

// String returns the name that reports use.
func (s StopReason) String() string { return nameOf(stopNames, s) }

// MarshalText returns the name of s.
func (s StopReason) MarshalText() ([]byte, error) { return marshalName(stopNames, s) }

// UnmarshalText sets s to the reason of that name.
func (s *StopReason) UnmarshalText(text []byte) error {
	return unmarshalName("reason to stop", stopNames, s, text)
}

// Stopped says why the training is over: the planned epochs have ended, or
// what [LBFGS] and held-out rows say. A caller who trains until then loops
// while it is NotStopped. Without planned epochs mini-batches never stop.
func (t *Trainer) Stopped() StopReason {
	if t.stop != NotStopped {
		return t.stop
	}
	return t.engine.stopped()
}

// Evaluations is the number of passes that [LBFGS] has made, the first one
// included; 0 for other optimizers.
func (t *Trainer) Evaluations() int64 { return t.engine.evaluations() }
