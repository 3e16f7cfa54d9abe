package parquet

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/aefeat/aefeat/arrowio/internal/bound"
	"github.com/aefeat/aefeat/arrowio/internal/format"
	"github.com/aefeat/aefeat/arrowio/internal/thrift"
)

// maxNesting bounds the depth of schemas: deeper than any table, and far from
// the end of the stack.
const maxNesting = 64

const nestingHint = "leave the column out, or write it with fewer levels"

// A tree is the schema: its nodes in preorder, and which of them are columns.
type tree struct {
	nodes  []node
	leaves []leaf
	fields int // columns at the top
}

// A node is an element of the schema.
type node struct {
	physical   int32 // -1: a group
	length     int32 // of a fixed-length value
	repetition int32
	name       string
	children   int32
	converted  int32 // -1: none
	scale      int32
	precision  int32
	hasScale   bool
	hasPrec    bool
	fieldID    int32
	hasFieldID bool
	logical    []byte // a Thrift struct, well formed; nil: none
}

// A leaf is a column as Parquet stores it.
type leaf struct {
	node           int // index in nodes
	path           []string
	top            int // index of the column at the top
	physical       int32
	length         int // bytes of a value; 0 if it varies
	maxDef, maxRep int
	repetition     []int32 // of the fields along the path
}

// leavesOf returns the first of the leaves of a column at the top, and the one
// after the last. Leaves are in the order of the columns.
func (t *tree) leavesOf(top int) (from, to int) {
	from = sort.Search(len(t.leaves), func(i int) bool { return t.leaves[i].top >= top })
	to = from
	for to < len(t.leaves) && t.leaves[to].top == top {
		to++
	}
	return from, to
}

func (t *tree) name(leaf int) string { return t.nodes[t.leaves[leaf].node].name }

func (r *footerReader) node() node {
	n := node{physical: -1, repetition: -1, converted: -1}
	r.Struct(func(id int16, typ byte) bool {
		switch id {
		case 1:
			r.Int32(typ, &n.physical)
			if n.physical < 0 || n.physical > format.Fixed {
				r.Fail(fmt.Errorf("unknown physical type %d", n.physical))
			}
		case 2:
			r.Int32(typ, &n.length)
		case 3:
			r.Int32(typ, &n.repetition)
		case 4:
			n.name = string(r.Bytes(typ))
		case 5:
			r.Int32(typ, &n.children)
		case 6:
			r.Int32(typ, &n.converted)
		case 7:
			r.Int32(typ, &n.scale)
			n.hasScale = true
		case 8:
			r.Int32(typ, &n.precision)
			n.hasPrec = true
		case 9:
			r.Int32(typ, &n.fieldID)
			n.hasFieldID = true
		case 10:
			if r.Want(typ, thrift.Struct) {
				// Types that are not known are to be ignored.
				if b := r.Raw(typ); knownLogical(b) {
					n.logical = b
				}
			}
		default:
			return false
		}
		return true
	})
	return n
}

// knownLogical says whether a logical type, a union, is one that the library
// knows.
func knownLogical(b []byte) bool {
	known := false
	r := thrift.NewReader(b)
	r.Struct(func(id int16, typ byte) bool {
		known = id >= 1 && id <= 18 && id != 9 && typ == thrift.Struct
		return false
	})
	return known
}

// spellOut writes lists of lists, and of maps, as the format has them today:
//
//	group (LIST) { repeated group (LIST) {...} }
//
// as Avro and old versions of Spark and Hive have them, becomes
//
//	group (LIST) { repeated group list { required group (LIST) {...} } }
//
// which has the same levels. The library takes the inner list for a struct.
func (t *tree) spellOut() {
	old := t.nodes
	t.nodes = make([]node, 0, len(old))
	for i := range old {
		t.nodes = append(t.nodes, old[i])
		if i+1 < len(old) && old[i].holdsOldList(&old[i+1]) {
			old[i+1].repetition = format.Required
			t.nodes = append(t.nodes, node{physical: -1, repetition: format.Repeated, name: "list", children: 1, converted: -1})
		}
	}
}

// holdsOldList reports a list of lists, or of maps, as they were long ago.
// inner is the node that follows.
func (n *node) holdsOldList(inner *node) bool {
	return n.is(format.LogicalList, format.ConvertedList) && n.children == 1 &&
		inner.physical < 0 && inner.repetition == format.Repeated &&
		(inner.is(format.LogicalList, format.ConvertedList) || inner.is(format.LogicalMap, format.ConvertedMap))
}

// is reports a group of a logical type.
func (n *node) is(logical int16, converted int32) bool {
	id, _ := n.logicalType()
	return n.physical < 0 && (id == logical || id == 0 && n.converted == converted)
}

// build finds the leaves of the tree.
func (t *tree) build() error {
	t.spellOut()
	root := t.nodes[0]
	if root.physical >= 0 || root.children < 0 {
		return errors.New("schema without a root")
	}
	if root.children == 0 {
		return errors.New("schema without columns")
	}
	t.fields = int(root.children)
	b := &builder{tree: t, next: 1}
	for top := range t.fields {
		if err := b.walk(leaf{top: top}); err != nil {
			return err
		}
	}
	if b.next != len(t.nodes) {
		return errors.New("schema with elements outside its root")
	}
	return nil
}

// A builder goes over the nodes of a tree.
type builder struct {
	*tree
	next int // node
}

// walk adds the leaves of the next node, which is inside at.
func (b *builder) walk(at leaf) error {
	if b.next >= len(b.nodes) {
		return errors.New("schema ends early")
	}
	if len(at.path) >= maxNesting {
		return &bound.BeyondError{
			What: fmt.Sprintf("its schema is nested beyond the %d levels that are read, of which a list takes two", maxNesting),
			Hint: nestingHint,
		}
	}
	n := &b.nodes[b.next]
	at.node = b.next
	b.next++
	switch n.repetition {
	case format.Required:
	case format.Optional:
		at.maxDef++
	case format.Repeated:
		at.maxDef++
		at.maxRep++
	default:
		return fmt.Errorf("column %q is neither required nor optional nor repeated", n.name)
	}
	at.path = append(slices.Clip(at.path), n.name)
	at.repetition = append(slices.Clip(at.repetition), n.repetition)
	if n.physical >= 0 {
		return b.add(at, n)
	}
	if n.children <= 0 {
		return fmt.Errorf("column %q has neither a type nor children", n.name)
	}
	if int(n.children) > len(b.nodes)-b.next {
		return errors.New("schema ends early")
	}
	names := map[string]bool{}
	for range n.children {
		if b.next < len(b.nodes) {
			name := b.nodes[b.next].name
			if names[name] {
				return fmt.Errorf("column %q has two children %q", n.name, name)
			}
			names[name] = true
		}
		if err := b.walk(at); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) add(l leaf, n *node) error {
	if n.children != 0 {
		return fmt.Errorf("column %q has a type and children", n.name)
	}
	l.physical = n.physical
	switch n.physical {
	case format.Int32, format.Float:
		l.length = 4
	case format.Int64, format.Double:
		l.length = 8
	case format.Int96:
		l.length = 12
	case format.Fixed:
		if n.length <= 0 {
			return fmt.Errorf("column %q has values of %d bytes", n.name, n.length)
		}
		l.length = int(n.length)
	}
	b.leaves = append(b.leaves, l)
	return nil
}
