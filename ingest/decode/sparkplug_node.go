package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// How much of a node's past is kept, to read what comes again after a crash, or is
// read again from quarantine.
const (
	keptBirths   = 4 // of the node, and of each device
	keptBreaches = 16
)

// An edgeNode is what is known of a node. Its fields are stored.
type edgeNode struct {
	Last     uint64             `json:"last"`  // place of the last message
	Since    int64              `json:"since"` // when the first was received, Unix µs
	At       int64              `json:"at"`    // when the newest was
	Seq      uint64             `json:"seq"`   // of the last message
	BdSeq    uint64             `json:"bd"`    // of the last birth
	Births   map[string][]birth `json:"births,omitempty"`
	Breaches []breach           `json:"breaches,omitempty"` // oldest first
	healing  bool               // births until the next breach come after one
}

// A birth is what one said; those of the node itself are of device "".
type birth struct {
	Place   uint64            `json:"place"`
	Metrics map[string]uint64 `json:"metrics"` // datatypes by name
	Aliases map[uint64]string `json:"aliases,omitempty"`
}

// A breach is a place from which on nothing is known until the node's next birth.
type breach struct {
	Place uint64 `json:"place"`
	Death bool   `json:"death,omitempty"`
}

// newBirth takes the names, aliases and datatypes of a birth.
func newBirth(p *sparkplugMessage, place uint64) (birth, error) {
	b := birth{Place: place, Metrics: make(map[string]uint64, len(p.metrics)), Aliases: map[uint64]string{}}
	for i := range p.metrics {
		x := &p.metrics[i]
		if x.name == "" {
			return b, x.fault(errors.New("a metric of a birth needs a name"))
		}
		if x.datatype == 0 {
			return b, x.fault(errors.New("a metric of a birth needs a datatype"))
		}
		if other, taken := b.Aliases[x.alias]; x.hasAlias && taken && other != x.name {
			return b, x.fault(fmt.Errorf("alias %d is that of %q too", x.alias, other))
		}
		b.Metrics[x.name] = x.datatype
		if x.hasAlias {
			b.Aliases[x.alias] = x.name
		}
	}
	return b, nil
}

// advance takes the next message into account, and says so in r.
func (n *edgeNode) advance(t sparkplugTopic, p *sparkplugMessage, place uint64, r *SparkplugReading) error {
	switch t.verb {
	case "NBIRTH":
		return n.nodeBirth(t, p, place, r)
	case "NDEATH":
		if len(n.Births[""]) > 0 && n.BdSeq == p.bdSeq() { // not an earlier session's
			for _, device := range slices.Sorted(maps.Keys(n.Births)) {
				t.device = device
				r.Offline = append(r.Offline, t.owner())
			}
			n.breach(place, true)
		}
		return nil
	}
	if _, alive := n.session(place); !alive {
		n.breach(place, false)
		return t.rebirth(errors.New("no birth was seen"))
	}
	if !p.hasSeq || p.seq != (n.Seq+1)%256 {
		n.breach(place, false)
		return t.rebirth(fmt.Errorf("sequence number %d after %d", p.seq, n.Seq))
	}
	n.Seq = p.seq
	switch t.verb {
	case "DBIRTH":
		return n.deviceBirth(t, p, place, r)
	case "DDEATH":
		r.Offline = []string{t.owner()}
	}
	return nil
}

func (n *edgeNode) nodeBirth(t sparkplugTopic, p *sparkplugMessage, place uint64, r *SparkplugReading) error {
	if !p.hasSeq || p.seq > 255 {
		n.breach(place, false)
		return p.fault("seq", errors.New("a birth needs a sequence number of 0 to 255"))
	}
	b, err := newBirth(p, place)
	if err != nil {
		n.breach(place, false)
		return err
	}
	_, alive := n.session(place)
	n.healing = !alive
	n.Seq, n.BdSeq = p.seq, p.bdSeq()
	n.bear("", b)
	r.Online, r.Mended = []string{t.owner()}, n.healing
	return nil
}

func (n *edgeNode) deviceBirth(t sparkplugTopic, p *sparkplugMessage, place uint64, r *SparkplugReading) error {
	b, err := newBirth(p, place)
	if err != nil {
		return err
	}
	if len(n.Births) > maxNodeDevices && n.Births[t.device] == nil {
		return p.fault("", fmt.Errorf("more than %d devices", maxNodeDevices))
	}
	session, _ := n.session(place)
	for device, births := range n.Births {
		other := births[len(births)-1]
		if device == t.device || other.Place < session.Place {
			continue
		}
		for alias, name := range b.Aliases {
			if taken, is := other.Aliases[alias]; is {
				return p.fault(name, fmt.Errorf("alias %d is that of %q too", alias, taken))
			}
		}
	}
	n.bear(t.device, b)
	r.Online, r.Mended = []string{t.owner()}, n.healing
	return nil
}

