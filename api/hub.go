package api

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"tianhai/api/auth"
	"tianhai/ingest"
	"tianhai/monitor/alert"
)

// Limits of live streams.
const (
	// MaxStreams is how many may be open at once; further ones are told to wait.
	MaxStreams = 2000
	// MaxStreamLag is how many events a client may lag behind before it is
	// dropped. Its browser then connects again and reads what it missed. It is
	// most of a second of 5,000 readings, which come in pieces.
	MaxStreamLag = 4096
)

// A Latest is the newest value of one quantity.
type Latest struct {
	Value  *float64    `json:"value"` // null when missing
	Flag   ingest.Flag `json:"flag"`
	Time   time.Time   `json:"time"`
	Device string      `json:"device"`
}

// A Hub passes on what happens to everybody who is looking and may see it, and
// remembers the latest value of everything. It holds up nobody: who cannot keep
// up is dropped. The zero Hub is ready; one Hub serves one process.
//
// Repeats and readings older than those known change nothing and are not passed
// on. Observe also primes a Hub with what the time-series store holds.
type Hub struct {
	mu      sync.Mutex
	devices map[string]*known
	streams map[*stream]struct{}
	closed  bool
	fresh   []ingest.Reading // of one observation; its memory is used again
}

// known is what the hub remembers of one device.
type known struct {
	place  ingest.Place
	values []value
}

type value struct {
	reading ingest.Reading
	time    time.Time // as the device said
	order   time.Time // the same, at the latest its receipt: a clock set back is no reason to wait
}

// A stream is one client's queue.
type stream struct {
	principal    auth.Principal
	site, device string        // what it asked for; empty means everything
	queue        [][]byte      // events not yet taken; guarded by the hub's mutex
	more         chan struct{} // holds a token when there are some
	done         chan struct{} // closed when the stream must end
}

func (s *stream) wants(p ingest.Place, device string) bool {
	return (s.site == "" || s.site == p.Site) && (s.device == "" || s.device == device) &&
		auth.Can(s.principal, auth.Read, object(p))
}

func object(p ingest.Place) auth.Object { return auth.Object{Tenant: p.Tenant, Region: p.Region} }

// Observe remembers and passes on readings. It always returns nil.
func (h *Hub) Observe(_ context.Context, obs []ingest.Observation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range obs {
		if fresh := h.remember(&obs[i]); len(fresh) > 0 && len(h.streams) > 0 {
			o := &obs[i]
			h.send(o.Place, o.Device, "observation", func() any { return newObservationEvent(o, fresh) })
		}
	}
	return nil
}

// AlertChanged passes on an alert.
func (h *Hub) AlertChanged(a alert.Alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(ingest.Place{Tenant: a.Tenant, Region: a.Region, Site: a.Site}, a.Device, "alert", func() any { return a })
}

// PresenceChanged passes on that a device, which stands at a place, came or went.
func (h *Hub) PresenceChanged(device string, at ingest.Place, online bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(at, device, "status", func() any {
		return struct {
			Device string    `json:"device"`
			Site   string    `json:"site"`
			Online bool      `json:"online"`
			At     time.Time `json:"at"`
		}{device, at.Site, online, since.UTC()}
	})
}

// Close ends all streams, and those that are asked for later. What the hub
// remembers stays readable.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.streams {
		h.drop(s)
	}
}

// latest returns the newest value of every quantity: of one device, or of those
// that stand at a site.
func (h *Hub) latest(site, device string) map[string]Latest {
	return h.latestBySite(func(p ingest.Place, id string) bool {
		return (site == "" || p.Site == site) && (device == "" || id == device)
	})[site]
}

// latestBySite returns the newest value of every quantity at every site, with
// all under "" as well, of the devices that are asked for.
func (h *Hub) latestBySite(asked func(ingest.Place, string) bool) map[string]map[string]Latest {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]map[string]Latest{}
	put := func(site, quantity string, l Latest) {
		if out[site] == nil {
			out[site] = map[string]Latest{}
		}
		old, ok := out[site][quantity]
		if !ok || l.Time.After(old.Time) || l.Time.Equal(old.Time) && l.Device < old.Device {
			out[site][quantity] = l
		}
	}
	for id, k := range h.devices {
		if !asked(k.place, id) {
			continue
		}
		for _, v := range k.values {
			l := Latest{Flag: v.reading.Flag, Time: v.time.UTC(), Device: id}
			if v.reading.Flag != ingest.Missing {
				number := v.reading.Value
				l.Value = &number
			}
			put(k.place.Site, v.reading.Quantity.ID, l)
			put("", v.reading.Quantity.ID, l)
		}
	}
	return out
}

