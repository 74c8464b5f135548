package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
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
		Dir: cfg.path("history"), Store: db, Fleet: db, Decode: decode.ByFormat, // without mappings, which only a worker needs
		Logger:   log,
		Profiles: device.NewRegistry(device.RegistryOptions{Directory: db, Aliases: db, MaxAge: freshFor, Logger: log}),
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
	program := revision()
	s.desk.Decode, s.desk.Chain = s.library.ByFormat, s.edges.store.Again()
	s.mender = &history.Mender{
		Desk: s.desk, Store: s.store, Devices: s.journal.QuarantinedDevices, Changed: s.registry.ForgetAll,
		Version: func() string { return program + " " + s.library.Versions() }, Logger: s.log,
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

// A deskSession is a desk beside a server that may run.
type deskSession struct {
	cfg  config
	db   *store.Store
	desk *history.Desk
}

func (c *configFlags) withDesk(ctx context.Context, do func(*deskSession) error) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	return c.withStore(ctx, func(db *store.Store) error {
		desk, err := newDesk(cfg, db, texts, cfg.logger())
		if err != nil {
			return err
		}
		return do(&deskSession{cfg, db, desk})
	})
}

// tenantOf returns the tenant of a device; farm.ErrNotFound. No device is
// everybody's.
func (d *deskSession) tenantOf(ctx context.Context, device string) (string, error) {
	if device == "" {
		return "", nil
	}
	owner, err := d.db.Owner(ctx, device)
	if err != nil {
		return "", fmt.Errorf("device %s: %w", device, err)
	}
	return owner, nil
}

// ordered says what happens with a new job.
func (d *deskSession) ordered(ctx context.Context, j history.Job, wait bool) error {
	fmt.Println("job", j.ID)
	if !served(ctx, d.cfg) {
		fmt.Println("No server runs on this data directory: the job begins when one does.")
	}
	if wait {
		return follow(ctx, d.db, j.ID)
	}
	fmt.Printf("tianhai jobs show %s   follows it\n", j.ID)
	return nil
}

// served reports whether a server runs on the data directory.
func served(ctx context.Context, cfg config) bool {
	raw, err := os.ReadFile(cfg.path(runFile))
	var addrs struct{ HTTP string }
	if err != nil || json.Unmarshal(raw, &addrs) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addrs.HTTP+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
