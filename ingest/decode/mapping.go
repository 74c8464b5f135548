package decode

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// Limits of a mapping.
const (
	maxMapping  = 64 << 10 // bytes
	maxMarks    = 16       // of missing values, of a channel
	maxChannels = 256
)

// mappingFile is a mapping as it is written.
type mappingFile struct {
	Time     *timeEntry     `yaml:"time"`
	Channels []channelEntry `yaml:"channels"`
}

type timeEntry struct {
	Path     string `yaml:"path"`
	Format   string `yaml:"format"` // unix, unix_ms, rfc3339 or a layout as Go's time package has them
	Zone     string `yaml:"zone"`   // of a layout without one: "Asia/Shanghai" or "+08:00"
	Optional bool   `yaml:"optional"`
}

type channelEntry struct {
	Channel  string   `yaml:"channel"`
	Path     string   `yaml:"path"`
	Scale    *float64 `yaml:"scale"`  // default 1
	Offset   float64  `yaml:"offset"` // added after scaling
	Unit     string   `yaml:"unit"`   // of the scaled number; empty for that of the quantity
	Missing  []any    `yaml:"missing"`
	Quoted   bool     `yaml:"quoted"`   // numbers may be in quotes
	Optional bool     `yaml:"optional"` // the channel may be absent
}

// ParseMapping reads a mapping in YAML, or in JSON which is a part of it:
//
//	time: {path: data.time, format: "2006-01-02 15:04:05", zone: Asia/Shanghai}
//	channels:
//	  - {channel: temp, path: "data.sensors[key=T1].value", scale: 0.1, unit: Cel, missing: [-999]}
//	  - {channel: do, path: /data/do, unit: mg/L, optional: true}
//
// A value is scale·x + offset, in unit. Paths are described at docs/formats.md;
// one with [*] gives a value for each item, and a time path with the same
// beginning the time of that item.
//
// Reading is strict: an unknown or repeated key, a value out of range and
// anything that cannot work is an error with its line and key.
func ParseMapping(doc []byte) (*Mapping, error) {
	if len(doc) > maxMapping {
		return nil, &MappingError{Err: fmt.Errorf("larger than %d bytes", maxMapping)}
	}
	var f mappingFile
	tree, err := readYAML(doc, &f)
	if err != nil {
		return nil, err
	}
	m, key, err := f.compile()
	if err != nil {
		return nil, &MappingError{Line: lineOf(tree, key), Key: key, Err: err}
	}
	return m, nil
}

// A MappingError says where a mapping is at fault.
type MappingError struct {
	Line int    // from 1; 0 where it is not known
	Key  string // such as "channels[0].path"; empty where the text itself is no YAML or has a key that is not known
	Err  error
}

func (e *MappingError) Error() string {
	s := "parse mapping: "
	if e.Line > 0 {
		s += fmt.Sprintf("line %d: ", e.Line)
	}
	if e.Key != "" {
		s += e.Key + ": "
	}
	return s + e.Err.Error()
}

func (e *MappingError) Unwrap() error { return e.Err }

// readYAML reads a document strictly. The library panics on some that are none,
// such as one with a tag and no value.
func readYAML(doc []byte, into any) (tree *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			tree, err = nil, &MappingError{Err: errors.New("no YAML that can be read")}
		}
	}()
	tree, err = yamlparser.ParseBytes(doc, 0)
	switch {
	case err != nil:
	case len(tree.Docs) > 1:
		return nil, &MappingError{Line: tree.Docs[1].GetToken().Position.Line, Err: errors.New("a second document")}
	case len(tree.Docs) == 1 && tree.Docs[0].Body != nil:
		err = yaml.NodeToValue(tree.Docs[0].Body, into, yaml.Strict())
	}
	var at yaml.Error
	switch {
	case err == nil:
		return tree, nil
	case errors.As(err, &at) && at.GetToken() != nil:
		return nil, &MappingError{Line: at.GetToken().Position.Line, Err: errors.New(at.GetMessage())}
	default:
		return nil, &MappingError{Err: err}
	}
}

// lineOf returns the line of a key, or of the nearest one around it.
func lineOf(tree *ast.File, key string) int {
	for ; key != ""; key = key[:max(0, strings.LastIndexAny(key, ".["))] {
		path, err := yaml.PathString("$." + key)
		if err != nil {
			continue
		}
		if n, err := path.FilterFile(tree); err == nil && n != nil {
			return n.GetToken().Position.Line
		}
	}
	return 1
}

