package imagery

import (
	"bytes"
	"encoding/binary"
)

// orientationTag is the tag of TIFF, and so of EXIF, that says how an image is
// to be turned: 1 not at all; 2 to 8 the ways to turn and mirror it (TIFF 6.0,
// section 8; EXIF 2.3, section 4.6.4).
const orientationTag = 274

// tiffOrientation returns the orientation in the first directory of a TIFF
// file, which EXIF data are as well; 1 where it says none.
func tiffOrientation(data []byte) int {
	if len(data) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return 1
	}
	entries := data[at+2:]
	for range order.Uint16(data[at:]) {
		if len(entries) < 12 {
			return 1
		}
		const short = 3
		if order.Uint16(entries) == orientationTag {
			v := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != short || v < 1 || v > 8 {
				return 1
			}
			return v
		}
		entries = entries[12:]
	}
	return 1
}

// jpegOrientation returns the orientation in the EXIF segment of a JPEG file, 1
// where there is none.
func jpegOrientation(data []byte) int {
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		marker, n := data[1], int(binary.BigEndian.Uint16(data[2:]))
		const startOfScan, app1 = 0xda, 0xe1
		switch {
		case marker == 0xff: // a byte that fills
			data = data[1:]
			continue
		case marker == startOfScan || n < 2 || 2+n > len(data):
			return 1
		}
		if exif, ok := bytes.CutPrefix(data[4:2+n], []byte("Exif\x00\x00")); ok && marker == app1 && isTIFF(exif) {
			return tiffOrientation(exif)
		}
		data = data[2+n:]
	}
	return 1
}

// upright returns p turned as its orientation asks for.
func (p *Picture) upright(orientation int) *Picture {
	if orientation < 2 || orientation > 8 {
		return p
	}
	h, w, c := p.Shape.Height, p.Shape.Width, p.Shape.Channels
	to := &Picture{Shape: p.Shape, Bytes: make([]uint8, 0, len(p.Bytes))}
	if orientation >= 5 { // lines become columns
		to.Shape.Height, to.Shape.Width = w, h
	}
	for y := range to.Shape.Height {
		for x := range to.Shape.Width {
			i, j := y, x
			switch orientation {
			case 2:
				j = w - 1 - x
			case 3:
				i, j = h-1-y, w-1-x
			case 4:
				i = h - 1 - y
			case 5:
				i, j = x, y
			case 6:
				i, j = h-1-x, y
			case 7:
				i, j = h-1-x, w-1-y
			case 8:
				i, j = x, w-1-y
			}
			from := (i*w + j) * c
			to.Bytes = append(to.Bytes, p.Bytes[from:from+c]...)
		}
	}
	return to
}
