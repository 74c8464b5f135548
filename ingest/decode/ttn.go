package decode

import (
	"errors"
	"fmt"
	"strings"

	"tianhai/ingest"
)

// TheThingsStack reads an uplink message of The Things Stack v3 in JSON. The
// values are those of "decoded_payload", which the device's payload formatter
// makes. Where it makes a "normalized_payload" too, its values have names such as
// "air.temperature" and units; a model may then have channels of either kind, and
// the others are extras. An uplink with neither is an error that says so, and so
// is one that was simulated. Their time is when the network server had the
// uplink, or the normalized payload's own: gateways without a satellite clock
// stamp what they please. The best gateway's "rssi" and "snr" and the last known "battery" level
// come along.
//
// Source: The Things Stack documentation, data formats.
func TheThingsStack(payload []byte) ([]ingest.Value, error) {
	const format = "ttn"
	root, err := readJSON(format, payload)
	if err != nil {
		return nil, err
	}
	up := root.member("uplink_message")
	if !given(up) {
		return nil, root.fault(format, "uplink_message", errors.New("no uplink message of The Things Stack v3; join_accept, downlink_ack and the like have no readings"))
	}
	if simulated := root.member("simulated"); simulated != nil && simulated.kind == boolean && simulated.number == 1 {
		return nil, simulated.fault(format, "simulated", errors.New("a simulated uplink is no reading"))
	}
	decoded, normal := up.member("decoded_payload"), up.member("normalized_payload")
	normalized := normal != nil && len(normal.nodes) > 0
	if !given(decoded) && !normalized {
		err := errNoCodec
		if data := up.member("frm_payload"); data == nil || data.text == "" {
			err = errNoData
		}
		return nil, up.fault(format, "uplink_message.decoded_payload", err)
	}
	u := uplink{format: format, extra: normalized}
	if u.time, err = u.at(root.member("received_at"), "received_at"); err != nil {
		return nil, err
	}
	if at := up.member("received_at"); at != nil {
		if u.time, err = u.at(at, "uplink_message.received_at"); err != nil {
			return nil, err
		}
	}
	if given(decoded) {
		if err := u.add(decoded, "", "uplink_message.decoded_payload"); err != nil {
			return nil, err
		}
	}
	if normalized {
		if err := u.normalized(normal); err != nil {
			return nil, err
		}
	}
	if len(u.values) == 0 {
		return nil, up.fault(format, "uplink_message.decoded_payload", errNoCodec)
	}
	u.radio(up.member("rx_metadata"))
	u.carried("battery", "%EL", up.member("last_battery_percentage").member("value"))
	return u.values, nil
}

// normalized appends the measurements of a normalized payload, an object or an
// array of them, each of which may have a time of its own.
func (u *uplink) normalized(n *node) error {
	const path = "uplink_message.normalized_payload"
	of := uplink{format: u.format, unit: normalizedUnit, extra: true}
	measurements := n.nodes
	if n.kind == object {
		measurements = []node{*n}
	}
	for i := range measurements {
		m, at := measurements[i], fmt.Sprintf("%s[%d]", path, i)
		if m.kind != object {
			return m.fault(u.format, at, fmt.Errorf("a measurement is an object, not %v", m.kind))
		}
		of.time = u.time
		if f := m.member("time"); f != nil {
			var err error
			if of.time, err = u.at(f, at+".time"); err != nil {
				return err
			}
		}
		for j := range m.nodes {
			f := &m.nodes[j]
			if f.name == "time" {
				continue
			}
			if err := of.add(f, f.name, join(at, f.name)); err != nil {
				return err
			}
		}
	}
	u.values = append(u.values, of.values...)
	return nil
}

// normalizedUnit returns the unit that the schema of normalized payloads gives a
// measurement, empty for those it gives none or that have no use here.
func normalizedUnit(name string) string {
	switch name {
	case "air.temperature", "soil.temperature":
		return "Cel"
	case "air.relativeHumidity":
		return "%RH"
	case "air.pressure":
		return "hPa"
	case "air.lightIntensity":
		return "lx"
	case "soil.moisture":
		return "%"
	case "soil.ec":
		return "dS/m"
	case "soil.pH":
		return "[pH]"
	case "wind.speed":
		return "m/s"
	case "wind.direction":
		return "deg"
	case "rain.cumulative":
		return "mm"
	case "metering.water.total":
		return "L"
	case "battery":
		return "V"
	}
	if strings.HasPrefix(name, "water.temperature.") {
		return "Cel"
	}
	return ""
}
