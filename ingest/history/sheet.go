package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/ingest"
)

// A sheet is what could be read of a file, in order of device and time: quality
// tests that look back must see the oldest first, whichever way the file goes.
type sheet struct {
	columns *columns
	devices []fileDevice
	rows    []row
	cells   []float64 // width for each row, NaN where there is no value
	width   int       // how many columns may be channels
	slot    []int     // of a column, its place in a row's cells

	total    int64     // rows of the file, blank ones apart
	refused  int64     // rows of which something could not be read
	useless  int64     // those of them of which nothing could
	problems []Problem // the first MaxProblems
}

// A row is what one row of the file says.
type row struct {
	at     int64 // Unix ms
	device int32 // index
	line   int32
	place  int32 // in cells, in widths
	bad    bool  // a cell of it was refused
}

// A fileDevice is one that rows of the file are of.
type fileDevice struct {
	id    string
	feeds []source
	fault string // why no row of it can be read
}

// A reader reads files for jobs.
type reader struct {
	profiles ingest.Profiles
	fleet    Fleet
	names    func(quantity string) []string
}

// read reads a whole file and checks every row. An *OrderError says what is wrong
// with the file as a whole, or with the order.
func (r *reader) read(ctx context.Context, file string, j *Job) (*sheet, *table, error) {
	t, cols, zone, err := r.open(file, j.Backfill)
	if err != nil {
		return nil, nil, err
	}
	b := &builder{reader: r, ctx: ctx, job: j, clock: newClock(zone), known: map[string]int32{}}
	b.clock.since04 = t.since04
	b.sheet = newSheet(cols)
	if j.Backfill.Device != "" { // also where no row is good
		_, _, err = b.device(nil)
	}
	if err == nil {
		err = b.fill(t)
	}
	if err := errors.Join(err, t.close()); err != nil {
		return nil, nil, err
	}
	b.sort()
	return b.sheet, t, nil
}

func newSheet(c *columns) *sheet {
	s := &sheet{columns: c, slot: make([]int, len(c.use))}
	for i, use := range c.use {
		if use == useChannel {
			s.slot[i] = s.width
			s.width++
		}
	}
	return s
}

// open reads as far as the header.
func (r *reader) open(file string, order *Backfill) (*table, *columns, *time.Location, error) {
	zone, err := time.LoadLocation(cmp.Or(order.Zone, DefaultZone))
	if err != nil || order.Zone == "Local" {
		return nil, nil, nil, wrong("zone", "%q is not a zone such as %s", order.Zone, DefaultZone)
	}
	t, err := openTable(file, order.Sheet)
	if err != nil {
		return nil, nil, nil, err
	}
	header, _, err := t.header()
	if err != nil {
		return nil, nil, nil, errors.Join(err, t.close())
	}
	cols, err := readColumns(header, order, r.names)
	if err != nil {
		return nil, nil, nil, errors.Join(err, t.close())
	}
	return t, cols, zone, nil
}

// A builder fills a sheet.
type builder struct {
	*reader
	ctx   context.Context // of read
	job   *Job
	clock *clock
	known map[string]int32 // index of a device
	sheet *sheet
}

func (b *builder) fill(t *table) error {
	for {
		cells, line, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if blank(cells) {
			continue
		}
		s := b.sheet
		if s.total++; s.total > MaxRows || len(s.cells) > MaxCells {
			return wrong("file", "line %d: at most %d rows and %d values can be read at once; split the file", line, MaxRows, MaxCells)
		}
		if s.total%4096 == 0 && b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err := b.add(cells, line); err != nil {
			return err
		}
	}
}

// add reads one row. Its error is none of the row's.
func (b *builder) add(cells []string, line int) error {
	s, c := b.sheet, b.sheet.columns
	fault := func(column int, format string, args ...any) {
		p := Problem{Line: line, Reason: short(fmt.Sprintf(format, args...))}
		if column >= 0 {
			p.Column = c.header[column]
		}
		if len(s.problems) < MaxProblems {
			s.problems = append(s.problems, p)
		}
	}
	refuse := func(column int, format string, args ...any) error {
		fault(column, format, args...)
		s.refused++
		s.useless++
		return nil
	}
	if len(cells) > len(c.header) && !blank(cells[len(c.header):]) {
		return refuse(-1, "has %d cells, the header %d", len(cells), len(c.header))
	}
	i, column, err := b.device(cells)
	if err != nil {
		return err
	}
	dev := &s.devices[i]
	if dev.fault != "" {
		return refuse(column, "%s", dev.fault)
	}
	at, err := b.time(cells)
	if err != nil {
		return refuse(c.time, "%q %v", short(cell(cells, c.time)), err)
	}
	if at.After(b.job.Created.Add(ingest.MaxClockAhead)) {
		return refuse(c.time, "%s is in the future", at.Format(time.RFC3339))
	}
	values, some, bad := len(s.cells), false, false
	for range s.width {
		s.cells = append(s.cells, math.NaN())
	}
	for _, f := range dev.feeds {
		x, ok, err := readNumber(cell(cells, f.column))
		if err != nil {
			bad = true
			fault(f.column, "%q %v", short(cell(cells, f.column)), err)
		} else if ok {
			some = true
			s.cells[values+s.slot[f.column]] = x
		}
	}
	if bad {
		s.refused++
	}
	if !some {
		s.cells = s.cells[:values]
		if bad {
			s.useless++
		}
		return nil
	}
	s.rows = append(s.rows, row{at: at.UnixMilli(), device: i, line: int32(line), place: int32(values / s.width), bad: bad})
	return nil
}

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

