package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // so that mappings can name zones without the system's

	"tianhai/farm"
	"tianhai/ingest"
	"tianhai/ingest/decode"
)

type decodeCommand struct {
	Format   string            `placeholder:"FORMAT" help:"Format or media type; help lists them. Default: mapped, with --mapping."`
	Mapping  string            `type:"existingfile" help:"The mapping of format mapped: a YAML or JSON file." placeholder:"FILE"`
	As       map[string]string `help:"What a channel measures: its values are converted to the unit of this quantity. Repeat for more." placeholder:"CHANNEL=QUANTITY"`
	Lines    bool              `help:"Every line of the input is a payload."`
	Hex      bool              `help:"The input is hexadecimal, as logs and data sheets print binary payloads."`
	Topic    string            `default:"spBv1.0/group/NBIRTH/node" help:"The topic of a Sparkplug message; data messages cannot be read without their births." placeholder:"TOPIC"`
	Received time.Time         `help:"When the payload came in, from which relative times are counted. Default: now." placeholder:"RFC3339"`
	File     string            `arg:"" optional:"" type:"existingfile" help:"The payload as the device sends it; standard input if none, or -."`
}

const formatsHelp = `json                     native JSON: {"ts": 1785546000000, "temp": 24.5, "do": null}
senml+json               SenML in JSON, RFC 8428; application/senml+json
senml+cbor               SenML in CBOR, RFC 8428; application/senml+cbor
influx                   InfluxDB line protocol, timestamps in ns
influx;precision=ms      the same in us, ms or s
chirpstack               ChirpStack v4 uplink event in JSON
ttn                      The Things Stack v3 uplink message in JSON
sparkplug                Sparkplug B; --topic says of what kind the message is
mapped                   any other JSON, by --mapping FILE
`

// A decodedLine is one value as it is printed.
type decodedLine struct {
	Channel string     `json:"channel"`
	Short   string     `json:"short,omitempty"` // the name that a model may have instead
	Time    *time.Time `json:"time,omitempty"`  // none: the time of reception counts
	Value   *float64   `json:"value,omitempty"`
	Missing bool       `json:"missing,omitempty"`
	Text    string     `json:"text,omitempty"`
	Unit    string     `json:"unit,omitempty"`
	Sent    *sentValue `json:"sent,omitempty"` // where Value differs from it
	Extra   bool       `json:"extra,omitempty"`
}

type sentValue struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Run prints what a payload says, one value a line, or where it is at fault.
func (c *decodeCommand) Run() error {
	if c.Format == "help" {
		_, err := io.WriteString(os.Stdout, formatsHelp)
		return err
	}
	if c.Received.IsZero() {
		c.Received = time.Now()
	}
	in := os.Stdin
	if c.File != "" && c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("read payload: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	return c.decode(in, os.Stdout, os.Stderr)
}

// decode reads one payload, or one a line. A line that is at fault does not keep
// those after it from being read.
func (c *decodeCommand) decode(in io.Reader, out, notes io.Writer) error {
	decoder, err := c.decoder()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	p := decodePrinter{command: c, decoder: decoder, lines: json.NewEncoder(w), notes: notes}
	p.lines.SetEscapeHTML(false)
	if c.Lines {
		err = p.each(in)
	} else {
		err = p.whole(in)
	}
	return errors.Join(err, w.Flush())
}

// A decodePrinter prints payloads.
type decodePrinter struct {
	command *decodeCommand
	decoder decode.Decoder
	lines   *json.Encoder
	notes   io.Writer
	noted   bool // that a time is not credible
}

func (p *decodePrinter) whole(in io.Reader) error {
	most := int64(ingest.MaxPayload)
	if p.command.Hex {
		most *= 4 // with space between
	}
	payload, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return fmt.Errorf("read payload: %w", err)
	}
	if int64(len(payload)) > most {
		return fmt.Errorf("the payload is larger than %d bytes", most)
	}
	return p.payload(payload)
}

func (p *decodePrinter) each(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4*ingest.MaxPayload)
	faults, n := 0, 0
	for lines.Scan() {
		n++
		payload := bytes.TrimSpace(lines.Bytes())
		if len(payload) == 0 {
			continue
		}
		if err := p.payload(payload); err != nil {
			faults++
			if _, err := fmt.Fprintf(p.notes, "line %d: %v\n", n, err); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read line %d: %w", n+1, err)
	}
	if faults > 0 {
		return fmt.Errorf("%d of %d lines are at fault", faults, n)
	}
	return nil
}