// remember keeps what is newer than what is known, and returns it until it is
// called again. The caller holds the mutex.
func (h *Hub) remember(o *ingest.Observation) []ingest.Reading {
	if h.devices == nil {
		h.devices = map[string]*known{}
	}
	k := h.devices[o.Device]
	if k == nil {
		k = &known{place: o.Place}
		h.devices[o.Device] = k
	}
	order := o.Time
	if o.Received.Before(order) {
		order = o.Received
	}
	h.fresh = h.fresh[:0]
	for i := range o.Readings {
		if k.put(&o.Readings[i], o.Time, order) {
			h.fresh = append(h.fresh, o.Readings[i])
		}
	}
	if len(h.fresh) > 0 {
		k.place = o.Place
	}
	return h.fresh
}

func (k *known) put(r *ingest.Reading, at, order time.Time) bool {
	for i := range k.values {
		if old := &k.values[i]; old.reading.Quantity.ID == r.Quantity.ID {
			if !order.After(old.order) {
				return false
			}
			old.reading.Value, old.reading.Flag, old.time, old.order = r.Value, r.Flag, at, order
			return true
		}
	}
	k.values = append(k.values, value{*r, at, order})
	return true
}

// send queues an event for everybody who wants it. It is encoded when the first
// one does. The caller holds the mutex.
func (h *Hub) send(at ingest.Place, device, name string, data func() any) {
	var frame []byte
	for s := range h.streams {
		if !s.wants(at, device) {
			continue
		}
		if frame == nil {
			encoded, err := json.Marshal(data())
			if err != nil {
				return // a value that is not finite, which decoding refuses
			}
			frame = append([]byte("event: "+name+"\ndata: "), encoded...)
			frame = append(frame, "\n\n"...)
		}
		if len(s.queue) >= MaxStreamLag {
			h.drop(s)
			continue
		}
		s.queue = append(s.queue, frame)
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// take returns the events that wait in a stream, and leaves it room for others.
func (h *Hub) take(s *stream, room [][]byte) [][]byte {
	clear(room)
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting := s.queue
	s.queue = room[:0]
	return waiting
}

// errClosing reports a stream that is asked for while the server stops.
var errClosing = errors.New("server is stopping")

// follow opens a stream; end must be called.
func (h *Hub) follow(p auth.Principal, site, device string) (*stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.Join(ingest.ErrBusy, errClosing)
	}
	if len(h.streams) >= MaxStreams {
		return nil, ingest.ErrBusy
	}
	if h.streams == nil {
		h.streams = map[*stream]struct{}{}
	}
	s := &stream{principal: p, site: site, device: device, more: make(chan struct{}, 1), done: make(chan struct{})}
	h.streams[s] = struct{}{}
	return s, nil
}

func (h *Hub) end(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
}

// drop ends a stream once. The caller holds the mutex.
func (h *Hub) drop(s *stream) {
	if _, open := h.streams[s]; open {
		delete(h.streams, s)
		close(s.done)
	}
}

type observationEvent struct {
	Device     string         `json:"device"`
	Tenant     string         `json:"tenant"`
	Site       string         `json:"site"`
	Time       time.Time      `json:"time"`
	ServerTime bool           `json:"server_time"`
	Readings   []readingEvent `json:"readings"`
}

type readingEvent struct {
	Quantity string      `json:"quantity"`
	Value    *float64    `json:"value"` // null when missing
	Flag     ingest.Flag `json:"flag"`
}

func newObservationEvent(o *ingest.Observation, fresh []ingest.Reading) observationEvent {
	e := observationEvent{
		Device: o.Device, Tenant: o.Place.Tenant, Site: o.Place.Site, Time: o.Time.UTC(), ServerTime: o.ServerTime,
		Readings: make([]readingEvent, len(fresh)),
	}
	for i := range fresh {
		e.Readings[i] = readingEvent{Quantity: fresh[i].Quantity.ID, Flag: fresh[i].Flag}
		if fresh[i].Flag != ingest.Missing {
			e.Readings[i].Value = &fresh[i].Value
		}
	}
	return e
}
