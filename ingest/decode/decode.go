// Package decode turns payloads into values, one file and one folder of test
// data for each format.
//
// A decoder takes a payload whole or not at all: what it cannot read it reports
// as an *ingest.DecodeError that names the byte and the member at fault, and
// never as a wrong value. It knows nothing of devices; a unit that a payload names
// is handed on as it is.
package decode

import (
	"cmp"
	"mime"

	"tianhai/ingest"
)

// A Decoder reads one payload. Values may share memory with each other, never
// with the payload.
type Decoder = func(payload []byte) ([]ingest.Value, error)

// Formats lists the names that ByFormat knows, without media types.
const Formats = "json, senml+json, senml+cbor, influx, chirpstack, ttn"

// ByFormat returns the decoder of a format, named as in a device's model
// ("json") or as a media type ("application/json; charset=utf-8"). Some have
// parameters: "influx;precision=ms".
func ByFormat(name string) (Decoder, bool) {
	if name == "json" {
		return JSON, true // nearly every frame
	}
	media, params, err := mime.ParseMediaType(name)
	if err != nil {
		return nil, false
	}
	switch media {
	case "application/json", "json":
		return JSON, true
	case "senml+json", "application/senml+json":
		return SenMLJSON, true
	case "senml+cbor", "application/senml+cbor":
		return SenMLCBOR, true
	case "influx":
		return Influx(cmp.Or(params["precision"], "ns"))
	case "chirpstack":
		return ChirpStack, true
	case "ttn":
		return TheThingsStack, true
	default:
		return nil, false
	}
}
