package photo

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation returns how a JPEG is to be turned, 1 to 8 as Exif 2.32 §4.6.4 says of
// tag 0112; 1, as it is, where nothing says so. Phones write all pictures as their
// sensor lies. Nothing else of Exif is read.
func orientation(raw []byte) int {
	if !bytes.HasPrefix(raw, []byte{0xff, 0xd8}) {
		return 1
	}
	for rest := raw[2:]; len(rest) >= 4 && rest[0] == 0xff; {
		marker, size := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xda || size < 2 || len(rest) < 2+size {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(rest[4:2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		rest = rest[2+size:]
	}
	return 1
}

func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// upright turns a picture as its orientation says.
func upright(in *image.RGBA, orientation int) image.Image {
	w, h := in.Rect.Dx(), in.Rect.Dy()
	from := map[int]func(x, y int) (int, int){ // where a pixel of the turned picture is
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, h - 1 - x },
		7: func(x, y int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y int) (int, int) { return w - 1 - y, x },
	}[orientation]
	if from == nil {
		return in
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			fx, fy := from(x, y)
			out.SetRGBA(x, y, in.RGBAAt(fx, fy))
		}
	}
	return out
}
