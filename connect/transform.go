package connect

import (
	"context"
	"errors"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/aefeat/aefeat/model"
	"github.com/aefeat/aefeat/stage"
)

// ModelKey is the key of the metadata of a message that tell which model made
// its codes: the SHA-256 of the model's file in hex.
const ModelKey = "aefeat_model"

func init() {
	service.MustRegisterBatchProcessor("aefeat_transform", transformSpec(), newTransform)
}

// transformSpec describes the fields of aefeat_transform.
func transformSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Adds the codes of a model that aefeat has trained.").
		Description(`A message is a JSON object with an array of numbers, flat or nested, or a whole Arrow IPC stream, Arrow IPC file or Parquet file. A JSON object gets a field with the code, and its other bytes stay as they are. Arrow and Parquet get columns.

Numbers must be what the model was trained on: for uint8 whole numbers from 0 to 255. A message with others stays as it was and is marked with an error that names the field and the index; the rest of its batch is coded.

The file of the model may be replaced at any time. It is looked at once a second while messages come, and a good one takes over between two batches. The metadata `+"`"+ModelKey+"`"+` of a coded message are the SHA-256 of the file of its model.`).
		Fields(
			service.NewStringField("model").
				Description("Path of the model file."),
			service.NewStringField("patch").Optional().
				Description("Field of a JSON object that has the numbers, a dot leading into objects, `patch` by default; or column of Arrow and Parquet data, by default the one that the model was trained on."),
			service.NewStringField("code").Default("code").
				Description("Name of the field or column of the code."),
			service.NewStringEnumField("layout", stage.LayoutList, stage.LayoutSparse).Default(stage.LayoutList).
				Description("`list`: one field with all values. `sparse`: two fields, called as `code` with `_indices` and `_values`, of the values that are not 0 and their indices from 0 up."),
		).
		Example("Code JSON lines", "Messages with other numbers go to another file.", `
pipeline:
  processors:
    - aefeat_transform:
        model: m.aef
        patch: pixels
output:
  switch:
    cases:
      - check: errored()
        output:
          file: { path: bad.jsonl }
      - output:
          file: { path: codes.jsonl }
`)
}

// transform is the processor aefeat_transform. It is safe for concurrent use.
type transform struct {
	file *modelFile
}

func newTransform(conf *service.ParsedConfig, resources *service.Resources) (service.BatchProcessor, error) {
	p := parser{conf: conf}
	path := p.string("model")
	o := codeOptions{path: []string{"patch"}, name: p.string("code"), layout: p.string("layout")}
	named := conf.Contains("patch")
	if named {
		o.column = p.string("patch")
		o.path = strings.Split(o.column, ".")
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case named && o.column == "":
		return nil, errors.New("field patch: the name is empty")
	case o.name == "":
		return nil, errors.New("field code: the name is empty")
	}
	file, err := openModelFile(path, resources.Logger(), func(m *model.Model, hash string) (*coder, error) {
		return newCoder(m, hash, o)
	})
	if err != nil {
		return nil, err
	}
	return &transform{file: file}, nil
}

// ProcessBatch implements service.BatchProcessor.
func (t *transform) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	if err := t.file.coder().code(ctx, batch); err != nil {
		return nil, err
	}
	return []service.MessageBatch{batch}, nil
}

// Close implements service.BatchProcessor.
func (t *transform) Close(context.Context) error {
	t.file.close()
	return nil
}
