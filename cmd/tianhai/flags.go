package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"tianhai/cmd/internal/store"
)

// configFlags are the flags of every command that uses the data directory.
// A flag wins over the environment, which wins over the file.
type configFlags struct {
	Config string `type:"existingfile" help:"Configuration file (YAML)." placeholder:"FILE"`
	Data   string `help:"Directory of all state." placeholder:"DIR"`
}

func (f *configFlags) load() (config, error) {
	c, err := loadConfig(f.Config, os.Environ())
	if err == nil && f.Data != "" {
		c.Data = f.Data
	}
	return c, err
}

// serveFlags are the flags of commands that run the server.
type serveFlags struct {
	configFlags
	HTTP   string `help:"Address of the web server; :0 takes a free port." placeholder:"ADDR"`
	MQTT   string `help:"Address of the embedded MQTT broker." placeholder:"ADDR"`
	Influx string `help:"Address of the embedded InfluxDB, on a loopback interface." placeholder:"ADDR"`
}

func (f *serveFlags) load() (config, error) {
	c, err := f.configFlags.load()
	if err != nil {
		return c, err
	}
	for key, flag := range map[*string]string{&c.HTTP.Addr: f.HTTP, &c.MQTT.Addr: f.MQTT, &c.Influx.Addr: f.Influx} {
		if flag != "" {
			*key = flag
		}
	}
	return c, c.check()
}

func (c *config) logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		level = slog.LevelInfo // check has refused anything else
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.Log.JSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}

// openStore opens the records database that the configuration names.
func openStore(ctx context.Context, c config) (*store.Store, error) {
	dsn := string(c.Database.URL)
	if dsn == "" {
		if err := makeDataDir(c.Data); err != nil {
			return nil, err
		}
		dsn = "sqlite:" + filepath.Join(c.Data, "records.db")
	}
	db, err := store.Open(ctx, store.Options{DSN: dsn})
	if err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	return db, nil
}

// makeDataDir makes the directory, or says that it cannot be written to.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("data: %s is not writable: %w", dir, err)
	}
	if err := probe.Close(); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := os.Remove(probe.Name()); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}