// payload prints what one payload says.
func (p *decodePrinter) payload(payload []byte) error {
	if p.command.Hex {
		text := strings.Join(strings.Fields(string(payload)), "")
		raw, err := hex.DecodeString(text)
		if err != nil {
			return fmt.Errorf("the input is not hexadecimal: %w", err)
		}
		payload = raw
	}
	values, err := p.decoder(payload, nil)
	if err != nil {
		return err
	}
	printed := make([]decodedLine, len(values))
	for i, v := range values {
		if printed[i], err = p.command.line(v); err != nil {
			return err
		}
		if err := p.note(v); err != nil {
			return err
		}
	}
	for _, line := range printed {
		if err := p.lines.Encode(line); err != nil {
			return fmt.Errorf("print values: %w", err)
		}
	}
	return nil
}

// note says once that a time is one that the server will not believe.
func (p *decodePrinter) note(v ingest.Value) error {
	old := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if p.noted || v.Time.IsZero() || v.Time.After(old) && !v.Time.After(p.command.Received.Add(ingest.MaxClockAhead)) {
		return nil
	}
	p.noted = true
	_, err := fmt.Fprintf(p.notes, "note: %s is not credible, and the server would take the time of reception. "+
		"Seconds for milliseconds, or another precision?\n", v.Time.Format(time.RFC3339))
	return err
}

func (c *decodeCommand) decoder() (decode.Decoder, error) {
	for channel, id := range c.As {
		if _, known := farm.LookupQuantity(id); !known {
			return nil, fmt.Errorf("--as %s=%s: is no quantity, such as water.temperature", channel, id)
		}
	}
	format := c.Format
	if c.Mapping != "" && (format == "" || format == "json") {
		format = "mapped"
	}
	switch format {
	case "":
		return nil, fmt.Errorf("--format is needed:\n%s", formatsHelp)
	case "mapped":
		return c.mapped()
	case "sparkplug":
		sparkplug := decode.NewSparkplug()
		return decode.Roomless(func(payload []byte) ([]ingest.Value, error) { return sparkplug.Decode(c.Topic, payload) }), nil
	}
	decoder, known := decode.ByFormat(format)
	switch {
	case !known:
		return nil, fmt.Errorf("format %q is not known; known are:\n%s", format, formatsHelp)
	case c.Mapping != "":
		return nil, fmt.Errorf("format %s takes no mapping", format)
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
	return decode.Roomless(m.Decode), nil
}

func (c *decodeCommand) line(v ingest.Value) (decodedLine, error) {
	l := decodedLine{Channel: v.Channel, Missing: v.Missing, Text: v.Text, Unit: v.Unit, Extra: v.Extra}
	if v.Cut > 0 {
		l.Short = v.Channel[v.Cut:]
	}
	if t := v.Time; !t.IsZero() {
		l.Time = &t
	} else if v.Ago != 0 {
		t = c.Received.Add(-v.Ago).UTC()
		l.Time = &t
	}
	if v.Missing || v.Text != "" {
		return l, nil
	}
	x, unit, err := c.convert(v)
	if err != nil {
		return l, err
	}
	if l.Value, l.Unit = &x, unit; x != v.Number {
		l.Sent = &sentValue{v.Number, v.Unit}
	}
	return l, nil
}

// convert returns a number in the unit of its quantity, or else in that which the
// vocabulary has for its kind, or else as it is.
func (c *decodeCommand) convert(v ingest.Value) (float64, string, error) {
	id := c.As[v.Channel]
	if id == "" && v.Cut > 0 {
		id = c.As[v.Channel[v.Cut:]]
	}
	if id != "" {
		q, _ := farm.LookupQuantity(id)
		if v.Unit == "" {
			return v.Number, q.Unit, nil // the format names none, and the quantity's counts
		}
		x, err := q.Convert(v.Number, v.Unit)
		if err != nil {
			return 0, "", fmt.Errorf("channel %q: %w", v.Channel, err)
		}
		return x, q.Unit, nil
	}
	if x, unit, ok := farm.InVocabulary(v.Number, v.Unit); ok {
		return x, unit, nil
	}
	return v.Number, v.Unit, nil
}
