package history

import (
	"slices"
	"strings"

	"tianhai/farm"
	"tianhai/ingest"
)

// What a column can be, beside a channel.
const (
	useTime    = "time"
	useDate    = "date" // the day of a time in another column
	useDevice  = "device"
	useNone    = "-"
	useChannel = "channel"
)

// headersOf returns how columns are called that are no channels; squashed.
func headersOf(use string) []string {
	switch use {
	case useTime:
		return []string{"time", "timestamp", "ts", "datetime", "时间", "日期时间", "时间戳", "采集时间", "监测时间", "测量时间", "采样时间", "记录时间", "上报时间", "数据时间"}
	case useDate:
		return []string{"date", "日期", "采集日期", "监测日期", "测量日期", "采样日期"}
	default:
		return []string{"device", "deviceid", "设备", "设备编号", "设备号", "设备id", "设备编码"}
	}
}

// A Column is one of a file, and what it was taken for.
type Column struct {
	Name     string `json:"name"`               // its header
	Use      string `json:"use"`                // "time", "date", "device", "channel", or "-": not read
	Channel  string `json:"channel,omitempty"`  // the device's own name
	Quantity string `json:"quantity,omitempty"` // of the channel
	Unit     string `json:"unit,omitempty"`     // that the header names; empty: that of the quantity
}

// columns says what the columns of a file are.
type columns struct {
	order  *Backfill
	names  func(quantity string) []string
	header []string
	use    []string // by column; useChannel where it may be one
	time   int      // index, -1 where there is none
	date   int
	device int
}

// readColumns tells the columns that are no channels.
func readColumns(header []string, order *Backfill, names func(string) []string) (*columns, error) {
	c := &columns{order: order, names: names, header: header, use: make([]string, len(header)), time: -1, date: -1, device: -1}
	for name := range order.Columns {
		if !slices.Contains(header, name) {
			return nil, wrong("columns", "there is no column %q; there are: %s", name, strings.Join(header, ", "))
		}
	}
	for i, name := range header {
		if name != "" && slices.Contains(header[:i], name) {
			return nil, wrong("file", "two columns are headed %q", name)
		}
		use := c.useOf(name)
		if place := c.place(use); place != nil {
			if *place >= 0 {
				return nil, wrong("columns", "%q and %q are both taken for the %s; say of one that it is -", header[*place], name, use)
			}
			*place = i
		}
		c.use[i] = use
	}
	if c.time < 0 && c.date >= 0 { // a day is a time
		c.time, c.date, c.use[c.date] = c.date, -1, useTime
	}
	if c.time < 0 {
		return nil, wrong("columns", "none is a time; there are: %s. Name it: \"header=time\"", strings.Join(header, ", "))
	}
	if c.device < 0 && order.Device == "" {
		return nil, wrong("device", "is not named, and no column of the file names it")
	}
	return c, nil
}

func (c *columns) place(use string) *int {
	switch use {
	case useTime:
		return &c.time
	case useDate:
		return &c.date
	case useDevice:
		return &c.device
	default:
		return nil
	}
}

func (c *columns) useOf(name string) string {
	if use, said := c.order.Columns[name]; said {
		switch use {
		case useTime, useDate, useDevice, useNone:
			return use
		}
		return useChannel
	}
	if name == "" {
		return useNone
	}
	plain, _ := splitUnit(name)
	for _, use := range []string{useTime, useDate, useDevice} {
		if slices.Contains(headersOf(use), squash(plain)) {
			return use
		}
	}
	return useChannel
}

// A source is a column that feeds a channel of a device.
type source struct {
	column   int
	channel  string
	quantity farm.Quantity
	unit     string
}

