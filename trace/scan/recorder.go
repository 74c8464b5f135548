package scan

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A look is one that waits to be written.
type look struct {
	Subject
	at     time.Time
	device Device
	place  Place
}

// A Recorder takes down looks at codes. To take one down costs a hash and never
// waits: it is kept in memory and written with others, once a second. What a crash
// takes with it is that second; a look is no record.
type Recorder struct {
	store Store
	log   *slog.Logger
	after func(ctx context.Context, seen []Look)

	mu      sync.Mutex
	waiting []look
	full    chan struct{} // tells Run that much waits

	unknown, unknownDay int // looks of a day at codes that were never issued; guarded by mu

	salts   atomic.Pointer[map[int][]byte]
	written atomic.Int64
	dropped atomic.Int64
	totals  totals
}

// A Look is what became known of a code by the looks of a second.
type Look struct {
	Subject
	Sightings []Sighting
}

// NewRecorder returns a Recorder that writes to a store while Run runs. after, if it
// is not nil, is told what was written, in the goroutine of Run.
func NewRecorder(store Store, log *slog.Logger, after func(ctx context.Context, seen []Look)) *Recorder {
	r := &Recorder{store: store, log: log, after: after, full: make(chan struct{}, 1)}
	r.salts.Store(&map[int][]byte{})
	return r
}

// Stats says how a Recorder is doing.
type Stats struct {
	Written int64 // looks
	Dropped int64 // looks: the database did not keep up, or too many were at codes of nobody
	Waiting int   // looks
}

// Stats returns how it is doing.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{r.written.Load(), r.dropped.Load(), len(r.waiting)}
}

// A Visitor is who looks, as far as that is not kept.
type Visitor struct {
	Address string // network address, only for the hash
	Agent   string // what the browser calls itself, only for the hash
	Place   Place
}

// Saw takes down that a visitor looked at a code. It never blocks; false says that
// too many wait, or were of codes that nobody issued, and this one was dropped and
// counted.
func (r *Recorder) Saw(s Subject, v Visitor, at time.Time) bool {
	l := look{Subject: s, at: at, device: r.device(v, Day(at)), place: v.Place}
	r.mu.Lock()
	n := len(r.waiting)
	takes := n < MaxWaiting && (s.State != Unknown || r.takesUnknown(Day(at)))
	if takes {
		r.waiting = append(r.waiting, l)
	}
	r.mu.Unlock()
	if !takes {
		r.dropped.Add(1)
		return false
	}
	if n == MaxWaiting/4 {
		select {
		case r.full <- struct{}{}:
		default:
		}
	}
	return true
}

func (r *Recorder) device(v Visitor, day int) (d Device) {
	salt, ok := (*r.salts.Load())[day]
	if !ok || v.Address == "" {
		return d
	}
	h := hmac.New(sha256.New, salt)
	h.Write([]byte(v.Address))
	h.Write([]byte{0})
	h.Write([]byte(v.Agent))
	copy(d[:], h.Sum(nil))
	return d
}

// Run writes until ctx is done, and then once more.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(WriteEvery)
	defer tick.Stop()
	day := -1
	for {
		if today := Day(time.Now()); today != day && r.turn(ctx, today) {
			day = today
		}
		r.write(ctx)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.write(last)
			return nil
		case <-tick.C:
		case <-r.full:
		}
	}
}

// turn makes the keys of a day and the next one ready, and throws away those of
// days that are over.
func (r *Recorder) turn(ctx context.Context, today int) bool {
	salts := map[int][]byte{}
	for day := today; day <= today+1; day++ {
		salt, err := r.store.Salt(ctx, day)
		if err != nil {
			r.log.WarnContext(ctx, "devices cannot be told apart yet: no key of the day", "error", err)
			return false
		}
		salts[day] = salt
	}
	r.salts.Store(&salts)
	if err := r.store.Forget(ctx, today, today-int(KeepDevices/(24*time.Hour))); err != nil {
		r.log.WarnContext(ctx, "sightings that are due cannot be deleted; again tomorrow", "error", err)
	}
	return true
}

