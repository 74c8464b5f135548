package decode

import (
	"errors"

	"tianhai/ingest"
)

// ChirpStack reads the "up" event of ChirpStack v4 in JSON. The values are those
// of the member "object", which the codec of the device's profile makes; an
// uplink without one is an error that says so, and so is another event. Their time
// is the event's: when a gateway with a satellite clock heard the device, or else
// when the network server had the uplink. The best gateway's "rssi" and "snr"
// come along.
//
// Source: ChirpStack v4 documentation, integrations, events.
func ChirpStack(payload []byte) ([]ingest.Value, error) {
	const format = "chirpstack"
	root, err := readJSON(format, payload)
	if err != nil {
		return nil, err
	}
	if root.kind != object || root.member("deviceInfo") == nil {
		return nil, root.fault(format, "", errors.New("no uplink event of ChirpStack v4, which has a deviceInfo"))
	}
	decoded := root.member("object")
	if other := root.member("integrationName"); other != nil || decoded == nil && root.member("data") == nil && root.member("rxInfo") == nil {
		return nil, root.fault(format, "", errors.New("no uplink event: only \"up\" has readings, not \"join\", \"status\", \"log\" and the like"))
	}
	if !given(decoded) {
		err := errNoCodec
		if data := root.member("data"); data == nil || data.text == "" {
			err = errNoData
		}
		return nil, root.fault(format, "object", err)
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