// compile returns the mapping, or what is wrong at which key.
func (f *mappingFile) compile() (m *Mapping, key string, err error) {
	m = &Mapping{}
	if f.Time != nil {
		if m.time, key, err = f.Time.compile(); err != nil {
			return nil, "time." + key, err
		}
	}
	if n := len(f.Channels); n == 0 || n > maxChannels {
		return nil, "channels", fmt.Errorf("%d channels, expected 1 to %d", n, maxChannels)
	}
	for i := range f.Channels {
		c, key, err := f.Channels[i].compile()
		if err == nil && slices.ContainsFunc(m.channels, func(o channelRule) bool { return o.channel == c.channel }) {
			key, err = "channel", fmt.Errorf("%q is there twice", c.channel)
		}
		if err == nil && m.time != nil && !m.time.fits(c.steps) {
			key, err = "path", fmt.Errorf("does not go through the array of the time's path %s", m.time.path)
		}
		if err != nil {
			return nil, fmt.Sprintf("channels[%d].%s", i, key), err
		}
		m.channels = append(m.channels, c)
	}
	return m, "", nil
}

// fits reports whether the time of a value at steps is known: whether the path
// of the time goes through no other array.
func (r *timeRule) fits(steps []step) bool {
	last := -1
	for i, s := range r.steps {
		if s.kind == toEach {
			last = i
		}
	}
	return last < len(steps) && slices.Equal(r.steps[:last+1], steps[:last+1])
}

func (e *timeEntry) compile() (*timeRule, string, error) {
	r := timeRule{path: e.Path, format: e.Format, optional: e.Optional}
	var err error
	if r.steps, err = parsePath(e.Path); err != nil {
		return nil, "path", err
	}
	switch e.Format {
	case "unix", "unix_ms", "rfc3339":
		if e.Zone != "" {
			return nil, "zone", fmt.Errorf("%s needs none", e.Format)
		}
		return &r, "", nil
	}
	sample := time.Date(2031, 11, 23, 21, 43, 0, 0, time.UTC)
	if back, err := time.Parse(e.Format, sample.Format(e.Format)); err != nil || !back.Equal(sample) {
		return nil, "format", fmt.Errorf("%q is neither unix, unix_ms, rfc3339 nor a layout with date and time, such as \"2006-01-02 15:04:05\"", e.Format)
	}
	if strings.Contains(e.Format, "MST") {
		return nil, "format", errors.New("MST: the letters of a zone do not say which it is; leave them out and name the zone")
	}
	if zoned := strings.ContainsAny(e.Format, "Z") || strings.Contains(e.Format, "-07"); zoned {
		if e.Zone != "" {
			return nil, "zone", errors.New("the layout has one")
		}
		r.zone = time.UTC
		return &r, "", nil
	}
	if r.zone, err = parseZone(e.Zone); err != nil {
		return nil, "zone", err
	}
	return &r, "", nil
}

// parseZone reads the name of a zone, or its offset.
func parseZone(s string) (*time.Location, error) {
	if s == "" {
		return nil, errors.New("missing, and the layout has none: such as Asia/Shanghai or +08:00")
	}
	if t, err := time.Parse("-07:00", s); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	if s == "Local" {
		return nil, errors.New("the zone of the server is not the device's")
	}
	return time.LoadLocation(s)
}

func (e *channelEntry) compile() (c channelRule, key string, err error) {
	c = channelRule{channel: e.Channel, path: e.Path, scale: 1, offset: e.Offset, unit: e.Unit, quoted: e.Quoted, optional: e.Optional}
	if e.Channel == "" || len(e.Channel) > maxName {
		return c, "channel", fmt.Errorf("a channel's name has 1 to %d bytes", maxName)
	}
	if c.steps, err = parsePath(e.Path); err != nil {
		return c, "path", err
	}
	if e.Scale != nil {
		c.scale = *e.Scale
	}
	if c.scale == 0 || math.IsNaN(c.scale) || math.IsInf(c.scale, 0) {
		return c, "scale", fmt.Errorf("%v is no scale", c.scale)
	}
	if math.IsNaN(c.offset) || math.IsInf(c.offset, 0) {
		return c, "offset", fmt.Errorf("%v is no offset", c.offset)
	}
	if len(e.Missing) > maxMarks {
		return c, "missing", fmt.Errorf("more than %d", maxMarks)
	}
	for i, v := range e.Missing {
		mark := missingMark{}
		switch x := v.(type) {
		case string:
			mark = missingMark{text: x, isText: true}
		case float64:
			mark.number = x
		case int64:
			mark.number = float64(x)
		case uint64:
			mark.number = float64(x)
		default:
			return c, fmt.Sprintf("missing[%d]", i), fmt.Errorf("%v is neither a number nor text", v)
		}
		c.missing = append(c.missing, mark)
	}
	return c, "", nil
}
