package packet_test

import (
	"bytes"
	"errors"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2/packets"

	"tianhai/ingest/packet"
)

func TestSize(t *testing.T) {
	tests := map[string]struct {
		b    []byte
		want int
	}{
		"nothing":               {nil, 0},
		"no length yet":         {[]byte{0x30}, 0},
		"half a length":         {[]byte{0x30, 0x80}, 0},
		"PINGRESP":              {[]byte{0xD0, 0}, 2},
		"one byte, largest":     {[]byte{0x30, 127}, 129},
		"two bytes, smallest":   {[]byte{0x30, 0x80, 1}, 131},
		"two bytes, largest":    {[]byte{0x30, 0xFF, 0x7F}, 3 + 16383},
		"three bytes, smallest": {[]byte{0x30, 0x80, 0x80, 1}, 4 + 16384},
		"four bytes, largest":   {[]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, 5 + 268435455},
		"more follows":          {[]byte{0xD0, 0, 0xD0, 0}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := packet.Size(tt.b); err != nil || got != tt.want {
				t.Errorf("Size(%x) = %d, %v; want %d", tt.b, got, err, tt.want)
			}
		})
	}
	if _, err := packet.Size([]byte{0x30, 0x80, 0x80, 0x80, 0x80}); !errors.Is(err, packet.ErrMalformed) {
		t.Errorf("a length of five bytes: %v", err)
	}
}

func TestReadPublish(t *testing.T) {
	got, err := packet.ReadPublish([]byte{0x3B, 9, 0, 3, 'a', '/', 'b', 0x12, 0x34, 'h', 'i'}) // DUP, retained
	if err != nil || got.ID != 0x1234 || string(got.Topic) != "a/b" || string(got.Payload) != "hi" {
		t.Errorf("QoS 1: %+v, %v", got, err)
	}
	got, err = packet.ReadPublish([]byte{0x30, 3, 0, 1, 'a'})
	if err != nil || got.ID != 0 || string(got.Topic) != "a" || len(got.Payload) != 0 {
		t.Errorf("QoS 0 without payload: %+v, %v", got, err)
	}
}

func TestReadPublishMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                 nil,
		"QoS 2":                   {0x34, 6, 0, 1, 'a', 0, 1, 'x'},
		"not PUBLISH":             {0xD0, 0},
		"cut off":                 {0x32, 7, 0, 1, 'a', 0},
		"more than one":           {0x30, 3, 0, 1, 'a', 0xD0, 0},
		"no topic":                {0x30, 1, 0},
		"topic beyond the packet": {0x30, 3, 0, 2, 'a'},
		"no identifier":           {0x32, 4, 0, 1, 'a', 0},
		"identifier 0":            {0x32, 5, 0, 1, 'a', 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := packet.ReadPublish(b); !errors.Is(err, packet.ErrMalformed) {
				t.Errorf("ReadPublish(%x) = %+v, %v", b, p, err)
			}
		})
	}
}

// FuzzReadPublish holds every packet against what the broker's library reads.
func FuzzReadPublish(f *testing.F) {
	f.Add([]byte{0x32, 7, 0, 1, 'a', 0, 1, 'h', 'i'})
	f.Add([]byte{0x30, 3, 0, 1, 'a'})
	f.Add([]byte{0x32, 0x87, 0, 0, 1, 'a', 0, 1, 'h', 'i'})
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := packet.Size(b)
		if err != nil || size == 0 || size > len(b) || !packet.IsPublish(b[0]) {
			return
		}
		b = b[:size]
		got, err := packet.ReadPublish(b)
		want, wantErr := theirs(b)
		if err != nil {
			if wantErr == nil && want.PacketID != 0 {
				t.Errorf("%x is malformed, the library reads %+v", b, want)
			}
			return
		}
		if wantErr != nil { // it also judges the topic's text
			return
		}
		if got.ID != want.PacketID || string(got.Topic) != want.TopicName || !bytes.Equal(got.Payload, want.Payload) {
			t.Errorf("%x: %+v, the library reads %+v", b, got, want)
		}
		if got.ID != 0 {
			if ack := packet.AppendPuback(nil, got.ID); ack[0] != 0x40 || ack[1] != 2 || uint16(ack[2])<<8|uint16(ack[3]) != got.ID {
				t.Errorf("acknowledged by %x", ack)
			}
		}
	})
}

func theirs(b []byte) (mochi.Packet, error) {
	pk := mochi.Packet{ProtocolVersion: 4}
	if err := pk.FixedHeader.Decode(b[0]); err != nil {
		return pk, err
	}
	rest := b[1:]
	for rest[0]&0x80 != 0 {
		rest = rest[1:]
	}
	return pk, pk.PublishDecode(bytes.Clone(rest[1:]))
}
