package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"tianhai/ingest"
	"tianhai/ingest/influx"
	"tianhai/ingest/journal"
)

// The states of a part. What each means for whom is in means.
const (
	stateOK      = "ok"
	stateFull    = "full"
	stateDown    = "down"
	stateLagging = "lagging"
	stateFaulty  = "faulty"
	statePending = "pending" // for witnesses
)

const (
	checkEvery  = 5 * time.Second // at the latest
	checkFresh  = time.Second     // a younger outcome is given again
	checkWithin = 3 * time.Second
	lagsAfter   = time.Minute // what waits so long makes its reader lag
)

// A condition is how a part is. It says nothing that a stranger may not know.
type condition struct {
	State  string    `json:"state"`
	Since  time.Time `json:"since"`            // when this state was first seen
	Detail string    `json:"detail,omitempty"` // in English, for who runs the server
	Means  string    `json:"means,omitempty"`  // what follows from it; empty when ok
}

// readiness is what /readyz says. Ready: a frame sent now would be acknowledged
// and kept.
type readiness struct {
	Ready   bool                 `json:"ready"`
	Checked time.Time            `json:"checked"`
	Parts   map[string]condition `json:"parts"`
}

// ready reports whether the parts are well that it takes to acknowledge a frame:
// these, and one of the brokers.
func ready(parts map[string]condition) bool {
	heard := false
	for part, is := range parts {
		name, _, _ := strings.Cut(part, " ")
		switch name {
		case "broker":
			heard = heard || is.State == stateOK
		case "journal", "records":
			if is.State != stateOK {
				return false
			}
		}
	}
	return heard
}

// means says what follows when a part is in a state.
var means = map[string]string{
	"broker down":      "No frames come in through this broker. Devices keep what they measure and send it later, as far as they can.",
	"broker full":      "No further device can connect by MQTT.",
	"journal down":     "Frames are not acknowledged. Devices keep them and send them again. It is tried again all the time.",
	"journal full":     "Frames are not acknowledged. Devices keep them and send them again. This ends by itself as soon as there is room.",
	"records down":     "Nobody can log in, devices that connect are refused, and alarms cannot be recorded.",
	"influxdb down":    "Readings wait in the journal; alarms and live values go on, history ends where this began. It catches up by itself.",
	"influxdb lagging": "Readings are stored later than they come in. They wait in the journal; alarms and live values go on.",
	"alerts down":      "Alarms and live values are held up.",
	"alerts lagging":   "Alarms and live values come late.",
	"ledger down":      "Records are kept and wait to be sealed: they have no receipt yet. Everything else goes on.",
	"ledger faulty":    "The last audit found the log and the records at odds. Look at once: tianhai audit says where, and so does GET /api/v1/audits.",
	"ledger pending":   "Records are sealed by the log's own signature; the cosignatures follow by themselves when enough witnesses answer.",
	"quarantine full":  "A frame that cannot be read holds up the storing of those after it. Room is needed in quarantine.",
}

// A checker looks at the parts and remembers since when each is as it is.
type checker struct {
	look func(context.Context) map[string]condition
	log  *slog.Logger

	mu   sync.Mutex // guards last, and is held while looking: one look serves all
	last readiness
}

