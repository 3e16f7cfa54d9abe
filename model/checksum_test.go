package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"
)

var checksumEntry = regexp.MustCompile(`"checksum":"[0-9a-f]{64}",`)

// withoutChecksum returns the header of a file as it was before there were
// checksums.
func withoutChecksum(t testing.TB, header string) string {
	t.Helper()
	if !checksumEntry.MatchString(header) {
		t.Fatal("the header has no checksum")
	}
	return checksumEntry.ReplaceAllString(header, "")
}

func sha(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// The checksum as the package comment defines it, computed from the bytes of a
// file alone.
func TestChecksumDefinition(t *testing.T) {
	for _, m := range []*Model{trainedModel(t, configs[4].c), learnedModel(t, PreprocessZCA)} {
		data := bytesOf(t, m)
		length := binary.LittleEndian.Uint64(data)
		var header map[string]struct {
			Type    string `json:"dtype"`
			Shape   []int
			Offsets [2]int `json:"data_offsets"`

			Config, Checksum string
		}
		if err := json.Unmarshal(data[8:8+length], &header); err != nil {
			t.Fatal(err)
		}
		meta := header["__metadata__"]
		delete(header, "__metadata__")
		lines := []string{}
		for name, tensor := range header {
			shape, _ := json.Marshal(tensor.Shape)
			lines = append(lines, fmt.Sprintf("%s %s %s %s", name, tensor.Type, bytes.Trim(shape, "[]"), sha(data[8+length:][tensor.Offsets[0]:tensor.Offsets[1]])))
		}
		sort.Strings(lines)
		want := sha([]byte("config " + sha([]byte(meta.Config)) + "\n" + strings.Join(lines, "\n") + "\n"))
		_, info, err := ReadInfo(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if info.Checksum != want || meta.Checksum != want || info.Hash != sha(data) {
			t.Errorf("%+v, the file has %s, want checksum %s and hash %s", info, meta.Checksum, want, sha(data))
		}
	}
}

// What testdata/models.py says of the files, which reads them by itself.
func TestChecksumsOfOldFiles(t *testing.T) {
	for name, want := range map[string]string{
		"v1-sparse": "",
		"v1-parent": "885cfba3f186152d612825a9bba606c743da6a98371a4937528a16bf2e0aad22",
	} {
		data, err := os.ReadFile("../testdata/models/" + name + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		_, info, err := ReadInfo(bytes.NewReader(data))
		if err != nil || info.Checksum != want {
			t.Errorf("%s: checksum %q, want %q, error %v", name, info.Checksum, want, err)
		}
	}
}

// However a file is damaged, it is an error or makes no difference: as in the
// space that pads a header.
func TestEveryBitCounts(t *testing.T) {
	m := trainedModel(t, Sparse(3))
	m.Parent = strings.Repeat("ab", 32)
	whole := bytesOf(t, m)
	read, caught := 0, 0
	for i := range whole {
		bit := byte(1) << (i % 8)
		whole[i] ^= bit
		got, err := Read(bytes.NewReader(whole))
		var format *FormatError
		switch {
		case err == nil && !reflect.DeepEqual(got, m):
			t.Fatalf("byte %d, bit %#x: another model was read", i, bit)
		case err == nil:
			read++
		case !errors.As(err, &format):
			t.Fatalf("byte %d, bit %#x: error %v", i, bit, err)
		case strings.Contains(err.Error(), "checksum"):
			caught++
		}
		whole[i] ^= bit
	}
	if read > len(whole)/20 || caught < len(whole)/3 {
		t.Errorf("of %d damaged files %d are read, and only %d told by their checksum", len(whole), read, caught)
	}
}

func TestParent(t *testing.T) {
	m := trainedModel(t, Sparse(3))
	plain := bytesOf(t, m)
	if bytes.Contains(plain, []byte("parent")) {
		t.Error("a model without a parent names one")
	}
	m.Parent = hex.EncodeToString(bytes.Repeat([]byte{0xa5}, 32))
	data := bytesOf(t, m)
	got, err := Read(bytes.NewReader(data))
	if err != nil || got.Parent != m.Parent {
		t.Errorf("parent %q, error %v", got.Parent, err)
	}
	for _, parent := range []string{"x", strings.Repeat("A", 64), strings.Repeat("a", 63), strings.Repeat("g", 64)} {
		m.Parent = parent
		if _, err := m.WriteTo(&bytes.Buffer{}); err == nil {
			t.Errorf("parent %q is written", parent)
		}
		edited := bytes.Replace(data, []byte(strings.Repeat("a5", 32)), []byte(fmt.Sprintf("%-64s", parent)), 1)
		var format *FormatError
		if _, err := Read(bytes.NewReader(edited)); !errors.As(err, &format) || !strings.Contains(err.Error(), "parent") {
			t.Errorf("parent %q: error %v", parent, err)
		}
	}
}

// Whoever names a bare file as a parent needs its hash.
func TestInfoOfBareTensors(t *testing.T) {
	data := pack(bareTied, bareTiedSize)
	m, info, err := ReadInfo(bytes.NewReader(data))
	var bare *BareError
	if !errors.As(err, &bare) || m != nil || info != (Info{Hash: sha(data)}) {
		t.Errorf("%+v, error %v", info, err)
	}
}
