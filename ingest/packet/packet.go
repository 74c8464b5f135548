// Package packet finds MQTT control packets in a stream of bytes, and reads
// PUBLISH at QoS 0 and 1 in place.
//
// Nearly all that devices send is readings at QoS 1. The session with an outside
// broker takes those out of the stream before its MQTT library sees them, and
// leaves everything else to the library. Nothing here allocates.
package packet

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed reports bytes that are no MQTT packet.
var ErrMalformed = errors.New("malformed packet")

// MaxHead is how long a fixed header can be, in bytes [MQTT-2.2.3].
const MaxHead = 5

// Size returns how many bytes the packet has that b begins with, its fixed
// header included; 0 where b is too short to tell. More than MaxHead bytes always
// suffice. The error is ErrMalformed.
func Size(b []byte) (int, error) {
	rest := 0
	for i := 1; i < min(len(b), MaxHead); i++ {
		rest |= int(b[i]&0x7F) << (7 * (i - 1))
		if b[i]&0x80 == 0 {
			return 1 + i + rest, nil
		}
	}
	if len(b) >= MaxHead {
		return 0, ErrMalformed
	}
	return 0, nil
}

// IsPublish reports whether a packet is PUBLISH at QoS 0 or 1, by its first byte.
func IsPublish(first byte) bool { return first>>4 == 3 && first&0x04 == 0 }

// A Publish is a PUBLISH packet at QoS 0 or 1. Topic and Payload share the
// packet's memory.
type Publish struct {
	ID      uint16 // 0 at QoS 0
	Topic   []byte
	Payload []byte
}

// ReadPublish reads one whole packet for which IsPublish is true, of MQTT 3. The
// error is ErrMalformed. Whether the topic is a good name is not looked at.
func ReadPublish(b []byte) (Publish, error) {
	if size, err := Size(b); err != nil || size == 0 || size != len(b) {
		return Publish{}, ErrMalformed
	}
	return ReadStart(b)
}

// ReadStart reads the start of a packet for which IsPublish is true, up to its
// payload; Payload is what follows in b. The error is ErrMalformed, also where b
// ends too early.
func ReadStart(b []byte) (p Publish, err error) {
	if size, err := Size(b); err != nil || size == 0 || !IsPublish(b[0]) {
		return Publish{}, ErrMalformed
	}
	at := 1
	for b[at]&0x80 != 0 {
		at++
	}
	rest := b[at+1:]
	if len(rest) < 2 {
		return Publish{}, ErrMalformed
	}
	n := 2 + int(binary.BigEndian.Uint16(rest))
	if len(rest) < n {
		return Publish{}, ErrMalformed
	}
	p.Topic, p.Payload = rest[2:n:n], rest[n:]
	if b[0]&0x02 == 0 {
		return p, nil
	}
	if len(p.Payload) < 2 {
		return Publish{}, ErrMalformed
	}
	if p.ID = binary.BigEndian.Uint16(p.Payload); p.ID == 0 { // [MQTT-2.3.1-1]
		return Publish{}, ErrMalformed
	}
	p.Payload = p.Payload[2:]
	return p, nil
}

// AppendPuback appends the acknowledgement of a PUBLISH at QoS 1.
func AppendPuback(b []byte, id uint16) []byte { return append(b, 0x40, 2, byte(id>>8), byte(id)) }
