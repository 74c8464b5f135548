package decode

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"tianhai/ingest"
)

// Limits of Sparkplug.
const (
	maxEdgeNodes   = 4096
	maxNodeDevices = 1024 // of an edge node
	maxMetrics     = 4096 // of a message
)

// A RebirthError reports that what an edge node says cannot be understood, or not
// in full, until it publishes its births again. It is asked to by an NCMD message
// with the metric "Node Control/Rebirth" true.
type RebirthError struct {
	Group, Node string
	Err         error
}

func (e *RebirthError) Error() string {
	return fmt.Sprintf("sparkplug: rebirth of %s/%s needed: %v", e.Group, e.Node, e.Err)
}

func (e *RebirthError) Unwrap() error { return e.Err }

// Sparkplug reads Sparkplug B messages. It remembers the births of every edge
// node, whose aliases and datatypes the data messages refer to, and their sequence
// numbers; so Read must be given all messages of a node in order. It may be used
// concurrently.
//
// Source: Eclipse Sparkplug 3.0 §5 and §6.
type Sparkplug struct {
	mu      sync.Mutex
	nodes   map[string]*edgeNode // by group/node; guarded by mu, as is what follows
	changed map[string]bool      // nodes, since Changes: whether more than their counters
	count   uint64               // of calls to Decode
}

// NewSparkplug returns a Sparkplug that has seen no birth.
func NewSparkplug() *Sparkplug {
	return &Sparkplug{nodes: map[string]*edgeNode{}, changed: map[string]bool{}}
}

// A SparkplugMessage is a message on a topic spBv1.0/{group}/{type}/{node} or
// …/{device} of type NBIRTH, NDATA, NDEATH, DBIRTH, DDATA or DDEATH.
type SparkplugMessage struct {
	Topic string
	Place uint64 // among the messages of its node: it grows from one to the next
	// Received tells apart messages whose places were counted anew.
	Received time.Time
	Payload  []byte
}

// A SparkplugReading is what a message says.
type SparkplugReading struct {
	Values []ingest.Value
	// Fresh reports that the message was read for the first time. Only then has it
	// said what follows.
	Fresh bool
	// Online and Offline are who came and who went, as group/node/device, or
	// group/node for the node itself.
	Online, Offline []string
	// Mended reports a birth before which messages could not be read.
	Mended bool
}

// A sparkplugTopic is a topic taken apart (§4.1).
type sparkplugTopic struct{ group, verb, node, device string }

func parseSparkplugTopic(s string) (t sparkplugTopic, err error) {
	parts := strings.Split(s, "/")
	if len(parts) < 4 || len(parts) > 5 || parts[0] != "spBv1.0" {
		return t, fmt.Errorf("topic %q is not spBv1.0/group/type/node or …/node/device", s)
	}
	t = sparkplugTopic{group: parts[1], verb: parts[2], node: parts[3]}
	if len(parts) == 5 {
		t.device = parts[4]
	}
	switch t.verb {
	case "NBIRTH", "NDATA", "NDEATH":
		if t.device != "" {
			return t, fmt.Errorf("topic %q: %s is of a node, not of a device", s, t.verb)
		}
	case "DBIRTH", "DDATA", "DDEATH":
		if t.device == "" {
			return t, fmt.Errorf("topic %q: %s needs a device", s, t.verb)
		}
	default:
		return t, fmt.Errorf("topic %q: %s brings no readings", s, t.verb)
	}
	return t, nil
}

// Decode is Read for messages that come one after the other.
func (s *Sparkplug) Decode(topic string, payload []byte) ([]ingest.Value, error) {
	s.mu.Lock()
	s.count++
	place := s.count
	s.mu.Unlock()
	r, err := s.Read(SparkplugMessage{Topic: topic, Place: place, Payload: payload})
	return r.Values, err
}

