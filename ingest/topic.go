package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The last levels of a device's topics, th/{device}/{level}.
const (
	TopicUp     = "up"     // device → readings
	TopicStatus = "status" // device → "online", last will → "offline"; retained
	TopicDown   = "down"   // commands → device
	TopicAck    = "ack"    // device → result of a command
)

// Topic returns the topic of a device's level.
func Topic(device, level string) string { return "th/" + device + "/" + level }

// ParseTopic splits th/{device}/{level}. It reports false for any other shape;
// it does not judge the parts.
func ParseTopic(topic string) (device, level string, ok bool) {
	rest, found := strings.CutPrefix(topic, "th/")
	if !found {
		return "", "", false
	}
	device, level, found = strings.Cut(rest, "/")
	if !found || device == "" || level == "" || strings.Contains(level, "/") {
		return "", "", false
	}
	return device, level, true
}

// placeholder is the level of a pattern that is the device's name.
const placeholder = "{device}"

// A Pattern is the form of the topics of devices behind a gateway or network
// server, which are not th/{device}/…: "application/+/device/{device}/event/up".
// Its zero value matches nothing.
type Pattern struct {
	levels []string
	device int // which level is the placeholder
}

// ParsePattern reads a pattern: a topic filter with {device} for exactly one
// level, + for levels that do not matter, and # for none or more of them at the end.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{levels: strings.Split(s, "/"), device: -1}
	for i, level := range p.levels {
		switch {
		case level == placeholder && p.device >= 0:
			return Pattern{}, errors.New("{device} is there twice")
		case level == placeholder:
			p.device = i
		case level == "+", level == "#" && i == len(p.levels)-1:
		case strings.ContainsAny(level, "+#{}\x00"):
			return Pattern{}, fmt.Errorf("level %q: {device} and + stand for a whole level, and # for all that follow", level)
		case i == 0 && strings.HasPrefix(level, "$"):
			return Pattern{}, errors.New("topics that begin with $ are the broker's own")
		}
	}
	if p.device < 0 {
		return Pattern{}, errors.New("no level is {device}")
	}
	return p, nil
}

// Filter returns the topic filter that a subscription needs.
func (p Pattern) Filter() string {
	levels := slices.Clone(p.levels)
	if len(levels) > 0 {
		levels[p.device] = "+"
	}
	return strings.Join(levels, "/")
}

// Device returns the device that a topic names, false if it is not of this form.
func (p Pattern) Device(topic string) (device string, ok bool) {
	for i, want := range p.levels {
		if want == "#" {
			return device, device != ""
		}
		level, rest, more := strings.Cut(topic, "/")
		if i == p.device {
			device = level
		} else if want != "+" && want != level {
			return "", false
		}
		if i == len(p.levels)-1 {
			return device, !more && device != ""
		}
		if !more {
			// What # stands for may be nothing [MQTT-4.7.1-2].
			return device, i == len(p.levels)-2 && p.levels[i+1] == "#" && device != ""
		}
		topic = rest
	}
	return "", false
}
