package decode

import (
	"errors"

	"tianhai/ingest"
)

// ChirpStack reads the "up" event of ChirpStack v4 in JSON. The values are those
// of the member "object", which the codec of the device's profile makes; an
// uplink without one is an error that says so. Their time is that of the network
// server. The best gateway's "rssi" and "snr" come along.
//
// Source: ChirpStack v4 documentation, integrations, events.
func ChirpStack(payload []byte) ([]ingest.Value, error) {
	const format = "chirpstack"
	root, err := readJSON(format, payload)
	if err != nil {
		return nil, err
	}
	if root.kind != object || root.member("deviceInfo") == nil {
		return nil, root.fault(format, "", errors.New("no uplink event: an object with deviceInfo"))
	}
	decoded := root.member("object")
	if !given(decoded) {
		return nil, root.fault(format, "object", errNoCodec)
	}
	u := uplink{format: format}
	if u.time, err = u.at(root.member("time"), "time"); err != nil {
		return nil, err
	}
	if err := u.add(decoded, "", "object"); err != nil {
		return nil, err
	}
	if len(u.values) == 0 {
		return nil, decoded.fault(format, "object", errNoCodec)
	}
	u.radio(root.member("rxInfo"))
	return u.values, nil
}
