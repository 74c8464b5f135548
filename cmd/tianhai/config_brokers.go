package main

import (
	"errors"
	"fmt"
	"strings"

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/decode"
)

// A brokerConfig is a broker outside, beside the embedded one or instead of it.
type brokerConfig struct {
	Name         string          `yaml:"name"`      // in logs, metrics and /readyz
	URL          string          `yaml:"url"`       // tcp://host:1883 or tls://host:8883
	ClientID     string          `yaml:"client_id"` // of the session that the broker keeps; default "tianhai"
	Username     string          `yaml:"username"`
	Password     secret          `yaml:"password"`
	PasswordFile string          `yaml:"password_file"`
	CAFile       string          `yaml:"ca_file"`      // PEM; the system's roots when empty
	SharedGroup  string          `yaml:"shared_group"` // subscribe as $share/{group}/…, for several servers at one broker
	Topics       []topicConfig   `yaml:"topics"`       // default: th/{device}/up, status and ack
	Sparkplug    sparkplugConfig `yaml:"sparkplug"`
}

// A topicConfig names the topics of devices behind a network server or gateway.
type topicConfig struct {
	Topic   string `yaml:"topic"`   // with {device} for the level that names the device: v3/+/devices/{device}/up
	Format  string `yaml:"format"`  // of the payloads; that of the device's model when empty
	Mapping string `yaml:"mapping"` // instead of a format: the name of a stored mapping
}

type sparkplugConfig struct {
	Groups []string `yaml:"groups"`  // whose edge nodes to listen to; "+" for all
	HostID string   `yaml:"host_id"` // announced at spBv1.0/STATE/{host_id}; nothing is when empty
}

func brokerSchemes() []string { return []string{"tcp", "tls", "ssl", "mqtt", "mqtts"} }

func (b *brokerConfig) setDefaults() {
	if b.ClientID == "" {
		b.ClientID = "tianhai"
	}
}

// outside lists the brokers to have a session with. The one that replaces the
// embedded broker is the first.
func (c *config) outside() []brokerConfig {
	m := c.MQTT
	if m.URL == "" {
		return c.Brokers
	}
	instead := brokerConfig{
		Name: "mqtt", URL: m.URL, ClientID: m.ClientID, Username: m.Username, Password: m.Password,
		CAFile: m.CAFile, SharedGroup: m.SharedGroup,
	}
	return append([]brokerConfig{instead}, c.Brokers...)
}

func (c *config) checkBrokers() error {
	names, sessions := map[string]bool{"mqtt": true}, map[string]bool{}
	if c.MQTT.URL != "" {
		sessions[c.MQTT.ClientID+" at "+c.MQTT.URL] = true
	}
	for i := range c.Brokers {
		b := &c.Brokers[i]
		key, err := b.check()
		session := b.ClientID + " at " + b.URL
		switch {
		case err != nil:
		case names[b.Name]:
			key, err = "name", fmt.Errorf("%q is taken", b.Name)
		case sessions[session]:
			key, err = "client_id", fmt.Errorf("%q is that of another session with the same broker", b.ClientID)
		}
		if err != nil {
			return fmt.Errorf("brokers[%d].%s: %w", i, key, err)
		}
		names[b.Name], sessions[session] = true, true
	}
	return nil
}

// check returns what is wrong at which key.
func (b *brokerConfig) check() (key string, err error) {
	if err := farm.CheckID(b.Name); err != nil {
		return "name", err
	}
	if b.URL == "" {
		return "url", errors.New("missing")
	}
	if err := checkURL(b.URL, brokerSchemes()); err != nil {
		return "url", err
	}
	if strings.ContainsAny(b.SharedGroup, "/+#") {
		return "shared_group", fmt.Errorf("%q: a group has no /, + or #", b.SharedGroup)
	}
	for i := range b.Topics {
		if key, err := b.Topics[i].check(); err != nil {
			return fmt.Sprintf("topics[%d].%s", i, key), err
		}
	}
	if key, err := b.Sparkplug.check(); err != nil {
		return "sparkplug." + key, err
	}
	return "", nil
}

func (t *topicConfig) check() (key string, err error) {
	if t.native() {
		if t.Format != "" || t.Mapping != "" {
			return "format", fmt.Errorf("%s has that of the device's model", t.Topic)
		}
		return "", nil
	}
	if _, err := ingest.ParsePattern(t.Topic); err != nil {
		return "topic", fmt.Errorf("%q: %w", t.Topic, err)
	}
	if t.Mapping != "" && t.Format != "" {
		return "mapping", errors.New("format and mapping are both set; set one")
	}
	if t.Mapping != "" {
		return "mapping", farm.CheckID(t.Mapping)
	}
	if _, known := decode.ByFormat(t.Format); t.Format != "" && !known {
		return "format", fmt.Errorf("%q is none of %s; for a mapping, name it in mapping", t.Format, decode.Formats)
	}
	return "", nil
}

// native reports whether the topic is one of Tianhai's own devices.
func (t *topicConfig) native() bool {
	for _, level := range []string{ingest.TopicUp, ingest.TopicStatus, ingest.TopicAck} {
		if t.Topic == ingest.Topic("{device}", level) {
			return true
		}
	}
	return false
}

func (s *sparkplugConfig) check() (key string, err error) {
	for i, group := range s.Groups {
		if group == "" || group != "+" && strings.ContainsAny(group, "/+#") {
			return fmt.Sprintf("groups[%d]", i), fmt.Errorf("%q is neither the name of a group nor +", group)
		}
	}
	switch {
	case strings.ContainsAny(s.HostID, "/+#"):
		return "host_id", fmt.Errorf("%q: a host has no /, + or #", s.HostID)
	case s.HostID != "" && len(s.Groups) == 0:
		return "host_id", errors.New("sparkplug.groups is empty: there is nothing to be host of")
	}
	return "", nil
}
