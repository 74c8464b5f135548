package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"tianhai/ingest"
	"tianhai/ingest/broker"
)

// filters are topic filters, by the rule of MQTT 3.1.1 and 5 that they try. Device a
// may have the last one and none of the others, whether the standard says that they
// match its own topic, match more, or are malformed.
var filters = []struct{ rule, filter string }{
	{"4.7.1.1 the separator, before", "/th/a/down"},
	{"4.7.1.1 the separator, behind", "th/a/down/"},
	{"4.7.1.1 the separator twice", "th//a/down"},
	{"4.7.1.1 the separator twice", "th/a//down"},
	{"4.7.1.1 an empty level for the device", "th//down"},
	{"4.7.1.1 separators alone", "/"},
	{"4.7.1.1 separators alone", "///"},
	{"4.7.1.2 # alone matches everything", "#"},
	{"4.7.1.2 # matches the parent level", "th/a/down/#"},
	{"4.7.1.2 # matches children", "th/a/#"},
	{"4.7.1.2 # matches children", "th/#"},
	{"4.7.1.2 # behind an empty level", "/#"},
	{"4.7.1.2 # behind an empty level", "th/a/down//#"},
	{"4.7.1.2 # must occupy a level", "th/a/down#"},
	{"4.7.1.2 # must occupy a level", "th/a#"},
	{"4.7.1.2 # must be last", "th/#/down"},
	{"4.7.1.2 # must be last", "#/down"},
	{"4.7.1.2 # must be last", "th/a/##"},
	{"4.7.1.3 + alone", "+"},
	{"4.7.1.3 + matches one level", "th/+/down"},
	{"4.7.1.3 + matches one level", "th/a/+"},
	{"4.7.1.3 + matches one level", "+/a/down"},
	{"4.7.1.3 + at every level", "+/+/+"},
	{"4.7.1.3 + matches an empty level", "th/a/down/+"},
	{"4.7.1.3 + and empty levels", "/+"},
	{"4.7.1.3 + with #", "+/#"},
	{"4.7.1.3 + with #", "th/+/#"},
	{"4.7.1.3 + must occupy a level", "th/a/d+"},
	{"4.7.1.3 + must occupy a level", "th/a+/down"},
	{"4.7.1.3 + must occupy a level", "th/++/down"},
	{"4.7.1.3 + must occupy a level", "+th/a/down"},
	{"4.7.2 $ topics", "$SYS/#"},
	{"4.7.2 $ topics", "$SYS/broker/uptime"},
	{"4.7.2 $ topics", "$SYS/monitor/+"},
	{"4.7.2 $ topics", "$SYS"},
	{"4.7.2 $ topics", "$"},
	{"4.7.2 $ topics", "$th/a/down"},
	{"4.7.2 $ topics, by a wildcard", "+/monitor/Clients"},
	{"4.7.3 at least one character", ""},
	{"4.7.3 case", "TH/a/down"},
	{"4.7.3 case", "th/A/down"},
	{"4.7.3 case", "th/a/Down"},
	{"4.7.3 spaces", " th/a/down"},
	{"4.7.3 spaces", "th/a/down "},
	{"4.7.3 spaces", "th/ a/down"},
	{"4.7.3 spaces", "th/a /down"},
	{"4.7.3 NUL", "th/a/down\x00"},
	{"4.7.3 NUL", "th/\x00/down"},
	{"4.7.3 NUL", "\x00"},
	{"4.7.3 65,535 bytes", "th/a/" + strings.Repeat("d", 65530)},
	{"4.7.3 as many levels", strings.Repeat("/", 65535)},
	{"4.7.3 Unicode is not normalised", "th/ａ/down"},
	{"4.7.3 Unicode is not normalised", "th/a\u0301/down"},
	{"4.7.3 Unicode is not normalised", "ｔｈ/a/down"},
	{"4.7.3 another slash", "th∕a∕down"},
	{"1.5.4 BOM is a character", "\ufeffth/a/down"},
	{"1.5.4 BOM is a character", "th/a/down\ufeff"},
	{"1.5.4 a control character", "th/a/down\n"},
	{"1.5.4 a non-character", "th/a/down\uffff"},
	{"1.5.4 ill-formed UTF-8", "th/a/down\xff"},
	{"1.5.4 overlong: a slash", "th\xc0\xafa/down"},
	{"1.5.4 overlong: NUL", "th/a/down\xc0\x80"},
	{"1.5.4 a surrogate", "th/a/down\xed\xa0\x80"},
	{"4.8.2 shared", "$share/g/th/a/down"},
	{"4.8.2 shared", "$share/g/th/+/down"},
	{"4.8.2 shared", "$share/g/#"},
	{"4.8.2 shared, the name's case", "$SHARE/g/th/a/down"},
	{"4.8.2 shared, no name", "$share//th/a/down"},
	{"4.8.2 shared, a name with a wildcard", "$share/+/th/a/down"},
	{"4.8.2 shared, a name with a wildcard", "$share/#"},
	{"4.8.2 shared, no filter", "$share/g"},
	{"4.8.2 shared, an empty filter", "$share/g/"},
	{"4.8.2 shared, another dialect", "$queue/th/a/down"},
	{"another device's", "th/b/down"},
	{"another device's, whose name begins alike", "th/aa/down"},
	{"another level of its own", "th/a/up"},
	{"another level of its own", "th/a/status"},
	{"another level of its own", "th/a/ack"},
	{"a shorter topic", "th/a"},
	{"a shorter topic", "th"},
	{"a longer topic", "th/a/down/x"},
	{"another tree", "other"},
	{"its own commands", "th/a/down"},
}