// Read reads a message. The channels are the names of metrics; "bdSeq" and "Node
// Control/…" are none, and metrics that are neither number, boolean nor text are
// passed over. A metric without a time has that of its message. One that is null,
// or of bad or stale quality, is missing; one that is transient is an extra. Deaths
// have no values.
//
// A *RebirthError means that the node must be asked for its births: there was
// none, a number of the sequence is lacking, or an alias is unknown. Nothing of
// the node is read then until its birth. A message that is refused otherwise
// still counts in the sequence.
//
// A message whose place is not after the last is a repeat: it is read by the
// births before it, and changes nothing. One that was received after the last, at a
// place before it, is of another journal: nothing is known of the node then.
func (s *Sparkplug) Read(m SparkplugMessage) (r SparkplugReading, err error) {
	t, p, err := parseMessage(m)
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.node(t)
	if err != nil {
		return r, err
	}
	at := m.Received.UnixMicro()
	if m.Place <= n.Last && at > n.At {
		*n = edgeNode{Births: map[string][]birth{}}
	}
	if r.Fresh = m.Place > n.Last; r.Fresh {
		if n.Last == 0 {
			n.Since = at
		}
		n.Last, n.At = m.Place, max(n.At, at)
		s.changed[t.key()] = s.changed[t.key()] || t.verb[1:] != "DATA"
		if err = n.advance(t, p, m.Place, &r); err != nil {
			s.changed[t.key()] = true
			return r, err
		}
	}
	if t.verb[1:] == "DEATH" {
		return r, nil
	}
	names, ok := n.known(t, m.Place)
	if !ok {
		return r, t.rebirth(errors.New("no birth was seen"))
	}
	r.Values, err = p.values(t, names)
	if lost := (*RebirthError)(nil); errors.As(err, &lost) && r.Fresh {
		n.breach(m.Place, false)
		s.changed[t.key()] = true
	}
	return r, err
}

