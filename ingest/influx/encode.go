package influx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"tianhai/ingest"
)

// AppendLines appends the line protocol of an observation to dst, one line for
// each medium, times in milliseconds. It allocates nothing but what dst needs
// to grow. An empty place has no tag; a number that is not finite is written as
// missing. Line protocol cannot hold every text: Write refuses the rest.
func AppendLines(dst []byte, o *ingest.Observation) []byte {
	for i := range o.Readings {
		if m, _ := split(&o.Readings[i]); !hasMedium(o.Readings[:i], m) {
			dst = appendLine(dst, o, m, i)
		}
	}
	return dst
}

// split is Quantity.Medium and Field in one.
func split(r *ingest.Reading) (medium, field string) {
	medium, field, _ = strings.Cut(r.Quantity.ID, ".")
	return medium, field
}

func hasMedium(rs []ingest.Reading, m string) bool {
	for i := range rs {
		if id := rs[i].Quantity.ID; len(id) > len(m) && id[len(m)] == '.' && id[:len(m)] == m {
			return true
		}
	}
	return false
}

// appendLine writes the readings of medium m, the first of which is at first.
func appendLine(dst []byte, o *ingest.Observation, m string, first int) []byte {
	dst = appendEscaped(dst, m, false)
	dst = appendTag(dst, TagDevice, o.Device)
	dst = appendTag(dst, TagRegion, o.Place.Region)
	dst = appendTag(dst, TagSite, o.Place.Site)
	dst = appendTag(dst, TagTenant, o.Place.Tenant)
	sep := byte(' ')
	for i := first; i < len(o.Readings); i++ {
		r := &o.Readings[i]
		medium, field := split(r)
		if medium != m {
			continue
		}
		flag := r.Flag
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			flag = ingest.Missing
		}
		if flag != ingest.Missing {
			dst = append(dst, sep)
			dst = appendEscaped(dst, field, true)
			dst = append(dst, '=')
			dst = strconv.AppendFloat(dst, r.Value, 'g', -1, 64)
			sep = ','
		}
		if flag != ingest.Good || o.Revises {
			dst = append(dst, sep)
			dst = appendEscaped(dst, field, true)
			dst = append(dst, FlagSuffix+"="...)
			dst = strconv.AppendUint(dst, uint64(flag), 10)
			dst = append(dst, 'i')
			sep = ','
		}
	}
	switch {
	case o.ServerTime:
		dst = append(dst, ","+FieldClock+"=3i"...)
	case o.Revises:
		dst = append(dst, ","+FieldClock+"=1i"...)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, o.Time.UnixMilli(), 10)
	return append(dst, '\n')
}

func appendTag(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',')
	dst = append(dst, key...)
	dst = append(dst, '=')
	return appendEscaped(dst, value, true)
}

// appendEscaped writes a name; '=' is plain in the name of a measurement.
func appendEscaped(dst []byte, s string, equals bool) []byte {
	for i := range len(s) {
		if c := s[i]; c == ',' || c == ' ' || c == '=' {
			return escape(dst, s, equals)
		}
	}
	return append(dst, s...)
}

func escape(dst []byte, s string, equals bool) []byte {
	for i := range len(s) {
		if c := s[i]; c == ',' || c == ' ' || c == '=' && equals {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

// check reports what line protocol cannot express. It has no escape for a line
// break or a closing backslash, and a first '#' makes the line a comment.
func check(o *ingest.Observation) error {
	if t := o.Time.UnixMilli(); t < minTime || t > maxTime {
		return fmt.Errorf("time %s is outside what the store can hold", o.Time)
	}
	for _, name := range [...]string{o.Device, o.Place.Region, o.Place.Site, o.Place.Tenant} {
		if !expressible(name) {
			return fmt.Errorf("name %q cannot be stored", name)
		}
	}
	for i := range o.Readings {
		r := &o.Readings[i]
		if m, f := split(r); !expressible(r.Quantity.ID) || m == "" || m[0] == '#' || f == "" {
			return fmt.Errorf("quantity %q cannot be stored", r.Quantity.ID)
		}
	}
	return nil
}

// Times the store can hold, in Unix milliseconds: those that fit nanoseconds in
// 64 bits, less the two that InfluxDB keeps for itself.
const (
	minTime = math.MinInt64/1_000_000 + 1
	maxTime = math.MaxInt64/1_000_000 - 1
)

func expressible(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r' || c == 0 || c == '\\':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return len(s) <= 256 && (ascii || utf8.ValidString(s))
}
