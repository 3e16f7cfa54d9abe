package f32

import "slices"

// Sparse is a matrix most of whose elements are 0, by its rows: those of row i
// that may not be 0 are Start[i] to Start[i+1] of Column and Value. A sum over
// them is in that order.
type Sparse struct {
	Columns int
	Start   []int // where each row begins, and where the last one ends (m+1)
	Column  []int32
	Value   []float32
}

// NewSparse returns a matrix without rows that has room for so many rows and
// elements.
func NewSparse(rows, columns, elements int) *Sparse {
	return &Sparse{
		Columns: columns,
		Start:   make([]int, 1, rows+1),
		Column:  make([]int32, 0, elements),
		Value:   make([]float32, 0, elements),
	}
}

// Memory is the size in bytes.
func (s *Sparse) Memory() int64 {
	return 8*int64(cap(s.Start)) + 4*int64(cap(s.Column)+cap(s.Value))
}

// Rows is the number of rows.
func (s *Sparse) Rows() int { return len(s.Start) - 1 }

// resize makes room for elements and rows, whose content is anything.
func (s *Sparse) resize(rows, elements int) {
	s.Start = slices.Grow(s.Start[:0], rows+1)[:rows+1]
	s.Column = slices.Grow(s.Column[:0], elements)[:elements]
	s.Value = slices.Grow(s.Value[:0], elements)[:elements]
	s.Start[0] = 0
}

// SetLargest adds bias (n) to the rows of z (m,n), n being the columns of s,
// and sets s to what [KeepLargest] would leave of it. Columns rise within a
// row.
func (s *Sparse) SetLargest(z, bias []float32, k int) {
	n := s.Columns
	rows := rowsOf(z, n)
	if k < 1 || len(bias) != n {
		panic(lengths)
	}
	k = min(k, n)
	s.resize(rows, rows*k)
	j := newJob()
	j.elem = elemArgs{kernel: active, x: z, n: n, keep: k, bias: bias}
	j.sparse = sparseArgs{a: s}
	j.doRows(rows, func(j *job, item int) {
		e, s := &j.elem, j.sparse.a
		c := chosen.Get().(*choice)
		row := item * e.rows
		e.kernel.activate(Linear, e.part(e.x, item), e.bias)
		for z := e.part(e.x, item); len(z) > 0; z = z[e.n:] {
			s.setRow(row, e.keep, z, nil, c.largest(e.kernel, z[:e.n], e.keep))
			row++
		}
		chosen.Put(c)
	})
	s.close(k)
}

// setRow sets a row, which has room for k elements, to those of z that index
// names. They are in their columns, or in those that columns has for them.
// Until close, Start has how many there are.
func (s *Sparse) setRow(row, k int, z []float32, columns, index []int32) {
	at := row * k
	for _, i := range index {
		if z[i] == 0 {
			continue
		}
		s.Column[at], s.Value[at] = i, z[i]
		if columns != nil {
			s.Column[at] = columns[i]
		}
		at++
	}
	s.Start[row+1] = at - row*k
}

// close joins the rows that setRow has set.
func (s *Sparse) close(k int) {
	rows := s.Rows()
	for i := range rows {
		at, from, count := s.Start[i], i*k, s.Start[i+1]
		copy(s.Column[at:at+count], s.Column[from:from+count])
		copy(s.Value[at:at+count], s.Value[from:from+count])
		s.Start[i+1] = at + count
	}
	s.Column, s.Value = s.Column[:s.Start[rows]], s.Value[:s.Start[rows]]
}

// Element is one of a matrix.
type Element struct {
	Row, Column int32
	Value       float32
}

// Insert adds elements that s does not have, each at the end of its row. It
// sorts them by row and column.
func (s *Sparse) Insert(elements []Element) {
	if len(elements) == 0 {
		return
	}
	slices.SortFunc(elements, func(a, b Element) int {
		if a.Row != b.Row {
			return int(a.Row) - int(b.Row)
		}
		return int(a.Column) - int(b.Column)
	})
	for _, e := range elements { // room
		s.Column, s.Value = append(s.Column, e.Column), append(s.Value, e.Value)
	}
	left := len(elements)
	for i := s.Rows() - 1; left > 0; i-- {
		lo, hi := s.Start[i], s.Start[i+1]
		s.Start[i+1] += left
		for left > 0 && int(elements[left-1].Row) == i {
			left--
			s.Column[hi+left], s.Value[hi+left] = elements[left].Column, elements[left].Value
		}
		copy(s.Column[lo+left:], s.Column[lo:hi])
		copy(s.Value[lo+left:], s.Value[lo:hi])
	}
}

// LargestOfColumns sets each element to the largest of its column in z (m,n),
// among equals that of the first row. There is a row.
func LargestOfColumns(elements []Element, z []float32, n int) {
	if rowsOf(z, n) == 0 {
		panic(lengths)
	}
	j := newJob()
	j.elem = elemArgs{x: z, n: n}
	j.sparse = sparseArgs{elements: elements}
	j.do((len(elements)+columnItem-1)/columnItem, func(j *job, item int) {
		elements := j.sparse.elements[item*columnItem:]
		elements = elements[:min(columnItem, len(elements))]
		z, n := j.elem.x, j.elem.n
		for at := range elements {
			e := &elements[at]
			e.Row, e.Value = 0, z[e.Column]
		}
		for row := 1; row < len(z)/n; row++ {
			z := z[row*n : (row+1)*n]
			for at := range elements {
				if e := &elements[at]; z[e.Column] > e.Value {
					e.Row, e.Value = int32(row), z[e.Column]
				}
			}
		}
	})
}

// columnItem columns make an item.
const columnItem = 64

