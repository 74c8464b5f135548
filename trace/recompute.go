package trace

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/trace/evidence"
)

// A Finding is one statement of sealed evidence, and what the readings say of it.
type Finding struct {
	Name   string // of the number: "mean", "sha256", "in_range.share"
	Sealed string
	Found  string
}

// Holds reports whether the readings say the same.
func (f Finding) Holds() bool { return f.Sealed == f.Found }

// SealedSeries returns the evidence's series of a quantity; farm.ErrNotFound.
func (e PublicEvidence) SealedSeries(quantity string) (Series, error) {
	i := slices.IndexFunc(e.Series, func(s Series) bool { return s.Quantity == quantity })
	if i < 0 {
		return Series{}, fmt.Errorf("%s is not among the evidence: %w", quantity, farm.ErrNotFound)
	}
	return e.Series[i], nil
}

// ErrOldEvidence reports evidence from before series had hashes: there is nothing
// to recompute.
var ErrOldEvidence = errors.New("the evidence was sealed before series had hashes")

// Recompute makes every number of a sealed series again from readings in canonical
// form, held against the norms that the record itself states, and the hash. An error
// means that the text could not be read, or is of something else.
func (e PublicEvidence) Recompute(text io.Reader) (quantity string, findings []Finding, err error) {
	if e.Version != EvidenceVersion {
		return "", nil, ErrOldEvidence
	}
	r, err := evidence.NewReader(text)
	if err != nil {
		return "", nil, err
	}
	sealed, err := e.SealedSeries(r.Header.Quantity)
	if err != nil {
		return r.Header.Quantity, nil, err
	}
	if h := r.Header; !h.From.Equal(e.From) || !h.To.Equal(e.To) {
		return sealed.Quantity, nil, fmt.Errorf("the series is of %s to %s, and the evidence of %s to %s", stamp(h.From), stamp(h.To), stamp(e.From), stamp(e.To))
	}
	q, known := farm.LookupQuantity(sealed.Quantity)
	if !known || q.Unit != sealed.Unit || q.Unit != r.Header.Unit {
		return sealed.Quantity, nil, fmt.Errorf("%s in %s is not known here", sealed.Quantity, r.Header.Unit)
	}
	tally := evidence.NewTally(q.ID, e.From, e.To, sealed.norms())
	sum, err := r.Each(func(s farm.Sample) error { tally.Add(s); return nil })
	if err != nil {
		return sealed.Quantity, nil, err
	}
	again, err := publicSeries(q, tally.Result())
	if err != nil {
		return sealed.Quantity, nil, err
	}
	again.SHA256 = sum
	return sealed.Quantity, compared(sealed.statements(), again.statements()), nil
}

// norms are what the series was held against.
func (s Series) norms() evidence.Norms {
	var n evidence.Norms
	if s.InRange != nil {
		n.Range = &s.InRange.Range
	}
	if s.Below != nil {
		n.Floor = &s.Below.Floor
	}
	if s.DegreeDays != nil {
		n.Warmth = &s.DegreeDays.Warmth
	}
	return n
}

// compared puts what was found beside what was sealed.
func compared(sealed, again []Finding) []Finding {
	found := map[string]string{}
	for _, f := range again {
		found[f.Name] = f.Sealed
	}
	for i := range sealed {
		sealed[i].Found = found[sealed[i].Name]
	}
	return sealed
}

// statements are all that a series says but for what only the registry knows.
func (s Series) statements() []Finding {
	out := []Finding{
		{Name: "sha256", Sealed: s.SHA256},
		{Name: "devices", Sealed: strings.Join(s.Devices, " ")},
		{Name: "n", Sealed: strconv.Itoa(s.N)},
		{Name: "rejected", Sealed: strconv.Itoa(s.Rejected)},
		{Name: "min", Sealed: number(s.Min)},
		{Name: "mean", Sealed: number(s.Mean)},
		{Name: "max", Sealed: number(s.Max)},
		{Name: "coverage", Sealed: number(s.Coverage)},
		{Name: "gaps", Sealed: brief(s.Gaps)},
		{Name: "points", Sealed: brief(s.Points) + " of " + (time.Duration(s.Interval) * time.Second).String()},
	}
	if s.Sum != nil {
		out = append(out, Finding{Name: "sum", Sealed: number(*s.Sum)})
	}
	if r := s.InRange; r != nil {
		out = append(out, Finding{Name: "in_range.share", Sealed: number(r.Share)}, Finding{Name: "in_range.hours", Sealed: number(r.Hours)})
	}
	if l := s.Below; l != nil {
		out = append(out, Finding{Name: "below.hours", Sealed: number(l.Hours)}, Finding{Name: "below.known", Sealed: number(l.Known)})
	}
	if d := s.DegreeDays; d != nil {
		out = append(out, Finding{Name: "degree_days.sum", Sealed: number(d.Sum)}, Finding{Name: "degree_days.days", Sealed: strconv.Itoa(d.Days)},
			Finding{Name: "degree_days.missing", Sealed: brief(d.Missing)})
	}
	return out
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// brief says how many there are, and something that differs where they do.
func brief[T any](all []T) string {
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // numbers, times and strings, all finite
	}
	if len(all) == 0 {
		return "0"
	}
	sum := sha256.Sum256(raw)
	return fmt.Sprintf("%d (%x)", len(all), sum[:4])
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
