// Command firmware-sim is a fleet of virtual farm devices on any MQTT broker,
// and a player of real measurements. Run it with --help.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // so that --zone works without the system's

	"github.com/alecthomas/kong"

	"tianhai/firmware-sim/fleet"
)

const description = `Virtual farm devices on an MQTT broker.

Each device publishes JSON to th/{id}/up, keeps "online" or "offline" on th/{id}/status, takes commands on th/{id}/down and answers on th/{id}/ack. Kinds and what they report:

  ${kinds}

Interrupt to end: what is stored is delivered, and a summary printed.`

type cli struct {
	Run    runCmd    `cmd:"" default:"withargs" help:"Simulate devices (the default)."`
	Replay replayCmd `cmd:"" help:"Send the rows of a CSV file of real measurements as one device."`
}

// broker is what both commands need to connect.
type broker struct {
	Broker       string `default:"tcp://127.0.0.1:1883" help:"URL of the broker: tcp://, ssl://, ws:// or wss://."`
	CA           string `type:"existingfile" help:"PEM file of the authorities to trust, instead of the system's."`
	Credentials  string `type:"existingfile" help:"CSV file of devices: id,secret,kind. Lines that begin with # are skipped."`
	User         string `help:"MQTT user name of devices without credentials; their id by default."`
	PasswordFile string `type:"existingfile" help:"File of their password. Else the environment variable FIRMWARE_SIM_PASSWORD is used."`
	Verbose      bool   `short:"v" help:"Log every attempt to connect."`
}

// tls returns nil where the system's roots do.
func (b broker) tls() (*tls.Config, error) {
	if b.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(b.CA)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read authorities: %s holds no certificate in PEM", b.CA)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

func (b broker) password() (string, error) {
	if b.PasswordFile == "" {
		return os.Getenv("FIRMWARE_SIM_PASSWORD"), nil
	}
	text, err := os.ReadFile(b.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func (b broker) logger() *slog.Logger {
	level := slog.LevelWarn
	if b.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := kong.Parse(new(cli), kong.Name("firmware-sim"), kong.Description(description), kong.Vars{"kinds": kinds()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.WithHyphenPrefixedParameters(true))
	err := command.Run()
	if errors.Is(err, context.Canceled) {
		stop()
		os.Exit(130)
	}
	command.FatalIfErrorf(err)
}

// kinds lists what each kind reports.
func kinds() string {
	var lines []string
	for _, k := range fleet.Kinds() {
		var names []string
		for _, c := range k.Channels {
			names = append(names, c.Name)
		}
		line := k.Name + ": " + strings.Join(names, ", ")
		if len(k.Commands) > 0 {
			line += "; obeys " + strings.Join(k.Commands, " and ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n\n  ")
}
