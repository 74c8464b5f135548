package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/i18n"
	"tianhai/ingest"
	"tianhai/ingest/decode"
	"tianhai/ingest/device"
	"tianhai/ingest/history"
	"tianhai/ingest/qc"
)

// freshFor is how long old data are read by what the records said of a device.
const freshFor = time.Second

// newDesk takes orders for old data. It works without a server, too.
func newDesk(cfg config, db *store.Store, texts *i18n.Catalog, log *slog.Logger) (*history.Desk, error) {
	tests, err := loadTests(cfg)
	if err != nil {
		return nil, err
	}
	return &history.Desk{
		Dir: cfg.path("history"), Store: db, Fleet: db, Decode: decode.ByFormat, Logger: log,
		Profiles: device.NewRegistry(device.RegistryOptions{Directory: db, MaxAge: freshFor, Logger: log}),
		Quality:  func() (ingest.Quality, error) { return qc.New(tests) },
		Names: func(quantity string) (names []string) {
			for _, lang := range texts.Languages() {
				names = append(names, texts.T(lang, "quantity."+quantity))
			}
			return names
		},
	}, nil
}

func (s *server) openHistory(context.Context) (err error) {
	if s.desk, err = newDesk(s.cfg, s.store, s.texts, s.log); err != nil {
		return err
	}
	s.mender = &history.Mender{
		Desk: s.desk, Store: s.store, Devices: s.journal.QuarantinedDevices, Changed: s.registry.ForgetAll,
		Version: revision(), Logger: s.log,
	}
	return nil
}

// revision names the sources of this program; another may read what this cannot.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	mark := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			mark += fmt.Sprintf(" %s=%s", s.Key, s.Value)
		}
	}
	return mark
}
