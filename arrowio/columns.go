package arrowio

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/aefeat/aefeat/arrowio/internal/schema"
)

// Missing is a column that some files of a [Source] do not have. It is null in
// their rows.
type Missing struct {
	Column string
	Files  int    // without it
	First  string // of them
}

// Missing returns the columns that some files do not have, and of which their
// paths tell nothing.
func (s *Source) Missing() []Missing { return s.missing }

// Require returns an error, a [*FileError], that names the first file without
// one of the columns, which are paths as [Source.Reader] takes them.
func (s *Source) Require(columns [][]int) error {
	first := map[string]string{} // file without a column
	for _, m := range s.missing {
		first[m.Column] = m.First
	}
	for _, path := range columns {
		if len(path) == 0 || path[0] < 0 || path[0] >= s.schema.NumFields() {
			return fmt.Errorf("no column has the path %v", path)
		}
		name := s.schema.Field(path[0]).Name
		if file, ok := first[name]; ok {
			return &FileError{
				File: file,
				Err:  fmt.Errorf("column %q is missing", name),
				Hint: "leave out files without it, or choose a column that all files have",
				Key:  KeyDiffers,
			}
		}
	}
	return nil
}

// checked returns a schema as it was taken, so that equal ones are one. Files
// of one data set mostly have one.
func (s *Source) checked(of *arrow.Schema) (*arrow.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.check(of)
}

// schemas are schemas that have been checked, the latest last.
type schemas []struct{ raw, checked *arrow.Schema }

// maxSchemas bounds how many are compared: a few writers of one data set.
const maxSchemas = 8

func (k *schemas) check(raw *arrow.Schema) (*arrow.Schema, error) {
	for _, s := range *k {
		if s.raw == raw {
			return s.checked, nil
		}
	}
	checked, err := schema.Check(raw)
	if err != nil {
		return nil, err
	}
	for _, s := range *k {
		if s.checked.Equal(checked) && s.checked.Metadata().Equal(checked.Metadata()) {
			checked = s.checked
			break
		}
	}
	if len(*k) == maxSchemas {
		*k = (*k)[1:]
	}
	*k = append(*k, struct{ raw, checked *arrow.Schema }{raw, checked})
	return checked, nil
}

// merge adds the columns of a file to those of the source.
func (s *Source) merge(in *input) error {
	if s.schema == nil {
		s.schema = in.schema
		return nil
	}
	if in.schema == s.inputs[len(s.inputs)-1].schema {
		return nil
	}
	merged, err := schema.Merge(s.schema, in.schema)
	var differ *schema.Conflict
	if errors.As(err, &differ) {
		for _, other := range s.inputs {
			if other.schema.HasField(differ.Column) {
				return &FileError{
					File: in.name,
					Err:  fmt.Errorf("differs from %s: %w", other.name, err),
					Hint: "a column must have the same type in all inputs of one run",
					Key:  KeyDiffers,
				}
			}
		}
	}
	s.schema = merged
	return err
}

// finish adds the columns that paths tell, finds out which are missing where,
// and starts with what was asked for.
func (s *Source) finish() error {
	own := s.schema
	if err := s.addKeys(); err != nil {
		return err
	}
	if s.o.Hash {
		s.startSums()
	}
	for _, f := range s.schema.Fields() {
		m := Missing{Column: f.Name}
		var last *arrow.Schema
		has := false
		for _, in := range s.inputs {
			if in.schema == own && len(s.keys) == 0 {
				continue
			}
			if in.schema != last {
				last, has = in.schema, in.schema.HasField(f.Name)
			}
			if has || in.tells(f.Name) {
				continue
			}
			if m.Files == 0 {
				m.First = in.name
			}
			m.Files++
		}
		if m.Files > 0 {
			s.missing = append(s.missing, m)
		}
	}
	return nil
}