// sources returns which columns feed which channels of a device, and what is
// wrong with others, by column.
func (c *columns) sources(p *ingest.Profile) (feeds []source, faults map[int]string) {
	faults = map[int]string{}
	taken := map[string]int{} // by quantity
	for i, use := range c.use {
		if use != useChannel {
			continue
		}
		s, fault := c.source(i, p)
		if fault == "" && s.channel != "" {
			if other, twice := taken[s.quantity.ID]; twice {
				fault = "is " + s.quantity.ID + ", and so is column " + c.header[other]
			}
		}
		switch {
		case fault != "":
			faults[i] = fault
		case s.channel != "":
			taken[s.quantity.ID] = i
			feeds = append(feeds, s)
		}
	}
	return feeds, faults
}

// source returns the channel that a column feeds; none where it is no channel's.
func (c *columns) source(i int, p *ingest.Profile) (s source, fault string) {
	name := c.header[i]
	plain, unit := splitUnit(name)
	want, said := c.order.Columns[name]
	var key string
	if said {
		if key = channelOf(p, func(k string, ch ingest.Channel) bool { return k == want || ch.Quantity.ID == want }); key == "" {
			return s, "is to be " + want + ", which " + p.Device + " does not measure"
		}
	} else {
		for _, fits := range []func(string, ingest.Channel) bool{
			func(k string, _ ingest.Channel) bool { return k == name },
			func(k string, ch ingest.Channel) bool { return k == plain || ch.Quantity.ID == plain },
			func(k string, _ ingest.Channel) bool { return squash(k) == squash(plain) },
			func(_ string, ch ingest.Channel) bool {
				return squash(ch.Quantity.Field()) == squash(plain) || c.named(ch.Quantity.ID, name, plain)
			},
		} {
			if key = channelOf(p, fits); key != "" {
				break
			}
		}
	}
	if key == "" {
		return s, ""
	}
	q := p.Channels[key].Quantity
	if unit != "" {
		if _, err := q.Convert(0, unit); err != nil {
			if c.named(q.ID, name, "") {
				unit = "" // the brackets are part of the name
			} else {
				return s, "has unit " + unit + ", which does not convert to " + q.Unit + " of " + q.ID
			}
		}
	}
	return source{i, key, q, unit}, ""
}

func (c *columns) named(quantity, name, plain string) bool {
	return slices.ContainsFunc(c.names(quantity), func(n string) bool {
		s := squash(n)
		return s != "" && (s == squash(name) || s == squash(plain))
	})
}

// channelOf returns the one channel that fits; none where several do.
func channelOf(p *ingest.Profile, fits func(string, ingest.Channel) bool) (found string) {
	for k, ch := range p.Channels {
		if !fits(k, ch) {
			continue
		}
		if found != "" {
			return ""
		}
		found = k
	}
	return found
}

// splitUnit splits "溶解氧（mg/L）" and "Temperature [°C]".
func splitUnit(name string) (plain, unit string) {
	s := strings.NewReplacer("（", "(", "）", ")", "［", "[", "］", "]", "【", "[", "】", "]").Replace(name)
	open := strings.LastIndexAny(s, "([")
	if open <= 0 || !strings.HasSuffix(s, ")") && !strings.HasSuffix(s, "]") {
		return strings.TrimSpace(name), ""
	}
	return strings.TrimSpace(s[:open]), strings.TrimSpace(s[open+1 : len(s)-1])
}

// squash leaves of a name what people agree on: neither case nor spaces, dots,
// hyphens and the like.
func squash(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', '.', '/', '(', ')', '（', '）':
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// list returns the columns as they were taken for the devices of the file.
func (c *columns) list(feeds map[string][]source) (all []Column, ignored []string) {
	for i, name := range c.header {
		col := Column{Name: name, Use: c.use[i]}
		if col.Use == useChannel {
			col.Use = useNone
			for _, dev := range sortedKeys(feeds) {
				if k := slices.IndexFunc(feeds[dev], func(s source) bool { return s.column == i }); k >= 0 && col.Channel == "" {
					s := feeds[dev][k]
					col.Use, col.Channel, col.Quantity, col.Unit = useChannel, s.channel, s.quantity.ID, s.unit
				}
			}
		}
		if col.Use == useNone && name != "" {
			ignored = append(ignored, name)
		}
		all = append(all, col)
	}
	return all, ignored
}