// Fill sets x (m,n) to s.
func (s *Sparse) Fill(x []float32) {
	if len(x) != s.Rows()*s.Columns {
		panic(lengths)
	}
	clear(x)
	for i := range s.Rows() {
		row := x[i*s.Columns : (i+1)*s.Columns]
		for at := s.Start[i]; at < s.Start[i+1]; at++ {
			row[s.Column[at]] = s.Value[at]
		}
	}
}

// ColumnSums adds the column sums of s to dst (n), in float64 and in the order
// of rows.
func (s *Sparse) ColumnSums(dst []float64) {
	for at, i := range s.Column {
		dst[i] += float64(s.Value[at])
	}
}

// Transpose sets s to t transposed.
func (s *Sparse) Transpose(t *Sparse) {
	s.Columns = t.Rows()
	s.resize(t.Columns, len(t.Column))
	clear(s.Start)
	for _, i := range t.Column {
		s.Start[i+1]++
	}
	for i := range t.Columns {
		s.Start[i+1] += s.Start[i]
	}
	// Start[i] is where the next element of row i goes, and so ends where row
	// i+1 begins.
	for row := range t.Rows() {
		for at := t.Start[row]; at < t.Start[row+1]; at++ {
			to := &s.Start[t.Column[at]]
			s.Column[*to], s.Value[*to] = int32(row), t.Value[at]
			*to++
		}
	}
	copy(s.Start[1:], s.Start[:t.Columns])
	s.Start[0] = 0
}

// Product computes C = alpha S B for B (columns of s, n) and C (rows of s, n).
func (s *Sparse) Product(c []float32, n int, alpha float32, b []float32) {
	if n < 1 || len(c) != s.Rows()*n || len(b) != s.Columns*n {
		panic(lengths)
	}
	if len(c) == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: c, y: b, n: n, a: alpha}
	j.sparse = sparseArgs{a: s}
	items := j.sparse.cut(s, n)
	j.do(items, func(j *job, item int) {
		e, s := &j.elem, j.sparse.a
		for i := item * j.sparse.rows; i < min((item+1)*j.sparse.rows, s.Rows()); i++ {
			lo, hi := s.Start[i], s.Start[i+1]
			e.kernel.sumRows(e.x[i*e.n:(i+1)*e.n], e.y, s.Column[lo:hi], s.Value[lo:hi], e.a, 0)
		}
	})
}

// SumProducts computes C = alpha (S A + T B) + decay W for S and T with the
// same number of rows as C and W, which are (rows,n). C is only written. W may
// be nil when decay is 0.
func SumProducts(c []float32, n int, alpha float32, s *Sparse, a []float32, t *Sparse, b []float32, decay float32, w []float32) {
	rows := rowsOf(c, n)
	if s.Rows() != rows || t.Rows() != rows || len(a) != s.Columns*n || len(b) != t.Columns*n || decay != 0 && len(w) != len(c) {
		panic(lengths)
	}
	if rows == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: c, y: a, z: b, w: w, n: n, a: alpha, b: decay}
	j.sparse = sparseArgs{a: s, b: t}
	j.do(j.sparse.cut(s, n), func(j *job, item int) {
		e, s, t := &j.elem, j.sparse.a, j.sparse.b
		for i := item * j.sparse.rows; i < min((item+1)*j.sparse.rows, s.Rows()); i++ {
			c := e.x[i*e.n : (i+1)*e.n]
			lo, hi := s.Start[i], s.Start[i+1]
			e.kernel.sumRows(c, e.y, s.Column[lo:hi], s.Value[lo:hi], e.a, 0)
			lo, hi = t.Start[i], t.Start[i+1]
			e.kernel.sumRows(c, e.z, t.Column[lo:hi], t.Value[lo:hi], e.a, 1)
			if e.b != 0 {
				e.kernel.axpy(e.b, e.w[i*e.n:(i+1)*e.n], c)
			}
		}
	})
}

// Dots sets s, whose columns are those that t has in each row, to the dot
// products of the rows of x (m,n) with the rows of w (columns of t, n): what a
// product x w^T has there.
func (s *Sparse) Dots(t *Sparse, x, w []float32, n int) {
	if n < 1 || len(x) != t.Rows()*n || len(w) != t.Columns*n {
		panic(lengths)
	}
	s.Columns = t.Columns
	s.resize(t.Rows(), len(t.Column))
	copy(s.Start, t.Start)
	copy(s.Column, t.Column)
	if len(x) == 0 {
		return
	}
	j := newJob()
	j.elem = elemArgs{kernel: active, x: x, y: w, n: n}
	j.sparse = sparseArgs{a: s}
	items := j.sparse.cut(s, n)
	j.do(items, func(j *job, item int) {
		e, s := &j.elem, j.sparse.a
		for i := item * j.sparse.rows; i < min((item+1)*j.sparse.rows, s.Rows()); i++ {
			x := e.x[i*e.n : (i+1)*e.n]
			for at := s.Start[i]; at < s.Start[i+1]; at++ {
				w := int(s.Column[at]) * e.n
				s.Value[at] = e.kernel.dot(x, e.y[w:w+e.n])
			}
		}
	})
}

// sparseArgs is a product of a sparse matrix.
type sparseArgs struct {
	a, b     *Sparse
	list     *Shortlist
	rows     int // of an item
	elements []Element
}

// cut settles the rows of an item of a product with rows of n elements, and
// returns how many items there are.
func (a *sparseArgs) cut(s *Sparse, n int) int {
	perRow := (len(s.Column)/s.Rows() + 1) * n
	a.rows = max(1, sparseItem/perRow)
	return (s.Rows() + a.rows - 1) / a.rows
}

// sparseItem multiplications make an item: some 10 microseconds.
const sparseItem = 256 << 10
