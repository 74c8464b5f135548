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
	maxEdgeNodes = 4096
	maxMetrics   = 4096 // of a message, and aliases of an edge node
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
// node, whose aliases and datatypes the data messages refer to, and their
// sequence numbers; so it must be given all messages of a node, once and in order.
// It may be used concurrently.
//
// Source: Eclipse Sparkplug 3.0 §5 and §6.
type Sparkplug struct {
	mu    sync.Mutex
	nodes map[string]*edgeNode // by group/node; guarded by mu
}

// NewSparkplug returns a Sparkplug that has seen no birth.
func NewSparkplug() *Sparkplug { return &Sparkplug{nodes: map[string]*edgeNode{}} }

// An edgeNode is what the births of a node said.
type edgeNode struct {
	seq     uint64
	bdSeq   uint64
	metrics map[string]birth // by device and name
	aliases map[uint64]alias
}

type birth struct{ datatype uint64 }

type alias struct{ device, name string }

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

// Decode reads a message on a topic spBv1.0/{group}/{type}/{node}[/{device}] of
// type NBIRTH, NDATA, NDEATH, DBIRTH, DDATA or DDEATH. The channels are the names
// of metrics; "bdSeq" and "Node Control/…" are none, and metrics that are neither
// number, boolean nor text are passed over. A metric without a time has that of
// its message. One that is null, or of bad or stale quality, is missing; one that
// is transient is an extra. Deaths have no values.
//
// A *RebirthError means that the node must be asked for its births: there was
// none, a number of the sequence is lacking, or an alias is unknown. Nothing of
// the node is read then until its birth. A message that is refused otherwise
// still counts in the sequence.
func (s *Sparkplug) Decode(topic string, payload []byte) ([]ingest.Value, error) {
	t, err := parseSparkplugTopic(topic)
	if err != nil {
		return nil, &ingest.DecodeError{Format: "sparkplug", Offset: -1, Err: err}
	}
	m, err := parseSparkplug(payload)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := t.group + "/" + t.node
	switch n := s.nodes[key]; {
	case t.verb == "NDEATH":
		if n != nil && n.bdSeq == m.bdSeq() {
			delete(s.nodes, key)
		}
		return nil, nil
	case t.verb == "NBIRTH":
		if n == nil && len(s.nodes) == maxEdgeNodes {
			return nil, &ingest.DecodeError{Format: "sparkplug", Offset: -1, Err: fmt.Errorf("more than %d edge nodes", maxEdgeNodes)}
		}
		return s.nodeBirth(t, m)
	case n == nil:
		return nil, &RebirthError{t.group, t.node, errors.New("no birth was seen")}
	case !m.hasSeq || m.seq != (n.seq+1)%256:
		delete(s.nodes, key)
		return nil, &RebirthError{t.group, t.node, fmt.Errorf("sequence number %d after %d", m.seq, n.seq)}
	default:
		return s.next(n, t, m)
	}
}

func (s *Sparkplug) nodeBirth(t sparkplugTopic, m *sparkplugMessage) ([]ingest.Value, error) {
	n := &edgeNode{seq: m.seq, bdSeq: m.bdSeq(), metrics: map[string]birth{}, aliases: map[uint64]alias{}}
	if !m.hasSeq || m.seq > 255 {
		return nil, m.fault("seq", errors.New("a birth needs a sequence number of 0 to 255"))
	}
	if err := n.bear(t, m); err != nil {
		return nil, err
	}
	values, err := n.values(t, m)
	if err == nil {
		s.nodes[t.group+"/"+t.node] = n
	}
	return values, err
}

// next reads the message that is next in the sequence.
func (s *Sparkplug) next(n *edgeNode, t sparkplugTopic, m *sparkplugMessage) ([]ingest.Value, error) {
	n.seq = m.seq
	if t.verb == "DDEATH" {
		return nil, nil
	}
	if t.verb == "DBIRTH" {
		if err := n.bear(t, m); err != nil {
			return nil, err
		}
	}
	values, err := n.values(t, m)
	if lost := (*RebirthError)(nil); errors.As(err, &lost) {
		delete(s.nodes, t.group+"/"+t.node)
	}
	return values, err
}

// bear takes over the names, aliases and datatypes of a birth.
func (n *edgeNode) bear(t sparkplugTopic, m *sparkplugMessage) error {
	for i := range m.metrics {
		x := &m.metrics[i]
		if x.name == "" {
			return x.fault(errors.New("a metric of a birth needs a name"))
		}
		if x.datatype == 0 {
			return x.fault(errors.New("a metric of a birth needs a datatype"))
		}
		own := alias{t.device, x.name}
		if other, taken := n.aliases[x.alias]; x.hasAlias && taken && other != own {
			return x.fault(fmt.Errorf("alias %d is that of %q too", x.alias, other.name))
		}
		if len(n.metrics) >= maxMetrics {
			return x.fault(fmt.Errorf("more than %d metrics", maxMetrics))
		}
		n.metrics[t.device+"/"+x.name] = birth{x.datatype}
		if x.hasAlias {
			n.aliases[x.alias] = own
		}
	}
	return nil
}

// values returns the readings of a message.
func (n *edgeNode) values(t sparkplugTopic, m *sparkplugMessage) ([]ingest.Value, error) {
	values := make([]ingest.Value, 0, len(m.metrics))
	for i := range m.metrics {
		x := &m.metrics[i]
		if x.name == "" {
			a, known := n.aliases[x.alias]
			if !x.hasAlias || !known || a.device != t.device {
				return nil, &RebirthError{t.group, t.node, fmt.Errorf("alias %d is in no birth", x.alias)}
			}
			x.name = a.name
		}
		if x.datatype == 0 {
			x.datatype = n.metrics[t.device+"/"+x.name].datatype
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
	v.Extra = x.transient
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
