package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"tianhai/trace"
	"tianhai/trace/ledger"
)

type verifyCommand struct {
	Key     string `required:"" help:"The log's public key, as served at /log/key and published by the operator." placeholder:"VKEY"`
	Record  string `type:"existingfile" help:"The public record as downloaded beside the receipt: also check that it is what was sealed." placeholder:"FILE"`
	Receipt string `arg:"" type:"existingfile" help:"A downloaded receipt (c2sp.org/tlog-proof@v1)."`
}

// Run checks the receipt without any network.
func (c *verifyCommand) Run() error {
	raw, err := os.ReadFile(c.Receipt)
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	proof, err := ledger.Verify(c.Key, string(raw))
	if err != nil {
		return fmt.Errorf("not verified: %w", err)
	}
	fmt.Printf("verified: leaf %d of %d in the log %s\n", proof.Index, proof.Size, proof.Origin)
	fmt.Printf("leaf: %s\n", proof.Leaf)
	if c.Record != "" {
		if err := checkRecord(c.Record, proof.Leaf); err != nil {
			return fmt.Errorf("not verified: %w", err)
		}
		fmt.Println("verified: the record is the one that was sealed")
	}
	fmt.Println("This shows that nothing was changed since it was sealed. It does not show that it was true when written.")
	return nil
}

// checkRecord reports whether the sealed leaf is the one the record in the file
// leads to.
func checkRecord(file string, leaf []byte) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read record: %w", err)
	}
	rec, err := trace.ParseOpening(raw)
	if err != nil {
		return err
	}
	if !bytes.Equal(rec.Leaf(), leaf) {
		return errors.New("the record is not the one that was sealed")
	}
	return nil
}
