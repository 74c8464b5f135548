package ingest

import "strings"

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
