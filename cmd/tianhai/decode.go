package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	_ "time/tzdata" // so that mappings can name zones without the system's

	"tianhai/ingest"
	"tianhai/ingest/decode"
)

type decodeCommand struct {
	Format   string    `required:"" help:"Format or media type, such as json, senml+cbor, influx;precision=ms, chirpstack, ttn, sparkplug, mapped. See docs/formats.md."`
	Mapping  string    `type:"existingfile" help:"The mapping of format mapped: a YAML or JSON file." placeholder:"FILE"`
	Topic    string    `default:"spBv1.0/group/NBIRTH/node" help:"The topic of a Sparkplug message; data messages cannot be read without their births." placeholder:"TOPIC"`
	Received time.Time `help:"When the payload came in, from which relative times are counted. Default: now." placeholder:"RFC3339"`
	File     string    `arg:"" optional:"" type:"existingfile" help:"The payload as the device sends it; standard input if none."`
}

// A decodedLine is one value as it is printed.
type decodedLine struct {
	Channel string     `json:"channel"`
	Time    *time.Time `json:"time,omitempty"` // none: the time of reception counts
	Value   *float64   `json:"value,omitempty"`
	Missing bool       `json:"missing,omitempty"`
	Text    string     `json:"text,omitempty"`
	Unit    string     `json:"unit,omitempty"`
	Extra   bool       `json:"extra,omitempty"`
}

// Run prints what a payload says, one value a line, or where it is at fault.
func (c *decodeCommand) Run() error {
	if c.Received.IsZero() {
		c.Received = time.Now()
	}
	in := os.Stdin
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("read payload: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	return c.decode(in, os.Stdout)
}

func (c *decodeCommand) decode(in io.Reader, out io.Writer) error {
	decoder, err := c.decoder()
	if err != nil {
		return err
	}
	payload, err := io.ReadAll(io.LimitReader(in, ingest.MaxPayload+1))
	if err != nil {
		return fmt.Errorf("read payload: %w", err)
	}
	if len(payload) > ingest.MaxPayload {
		return fmt.Errorf("the payload is larger than %d bytes", ingest.MaxPayload)
	}
	values, err := decoder(payload)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for _, v := range values {
		if err := lines.Encode(c.line(v)); err != nil {
			return fmt.Errorf("print values: %w", err)
		}
	}
	return w.Flush()
}

func (c *decodeCommand) decoder() (decode.Decoder, error) {
	switch c.Format {
	case "mapped":
		return c.mapped()
	case "sparkplug":
		return func(payload []byte) ([]ingest.Value, error) { return decode.NewSparkplug().Decode(c.Topic, payload) }, nil
	}
	decoder, known := decode.ByFormat(c.Format)
	switch {
	case !known:
		return nil, fmt.Errorf("format %q is not known; known are %s, sparkplug and mapped", c.Format, decode.Formats)
	case c.Mapping != "":
		return nil, fmt.Errorf("format %s takes no mapping", c.Format)
	}
	return decoder, nil
}

func (c *decodeCommand) mapped() (decode.Decoder, error) {
	if c.Mapping == "" {
		return nil, errors.New("format mapped needs a mapping: --mapping FILE")
	}
	doc, err := os.ReadFile(c.Mapping)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	m, err := decode.ParseMapping(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Mapping, err)
	}
	return m.Decode, nil
}

func (c *decodeCommand) line(v ingest.Value) decodedLine {
	l := decodedLine{Channel: v.Channel, Missing: v.Missing, Text: v.Text, Unit: v.Unit, Extra: v.Extra}
	if t := v.Time; !t.IsZero() {
		l.Time = &t
	} else if v.Ago != 0 {
		t = c.Received.Add(-v.Ago).UTC()
		l.Time = &t
	}
	if !v.Missing && v.Text == "" {
		l.Value = &v.Number
	}
	return l
}
