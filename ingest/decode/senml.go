package decode

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/ingest"
)

// Limits of SenML.
const (
	maxRecords = 4096
	maxName    = 256 // bytes of a resolved name
)

// SenMLJSON reads a SenML Pack in JSON (RFC 8428 §5), as resolved by §4.6:
//
//	[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1320078429,"n":"temp","u":"Cel","v":27.2},
//	 {"n":"do","u":"mg/L","v":6.8}]
//
// The channel is the resolved name, cut after the last ':' or '/'. A time below
// 2^28 seconds is relative to reception. Booleans are 1 and 0; strings and data
// are text, or missing if empty. The unit "%" is a ratio of 0 to 1 in SenML
// (§12.1, note 2) and is handed on as "/"; "/100" is a percentage. A sum is a
// channel of its own, named "name#sum", without a unit, as SenML has none for
// it; beside a value it is an extra. A base sum without a sum is one too (§4.5.4).
//
// Every field must be of its type, every record have exactly one value or a sum,
// or else nothing but base fields (§5.1.7), and one version hold for the whole
// pack: up to 10, or 26 which adds the units of RFC 8798 (RFC 9100). Unknown
// fields are passed over unless their names end in '_'.
func SenMLJSON(payload []byte) ([]ingest.Value, error) {
	const format = "senml+json"
	root, err := readJSON(format, payload)
	if err != nil {
		return nil, err
	}
	return resolve(format, &root)
}

// SenMLCBOR reads a SenML Pack in CBOR (RFC 8428 §6) as SenMLJSON does that in
// JSON.
func SenMLCBOR(payload []byte) ([]ingest.Value, error) {
	const format = "senml+cbor"
	root, err := readCBOR(format, payload, senmlLabel)
	if err != nil {
		return nil, err
	}
	return resolve(format, &root)
}

