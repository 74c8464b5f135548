package cert

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Source is who stands behind a report.
type Source string

// The sources.
const (
	Laboratory Source = "laboratory" // 第三方核验: the laboratory entered it itself
	Self       Source = "self"       // 企业自述: the farm did, of its own test or from paper
)

// Limits of a report.
const (
	MaxItems = 500
	maxName  = 200 // bytes, of a name or a method
	maxShort = 64  // bytes, of a number, a result, a unit
)

// A Report is what a laboratory found in a sample of a batch. It is the body of a
// sealed record: fields are only ever added.
type Report struct {
	Version  int    `json:"v"`
	ID       string `json:"id"` // ULID
	Tenant   string `json:"tenant"`
	Batch    string `json:"batch"`
	Source   Source `json:"source"`
	By       string `json:"by,omitempty"`  // the laboratory's tenant, where it entered the report itself
	Lab      string `json:"laboratory"`    // its name; empty for the farm's own test
	CMA      string `json:"cma,omitempty"` // 资质认定证书编号: 12 digits; a report outside of it has none
	Number   string `json:"number"`        // the report's, as the laboratory gave it
	Sample   string `json:"sample"`        // the sample's
	Sampled  string `json:"sampled"`       // dates, as on paper: 2026-05-01
	Reported string `json:"reported"`
	Standard string `json:"standard,omitempty"` // 判定依据: GB 2763-2021
	Items    []Item `json:"items"`
	// Verdict follows from the items where all of them have one; Stated marks one that
	// does not and is the laboratory's own.
	Verdict  Verdict   `json:"verdict,omitempty"`
	Stated   bool      `json:"stated,omitempty"`
	File     *File     `json:"file,omitempty"` // the report itself
	Recorded time.Time `json:"recorded"`
	Corrects string    `json:"corrects,omitempty"` // the report that this one replaces; both stay
}

// An Item is one thing that was looked for.
type Item struct {
	Name   string `json:"name"`
	Result string `json:"result"`          // 0.023, <0.01, 未检出, 阴性
	Unit   string `json:"unit,omitempty"`  // of result and limit: mg/kg
	Limit  string `json:"limit,omitempty"` // 0.5, ≤0.5, ≥6.5, 不得检出; empty where no limit is set
	Method string `json:"method,omitempty"`
	// Verdict follows from result and limit where they decide it; Stated marks one
	// that is the laboratory's own word.
	Verdict Verdict `json:"verdict,omitempty"`
	Stated  bool    `json:"stated,omitempty"`
}

// A File is the report as it came: a PDF or a picture, under the SHA-256 of its
// bytes.
type File struct {
	Hash string `json:"hash"`
	Type string `json:"type"` // media type
	Size int    `json:"size"`
}

// A FieldError says which field of a report or certificate cannot be, and why.
type FieldError struct {
	Field  string // by its JSON name: "items[2].result"
	Reason string // English, without the value
}

// Error returns field and reason.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, reason string, args ...any) error {
	return &FieldError{Field: name, Reason: fmt.Sprintf(reason, args...)}
}

// cmaNumber is the form of 资质认定证书编号 since 2015: year, authority, field, line
// of business, sequence. No official text was at hand; secondary sources agree on
// the 12 digits, and nothing in them is a check digit.
var cmaNumber = regexp.MustCompile(`^[0-9]{12}$`)

// Judge returns the report with the verdicts that follow from it, or a *FieldError
// that names what cannot be: a verdict that contradicts result and limit, for one.
// Dates are those of Beijing at now.
func (r Report) Judge(now time.Time) (Report, error) {
	if err := r.check(now); err != nil {
		return Report{}, err
	}
	items := make([]Item, len(r.Items))
	sum, decided := Pass, true
	for i, item := range r.Items {
		judged, err := item.judge(fmt.Sprintf("items[%d].", i))
		if err != nil {
			return Report{}, err
		}
		items[i] = judged
		switch judged.Verdict {
		case Fail:
			sum = Fail
		case "":
			decided = false
		}
	}
	r.Items = items
	switch {
	case sum == Fail || decided:
		if r.Verdict != "" && r.Verdict != sum {
			return Report{}, field("verdict", "is %s, but the items say %s", r.Verdict, sum)
		}
		r.Verdict, r.Stated = sum, false
	default:
		r.Stated = r.Verdict != ""
	}
	return r, nil
}

