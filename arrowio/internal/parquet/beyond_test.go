package parquet

import (
	"errors"
	"strings"
	"testing"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
)

// Texts that the library does not read are no damage.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for want, f := range map[string]*footer{
		"its Arrow schema of 100 MiB is beyond the 100 MiB that are read":     {schema: long},
		"the name of a column of 100 MiB is beyond the 100 MiB that are read": {tree: tree{nodes: []node{{name: long}}}},
	} {
		var beyond *bound.BeyondError
		if err := f.checkSchema(); !errors.As(err, &beyond) || err.Error() != want {
			t.Errorf("%.200v, want %s", err, want)
		}
	}
}