// The whole of what MQTT says about topic filters: a device gets its own commands,
// and nothing of what else a filter may match.
func TestFilters(t *testing.T) {
	for _, version := range []byte{4, 5} {
		b := open(t, newFarmyard(), broker.Options{})
		for _, tt := range filters {
			t.Run(fmt.Sprintf("version %d/%s/%.40q", version, tt.rule, tt.filter), func(t *testing.T) {
				conn := dial(t, b)
				send(t, conn, connectPacket(version, "a"), packet(0x82, []byte{0, 9}, props(version), str(tt.filter), []byte{1}), []byte{0xC0, 0})
				granted := false
				for _, p := range answers(t, conn) {
					if p[0]>>4 == 9 {
						granted = p[len(p)-1] < 0x80
					}
				}
				own := tt.filter == "th/a/down"
				if granted != own {
					t.Errorf("granted: %t", granted)
				}
				// The broker itself says whether anything would be sent to it.
				if err := b.Send(t.Context(), ingest.Command{ID: "c1", Device: "a"}); errors.Is(err, broker.ErrNoSession) == own {
					t.Errorf("a command: %v", err)
				}
			})
		}
	}
}

// topics are what a device may try to publish to, by the rule that they try.
// Device a may use the last three.
var topics = []struct{ rule, topic string }{
	{"4.7.1 no wildcards in a topic name", "th/a/#"},
	{"4.7.1 no wildcards in a topic name", "th/+/up"},
	{"4.7.1 no wildcards in a topic name", "#"},
	{"4.7.1 no wildcards in a topic name", "+"},
	{"4.7.1 no wildcards in a topic name", "th/a/u+"},
	{"4.7.1.1 the separator, before", "/th/a/up"},
	{"4.7.1.1 the separator, behind", "th/a/up/"},
	{"4.7.1.1 the separator twice", "th//a/up"},
	{"4.7.1.1 the separator twice", "th/a//up"},
	{"4.7.1.1 an empty level for the device", "th//up"},
	{"4.7.1.1 separators alone", "/"},
	{"4.7.1.1 separators alone", "//"},
	{"4.7.2 $ topics", "$SYS/a/up"},
	{"4.7.2 $ topics", "$SYS"},
	{"4.7.2 $ topics", "$th/a/up"},
	{"4.7.2 $ topics", "$share/g/th/a/up"},
	{"4.7.3 at least one character", ""},
	{"4.7.3 case", "TH/a/up"},
	{"4.7.3 case", "th/A/up"},
	{"4.7.3 case", "th/a/UP"},
	{"4.7.3 spaces", " th/a/up"},
	{"4.7.3 spaces", "th/a/up "},
	{"4.7.3 spaces", "th/a /up"},
	{"4.7.3 NUL", "th/a/up\x00"},
	{"4.7.3 NUL", "th/a\x00/up"},
	{"4.7.3 65,535 bytes", "th/a/" + strings.Repeat("u", 65530)},
	{"4.7.3 Unicode is not normalised", "th/ａ/up"},
	{"4.7.3 Unicode is not normalised", "th/a\u0301/up"},
	{"4.7.3 another slash", "th∕a∕up"},
	{"1.5.4 BOM is a character", "\ufeffth/a/up"},
	{"1.5.4 a control character", "th/a/up\x7f"},
	{"1.5.4 ill-formed UTF-8", "th/a/up\xff"},
	{"1.5.4 overlong: a slash", "th\xc0\xafa/up"},
	{"1.5.4 a surrogate", "th/a/up\xed\xa0\x80"},
	{"another device's", "th/b/up"},
	{"another device's", "th/b/status"},
	{"another device's", "th/b/ack"},
	{"another device's", "th/b/down"},
	{"another device's, whose name begins alike", "th/aa/up"},
	{"commands to itself", "th/a/down"},
	{"a shorter topic", "th/a"},
	{"a shorter topic", "th"},
	{"a longer topic", "th/a/up/x"},
	{"another tree", "other"},
	{"its own status", "th/a/status"},
	{"its own answers", "th/a/ack"},
	{"its own readings", "th/a/up"},
}

