package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"tianhai/trace/ledger"
)

type witnessCommand struct {
	Data string   `default:"witness" help:"Directory of the witness's key and memory. Never restore it from a backup." placeholder:"DIR"`
	Addr string   `default:"127.0.0.1:8091" help:"Where it listens."`
	Name string   `help:"Name of a new witness, such as a domain and a path; fixed by the first start." placeholder:"NAME"`
	Log  []string `required:"" sep:"none" help:"Public key of a log to cosign for, as served at /log/key; may be given again." placeholder:"VKEY"`
}

// Run cosigns until SIGTERM or SIGINT.
func (c *witnessCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: c.Data, Name: c.Name, Logs: c.Log, Logger: log})
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, w, log), w.Close())
}

func (c *witnessCommand) serve(ctx context.Context, w *ledger.Witness, log *slog.Logger) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	srv := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	shut := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		shut <- srv.Shutdown(ctx)
	})
	defer stop()
	fmt.Printf("witness key: %s\nwitness url: http://%s\n", w.VerifierKey(), ln.Addr())
	log.InfoContext(ctx, "cosigning", "addr", ln.Addr().String(), "logs", len(c.Log))
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("witness: %w", err)
	}
	return <-shut
}
