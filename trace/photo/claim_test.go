package photo_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace/photo"
)

// A tag is one entry of an Exif directory, Exif 2.32 §4.6.2.
type tag struct {
	id, kind uint16 // kind 2: ASCII, 4: a number, 5: rationals
	text     string
	number   uint32
	parts    [][2]uint32
}

// directory lays tags out at an offset of a big-endian TIFF, what is longer than four
// bytes behind them.
func directory(tags []tag, at int) []byte {
	out := binary.BigEndian.AppendUint16(nil, uint16(len(tags)))
	var behind []byte
	end := at + 2 + 12*len(tags) + 4
	for _, t := range tags {
		value := binary.BigEndian.AppendUint32(nil, t.number)
		count := 1
		switch t.kind {
		case 2:
			value, count = append([]byte(t.text), 0), len(t.text)+1
		case 5:
			value, count = nil, len(t.parts)
			for _, p := range t.parts {
				value = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(value, p[0]), p[1])
			}
		}
		out = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(out, t.id), t.kind)
		out = binary.BigEndian.AppendUint32(out, uint32(count))
		if len(value) > 4 {
			out = binary.BigEndian.AppendUint32(out, uint32(end+len(behind)))
			behind = append(behind, value...)
			continue
		}
		out = append(out, append(value, make([]byte, 4-len(value))...)...)
	}
	return append(append(out, 0, 0, 0, 0), behind...)
}

// snapshot is a JPEG with what a phone writes into one.
func snapshot(t testing.TB, camera, gps []tag) []byte {
	t.Helper()
	const first = 8 + 2 + 2*12 + 4 // behind the header and a directory of two
	exif := directory(camera, first)
	where := directory(gps, first+len(exif))
	root := directory([]tag{{id: 0x8769, kind: 4, number: first}, {id: 0x8825, kind: 4, number: uint32(first + len(exif))}}, 8)
	tiff := append(append(append([]byte("MM\x00*\x00\x00\x00\x08"), root...), exif...), where...)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(out, segment...), picture.Bytes()[2:]...)
}

func ascii(id uint16, s string) tag { return tag{id: id, kind: 2, text: s} }

func degrees(id uint16, d, m, s uint32) tag {
	return tag{id: id, kind: 5, parts: [][2]uint32{{d, 1}, {m, 1}, {s * 100, 100}}}
}

func TestReadClaim(t *testing.T) {
	taken := ascii(0x9003, "2026:11:20 09:30:00")
	raft := []tag{ascii(1, "N"), degrees(2, 21, 45, 36), ascii(3, "E"), degrees(4, 108, 33, 0)}
	at := &farm.Position{Longitude: 108.55, Latitude: 21.76}
	for name, tt := range map[string]struct {
		camera, gps []tag
		want        photo.Claim
	}{
		"time and place":     {[]tag{taken}, raft, photo.Claim{Taken: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC), Position: at}},
		"another zone":       {[]tag{taken, ascii(0x9011, "+07:00")}, raft, photo.Claim{Taken: time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC), Position: at}},
		"south and west":     {nil, []tag{ascii(1, "S"), degrees(2, 21, 45, 36), ascii(3, "W"), degrees(4, 108, 33, 0)}, photo.Claim{Position: &farm.Position{Longitude: -108.55, Latitude: -21.76}}},
		"nothing":            {nil, nil, photo.Claim{}},
		"no day":             {[]tag{ascii(0x9003, "0000:00:00 00:00:00")}, nil, photo.Claim{}},
		"half a place":       {[]tag{taken}, raft[:2], photo.Claim{Taken: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)}},
		"off the map":        {nil, []tag{ascii(1, "N"), degrees(2, 121, 0, 0), ascii(3, "E"), degrees(4, 108, 0, 0)}, photo.Claim{}},
		"the null of a chip": {nil, []tag{ascii(1, "N"), degrees(2, 0, 0, 0), ascii(3, "E"), degrees(4, 0, 0, 0)}, photo.Claim{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := photo.ReadClaim(snapshot(t, tt.camera, tt.gps))
			if !got.Taken.Equal(tt.want.Taken) {
				t.Errorf("taken %v, want %v", got.Taken, tt.want.Taken)
			}
			if (got.Position == nil) != (tt.want.Position == nil) || got.Position != nil && got.Position.Distance(*tt.want.Position) > 1 {
				t.Errorf("position %v, want %v", got.Position, tt.want.Position)
			}
		})
	}
	if got := photo.ReadClaim([]byte("<html>")); got != (photo.Claim{}) {
		t.Errorf("a page claims %+v", got)
	}
}

func FuzzReadClaim(f *testing.F) {
	f.Add(snapshot(f, []tag{ascii(0x9003, "2026:11:20 09:30:00"), ascii(0x9011, "+07:00")}, []tag{ascii(1, "N"), degrees(2, 21, 45, 36), ascii(3, "E"), degrees(4, 108, 33, 0)}))
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Add([]byte("RIFF\x10\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := photo.ReadClaim(raw)
		if p := got.Position; p != nil && !(p.Latitude >= -90 && p.Latitude <= 90 && p.Longitude >= -180 && p.Longitude <= 180) {
			t.Errorf("a place off the map: %v", *p)
		}
		if !got.Taken.IsZero() && (got.Taken.Year() < 1989 || got.Taken.Year() > 10000) {
			t.Errorf("taken %v", got.Taken)
		}
	})
}
