package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"tianhai/trace"
	"tianhai/trace/ledger"
)

type verifyCommand struct {
	Key     []string `required:"" sep:"none" help:"The log's public key, as served at /log/key and published by the operator. Given more than once, the one of the receipt's log is taken." placeholder:"VKEY"`
	Witness []string `sep:"none" help:"Public key of a witness whose cosignature counts; may be given again." placeholder:"VKEY"`
	Quorum  int      `default:"-1" help:"How many of the witnesses must have cosigned; all of them when not given." placeholder:"N"`
	Record  string   `type:"existingfile" help:"The public record as downloaded beside the receipt: also check that it is what was sealed." placeholder:"FILE"`
	Receipt string   `arg:"" type:"existingfile" help:"A downloaded receipt (c2sp.org/tlog-proof@v1)."`
}

// Run checks the receipt without any network.
func (c *verifyCommand) Run() error {
	raw, err := os.ReadFile(c.Receipt)
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	policy := ledger.Policy{Witnesses: c.Witness, Quorum: c.Quorum}
	if c.Quorum < 0 {
		policy.Quorum = len(c.Witness)
	}
	if err := policy.Check(); err != nil {
		return err
	}
	proof, witnesses, err := ledger.VerifyCosigned(c.keyFor(string(raw)), policy, string(raw))
	if err != nil {
		return fmt.Errorf("not verified: %w", err)
	}
	fmt.Printf("verified: leaf %d of %d in the log %s\n", proof.Index, proof.Size, proof.Origin)
	if len(witnesses) > 0 {
		fmt.Printf("cosigned: by %s\n", strings.Join(witnesses, ", "))
	}
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

// keyFor picks the key of the receipt's log; the first one where there is none,
// whose refusal says why.
func (c *verifyCommand) keyFor(receipt string) string {
	origin, err := ledger.Origin(receipt)
	for _, key := range c.Key {
		if err == nil && strings.HasPrefix(key, origin+"+") {
			return key
		}
	}
	return c.Key[0]
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
	if len(rec.Personal) == 0 {
		return nil
	}
	public, err := trace.ParsePublicRecord(rec.Body)
	if err != nil {
		return err
	}
	return public.Disclose(rec.Personal)
}
