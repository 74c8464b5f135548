package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tianhai/i18n"
	"tianhai/monitor/alert"
)

const (
	// wellFor is how long a part must be well before that is told: a full journal
	// that makes a little room now and then is one trouble.
	wellFor = 5 * time.Minute
	// unwellEvery is how often it is looked, and how soon a message is sent again.
	unwellEvery = checkEvery
)

// grave says which states of which parts somebody is woken for. What passes by
// itself and loses nothing meanwhile, such as an InfluxDB that is away, is not told:
// it stands in /readyz, the log and metrics.
var grave = map[string]bool{
	"journal full": true, "journal down": true, "quarantine full": true,
	"records down": true, "alerts down": true, "ledger faulty": true,
}

// An unwellTeller tells whoever is told of alarms that a part of the server is not
// well and needs somebody, and later that it is well again. It needs neither database
// nor journal, which may be what is not well; so it forgets with the process, and
// tells again after a start of what is still not well.
type unwellTeller struct {
	now func(context.Context) readiness
	// send delivers a message, and says whether another attempt is worth making; nil
	// where nobody is to be told.
	send  func(ctx context.Context, id string, message any) (retry bool, err error)
	texts *i18n.Catalog
	log   *slog.Logger

	troubles map[string]*trouble // by part
}

// A trouble is a part that is not well, or was until a little while ago.
type trouble struct {
	is       condition // as it was first seen
	told     bool      // that it is not well
	well     time.Time // since when it is well; zero while it is not
	attempts int
	next     time.Time // of the next attempt
}

// Run tells until ctx is done.
func (u *unwellTeller) Run(ctx context.Context) error {
	tick := time.NewTicker(unwellEvery)
	defer tick.Stop()
	for {
		if u.send != nil {
			u.round(ctx, u.now(ctx))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round notes how parts are, and tells what is due.
func (u *unwellTeller) round(ctx context.Context, r readiness) {
	if u.troubles == nil {
		u.troubles = map[string]*trouble{}
	}
	for part, is := range r.Parts {
		kind, _, _ := strings.Cut(part, " ")
		t := u.troubles[part]
		switch bad := grave[kind+" "+is.State]; {
		case bad && t == nil:
			u.troubles[part] = &trouble{is: is}
		case bad:
			t.well = time.Time{}
		case t != nil && t.well.IsZero():
			t.well = r.Checked
		}
	}
	for part, t := range u.troubles {
		over := !t.well.IsZero() && r.Checked.Sub(t.well) >= wellFor
		if t.told && !over || r.Checked.Before(t.next) {
			continue
		}
		if !u.post(ctx, part, t, r.Checked) {
			continue
		}
		if t.told {
			delete(u.troubles, part)
		}
		t.told = true
	}
}

// unwellMessage is the body of a webhook.
type unwellMessage struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"` // "part.unwell", "part.well"
	Part   string            `json:"part"`
	State  string            `json:"state"` // what it is or was
	Since  time.Time         `json:"since"`
	Until  *time.Time        `json:"until"` // null while it is not well
	Detail string            `json:"detail,omitempty"`
	Title  map[string]string `json:"title"` // by language
	Text   map[string]string `json:"text"`
}

// post tells the next thing of a trouble. It reports false where it is to be tried
// again.
func (u *unwellTeller) post(ctx context.Context, part string, t *trouble, at time.Time) bool {
	m := u.message(part, t)
	retry, err := u.send(ctx, m.ID, m)
	switch {
	case ctx.Err() != nil:
		return false
	case err == nil:
		t.attempts, t.next = 0, time.Time{}
		return true
	case !retry:
		u.log.ErrorContext(ctx, "nobody can be told of the part", "part", part, "type", m.Type, "error", err)
		return true
	}
	if t.attempts == 0 {
		u.log.WarnContext(ctx, "nobody was told of the part yet, will try again", "part", part, "type", m.Type, "error", err)
	}
	t.next = at.Add(min(alert.FirstPause<<min(t.attempts, 10), alert.LongestPause))
	t.attempts++
	return false
}

func (u *unwellTeller) message(part string, t *trouble) unwellMessage {
	m := unwellMessage{
		ID: fmt.Sprintf("%s-%s-%d", part, t.is.State, t.is.Since.UnixMilli()), Type: "part.unwell",
		Part: part, State: t.is.State, Since: t.is.Since, Detail: t.is.Detail, Title: map[string]string{}, Text: map[string]string{},
	}
	title := "notice.part.unwell"
	if t.told {
		m.ID, m.Type, m.Until, title = m.ID+"-well", "part.well", &t.well, "notice.part.well"
	}
	for _, lang := range u.texts.Languages() {
		m.Title[lang] = u.texts.T(lang, title, "part", u.texts.T(lang, "manage.part."+part), "state", u.texts.T(lang, "manage.part_state."+t.is.State))
		key := "manage.part." + part + "." + t.is.State
		if t.told {
			key = "manage.part." + part + ".ok"
		}
		m.Text[lang] = u.texts.T(lang, key)
	}
	return m
}