// senmlLabel names the integer keys of RFC 8428 table 4.
func senmlLabel(key int64) string {
	names := [...]string{"bver", "bn", "bt", "bu", "bv", "bs", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"}
	switch {
	case key == -6:
		return "bs"
	case -5 <= key && key < 0:
		return names[-1-key]
	case 0 <= key && key <= 8:
		return names[6+key]
	default:
		return strconv.FormatInt(key, 10)
	}
}

// A pack is a SenML Pack while it is resolved: what the base fields say so far.
type pack struct {
	format           string
	values           []ingest.Value
	name, unit       string
	time, value, sum float64
	summed           bool // whether there is a base sum
	version          float64
}

func resolve(format string, root *node) ([]ingest.Value, error) {
	if root.kind != list || len(root.nodes) == 0 {
		return nil, root.fault(format, "", errors.New("a SenML Pack is an array of records"))
	}
	if len(root.nodes) > maxRecords {
		return nil, root.nodes[maxRecords].fault(format, "", fmt.Errorf("more than %d records", maxRecords))
	}
	p := pack{format: format, values: make([]ingest.Value, 0, len(root.nodes))}
	for i := range root.nodes {
		r := &root.nodes[i]
		if err := p.record(r, fmt.Sprintf("[%d]", i)); err != nil {
			return nil, err
		}
	}
	if len(p.values) == 0 {
		return nil, root.fault(format, "", errors.New("no record has a value"))
	}
	slices.SortStableFunc(p.values, chronological)
	return p.values, nil
}

// chronological orders by time, with relative times after all absolute ones:
// where they really are is only known on reception.
func chronological(x, y ingest.Value) int {
	if xr, yr := x.Time.IsZero(), y.Time.IsZero(); xr || yr {
		if xr && yr {
			return cmp.Compare(y.Ago, x.Ago)
		}
		if xr {
			return 1
		}
		return -1
	}
	return x.Time.Compare(y.Time)
}

// senmlKind says what each field must be.
func senmlKind(field string) (kind, bool) {
	switch field {
	case "bn", "bu", "n", "u", "vs":
		return text, true
	case "bver", "bt", "bv", "bs", "v", "s", "t", "ut":
		return number, true
	case "vb":
		return boolean, true
	default:
		return null, false
	}
}

// check refuses a record whose fields are not what they must be.
func (p *pack) check(r *node, at string) error {
	if r.kind != object {
		return r.fault(p.format, at, fmt.Errorf("a record is an object, not %v", r.kind))
	}
	given, bases := 0, 0
	for i := range r.nodes {
		f := &r.nodes[i]
		want, known := senmlKind(f.name)
		switch {
		case f.name == "vd":
			if _, err := dataText(f); err != nil {
				return f.fault(p.format, join(at, f.name), err)
			}
		case known && f.kind != want:
			return f.fault(p.format, join(at, f.name), fmt.Errorf("%v, expected %v", f.kind, want))
		case strings.HasSuffix(f.name, "_"):
			return f.fault(p.format, join(at, f.name), errors.New("a field that must be understood (its name ends in '_'), and is not"))
		}
		switch f.name {
		case "v", "vs", "vb", "vd":
			given++
		}
		if strings.HasPrefix(f.name, "b") {
			bases++
		}
	}
	if given > 1 || given == 0 && r.member("s") == nil && (bases == 0 || bases < len(r.nodes)) {
		return r.fault(p.format, at, fmt.Errorf("%d values, expected exactly one, or a sum", given))
	}
	return nil
}

// record resolves one record and appends its values.
func (p *pack) record(r *node, at string) error {
	if err := p.check(r, at); err != nil {
		return err
	}
	if err := p.base(r, at); err != nil {
		return err
	}
	valued, s := hasValue(r), r.member("s")
	if !valued && s == nil {
		return nil // a record of base fields
	}
	v := ingest.Value{Channel: p.name + textOf(r, "n")}
	if err := checkName(v.Channel); err != nil {
		return r.fault(p.format, at, err)
	}
	if i := strings.LastIndexAny(v.Channel, ":/") + 1; i < len(v.Channel) {
		v.Cut = i
	}
	var err error
	if v.Time, v.Ago, err = senmlTime(p.time + numberOf(r, "t")); err != nil {
		n := cmp.Or(r.member("t"), r.member("bt"), r)
		return n.fault(p.format, join(at, n.name), err)
	}
	sum := v
	p.fill(&v, r)
	if valued {
		p.values = append(p.values, v)
	}
	if s != nil || p.summed && r.member("v") != nil {
		sum.Channel, sum.Extra, sum.Number = sum.Channel+"#sum", valued, p.sum+numberOf(r, "s")
		p.values = append(p.values, sum)
	}
	if math.IsInf(v.Number, 0) || math.IsInf(sum.Number, 0) {
		return r.fault(p.format, at, errors.New("number beyond the range of float64"))
	}
	return nil
}

func hasValue(r *node) bool {
	return cmp.Or(r.member("v"), r.member("vs"), r.member("vb"), r.member("vd")) != nil
}

// fill puts the value of a record into v.
func (p *pack) fill(v *ingest.Value, r *node) {
	for i := range r.nodes {
		switch f := &r.nodes[i]; f.name {
		case "v":
			v.Number, v.Unit = p.value+f.number, p.unit
			if u := r.member("u"); u != nil {
				v.Unit = u.text
			}
			if v.Unit == "%" {
				v.Unit = "/"
			}
		case "vb":
			v.Number = f.number
		case "vs":
			v.Text, v.Missing, v.Extra = f.text, f.text == "", true
		case "vd":
			v.Text, _ = dataText(f)
			v.Missing, v.Extra = v.Text == "", true
		}
	}
}

// base takes over the base fields of a record, which hold from it on.
func (p *pack) base(r *node, at string) error {
	for i := range r.nodes {
		switch f := &r.nodes[i]; f.name {
		case "bn":
			p.name = f.text
		case "bu":
			p.unit = f.text
		case "bt":
			p.time = f.number
		case "bv":
			p.value = f.number
		case "bs":
			p.sum, p.summed = f.number, true
		case "bver":
			if f.number != 26 && (f.number < 1 || f.number > 10 || f.number != math.Trunc(f.number)) {
				return f.fault(p.format, join(at, f.name), fmt.Errorf("version %v is not known", f.number))
			}
			if p.version != 0 && f.number != p.version {
				return f.fault(p.format, join(at, f.name), fmt.Errorf("version %v after %v", f.number, p.version))
			}
			p.version = f.number
		}
	}
	if p.version == 0 {
		p.version = 10
	}
	return nil
}

// checkName holds a resolved name against RFC 8428 §4.5.1.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("a name has 1 to %d bytes, this has %d", maxName, len(name))
	}
	for i, c := range name {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && strings.ContainsRune("-:./_", c):
		default:
			return fmt.Errorf("name %q has %q at its byte %d", name, c, i)
		}
	}
	return nil
}

// senmlTime returns an absolute time, or how long ago a relative one is.
func senmlTime(seconds float64) (time.Time, time.Duration, error) {
	const relative = 1 << 28
	if seconds > maxMillis/1000 || seconds < -relative {
		return time.Time{}, 0, fmt.Errorf("time %v s is neither before 2262 nor within 2^28 s of now", seconds)
	}
	// A double holds a Unix time to the microsecond, not much better.
	micros := int64(math.Round(seconds * 1e6))
	if seconds < relative {
		return time.Time{}, time.Duration(-micros) * time.Microsecond, nil
	}
	return time.UnixMicro(micros).UTC(), 0, nil
}

// dataText returns the value of "vd" as JSON has it: base64url without padding.
func dataText(f *node) (string, error) {
	switch f.kind {
	case octets:
		return base64.RawURLEncoding.EncodeToString([]byte(f.text)), nil
	case text:
		if _, err := base64.RawURLEncoding.Strict().DecodeString(f.text); err != nil {
			return "", errors.New("not base64url without padding")
		}
		return f.text, nil
	default:
		return "", fmt.Errorf("%v, expected data", f.kind)
	}
}

func textOf(r *node, name string) string {
	if n := r.member(name); n != nil {
		return n.text
	}
	return ""
}

func numberOf(r *node, name string) float64 {
	if n := r.member(name); n != nil {
		return n.number
	}
	return 0
}