func (i Item) judge(at string) (Item, error) {
	for _, t := range []struct {
		name, text string
		limit      int
		may        bool // be empty
	}{
		{"name", i.Name, maxName, false},
		{"result", i.Result, maxShort, false},
		{"unit", i.Unit, maxShort, true},
		{"limit", i.Limit, maxShort, true},
		{"method", i.Method, maxName, true},
	} {
		if err := checkText(at+t.name, t.text, t.limit, t.may); err != nil {
			return Item{}, err
		}
	}
	f, ok := parseFinding(i.Result)
	if !ok {
		return Item{}, field(at+"result", "is not a number such as 0.023, <0.01, 未检出, 阴性 or 阳性")
	}
	b, ok := parseBound(i.Limit)
	if !ok {
		return Item{}, field(at+"limit", "is not a number such as 0.5, ≤0.5, ≥6.5 or 不得检出, nor empty")
	}
	if err := i.Verdict.check(at + "verdict"); err != nil {
		return Item{}, err
	}
	follows := judge(f, b)
	switch {
	case follows == "":
		i.Stated = i.Verdict != ""
	case i.Verdict != "" && i.Verdict != follows:
		return Item{}, field(at+"verdict", "of %s is %s, but result and limit say %s", i.Name, i.Verdict, follows)
	default:
		i.Verdict, i.Stated = follows, false
	}
	return i, nil
}

func (v Verdict) check(at string) error {
	if v != "" && v != Pass && v != Fail {
		return field(at, "is neither pass nor fail, nor empty")
	}
	return nil
}

func (r Report) check(now time.Time) error {
	if r.Source != Laboratory && r.Source != Self {
		return field("source", "is neither laboratory nor self")
	}
	if (r.By != "") != (r.Source == Laboratory) {
		return field("by", "is the laboratory that enters the report, and nobody else")
	}
	if err := checkText("laboratory", r.Lab, maxName, r.Source == Self); err != nil {
		return err
	}
	if r.CMA != "" && (!cmaNumber.MatchString(r.CMA) || r.Lab == "") {
		return field("cma", "is not the 12 digits of a laboratory that is named")
	}
	if err := checkText("number", r.Number, maxShort, false); err != nil {
		return err
	}
	if err := checkText("sample", r.Sample, maxShort, true); err != nil {
		return err
	}
	if err := checkText("standard", r.Standard, maxName, true); err != nil {
		return err
	}
	if err := r.checkDates(now); err != nil {
		return err
	}
	if len(r.Items) == 0 || len(r.Items) > MaxItems {
		return field("items", "are %d, from 1 to %d are allowed", len(r.Items), MaxItems)
	}
	if r.Corrects != "" && r.Corrects == r.ID {
		return field("corrects", "names the report itself")
	}
	return r.Verdict.check("verdict")
}

func (r Report) checkDates(now time.Time) error {
	sampled, err := time.ParseInLocation(time.DateOnly, r.Sampled, beijing())
	if err != nil || sampled.Year() < 2000 {
		return field("sampled", "is not a date such as 2026-05-01")
	}
	reported, err := time.ParseInLocation(time.DateOnly, r.Reported, beijing())
	switch {
	case err != nil:
		return field("reported", "is not a date such as 2026-05-01")
	case reported.Before(sampled):
		return field("reported", "is before the sample was taken")
	case reported.After(now):
		return field("reported", "is in the future")
	}
	return nil
}

// beijing is the time that dates are written in.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

func checkText(name, s string, limit int, mayBeEmpty bool) error {
	switch {
	case strings.TrimSpace(s) == "" && (!mayBeEmpty || s != ""):
		return field(name, "is empty")
	case len(s) > limit:
		return field(name, "is longer than %d bytes", limit)
	case !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0:
		return field(name, "holds control characters or is not UTF-8")
	}
	return nil
}

// A Sample is what a farm sent to a laboratory: it lets the laboratory read this
// batch and report on it, and nothing else.
type Sample struct {
	ID         string    `json:"id"` // ULID
	Tenant     string    `json:"tenant"`
	Batch      string    `json:"batch"`
	Laboratory string    `json:"laboratory"` // its tenant
	Number     string    `json:"number"`     // on the sample; one for each farm and laboratory
	Asked      time.Time `json:"asked"`
	Account    string    `json:"-"`
}

// Check reports what keeps it from being a sample: *FieldError.
func (s Sample) Check() error { return checkText("number", s.Number, maxShort, false) }
