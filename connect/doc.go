// Package connect is a plugin for Redpanda Connect and Benthos v4. Importing
// it adds two components to a program that is built of these:
//
//   - the batch processor aefeat_transform, which adds codes to messages;
//   - the output aefeat_fit, which trains a model on messages.
//
// The command connect/cmd/aefeat-connect is such a program. Names and meanings
// of components and of their fields stay.
//
// # Messages
//
// A message is one JSON object with an array field, or a whole Arrow IPC
// stream, Arrow IPC file or Parquet file; its first bytes tell which. The array
// holds the n numbers of a patch, flat or as nested arrays of one shape. A
// number is mapped by the type of the data that the model was trained on, and
// never wrapped or cut: to uint8 belong the whole numbers from 0 to 255,
// however they are written (7, 7.0, 70e-1), and no others. Whole numbers are
// read exactly, beyond 2^53 too; how they become the float32 that a model
// computes with is the same as for columns of that type. An object that has a
// name twice is bad.
//
// # Bad messages
//
// A message that cannot be coded stays as it was and is marked with the reason,
// as processors of Benthos do it: catch, errored() and error() see it. The
// reason names the field and the index of the value. Other messages of the
// batch are coded as if it were not there, and all keep their order.
//
// # Another model
//
// The model file is looked at once a second while messages come. Another one
// is read beside the work and takes over between two batches, whole and
// checked; messages never wait for it. One that cannot be read is logged, and
// the old model stays. Each coded message has the hash of its model in its
// metadata.
//
// # Training
//
// aefeat_fit trains in one pass without an end. A message is acknowledged once
// a checkpoint on disk holds its rows: those that wait for preprocessing to be
// learned, or to be shuffled, are in it as they are. Another start goes on from
// it. Its model is that of stage.Fit with Epochs 1 over the same rows in the
// same order, to the byte, wherever it was stopped. Where a checkpoint cannot
// be written the messages that wait for it fail, and training goes back to the
// one before, so that none counts twice when it comes again. Only a kill
// between a checkpoint and its acknowledgements makes messages count twice.
//
// Each output needs a checkpoint file of its own.
//
// # Memory
//
// An instance takes, for each batch in work, the rows and codes of 512 messages
// and the batch itself with its codes; payloads are encoded as package stage
// says, one after the other. aefeat_fit takes what a fit of package stage
// takes, twice while the model file is written, and the batches in flight.
package connect
