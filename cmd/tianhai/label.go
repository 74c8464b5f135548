package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"tianhai/trace/label"
)

type labelCommand struct {
	Parse labelParseCommand `cmd:"" help:"Read a GS1 Digital Link and print its AIs, or say what is wrong with it."`
	Make  labelMakeCommand  `cmd:"" help:"Make the GS1 Digital Link of a GTIN that you hold, or of another GS1 key."`
	Print labelPrintCommand `cmd:"" help:"Make labels to print: of a batch, of devices, or of what a list says."`
	Prove labelProveCommand `cmd:"" help:"Check the proof that the code of a packet was issued, as downloaded from its page."`
}

type labelParseCommand struct {
	Format    string `enum:"json,ai,fnc1,uri" default:"json" help:"json: an object with the AIs for names, in the link's order. ai: (01)…(10)…. fnc1: as barcodes hold it, ^ for FNC1. uri: the canonical link. Default: json." placeholder:"FORMAT"`
	ShortGTIN bool   `name:"short-gtin" help:"Let GTIN-8, -12 and -13 through in the path, filled up to 14 digits."`
	Alphas    bool   `help:"Let the names through that the standard has dropped: /gtin/…/lot/…/ser/…."`
	Unknown   bool   `help:"Let AIs through, in the query, that are not known."`
	URI       string `arg:"" name:"uri" help:"The link, as scanned. Quote it: shells take & and ? for themselves."`
}

// Run prints what the link says.
func (c *labelParseCommand) Run() error { return c.parse(os.Stdout) }

func (c *labelParseCommand) parse(out io.Writer) error {
	opt := label.LinkOptions{ShortGTIN: c.ShortGTIN, Alphas: c.Alphas, UnknownAI: c.Unknown}
	l, err := label.ParseLink(c.URI, opt)
	if err != nil {
		return err
	}
	switch c.Format {
	case "ai":
		_, err = fmt.Fprintln(out, l.Brackets())
	case "fnc1":
		_, err = fmt.Fprintln(out, l.ElementString())
	case "uri":
		_, err = fmt.Fprintln(out, l)
	default:
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		err = enc.Encode(l)
	}
	return err
}

type labelMakeCommand struct {
	GTIN       *string  `name:"gtin" help:"The GTIN that GS1 has given for the product, of 8, 12, 13 or 14 digits (AI 01)." placeholder:"GTIN"`
	Lot        *string  `help:"Batch or lot number (AI 10), to 20 characters." placeholder:"LOT"`
	Serial     *string  `help:"Serial number (AI 21), to 20 characters." placeholder:"SERIAL"`
	AI         []string `name:"ai" sep:"none" help:"Any other AI and its value: 17=270630 for an expiry date. Repeat for more." placeholder:"AI=VALUE"`
	Compressed bool     `help:"Make the link shorter, for machines alone: all but the domain in one part of base64url."`
	Domain     string   `help:"Who answers the scan: a domain, or http(s)://, a domain and a stem. Default: ${default}." default:"https://id.gs1.org" placeholder:"DOMAIN"`
}

// Run prints the link.
func (c *labelMakeCommand) Run() error { return c.make(os.Stdout) }

func (c *labelMakeCommand) make(out io.Writer) error {
	elements, err := c.elements()
	if err != nil {
		return err
	}
	l, err := label.MakeLink(c.Domain, elements)
	if err != nil {
		return err
	}
	text := l.String()
	if c.Compressed {
		text = l.Compressed()
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

func (c *labelMakeCommand) elements() ([]label.Element, error) {
	var elements []label.Element
	for _, f := range []struct {
		ai    string
		value *string // nil if not given; an empty one is a mistake
	}{{"01", c.GTIN}, {"10", c.Lot}, {"21", c.Serial}} {
		if f.value != nil {
			elements = append(elements, label.Element{AI: f.ai, Value: *f.value})
		}
	}
	for _, s := range c.AI {
		ai, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("--ai %q: write it as AI=VALUE, such as 17=270630", s)
		}
		elements = append(elements, label.Element{AI: ai, Value: value})
	}
	return elements, nil
}