// write writes what waits; what cannot be written waits on.
func (r *Recorder) write(ctx context.Context) {
	r.mu.Lock()
	batch := r.waiting
	r.waiting = make([]look, 0, min(cap(batch), MaxWaiting))
	r.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	seen, all := gather(batch)
	if err := r.store.AddSightings(ctx, all); err != nil {
		r.log.WarnContext(ctx, "looks at codes wait to be written", "looks", len(batch), "error", err)
		r.putBack(batch)
		return
	}
	for _, s := range all {
		r.written.Add(s.Count)
	}
	r.totals.add(all)
	if r.after != nil {
		r.after(ctx, seen)
	}
}

// putBack lets looks wait on, in front of those that came meanwhile.
func (r *Recorder) putBack(batch []look) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(batch, r.waiting...)
	if over := len(all) - MaxWaiting; over > 0 {
		r.dropped.Add(int64(over))
		all = all[:MaxWaiting]
	}
	r.waiting = all
}

// gather counts looks of the same device at the same code from the same place, and
// returns them by code and all in one.
func gather(batch []look) (seen []Look, all []Sighting) {
	type key struct {
		code   string
		day    int
		device Device
		place  Place
	}
	counted := make(map[key]int, len(batch))
	codes := make(map[string]int, len(batch))
	for _, l := range batch {
		k := key{l.Code, Day(l.at), l.device, l.place}
		i, again := counted[k]
		if !again {
			i = len(all)
			counted[k] = i
			all = append(all, Sighting{Code: l.Code, Day: k.day, Device: l.device, Place: l.place, First: l.at})
			if _, known := codes[l.Code]; !known {
				codes[l.Code] = len(seen)
				seen = append(seen, Look{})
			}
		}
		all[i].Count++
		all[i].Last = l.at
		seen[codes[l.Code]].Subject = l.Subject // as it was last
	}
	for _, s := range all {
		l := &seen[codes[s.Code]]
		l.Sightings = append(l.Sightings, s)
	}
	return seen, all
}

// takesUnknown counts one more look at a code that was never issued, unless there are
// as many as are taken in a day: anybody can think out more. It is called with mu held.
func (r *Recorder) takesUnknown(day int) bool {
	if r.unknownDay != day {
		r.unknownDay, r.unknown = day, 0
	}
	r.unknown++
	return r.unknown <= MaxUnknown
}

// Total returns all looks at a code that were written, as they were a minute ago at
// most.
func (r *Recorder) Total(ctx context.Context, code string) (Total, error) {
	if t, ok := r.totals.get(code, time.Now()); ok {
		return t, nil
	}
	t, err := r.store.Total(ctx, code)
	if err != nil {
		return Total{}, fmt.Errorf("looks at %s: %w", code, err)
	}
	r.totals.put(t, code, time.Now())
	return t, nil
}

// totals remembers the totals of codes that are asked for, so that a page costs no
// query for them. Other processes may add to a code: what is remembered holds a
// minute.
type totals struct {
	mu sync.Mutex
	by map[string]remembered
}

type remembered struct {
	Total
	until time.Time
}

const (
	rememberTotal = time.Minute
	maxTotals     = 20_000
)

func (t *totals) get(code string, now time.Time) (Total, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.by[code]
	return r.Total, ok && now.Before(r.until)
}

func (t *totals) put(total Total, code string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil || len(t.by) >= maxTotals {
		t.by = map[string]remembered{}
	}
	t.by[code] = remembered{total, now.Add(rememberTotal)}
}

// add counts what was written to what is remembered.
func (t *totals) add(all []Sighting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range all {
		r, ok := t.by[s.Code]
		if !ok {
			continue
		}
		r.Count += s.Count
		if r.First.IsZero() || s.First.Before(r.First) {
			r.First = s.First
		}
		if s.Last.After(r.Last) {
			r.Last = s.Last
		}
		t.by[s.Code] = r
	}
}
