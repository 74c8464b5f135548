package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"tianhai/trace/parcel"
)

type deliverCommand struct {
	File       string        `arg:"" type:"existingfile" help:"What tianhai package wrote."`
	To         string        `required:"" help:"Where the platform takes packages: an https:// address." placeholder:"URL"`
	SecretFile string        `required:"" type:"existingfile" help:"File with the secret that the request is signed with; at least 16 bytes." placeholder:"FILE"`
	For        time.Duration `default:"1h" help:"How long to try."`
}

// A delivered file stands beside the package and says that it is, and what was answered.
type delivered struct {
	Key     string    `json:"key"` // SHA-256 of the package
	To      string    `json:"to"`
	At      time.Time `json:"at"`
	Receipt string    `json:"receipt"`
}

// Run delivers a package once, however often it is run: the receipt beside the file says
// that it was, and the platform knows a repeated request by its key.
func (c *deliverCommand) Run(ctx context.Context) error {
	at, err := url.Parse(c.To)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || at.User != nil {
		return errors.New("--to is no https:// address without a password in it")
	}
	if ending := filepath.Ext(c.File); ending != ".json" && ending != ".xlsx" {
		return errors.New("the file ends neither in .json nor in .xlsx")
	}
	secret, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return err
	}
	if secret = bytes.TrimSpace(secret); len(secret) < minPlatformSecret {
		return errors.New("--secret-file has fewer than 16 bytes")
	}
	d, err := parcel.FileDelivery(c.File)
	if err != nil {
		return err
	}
	beside := c.File + "." + at.Hostname() + ".receipt.json"
	switch was, err := readDelivered(beside); {
	case err != nil:
		return err
	case was.Key == d.Key && was.To == c.To:
		fmt.Printf("delivered already, at %s: %s\n", was.At.Format(time.RFC3339), was.Receipt)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	receipt, err := parcel.Persist(ctx, parcel.Post{URL: c.To, Secret: secret, Client: platformClient()}, d, func(err error, pause time.Duration) {
		fmt.Fprintf(os.Stderr, "%v; again in %v\n", err, pause)
	})
	if err != nil {
		return fmt.Errorf("deliver %s: %w", c.File, err)
	}
	raw, err := json.MarshalIndent(delivered{d.Key, c.To, time.Now().UTC().Truncate(time.Second), receipt}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(beside, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	fmt.Printf("delivered: %s\n", receipt)
	return nil
}

// readDelivered returns what a receipt says; nothing where there is none.
func readDelivered(name string) (d delivered, err error) {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d, err
}
