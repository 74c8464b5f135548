package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"tianhai/ingest"
)

// The first byte of every message is its version:
//
//	quarantined = 1 seq(uvarint) length(uvarint) reason single
//	single      = 1 received(varint, Unix ns) length(uvarint) content-type payload
//	group       = 2 { length(uvarint) device received(varint, Unix ns)
//	                length(uvarint) content-type length(uvarint) payload }
//
// Frames are written in groups. Journals of earlier versions hold single frames,
// whose device stands in the subject.
const (
	envelopeV1 = 1
	envelopeV2 = 2
)

var errEnvelope = errors.New("malformed envelope")

func encodeFrame(f ingest.Frame) []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(f.ContentType)+len(f.Payload))
	return appendFrame(b, f)
}

func appendFrame(b []byte, f ingest.Frame) []byte {
	b = append(b, envelopeV1)
	b = binary.AppendVarint(b, f.Received.UnixNano())
	b = appendText(b, f.ContentType)
	return append(b, f.Payload...)
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendGrouped appends a frame to a group, which begins with its version.
func appendGrouped(b []byte, f *ingest.Frame) []byte {
	b = appendText(b, f.Device)
	b = binary.AppendVarint(b, f.Received.UnixNano())
	b = appendText(b, f.ContentType)
	return appendText(b, f.Payload)
}

// groupedSize is how much room a frame takes in a group at most.
func groupedSize(f *ingest.Frame) int {
	return 4*binary.MaxVarintLen64 + len(f.Device) + len(f.ContentType) + len(f.Payload)
}

// appendFrames reads a record to the end of dst, which it leaves as it is where
// there is an error. Payloads share b's memory. The frame of version 1 has no
// device.
func appendFrames(dst []ingest.Frame, b []byte) ([]ingest.Frame, error) {
	if len(b) == 0 || b[0] != envelopeV2 {
		f, err := decodeFrame(b)
		if err != nil {
			return dst, err
		}
		return append(dst, f), nil
	}
	all := dst
	for b = b[1:]; len(b) > 0; {
		n := len(all)
		all = append(all, ingest.Frame{})
		if n > 0 {
			all[n].Device = all[n-1].Device // often the same, and then shared
		}
		var err error
		if b, err = decodeGrouped(&all[n], b); err != nil {
			return dst, fmt.Errorf("frame %d of group: %w", n-len(dst), err)
		}
	}
	if n := len(all) - len(dst); n == 0 || n > maxGroup {
		return dst, fmt.Errorf("group of %d frames: %w", n, errEnvelope)
	}
	return all, nil
}

func decodeGrouped(f *ingest.Frame, b []byte) (rest []byte, err error) {
	device, b, err := span(b)
	if err != nil || len(device) == 0 {
		return nil, fmt.Errorf("device: %w", errEnvelope)
	}
	if string(device) != f.Device {
		f.Device = string(device)
	}
	ns, n := binary.Varint(b)
	if n <= 0 {
		return nil, fmt.Errorf("received time: %w", errEnvelope)
	}
	f.Received = time.Unix(0, ns).UTC()
	if f.ContentType, b, err = text(b[n:]); err != nil {
		return nil, fmt.Errorf("content type: %w", err)
	}
	if f.Payload, rest, err = span(b); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return rest, nil
}

// decodeFrame reads a single frame. The payload shares b's memory.
func decodeFrame(b []byte) (ingest.Frame, error) {
	b, err := version(b)
	if err != nil {
		return ingest.Frame{}, err
	}
	ns, n := binary.Varint(b)
	if n <= 0 {
		return ingest.Frame{}, fmt.Errorf("received time: %w", errEnvelope)
	}
	contentType, payload, err := text(b[n:])
	if err != nil {
		return ingest.Frame{}, fmt.Errorf("content type: %w", err)
	}
	return ingest.Frame{ContentType: contentType, Received: time.Unix(0, ns).UTC(), Payload: payload}, nil
}

func encodeQuarantined(f ingest.Frame, reason string) []byte {
	b := make([]byte, 0, 2+4*binary.MaxVarintLen64+len(reason)+len(f.ContentType)+len(f.Payload))
	b = append(b, envelopeV1)
	b = binary.AppendUvarint(b, f.Seq)
	b = binary.AppendUvarint(b, uint64(len(reason)))
	b = append(b, reason...)
	return appendFrame(b, f)
}

func decodeQuarantined(b []byte) (reason string, f ingest.Frame, err error) {
	b, err = version(b)
	if err != nil {
		return "", ingest.Frame{}, err
	}
	seq, n := binary.Uvarint(b)
	if n <= 0 {
		return "", ingest.Frame{}, fmt.Errorf("sequence: %w", errEnvelope)
	}
	reason, b, err = text(b[n:])
	if err != nil {
		return "", ingest.Frame{}, fmt.Errorf("reason: %w", err)
	}
	f, err = decodeFrame(b)
	f.Seq = seq
	return reason, f, err
}

func version(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("empty: %w", errEnvelope)
	}
	if b[0] != envelopeV1 {
		return nil, fmt.Errorf("version %d is not known: %w", b[0], errEnvelope)
	}
	return b[1:], nil
}

// text splits a length-prefixed string from the head of b.
func text(b []byte) (string, []byte, error) {
	s, rest, err := span(b)
	return string(s), rest, err
}

// span splits length-prefixed bytes from the head of b.
func span(b []byte) (s, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, errEnvelope
	}
	b = b[n:]
	return b[:size:size], b[size:], nil
}

// token writes a device's name as one token of a NATS subject: whatever is not a
// letter, digit, '-' or '_' becomes '=' and two hexadecimal digits.
func token(device string) string {
	const hex = "0123456789ABCDEF"
	plain := true
	for i := range len(device) {
		plain = plain && isPlain(device[i])
	}
	if plain {
		return device
	}
	var b strings.Builder
	for i := range len(device) {
		if c := device[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// deviceOf returns the device named by the last token of a subject.
func deviceOf(subject string) string {
	tok := subject[strings.LastIndexByte(subject, '.')+1:]
	if !strings.Contains(tok, "=") {
		return tok
	}
	var b strings.Builder
	for i := 0; i < len(tok); i++ {
		if tok[i] == '=' && i+2 < len(tok) {
			b.WriteByte(unhex(tok[i+1])<<4 | unhex(tok[i+2]))
			i += 2
			continue
		}
		b.WriteByte(tok[i])
	}
	return b.String()
}

func unhex(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// partition places a device for good: FNV-1a of its name, modulo n.
func partition(device string, n int) int {
	h := uint32(2166136261)
	for i := range len(device) {
		h = (h ^ uint32(device[i])) * 16777619
	}
	return int(h % uint32(n))
}
