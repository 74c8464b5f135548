package decode

import (
	"errors"
	"fmt"
	"time"

	"tianhai/ingest"
)

// errNoCodec reports an uplink that only has the bytes that the device sent.
var errNoCodec = errors.New("no decoded values: configure a codec (payload formatter) for the device in the network server")

// errNoData reports an uplink in which the device sent nothing, as it does to
// answer the network.
var errNoData = errors.New("no values: the device sent no data in this uplink")

// An uplink is a message of a LoRaWAN network server while it is read.
type uplink struct {
	format string
	time   time.Time
	unit   func(channel string) string // nil where values have none
	extra  bool
	values []ingest.Value
}

// add appends the values of a decoded object. Those of objects within it have
// their names joined by '.', items of arrays end in [n]; booleans are 1 and 0,
// strings text.
func (u *uplink) add(n *node, name, path string) error {
	switch n.kind {
	case object:
		for i := range n.nodes {
			m := &n.nodes[i]
			if err := u.add(m, join(name, m.name), join(path, m.name)); err != nil {
				return err
			}
		}
		return nil
	case list:
		for i := range n.nodes {
			item := fmt.Sprintf("[%d]", i)
			if err := u.add(&n.nodes[i], name+item, path+item); err != nil {
				return err
			}
		}
		return nil
	}
	if name == "" || len(name) > maxName {
		return n.fault(u.format, path, fmt.Errorf("a channel's name has 1 to %d bytes", maxName))
	}
	v := ingest.Value{Channel: name, Time: u.time, Extra: u.extra, Number: n.number, Missing: n.kind == null}
	switch {
	case n.kind == text:
		v.Text, v.Missing, v.Extra = n.text, n.text == "", true
	case n.kind == number && u.unit != nil:
		v.Unit = u.unit(name)
	}
	u.values = append(u.values, v)
	return nil
}

// radio appends signal strength and signal-to-noise ratio at the gateway that
// heard the device best, unless the device itself has channels of such names.
func (u *uplink) radio(gateways *node) {
	if gateways == nil || gateways.kind != list {
		return
	}
	var best *node
	for i := range gateways.nodes {
		g := &gateways.nodes[i]
		if rssi := g.member("rssi"); rssi != nil && rssi.kind == number &&
			(best == nil || rssi.number > best.member("rssi").number) {
			best = g
		}
	}
	u.carried("rssi", "dB[mW]", best.member("rssi"))
	u.carried("snr", "dB", best.member("snr"))
}

// carried appends what came along with the device's own values.
func (u *uplink) carried(channel, unit string, n *node) {
	if n == nil || n.kind != number {
		return
	}
	for _, v := range u.values {
		if v.Channel == channel {
			return
		}
	}
	u.values = append(u.values, ingest.Value{Channel: channel, Time: u.time, Number: n.number, Unit: unit, Extra: true})
}

// at reads a time, the zero time where there is none.
func (u *uplink) at(n *node, path string) (time.Time, error) {
	if n == nil || n.kind == null {
		return time.Time{}, nil
	}
	if n.kind != text {
		return time.Time{}, n.fault(u.format, path, fmt.Errorf("%v, expected an RFC 3339 time", n.kind))
	}
	t, err := parseRFC3339(n.text)
	if err != nil {
		return time.Time{}, n.fault(u.format, path, err)
	}
	return t, nil
}

// given reports whether a member is there, and is an object with something in it.
func given(n *node) bool { return n != nil && n.kind == object && len(n.nodes) > 0 }