// The whole of what MQTT says about topic names: what is published to any other
// than a device's own is neither kept nor acted on, nor acknowledged as if it were.
func TestTopicNames(t *testing.T) {
	own := topics[len(topics)-3:]
	for _, version := range []byte{4, 5} {
		for i, tt := range topics {
			t.Run(fmt.Sprintf("version %d/%s/%.40q", version, tt.rule, tt.topic), func(t *testing.T) {
				y := newFarmyard()
				conn := dial(t, open(t, y, broker.Options{}))
				payload := []byte(`{"id":"c1","ok":true}`)
				if tt.topic == "th/a/status" {
					payload = []byte("online")
				}
				send(t, conn, connectPacket(version, "a"), packet(0x32, str(tt.topic), []byte{0, 9}, props(version), payload), []byte{0xC0, 0})
				acknowledged := false
				for _, p := range answers(t, conn) {
					if p[0]>>4 == 4 {
						acknowledged = len(p) < 5 || p[4] < 0x80 // MQTT 3 has no reason code, and 5 none for success
					}
				}
				if want := i >= len(topics)-len(own); acknowledged != want {
					t.Errorf("acknowledged: %t, want %t", acknowledged, want)
				}
				if kept, want := y.tried() > 0, tt.topic == "th/a/up"; kept != want {
					t.Errorf("kept: %t, want %t", kept, want)
				}
				if y.isOnline("b") != "" {
					t.Error("it spoke for another device")
				}
			})
		}
	}
}

// answers returns what the broker sends up to its PINGRESP, or to the end of the
// connection.
func answers(t *testing.T, conn net.Conn) (packets [][]byte) {
	t.Helper()
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(conn, head); err != nil {
			return packets // closed
		}
		if head[1] > 127 {
			t.Fatalf("a packet of more than 127 bytes: %x", head)
		}
		body := make([]byte, head[1])
		if _, err := io.ReadFull(conn, body); err != nil {
			return packets
		}
		if packets = append(packets, append(bytes.Clone(head), body...)); head[0]>>4 == 13 {
			return packets
		}
	}
}
