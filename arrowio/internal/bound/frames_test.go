package bound

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/compress"
)

// lz4Frame makes a frame of blocks that are not compressed, with checksums that
// are not right.
func lz4Frame(plain []byte, ofContent, ofBlocks bool) []byte {
	flags := byte(0x60)
	if ofContent {
		flags |= 4
	}
	if ofBlocks {
		flags |= 16
	}
	b := []byte{0x04, 0x22, 0x4d, 0x18, flags, 0x40, 0}
	for len(plain) > 0 {
		n := min(len(plain), 64<<10)
		b = binary.LittleEndian.AppendUint32(b, 1<<31|uint32(n))
		b = append(b, plain[:n]...)
		if ofBlocks {
			b = append(b, 1, 2, 3, 4)
		}
		plain = plain[n:]
	}
	b = append(b, 0, 0, 0, 0)
	if ofContent {
		b = append(b, 1, 2, 3, 4)
	}
	return b
}

// TestBounds compares what frames are said to hold at most with what they hold.
func TestBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		plain := make([]byte, rng.IntN(700_000))
		if i%3 > 0 {
			for j := range plain {
				plain[j] = byte(rng.IntN(1 + i%5))
			}
		} else {
			for j := range plain {
				plain[j] = byte(rng.Uint32())
			}
		}
		var packed bytes.Buffer
		if i%2 == 0 {
			z := codec.(compress.StreamingCodec).NewWriter(&packed)
			z.Write(plain)
			z.Close()
		} else {
			packed.Write(codec.Encode(nil, plain))
		}
		bound, err := Zstd(packed.Bytes(), int64(len(plain)))
		if err != nil || bound < int64(len(plain)) || bound > int64(len(plain))+256<<10 {
			t.Errorf("zstd: %d bytes, bound %d, %v", len(plain), bound, err)
		}
		if packed.Len() > 10 {
			if _, err := Zstd(packed.Bytes()[:packed.Len()-1], int64(len(plain))); err == nil {
				t.Error("a truncated frame is taken")
			}
		}

		frame := lz4Frame(plain, i%2 == 0, i%4 < 2)
		bound, err = LZ4(frame)
		if err != nil || bound < int64(len(plain)) || bound > int64(len(plain))+64<<10 {
			t.Errorf("lz4: %d bytes, bound %d, %v", len(plain), bound, err)
		}
		if _, err := LZ4(frame[:len(frame)-1]); err == nil {
			t.Error("a truncated frame is taken")
		}
		if _, err := LZ4(append(frame, 0, 0, 0, 0)); err == nil {
			t.Error("bytes after a frame are taken")
		}
	}
	// A window of a gigabyte for nothing.
	if _, err := Zstd([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 1, 0, 0}, 100); err == nil {
		t.Error("a window of 1 GiB is taken")
	}
}