// Again reads an old message, which Read may have refused, and changes nothing.
// Where births were lacking it goes by the next ones: the names that it needs must
// be the same in the births before the gap, if there were any, and the node must
// not have died in between.
func (s *Sparkplug) Again(m SparkplugMessage) ([]ingest.Value, error) {
	t, p, err := parseMessage(m)
	if err != nil || t.verb[1:] == "DEATH" {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.verb[1:] == "BIRTH" {
		own, err := newBirth(p, m.Place)
		if err != nil {
			return nil, err
		}
		return p.values(t, []birth{own})
	}
	n := s.nodes[t.key()]
	if n == nil || m.Received.UnixMicro() < n.Since {
		return nil, t.rebirth(errors.New("no birth is known"))
	}
	names, ok := n.known(t, m.Place)
	if !ok {
		if names, ok = n.around(t, m.Place); !ok {
			return nil, t.rebirth(errors.New("no birth is known that it could be read by"))
		}
	}
	return p.values(t, names)
}

func parseMessage(m SparkplugMessage) (sparkplugTopic, *sparkplugMessage, error) {
	t, err := parseSparkplugTopic(m.Topic)
	if err != nil {
		return t, nil, &ingest.DecodeError{Format: "sparkplug", Offset: -1, Err: err}
	}
	p, err := parseSparkplug(m.Payload)
	return t, p, err
}

// node returns the node of a message, which may be new.
func (s *Sparkplug) node(t sparkplugTopic) (*edgeNode, error) {
	n := s.nodes[t.key()]
	if n != nil {
		return n, nil
	}
	if len(s.nodes) == maxEdgeNodes {
		return nil, &ingest.DecodeError{Format: "sparkplug", Offset: -1, Err: fmt.Errorf("more than %d edge nodes", maxEdgeNodes)}
	}
	n = &edgeNode{Births: map[string][]birth{}}
	s.nodes[t.key()] = n
	return n, nil
}

// SparkplugOwner takes a topic apart: which node published, as group/node, and
// whose metrics they are: its own or, as group/node/device, those of a device. It
// reports false for topics that bring no readings.
func SparkplugOwner(topic string) (node, owner string, ok bool) {
	t, err := parseSparkplugTopic(topic)
	return t.key(), t.owner(), err == nil
}

func (t sparkplugTopic) key() string { return t.group + "/" + t.node }

func (t sparkplugTopic) owner() string {
	if t.device == "" {
		return t.key()
	}
	return t.key() + "/" + t.device
}

func (t sparkplugTopic) rebirth(err error) error { return &RebirthError{t.group, t.node, err} }

// values returns the readings of a message. The births must agree on whatever is
// asked of them.
func (m *sparkplugMessage) values(t sparkplugTopic, births []birth) ([]ingest.Value, error) {
	values := make([]ingest.Value, 0, len(m.metrics))
	for i := range m.metrics {
		x := &m.metrics[i]
		if err := x.resolve(t, births); err != nil {
			return nil, err
		}
		if x.name == "bdSeq" || strings.HasPrefix(x.name, "Node Control/") || strings.HasPrefix(x.name, "Device Control/") {
			continue
		}
		v, ok, err := x.value(m.time)
		if err != nil {
			return nil, err
		}
		if ok {
			values = append(values, v)
		}
	}
	return values, nil
}

// resolve gives a metric the name and the datatype that the births say it has.
func (x *sparkplugMetric) resolve(t sparkplugTopic, births []birth) error {
	name, datatype := x.name, x.datatype
	for i, b := range births {
		if x.name == "" {
			said, known := b.Aliases[x.alias]
			if !x.hasAlias || !known {
				return t.rebirth(fmt.Errorf("alias %d is in no birth", x.alias))
			}
			if i > 0 && said != name {
				return t.rebirth(fmt.Errorf("alias %d is %q in one birth and %q in another", x.alias, name, said))
			}
			name = said
		}
		if x.datatype == 0 {
			said := b.Metrics[name]
			if i > 0 && said != datatype {
				return t.rebirth(fmt.Errorf("%q has datatype %d in one birth and %d in another", name, datatype, said))
			}
			datatype = said
		}
	}
	x.name, x.datatype = name, datatype
	return nil
}

// value returns the reading of a metric; false if it is of a kind that is none.
func (x *sparkplugMetric) value(messageTime uint64) (v ingest.Value, ok bool, err error) {
	if len(x.name) > maxName {
		return v, false, x.fault(fmt.Errorf("name longer than %d bytes", maxName))
	}
	at := x.time
	if at == 0 {
		at = messageTime
	}
	if at > maxMillis {
		return v, false, x.fault(fmt.Errorf("time %d ms is after 2262", at))
	}
	v = ingest.Value{Channel: x.name}
	if at > 0 {
		v.Time = time.UnixMilli(int64(at)).UTC()
	}
	v.Extra, v.Old = x.transient, x.historical
	if v.Missing = x.null || x.quality != spGood; v.Missing {
		return v, x.datatype <= spText && x.datatype != spDateTime, nil
	}
	switch d := x.datatype; {
	case d >= spInt8 && d <= spUInt64 && x.has == spIntField:
		if v.Number, ok = integer(d, x.bits); !ok {
			return v, false, x.fault(fmt.Errorf("%d is beyond the range of datatype %d", x.bits, d))
		}
	case d == spFloat && x.has == spFloatField:
		v.Number = float64(math.Float32frombits(uint32(x.bits)))
	case d == spDouble && x.has == spDoubleField:
		v.Number = math.Float64frombits(x.bits)
	case d == spBoolean && x.has == spBooleanField:
		v.Number = float64(x.bits & 1)
	case (d == spString || d == spText) && x.has == spStringField:
		v.Text, v.Missing, v.Extra = x.text, x.text == "", true
	case d == spDateTime || d > spText:
		return v, false, nil
	default:
		return v, false, x.fault(fmt.Errorf("datatype %d has no such value", d))
	}
	if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
		return v, false, x.fault(fmt.Errorf("%v is not a number", v.Number))
	}
	return v, true, nil
}

// integer returns an integer, which travels as two's complement of its own size or
// of the field's (§6.4.17); false if it has more bits than its datatype.
func integer(datatype, bits uint64) (float64, bool) {
	switch size := 8 << ((datatype - 1) & 3); {
	case datatype == spInt64:
		return float64(int64(bits)), true
	case datatype == spUInt64:
		return float64(bits), true
	case datatype > spInt64: // the smaller unsigned ones
		return float64(bits), bits>>size == 0
	default:
		v := int64(bits) << (64 - size) >> (64 - size)
		return float64(v), bits>>size == 0 || uint32(v) == uint32(bits) && bits>>32 == 0 || uint64(v) == bits
	}
}