func (b *builder) time(cells []string) (time.Time, error) {
	c := b.sheet.columns
	text := cell(cells, c.time)
	if c.date >= 0 {
		text = joinTime(cell(cells, c.date), text)
	}
	return b.clock.read(text)
}

// device returns the index of the device of a row, and the column that names it.
func (b *builder) device(cells []string) (i int32, column int, err error) {
	id, column := b.job.Backfill.Device, -1
	if name := cell(cells, b.sheet.columns.device); name != "" {
		id, column = name, b.sheet.columns.device
	}
	if i, ok := b.known[id]; ok {
		return i, column, nil
	}
	if len(b.known) == MaxDevices {
		return 0, 0, wrong("file", "is of more than %d devices; split it", MaxDevices)
	}
	d, err := b.look(id)
	if err != nil {
		return 0, 0, err
	}
	i = int32(len(b.sheet.devices))
	b.sheet.devices = append(b.sheet.devices, d)
	b.known[strings.Clone(id)] = i
	return i, column, nil
}

// look finds out what a device measures, and what is wrong with it.
func (b *builder) look(id string) (fileDevice, error) {
	d := fileDevice{id: strings.Clone(id)}
	if id == "" {
		d.fault = "names no device"
		return d, nil
	}
	unknown := &OrderError{}
	switch err := farm.CheckID(id); {
	case err != nil:
		d.fault = fmt.Sprintf("%q is not a device: %v", short(id), err)
		return d, nil
	default:
		if err := mayTouch(b.ctx, b.fleet, b.job.Tenant, id); errors.As(err, &unknown) {
			d.fault = "device " + unknown.Reason
			return d, nil
		} else if err != nil {
			return d, err
		}
	}
	p, err := b.profiles.Profile(b.ctx, id)
	if errors.Is(err, ingest.ErrUnknownDevice) {
		d.fault = "device " + id + " is not known"
		return d, nil
	}
	if err != nil {
		return d, err
	}
	feeds, faults := b.sheet.columns.sources(p)
	for _, i := range slices.Sorted(maps.Keys(faults)) {
		return d, wrong("columns", "%q %s", b.sheet.columns.header[i], faults[i])
	}
	if d.feeds = feeds; len(feeds) == 0 {
		d.fault = fmt.Sprintf("device %s measures none of the columns; its channels are: %s", id, strings.Join(slices.Sorted(maps.Keys(p.Channels)), ", "))
	}
	return d, nil
}

// sort puts rows in order and takes out those that say two things of one moment:
// the second would write over the first.
func (b *builder) sort() {
	s := b.sheet
	slices.SortFunc(s.rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.device, y.device), cmp.Compare(x.at, y.at), cmp.Compare(x.line, y.line))
	})
	kept := s.rows[:0]
	for _, r := range s.rows {
		if n := len(kept); n > 0 && kept[n-1].device == r.device && kept[n-1].at == r.at && s.clash(kept[n-1], r) {
			s.refused++
			s.useless++
			if len(s.problems) < MaxProblems {
				s.problems = append(s.problems, Problem{
					Line: int(r.line), Column: s.columns.header[s.columns.time],
					Reason: fmt.Sprintf("is the same moment as line %d, with other values; a time needs its seconds", kept[n-1].line),
				})
			}
			continue
		}
		kept = append(kept, r)
	}
	s.rows = kept
}

// clash reports whether two rows give one channel two values.
func (s *sheet) clash(x, y row) bool {
	a, b := s.values(x), s.values(y)
	for i := range a {
		if !math.IsNaN(a[i]) && !math.IsNaN(b[i]) && a[i] != b[i] {
			return true
		}
	}
	return false
}

func (s *sheet) values(r row) []float64 {
	from := int(r.place) * s.width
	return s.cells[from : from+s.width]
}

// frame returns a row as what its device said when it was measured.
func (s *sheet) frame(r row) (ingest.Frame, []ingest.Value) {
	d := &s.devices[r.device]
	at := time.UnixMilli(r.at).UTC()
	cells := s.values(r)
	values := make([]ingest.Value, 0, len(d.feeds))
	for _, f := range d.feeds {
		if x := cells[s.slot[f.column]]; !math.IsNaN(x) {
			values = append(values, ingest.Value{Channel: f.channel, Time: at, Number: x, Unit: f.unit})
		}
	}
	return ingest.Frame{Device: d.id, Received: at}, values
}

// basis says what the places of rows depend on.
func (s *sheet) basis() string {
	feeds := 0
	for _, d := range s.devices {
		feeds += len(d.feeds)
	}
	return fmt.Sprintf("rows %d of %d devices, %d columns", len(s.rows), len(s.devices), feeds)
}

var (
	errComma  = errors.New("has a decimal comma, or commas between thousands; write 12.5 and 1234.5")
	errNumber = errors.New("is not a number")
)

// readNumber reads a cell. ok is false where it holds no value: it is empty, or
// says so.
func readNumber(s string) (x float64, ok bool, err error) {
	switch strings.ToLower(s) {
	case "", "-", "--", "---", "/", "na", "n/a", "nan", "null", "none", "nil", "#n/a", "无", "缺测", "缺失":
		return 0, false, nil
	}
	if strings.ContainsAny(s, ",，") && strings.Trim(s, "0123456789.,，+-eE ") == "" {
		return 0, false, errComma
	}
	if strings.Trim(s, "0123456789.+-eE") != "" {
		return 0, false, errNumber
	}
	x, err = strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, false, errNumber
	}
	return x, true, nil
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
