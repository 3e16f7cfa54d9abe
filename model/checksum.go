package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Info is what is known of a model file beside the model.
type Info struct {
	// Hash is the SHA-256 of the file's bytes, in 64 hex digits. It is the name
	// by which other files call the model: [Model.Parent] is one.
	Hash string

	// Checksum is the one that the file holds, which is right; "": it has none,
	// as files have that were written before there were any.
	Checksum string

	// Checkpoint says that the file also holds the state of a training, which
	// [ReadCheckpoint] goes on from.
	Checkpoint bool
}

// ReadInfo is [Read], and tells of the file. With a [*BareError] Info is there
// too.
func ReadInfo(r io.Reader) (*Model, Info, error) {
	bytes := sha256.New()
	m, h, bare, err := readTensors(io.TeeReader(r, bytes), false)
	if err != nil {
		return nil, Info{}, err
	}
	info := Info{Hash: hex.EncodeToString(bytes.Sum(nil))}
	if !bare {
		info.Checksum = h.metadata["checksum"]
		info.Checkpoint = h.metadata[checkpointKey] != ""
	}
	if bare {
		return nil, info, &BareError{m}
	}
	return m, info, nil
}

// digest is the SHA-256 of something, in hex.
type digest string

func digestOf(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest(hex.EncodeToString(sum[:]))
}

// digest returns the digest of the data as files have it.
func (t filledTensor) digest() digest {
	h := sha256.New()
	_ = t.write(h) // a hash takes everything
	return digest(hex.EncodeToString(h.Sum(nil)))
}

// isDigest reports whether s has the form of a digest.
func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

// checksum returns the checksum of a file with these settings and tensors: see
// the package comment. It depends neither on the order of the tensors in the
// file nor on how the header is written.
func checksum(config string, tensors map[string]tensor, data map[string]digest) string {
	var lines bytes.Buffer
	fmt.Fprintf(&lines, "config %s\n", digestOf([]byte(config)))
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape), "[]"), " ", ",")
		fmt.Fprintf(&lines, "%s %s %s %s\n", name, t.Type, shape, data[name])
	}
	return string(digestOf(lines.Bytes()))
}
