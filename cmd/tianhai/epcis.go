package main

import (
	"fmt"
	"io"
	"os"

	"tianhai/trace/epcis"
)

type epcisCommand struct {
	Validate epcisValidateCommand `cmd:"" help:"Say where a document breaks EPCIS 2.0, one fault a line; exit 0 if nowhere."`
	Hash     epcisHashCommand     `cmd:"" help:"Print the hash of each event, as CBV 2.0 defines it, one a line."`
}

type epcisValidateCommand struct {
	Strict bool   `help:"Advice counts as faults: wrong check digits, EPCs that are none, undeclared prefixes."`
	File   string `arg:"" help:"EPCIS document or single event in JSON, at most 16 MiB; - for standard input."`
}

// Run prints what is wrong with a document.
func (c *epcisValidateCommand) Run() error { return c.run(os.Stdin, os.Stdout) }

func (c *epcisValidateCommand) run(in io.Reader, out io.Writer) error {
	document, err := readEPCIS(c.File, in)
	if err != nil {
		return err
	}
	found := document.Validate()
	faults := 0
	for _, fault := range found {
		label := ""
		if fault.Advice && !c.Strict {
			label = "advice: "
		} else {
			faults++
		}
		if _, err = fmt.Fprintf(out, "%s%v\n", label, fault); err != nil {
			return err
		}
	}
	switch {
	case len(found) == epcis.MaxFaults:
		return fmt.Errorf("%s: %d faults and pieces of advice, and perhaps more", c.File, len(found))
	case faults > 0:
		return fmt.Errorf("%s: faults: %d", c.File, faults)
	default:
		return nil
	}
}

type epcisHashCommand struct {
	File string `arg:"" help:"EPCIS document or single event in JSON, at most 16 MiB; - for standard input."`
}

// Run prints hashes in the order of the events.
func (c *epcisHashCommand) Run() error { return c.run(os.Stdin, os.Stdout) }

func (c *epcisHashCommand) run(in io.Reader, out io.Writer) error {
	document, err := readEPCIS(c.File, in)
	if err != nil {
		return err
	}
	hashes, err := document.Hashes()
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	for _, hash := range hashes {
		if _, err = fmt.Fprintln(out, hash); err != nil {
			return err
		}
	}
	return nil
}

func readEPCIS(name string, in io.Reader) (*epcis.Document, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, epcis.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	document, err := epcis.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return document, nil
}