// now returns an outcome that is not older than checkFresh.
func (c *checker) now(ctx context.Context) readiness {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().UTC()
	if at.Sub(c.last.Checked) < checkFresh {
		return c.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	next := readiness{Checked: at, Parts: c.look(ctx)}
	for part, is := range next.Parts {
		was := c.last.Parts[part]
		kind, _, _ := strings.Cut(part, " ")
		is.Since, is.Means = at, means[kind+" "+is.State]
		if was.State == is.State {
			is.Since = was.Since
		} else if is.State != stateOK || was.State != "" {
			c.tell(ctx, part, is)
		}
		next.Parts[part] = is
	}
	next.Ready = ready(next.Parts)
	c.last = next
	return next
}

func (c *checker) tell(ctx context.Context, part string, is condition) {
	if is.State == stateOK {
		c.log.InfoContext(ctx, "part is well again", "part", part)
		return
	}
	c.log.WarnContext(ctx, "part is not well", "part", part, "state", is.State, "detail", is.Detail, "means", is.Means)
}

// run looks now and then, so that the log and Since are true without anybody who asks.
func (c *checker) run(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		c.now(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// ServeHTTP answers 200 when the server is ready, and 503 otherwise.
func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := c.now(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !is.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(is); err != nil {
		c.log.DebugContext(r.Context(), "readiness not delivered", "error", err)
	}
}

// look asks every part how it is.
func (s *server) look(ctx context.Context) map[string]condition {
	parts := map[string]condition{"records": {State: stateOK}}
	s.lookAtBrokers(parts)
	if err := s.store.Ping(ctx); err != nil {
		parts["records"] = condition{State: stateDown, Detail: "the database does not answer"}
	}
	stats, err := s.journal.Stats(ctx)
	switch {
	case err != nil:
		parts["journal"] = condition{State: stateDown, Detail: journalDetail(err)}
	case stats.Full != "":
		parts["journal"] = condition{State: stateFull, Detail: stats.Full}
	default:
		parts["journal"] = condition{State: stateOK}
	}
	parts["quarantine"] = condition{State: stateOK}
	if stats.QuarantineFull != "" {
		parts["quarantine"] = condition{State: stateFull, Detail: stats.QuarantineFull}
	}
	parts["influxdb"] = s.lookAtStore(ctx, stats.Waiting[ingest.StoreReader])
	parts["ledger"] = s.lookAtLedger(ctx)
	parts["alerts"] = lookAtWatch(s.watch, stats.Waiting[ingest.WatchReader])
	return parts
}

func journalDetail(err error) string {
	if errors.Is(err, journal.ErrUnwritable) {
		return err.Error()
	}
	return "the journal does not answer"
}

// lookAtBrokers looks at the embedded broker, which is "broker", and at those
// outside, each "broker" and its name.
func (s *server) lookAtBrokers(parts map[string]condition) {
	for _, p := range s.posts.all {
		is := condition{State: stateOK}
		if p.session != nil {
			if !p.session.Connected() {
				is = condition{State: stateDown, Detail: "the broker is out of reach, or refuses this server"}
			}
			parts["broker "+p.name] = is
			continue
		}
		if p.broker.Full() {
			is = condition{State: stateFull, Detail: fmt.Sprintf("%d connections", p.broker.Connections())}
		}
		parts["broker"] = is
	}
}

func (s *server) lookAtStore(ctx context.Context, waiting time.Time) condition {
	_, err := s.keeper.HeldUp()
	refuses := (*influx.Error)(nil)
	switch {
	case errors.As(err, &refuses) && refuses.Status != 0:
		return condition{State: stateDown, Detail: fmt.Sprintf("InfluxDB answers %d", refuses.Status)}
	case refuses != nil || s.series.Ping(ctx) != nil:
		return condition{State: stateDown, Detail: "InfluxDB does not answer"}
	case err != nil:
		return condition{State: stateLagging, Detail: "storing is held up by another part"}
	}
	return lateness(waiting)
}

func lookAtWatch(w *ingest.Watch, waiting time.Time) condition {
	if _, err := w.HeldUp(); err != nil {
		return condition{State: stateDown, Detail: "readings cannot be looked at; the log says why"}
	}
	return lateness(waiting)
}

// lateness says how it is when the oldest record has waited since then; the zero
// time is for none.
func lateness(since time.Time) condition {
	if late := time.Since(since); !since.IsZero() && late > lagsAfter {
		return condition{State: stateLagging, Detail: fmt.Sprintf("%v behind", late.Round(time.Second))}
	}
	return condition{State: stateOK}
}
