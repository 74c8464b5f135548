package history

import (
	"cmp"
	"context"
	"errors"
	"time"

	"tianhai/ingest"
)

const previewRows = 10

// DefaultZone is that of times which name none.
const DefaultZone = "Asia/Shanghai"

// A Preview is what a backfill would do.
type Preview struct {
	Format    string       `json:"format"`              // "csv" or "xlsx"
	Encoding  string       `json:"encoding,omitempty"`  // of CSV: "UTF-8", "UTF-16" or "GB18030"
	Delimiter string       `json:"delimiter,omitempty"` // of CSV
	Sheet     string       `json:"sheet,omitempty"`     // of a workbook
	Sheets    []string     `json:"sheets,omitempty"`
	Columns   []Column     `json:"columns"`
	Devices   []string     `json:"devices"`
	Rows      int64        `json:"rows"`    // of the file, without the header and blank ones
	Usable    int64        `json:"usable"`  // of which something would be stored
	Refused   int64        `json:"refused"` // of which something would not
	From      time.Time    `json:"from,omitzero"`
	To        time.Time    `json:"to,omitzero"` // the last row's
	First     []PreviewRow `json:"first"`       // rows, oldest first, as they would be stored
	Problems  []Problem    `json:"problems"`    // the first MaxProblems
}

// A PreviewRow is one row as it would be stored: placed, calibrated and flagged.
type PreviewRow struct {
	Line   int            `json:"line"`
	Device string         `json:"device"`
	Site   string         `json:"site"`
	Time   time.Time      `json:"time"`
	Values []PreviewValue `json:"values"`
}

// A PreviewValue is one of a PreviewRow.
type PreviewValue struct {
	Quantity string      `json:"quantity"`
	Value    float64     `json:"value"` // in the unit of the quantity
	Flag     ingest.Flag `json:"flag"`
}

// preview reads a file and stores nothing of it. Every row is interpreted, so
// that what would be refused is known.
func (d *Desk) preview(ctx context.Context, file string, j *Job) (Preview, error) {
	s, t, err := d.reader().read(ctx, file, j)
	if err != nil {
		return Preview{}, err
	}
	v := Preview{
		Format: t.format, Encoding: t.encoding, Delimiter: t.delimiter, Sheet: t.sheet, Sheets: t.sheets,
		Rows: s.total, Refused: s.refused, Problems: s.problems,
		Devices: []string{}, First: []PreviewRow{},
	}
	v.Columns, _ = s.list()
	for _, dev := range s.devices {
		if dev.fault == "" {
			v.Devices = append(v.Devices, dev.id)
		}
	}
	in, err := d.interpreter(j)
	if err != nil {
		return Preview{}, err
	}
	note := Progress{Problems: s.problems}
	for _, r := range s.rows {
		f, values := s.frame(r)
		obs, err := in.Read(ctx, f, values)
		bad := (*ingest.FrameError)(nil)
		if err != nil && !errors.As(err, &bad) {
			return Preview{}, err
		}
		if bad != nil {
			if !r.bad {
				v.Refused++
			}
			note.note(Problem{Line: int(r.line), Device: f.Device, At: f.Received, Reason: bad.Error()})
		}
		if len(obs) > 0 {
			v.add(int(r.line), &obs[0])
		}
	}
	v.Problems = note.Problems
	if v.Problems == nil {
		v.Problems = []Problem{}
	}
	return v, nil
}

func (v *Preview) add(line int, o *ingest.Observation) {
	v.Usable++
	if v.From.IsZero() || o.Time.Before(v.From) {
		v.From = o.Time
	}
	if o.Time.After(v.To) {
		v.To = o.Time
	}
	if len(v.First) == previewRows {
		return
	}
	r := PreviewRow{Line: line, Device: o.Device, Site: o.Place.Site, Time: o.Time}
	for _, x := range o.Readings {
		r.Values = append(r.Values, PreviewValue{x.Quantity.ID, x.Value, x.Flag})
	}
	v.First = append(v.First, r)
}

// list returns the columns as they were taken.
func (s *sheet) list() (all []Column, ignored []string) {
	feeds := map[string][]source{}
	for _, d := range s.devices {
		feeds[d.id] = d.feeds
	}
	return s.columns.list(feeds)
}

// measured shows profiles whose channels take values as they are.
type measured struct{ ingest.Profiles }

// Profile returns the profile without calibrations.
func (m measured) Profile(ctx context.Context, device string) (*ingest.Profile, error) {
	p, err := m.Profiles.Profile(ctx, device)
	if err != nil {
		return nil, err
	}
	own := *p
	own.Channels = make(map[string]ingest.Channel, len(p.Channels))
	for k, ch := range p.Channels {
		ch.Slope, ch.Offset, ch.Calibrations = 1, 0, nil
		own.Channels[k] = ch
	}
	return &own, nil
}

// interpreter makes one for a job, whose quality tests remember nothing yet.
func (d *Desk) interpreter(j *Job) (*ingest.Interpreter, error) {
	quality, err := d.Quality()
	if err != nil {
		return nil, err
	}
	in := &ingest.Interpreter{Profiles: d.Profiles, Decode: d.Decode, Quality: quality, Chain: d.Chain}
	if j.Backfill != nil && j.Backfill.Measured {
		in.Profiles = measured{d.Profiles}
	}
	return in, nil
}

func (d *Desk) reader() *reader {
	return &reader{profiles: d.Profiles, fleet: d.Fleet, names: d.Names}
}

func (b *Backfill) complete() { b.Zone = cmp.Or(b.Zone, DefaultZone) }
