package broker_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"tianhai/ingest/broker"
)

// Whatever a stranger sends first, the head is just what was read, and says a length
// that room may be made for.
func FuzzReadHead(f *testing.F) {
	for _, seed := range []string{"\x10\x0c\x00\x04MQTT", "\x10\x80\x40", "\x10\x81\x40", "\x10\x80\x80\x80\x80\x01", "\x10\xff\xff\xff\xff", "\x20\x02", "\x10", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := bytes.NewReader(sent)
		head, err := broker.ReadHead(r)
		if err != nil {
			return
		}
		if read := len(sent) - r.Len(); !bytes.Equal(head, sent[:read]) {
			t.Errorf("read %x as the head %x", sent[:read], head)
		}
		length, n := binary.Uvarint(head[1:])
		if head[0] != 0x10 || n != len(head)-1 || length > broker.MaxConnect {
			t.Errorf("%x is taken for the head of a CONNECT; %d bytes in %d", head, length, n)
		}
	})
}
