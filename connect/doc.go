// Package connect is a plugin for Redpanda Connect and Benthos v4. Importing
// it adds two components to a program that is built of these:
//
//   - the batch processor aefeat_transform, which adds codes to messages;
//   - the output aefeat_fit, which trains a model on messages.
//
// The command connect/cmd/aefeat-connect is such a program.
package connect

import (
	_ "github.com/aefeat/aefeat/arrowio" // for now, so that go.mod keeps these
	_ "github.com/aefeat/aefeat/stage"
)
