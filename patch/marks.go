package patch

// marks tell which rows of a batch are bad.
type marks struct {
	skip    bool      // bad rows are left out, and are no error
	bad     []bool    // by row
	any     bool      // there are some
	skipped []BadRow  // where skip is set
	first   *RowError // otherwise: the one with the lowest position
}

// reset begins a batch of n rows.
func (m *marks) reset(n int) {
	m.any, m.first = false, nil
	m.bad = resize(m.bad, n)
	clear(m.bad)
	m.skipped = m.skipped[:0]
}

// mark notes that a row holds no patch. text is called where it will be shown.
func (m *marks) mark(row int32, column string, reason Reason, text func() string) {
	m.any = true
	if m.bad[row] {
		return
	}
	m.bad[row] = true
	switch {
	case m.skip:
		m.skipped = append(m.skipped, BadRow{int64(row), reason})
	case m.first == nil || int64(row) < m.first.Row:
		m.first = BadRowError(column, int64(row), text()).keyed(string(reason))
	}
}

// keepGood takes the bad rows out of rows.
func (m *marks) keepGood(rows []int32) []int32 {
	if !m.any {
		return rows
	}
	kept := rows[:0]
	for _, r := range rows {
		if !m.bad[r] {
			kept = append(kept, r)
		}
	}
	return kept
}

// closeGaps copies the good ones of rows of width bytes to dst, which may be
// data, and returns them.
func (m *marks) closeGaps(dst, data []byte, rows []int32, width int) []byte {
	kept := 0
	for k, r := range rows {
		if m.bad[r] {
			continue
		}
		copy(dst[kept*width:(kept+1)*width], data[k*width:(k+1)*width])
		kept++
	}
	return dst[:kept*width]
}
