// Package decode turns payloads into values, one file and one folder of test
// data for each format.
//
// A decoder takes a payload whole or not at all: what it cannot read it reports
// as an *ingest.DecodeError that names the byte and the member at fault, and
// never as a wrong value. It knows nothing of devices; a unit that a payload names
// is handed on as it is.
package decode

import (
	"mime"

	"tianhai/ingest"
)

// A Decoder reads one payload. Values may share memory with each other, never
// with the payload.
type Decoder = func(payload []byte) ([]ingest.Value, error)

// ByFormat returns the decoder of a format, named as in a device's model
// ("json") or as a media type ("application/json; charset=utf-8").
func ByFormat(name string) (Decoder, bool) {
	if media, _, err := mime.ParseMediaType(name); err == nil {
		name = media
	}
	switch name {
	case "json", "application/json":
		return JSON, true
	case "senml+json", "application/senml+json":
		return SenMLJSON, true
	case "senml+cbor", "application/senml+cbor":
		return SenMLCBOR, true
	default:
		return nil, false
	}
}
