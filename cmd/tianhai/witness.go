package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"tianhai/trace/ledger"
)

type witnessCommand struct {
	Data string   `default:"witness" help:"Directory of the witness's key and memory. Never restore it from a backup." placeholder:"DIR"`
	Addr string   `default:"127.0.0.1:8091" help:"Where it listens."`
	Name string   `help:"Name of a new witness, such as a domain and a path; fixed by the first start." placeholder:"NAME"`
	Log  []string `required:"" sep:"none" help:"Public key of a log to cosign for, as served at /log/key; may be given again. With an address, what the log shows there is held against what was cosigned, every minute." placeholder:"VKEY[=URL]"`
}

// watchEvery is how often a witness looks at what its logs show.
const watchEvery = time.Minute

// Run cosigns until SIGTERM or SIGINT.
func (c *witnessCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var keys []string
	urls := map[string]string{}
	for _, arg := range c.Log {
		key, url, watched := strings.Cut(arg, "=") // which no Ed25519 key holds
		keys = append(keys, key)
		if !watched {
			continue
		}
		if err := checkURL(url, []string{"http", "https"}); err != nil || url == "" {
			return errors.New("--log: what follows the key is not a URL that begins with http:// or https://")
		}
		origin, _, _ := strings.Cut(key, "+")
		urls[origin] = url
	}
	w, err := ledger.OpenWitness(ledger.WitnessOptions{Dir: c.Data, Name: c.Name, Logs: keys, Logger: log})
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { w.Watch(watching, urls, watchEvery) })
	err = c.serve(ctx, w, log)
	stop()
	watch.Wait()
	return errors.Join(err, w.Close())
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
