package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"tianhai/trace/ledger"
	"tianhai/trace/unit"
)

// maxProof is the longest proof that is read, in bytes.
const maxProof = 1 << 20

type labelProveCommand struct {
	Key   string `required:"" help:"The log's public key, as served at /log/key and published by the operator." placeholder:"VKEY"`
	Proof string `arg:"" type:"existingfile" help:"A downloaded proof."`
}

// Run checks the proof without any network.
func (c *labelProveCommand) Run() error { return c.prove(os.Stdout) }

func (c *labelProveCommand) prove(out io.Writer) error {
	f, err := os.Open(c.Proof)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	d := json.NewDecoder(io.LimitReader(f, maxProof))
	d.DisallowUnknownFields()
	var p unit.Proof
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	leaf, err := p.Check()
	if err != nil {
		return fmt.Errorf("not verified: %w", err)
	}
	if p.Receipt == "" {
		return errors.New("not verified: the roll was not sealed yet when this was downloaded")
	}
	sealed, err := ledger.Verify(c.Key, p.Receipt)
	if err != nil {
		return fmt.Errorf("not verified: %w", err)
	}
	if !bytes.Equal(sealed.Leaf, leaf) {
		return errors.New("not verified: the receipt is for another record")
	}
	_, err = fmt.Fprintf(out, "verified: %s is code %d of %d of roll %s, which is leaf %d of the log %s\n", p.Code, p.Number, p.Codes, p.Roll, sealed.Index, sealed.Origin)
	return err
}
