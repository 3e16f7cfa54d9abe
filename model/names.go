package model

import (
	"fmt"
	"strings"
)

// Text forms of the enumerations, whose values count from 0 and index names.

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown (%d)", v)
}

func marshalName[T ~uint8](names []string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("%d has no name", v)
	}
	return []byte(names[v]), nil
}

func unmarshalName[T ~uint8](what string, names []string, v *T, text []byte) error {
	for i, name := range names {
		if name == string(text) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("unknown %s %q: want one of %q", what, text, names)
}

// alternatives writes "a, b or c".
func alternatives(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
