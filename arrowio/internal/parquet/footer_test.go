package parquet

import "testing"

// parquet-rs 0.3 wrote no sum of the rows. Another sum than the file's is
// damage.
func TestRowsOfGroups(t *testing.T) {
	for claimed, ok := range map[int64]bool{0: true, 6: true, 5: false} {
		f := &footer{rows: claimed, groups: []rowGroup{{rows: 4}, {rows: 2}}}
		err := f.checkGroups(100)
		if ok != (err == nil) || ok && f.rows != 6 {
			t.Errorf("%d rows claimed: %d, %v", claimed, f.rows, err)
		}
	}
}
