package main

import (
	"context"
	"log/slog"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/trace"
)

// lateMessage is the body of a webhook.
type lateMessage struct {
	ID      string            `json:"id"`
	Type    string            `json:"type"` // "late_use.found"
	LateUse trace.FoundLate   `json:"late_use"`
	Title   map[string]string `json:"title"` // by language
}

// untoldLate returns the uses of inputs that came too late for the gates.
func untoldLate(s *store.Store, texts *i18n.Catalog, log *slog.Logger) func(context.Context) ([]news, error) {
	return func(ctx context.Context) ([]news, error) {
		found, err := s.LateUses(ctx, store.LateFilter{Untold: true})
		var all []news
		for _, f := range found {
			log.WarnContext(ctx, "an input was recorded too late to refuse a harvest", "operation", f.Operation, "batch", f.Batch, "code", f.Code, "site", f.Site)
			m := lateMessage{ID: f.Operation + "-" + f.Batch, Type: "late_use.found", LateUse: f, Title: map[string]string{}}
			for _, lang := range texts.Languages() {
				m.Title[lang] = texts.T(lang, "late_use.title", "lot", f.Lot, "name", f.Refusals[0].Name.In(lang), "date", f.Refusals[0].Date)
			}
			all = append(all, news{m.ID, m, func(ctx context.Context) error { return s.ToldLate(ctx, f.LateUse, time.Now()) }})
		}
		return all, err
	}
}