// bear adds a birth, and forgets the oldest.
func (n *edgeNode) bear(device string, b birth) {
	births := append(n.Births[device], b)
	n.Births[device] = slices.Clone(births[max(0, len(births)-keptBirths):])
	if device != "" {
		return
	}
	oldest := n.Births[""][0].Place
	for d := range n.Births {
		n.Births[d] = slices.DeleteFunc(n.Births[d], func(b birth) bool { return b.Place < oldest })
	}
	maps.DeleteFunc(n.Births, func(_ string, births []birth) bool { return len(births) == 0 })
}

// breach notes that nothing is known from a place on. Only the first counts, and
// the first death.
func (n *edgeNode) breach(place uint64, death bool) {
	if _, alive := n.session(place); !alive && !death && len(n.Breaches) > 0 {
		return
	}
	n.Breaches = append(n.Breaches, breach{place, death})
	n.Breaches = slices.Clone(n.Breaches[max(0, len(n.Breaches)-keptBreaches):])
}

// session returns the node's birth that is in force at a place, false if there is
// none, or a breach since.
func (n *edgeNode) session(place uint64) (birth, bool) {
	b, ok := newestBy(n.Births[""], place)
	return b, ok && !slices.ContainsFunc(n.Breaches, func(x breach) bool { return b.Place < x.Place && x.Place <= place })
}

// known returns the birth that a message is read by.
func (n *edgeNode) known(t sparkplugTopic, place uint64) ([]birth, bool) {
	session, ok := n.session(place)
	if !ok || t.device == "" {
		return []birth{session}, ok
	}
	own, ok := newestBy(n.Births[t.device], place)
	return []birth{own}, ok && own.Place > session.Place
}

// around returns the births after a message and, if there are any, before it.
func (n *edgeNode) around(t sparkplugTopic, place uint64) (births []birth, ok bool) {
	next, ok := firstAfter(n.Births[""], place)
	if !ok || slices.ContainsFunc(n.Breaches, func(x breach) bool { return x.Death && place <= x.Place && x.Place < next.Place }) {
		return nil, false
	}
	if t.device != "" {
		session := next.Place
		if next, ok = firstAfter(n.Births[t.device], session); !ok {
			return nil, false
		}
		if later, more := firstAfter(n.Births[""], session); more && later.Place < next.Place {
			return nil, false
		}
	}
	births = []birth{next}
	if before, is := newestBy(n.Births[t.device], place); is {
		births = append(births, before)
	}
	return births, true
}

// newestBy returns the newest birth that is not after a place.
func newestBy(births []birth, place uint64) (birth, bool) {
	for _, b := range slices.Backward(births) {
		if b.Place <= place {
			return b, true
		}
	}
	return birth{}, false
}

// firstAfter returns the oldest birth after a place.
func firstAfter(births []birth, place uint64) (birth, bool) {
	for _, b := range births {
		if b.Place > place {
			return b, true
		}
	}
	return birth{}, false
}

// A nodeChange is a line of what Changes returns.
type nodeChange struct {
	Node string `json:"node"`
	Last uint64 `json:"last,omitempty"` // these where only they changed
	Seq  uint64 `json:"seq,omitempty"`
	At   int64  `json:"at,omitempty"`
	// Whole is all that is known, in place of what was known before.
	Whole *edgeNode `json:"whole,omitempty"`
}

// Changes returns what Read has learned since the last call, or everything, in
// lines for Restore; empty where that is nothing.
func (s *Sparkplug) Changes(all bool) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all {
		for key := range s.nodes {
			s.changed[key] = true
		}
	}
	var lines []byte
	for _, key := range slices.Sorted(maps.Keys(s.changed)) {
		n := s.nodes[key]
		c := nodeChange{Node: key, Last: n.Last, Seq: n.Seq, At: n.At}
		if s.changed[key] {
			c = nodeChange{Node: key, Whole: n}
		}
		line, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("write what is known of edge node %s: %w", key, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	clear(s.changed)
	return lines, nil
}

// Restore takes a line of Changes into account. Lines must come in their order.
func (s *Sparkplug) Restore(line []byte) error {
	var c nodeChange
	if err := json.Unmarshal(line, &c); err != nil {
		return fmt.Errorf("read what is known of an edge node: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := s.nodes[c.Node]; {
	case c.Whole != nil && (n != nil || len(s.nodes) < maxEdgeNodes):
		if c.Whole.Births == nil {
			c.Whole.Births = map[string][]birth{}
		}
		s.nodes[c.Node] = c.Whole
	case n != nil:
		n.Last, n.Seq, n.At = c.Last, c.Seq, c.At
	default:
		return fmt.Errorf("read what is known of edge node %q: its births are not there", c.Node)
	}
	return nil
}
