package device

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"tianhai/farm"
)

// importColumns are those of a file of devices; the first four must be there.
var importColumns = [...]string{"id", "model", "name_zh", "tenant", "name_en", "site", "from"}

// ErrTooLarge reports a file of more than MaxImportBytes.
var ErrTooLarge = errors.New("file is too large")

// A Sheet is a file of devices, as it was read.
type Sheet struct {
	devices []NewDevice
	lines   []int // of devices
	faults  []Fault
	more    bool // there are more faults than MaxFaults
}

// Devices returns one for each line that has the right number of fields.
func (s *Sheet) Devices() []NewDevice { return s.devices }

// Faults returns what is wrong, by line.
func (s *Sheet) Faults() []Fault { return s.sorted() }

func (s *Sheet) fault(line int, field, format string, args ...any) {
	if len(s.faults) >= MaxFaults {
		s.more = true
		return
	}
	s.faults = append(s.faults, Fault{line, excerpt(field), excerpt(fmt.Sprintf(format, args...))})
}

// excerpt keeps a cell of a megabyte from being told in full.
func excerpt(s string) string {
	if len(s) <= MaxResultError {
		return s
	}
	return strings.ToValidUTF8(s[:MaxResultError], "") + "…"
}

func (s *Sheet) sorted() []Fault {
	faults := slices.Clone(s.faults)
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	if s.more {
		faults = append(faults, Fault{Field: "file", Reason: fmt.Sprintf("there are more than these %d faults", MaxFaults)})
	}
	return faults
}

// ParseCSV reads a file of devices: a header with the columns id, model, name_zh,
// tenant and, where wanted, name_en, site and from (RFC 3339), in any order. It is
// read as spreadsheets write it: in UTF-8, UTF-16 or GB18030, with commas,
// semicolons or tabs between. The column tenant may be left out where a tenant is
// given, and then nobody else's devices may be in the file. What is wrong with
// the file is in the sheet; an error is ErrTooLarge, or the reader's.
func ParseCSV(file io.Reader, known References, tenant string) (*Sheet, error) {
	raw, err := io.ReadAll(io.LimitReader(file, MaxImportBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxImportBytes {
		return nil, ErrTooLarge
	}
	s := &Sheet{}
	text, ok := decodeText(raw)
	if !ok {
		s.fault(1, "file", "is text neither in UTF-8 nor in UTF-16 or GB18030")
		return s, nil
	}
	p := lineParser{Sheet: s, known: known, tenant: tenant, seen: map[string]int{}}
	p.parse(text)
	return s, nil
}

// decodeText returns a text as UTF-8, whichever encoding Excel saved it in.
func decodeText(raw []byte) ([]byte, bool) {
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		raw = raw[3:]
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		from = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	case !utf8.Valid(raw):
		from = simplifiedchinese.GB18030
	}
	if from != nil {
		var err error
		if raw, err = from.NewDecoder().Bytes(raw); err != nil {
			return nil, false
		}
	}
	return raw, utf8.Valid(raw) && !bytes.ContainsRune(raw, utf8.RuneError) && !bytes.Contains(raw, []byte{0})
}

// separator returns what stands between the columns of a header.
func separator(text []byte) rune {
	header, _, _ := bytes.Cut(text, []byte("\n"))
	for _, c := range ",\t;" {
		if bytes.ContainsRune(header, c) {
			return c
		}
	}
	return ','
}

type lineParser struct {
	*Sheet
	known  References
	tenant string         // whose file it is; empty: an administrator's
	header []string       // names of columns
	seen   map[string]int // line, by ID
}

func (p *lineParser) parse(text []byte) {
	rows := csv.NewReader(bytes.NewReader(text))
	rows.Comma = separator(text)
	rows.FieldsPerRecord = -1
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			p.fault(bad.Line, "line", "%v at byte %d", bad.Err, bad.Column)
			continue
		}
		line, _ := rows.FieldPos(0)
		switch {
		case p.header == nil:
			if p.header = trimmed(row); !p.checkHeader() {
				return
			}
		case len(strings.Join(row, "")) == 0: // a spreadsheet's empty rows
		case len(row) != len(p.header):
			p.fault(line, "line", "%d fields instead of %d", len(row), len(p.header))
		case len(p.devices) == MaxImport:
			p.fault(line, "file", "more than %d devices", MaxImport)
			return
		default:
			p.line(line, trimmed(row))
		}
	}
	if p.header == nil {
		p.fault(1, "file", "is empty: the first line names the columns %s", strings.Join(importColumns[:], ","))
	}
}

func trimmed(row []string) []string {
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row
}

func (p *lineParser) checkHeader() bool {
	for i, column := range p.header {
		if !slices.Contains(importColumns[:], column) {
			p.fault(1, column, "unknown column; there are %s", strings.Join(importColumns[:], ","))
		} else if slices.Contains(p.header[:i], column) {
			p.fault(1, column, "is there twice")
		}
	}
	for _, column := range importColumns[:4] {
		if !slices.Contains(p.header, column) && (column != "tenant" || p.tenant == "") {
			p.fault(1, column, "missing column")
		}
	}
	return len(p.faults) == 0
}

// line reads one device.
func (p *lineParser) line(line int, row []string) {
	cells := map[string]string{}
	for i, column := range p.header {
		cells[column] = row[i]
	}
	fault := func(column, format string, args ...any) { p.fault(line, column, format, args...) }
	d := NewDevice{
		ID: cells["id"], Tenant: cells["tenant"], Model: cells["model"], Site: cells["site"],
		Name: farm.Text{Zh: cells["name_zh"], En: cells["name_en"]},
	}
	if d.Tenant == "" {
		d.Tenant = p.tenant
	}
	if err := farm.CheckID(d.ID); err != nil {
		fault("id", "%v", err)
	} else if before := p.seen[d.ID]; before > 0 {
		fault("id", "%s is in line %d already", d.ID, before)
	} else {
		p.seen[d.ID] = line
	}
	if !p.known.Tenants[d.Tenant] {
		fault("tenant", "%q is not registered", d.Tenant)
	}
	if !p.known.Models[d.Model] {
		fault("model", "%q is not registered", d.Model)
	}
	if reason := nameFault(d.Name); reason != "" {
		fault("name_zh", "%s", reason)
	}
	if owner, ok := p.known.Sites[d.Site]; d.Site != "" && (!ok || owner != d.Tenant) {
		fault("site", "%q is none of %s's", d.Site, d.Tenant)
	}
	if from := cells["from"]; from != "" {
		t, err := time.Parse(time.RFC3339, from)
		if d.From = t.UTC(); err != nil || t.Year() < 1970 || t.Year() > 2200 {
			fault("from", "%q is not a time such as 2026-07-01T08:00:00+08:00", from)
		} else if d.Site == "" {
			fault("from", "there is no site")
		}
	}
	p.devices, p.lines = append(p.devices, d), append(p.lines, line)
}
