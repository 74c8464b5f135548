package decode

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tianhai/ingest"
)

// maxValues is how many values a mapping may find in a payload.
const maxValues = 16384

// A Mapping is a decoder of some JSON, described by an administrator: where in
// the payload the channels are, what their numbers mean, and where the time is.
// It does not change and may be used concurrently.
type Mapping struct {
	time     *timeRule
	channels []channelRule
}

// A channelRule says how a channel is found.
type channelRule struct {
	channel       string
	steps         []step
	path          string // as written
	scale, offset float64
	unit          string
	missing       []missingMark
	quoted        bool
	optional      bool
}

// A missingMark is a number or a text that stands for no value.
type missingMark struct {
	text   string
	number float64
	isText bool
}

// A timeRule says how the time is found.
type timeRule struct {
	steps    []step
	path     string
	format   string
	zone     *time.Location
	optional bool
}

// Decode reads a payload. A path that leads nowhere is an error unless its rule
// is optional; so is a payload in which no channel is found.
func (m *Mapping) Decode(payload []byte) ([]ingest.Value, error) {
	root, err := readJSON("mapped", payload)
	if err != nil {
		return nil, err
	}
	var values []ingest.Value
	for i := range m.channels {
		c := &m.channels[i]
		err := walk(place{node: &root}, c.steps, nil, func(p place, err error) error {
			if lost := (*notThere)(nil); errors.As(err, &lost) {
				return c.lost(lost)
			}
			if len(values) == maxValues {
				return p.node.fault("mapped", p.path, fmt.Errorf("more than %d values", maxValues))
			}
			v, err := c.value(p)
			if err != nil {
				return p.node.fault("mapped", p.path, err)
			}
			if v.Time, err = m.timeOf(&root, p.each); err != nil {
				return err
			}
			values = append(values, v)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(values) == 0 {
		return nil, root.fault("mapped", "", errors.New("no channel of the mapping is in the payload"))
	}
	return values, nil
}

// lost passes over an optional channel that is not there.
func (c *channelRule) lost(e *notThere) error {
	if c.optional {
		return nil
	}
	return e.node.fault("mapped", e.path, fmt.Errorf("%w, which channel %q needs by its path %s", e, c.channel, c.path))
}

// value reads the value of a channel.
func (c *channelRule) value(p place) (ingest.Value, error) {
	v := ingest.Value{Channel: c.channel, Unit: c.unit}
	n := p.node
	if n.kind == null || c.marksMissing(n) {
		v.Missing, v.Unit = true, ""
		return v, nil
	}
	x := n.number
	switch n.kind {
	case number, boolean:
	case text:
		var err error
		if !c.quoted {
			return v, errors.New("text, expected a number; numbers in quotes need \"quoted: true\"")
		}
		if x, err = plainNumber(n.text); err != nil {
			return v, err
		}
	default:
		return v, fmt.Errorf("%v, expected a number", n.kind)
	}
	v.Number = c.scale*x + c.offset
	if math.IsInf(v.Number, 0) {
		return v, errors.New("number beyond the range of float64")
	}
	return v, nil
}

func (c *channelRule) marksMissing(n *node) bool {
	for _, m := range c.missing {
		if m.isText && n.kind == text && n.text == m.text || !m.isText && n.kind == number && n.number == m.number {
			return true
		}
		if !m.isText && n.kind == text && c.quoted {
			if x, err := plainNumber(n.text); err == nil && x == m.number {
				return true
			}
		}
	}
	return false
}

// plainNumber reads a decimal number, with space around it at most.
func plainNumber(s string) (float64, error) {
	s = strings.TrimSpace(s)
	if x, err := strconv.ParseFloat(s, 64); err == nil && strings.Trim(s, "+-.0123456789eE") == "" {
		return x, nil
	}
	return 0, fmt.Errorf("%q is not a number", s)
}

// timeOf returns the time of a value whose path went through these items.
func (m *Mapping) timeOf(root *node, each []int) (t time.Time, err error) {
	r := m.time
	if r == nil {
		return time.Time{}, nil
	}
	err = walk(place{node: root}, r.steps, each, func(p place, err error) error {
		if err != nil && !r.optional {
			return p.node.fault("mapped", p.path, fmt.Errorf("%w, which the time needs by its path %s", err, r.path))
		}
		if err != nil || p.node.kind == null {
			return nil
		}
		if t, err = r.read(p.node); err != nil {
			return p.node.fault("mapped", p.path, err)
		}
		return nil
	})
	return t, err
}

// read reads a time as its format has it.
func (r *timeRule) read(n *node) (time.Time, error) {
	if n.kind != number && n.kind != text {
		return time.Time{}, fmt.Errorf("%v, expected a time", n.kind)
	}
	var t time.Time
	var err error
	switch r.format {
	case "unix", "unix_ms":
		var x float64
		if x, err = plainNumber(n.text); err != nil {
			return time.Time{}, err
		}
		if r.format == "unix" {
			x *= 1000
		}
		if x < 0 || x > maxMillis {
			return time.Time{}, fmt.Errorf("%s is no time between 1970 and 2262 in %s", n.text, r.format)
		}
		return time.UnixMicro(int64(math.Round(x * 1000))).UTC(), nil
	case "rfc3339":
		return parseRFC3339(n.text)
	default:
		t, err = time.ParseInLocation(r.format, n.text, r.zone)
	}
	if err != nil || t.UnixMilli() < 0 || t.UnixMilli() > maxMillis {
		return time.Time{}, fmt.Errorf("%q is no time between 1970 and 2262 in the format %s", n.text, r.format)
	}
	return t.UTC(), nil
}
