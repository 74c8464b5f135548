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
// with the payload. They may be put in room, whatever it holds.
type Decoder = func(payload []byte, room []ingest.Value) ([]ingest.Value, error)

// Roomless makes a Decoder of a function that needs no room.
func Roomless(decode func(payload []byte) ([]ingest.Value, error)) Decoder {
	return func(payload []byte, _ []ingest.Value) ([]ingest.Value, error) { return decode(payload) }
}

// Formats lists the names that ByFormat knows, without media types.
const Formats = "json, senml+json, senml+cbor, influx, chirpstack, ttn"

// ByFormat returns the decoder of a format, named as in a device's model
// ("json") or as a media type ("application/json; charset=utf-8"). Some have
// parameters: "influx;precision=ms".
func ByFormat(name string) (Decoder, bool) {
	if name == "json" {
		return jsonIn, true // nearly every frame
	}
	media, params, err := mime.ParseMediaType(name)
	if err != nil {
		return nil, false
	}
	switch media {
	case "application/json", "json":
		return jsonIn, true
	case "senml+json", "application/senml+json":
		return Roomless(SenMLJSON), true
	case "senml+cbor", "application/senml+cbor":
		return Roomless(SenMLCBOR), true
	case "influx":
		return Influx(cmp.Or(params["precision"], "ns"))
	case "chirpstack":
		return Roomless(ChirpStack), true
	case "ttn":
		return Roomless(TheThingsStack), true
	default:
		return nil, false
	}
}
