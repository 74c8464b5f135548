package trace

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"tianhai/farm"
)

// PublicVersion is the newest version of a PublicRecord. Version 2 withholds the
// personal data of natural persons; records without any are of version 1.
const PublicVersion = 2

// openVersion is that of a record with nothing withheld.
const openVersion = 1

// MaxOperations is the most operations that one public record holds.
const MaxOperations = 5000

// A PublicRecord is the body of a batch's record: everything that a consumer is
// told about the batch. It holds no account, no coordinates and nothing finer
// than the town. Its JSON bytes are what is sealed; fields are only ever added.
type PublicRecord struct {
	Version    int               `json:"v"`
	Code       string            `json:"code"`
	Batch      string            `json:"batch"`
	Product    Product           `json:"product"`
	Producer   Producer          `json:"producer"`
	Origin     Origin            `json:"origin"`
	Lot        string            `json:"lot"`
	Quantity   float64           `json:"quantity"`
	Unit       string            `json:"unit"` // UCUM
	Began      time.Time         `json:"began"`
	Harvest    time.Time         `json:"harvest"`
	Closed     time.Time         `json:"closed"`
	Operations []PublicOperation `json:"operations"`      // oldest first
	Words      *Words            `json:"words,omitempty"` // records before there was a catalog have none
	Evidence   PublicEvidence    `json:"evidence"`
	// Personal holds, by path, the commitment to a text that is not in the record
	// because it can be erased; see Personal.
	Personal map[string]string `json:"personal,omitempty"`
}

// A Producer is who answers for the batch.
type Producer struct {
	Name       farm.Text `json:"name"`
	CreditCode string    `json:"credit_code,omitempty"` // GB 32100
	Phone      string    `json:"phone,omitempty"`       // the number that consumers may call
}

// An Origin is where the batch grew, no finer than consumers may see.
type Origin struct {
	Region     string        `json:"region"` // GB/T 2260
	Prefecture farm.Text     `json:"prefecture"`
	Town       farm.Text     `json:"town"`
	Kind       farm.SiteKind `json:"kind"`
	Site       farm.Text     `json:"site"`
}

// A PublicOperation is an operation without the person who recorded it.
type PublicOperation struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	At          time.Time `json:"at"`
	Recorded    time.Time `json:"recorded"`
	Items       []Item    `json:"items,omitempty"`
	Corrects    string    `json:"corrects,omitempty"`     // the operation that this one replaces
	CorrectedBy string    `json:"corrected_by,omitempty"` // to be shown struck through
}

// PublicEvidence is what the sensors of the site said while the batch grew.
type PublicEvidence struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Recorded is false where no sensor gave one usable reading. That is said
	// aloud, because a missing record is something to know about a batch.
	Recorded bool     `json:"recorded"`
	Series   []Series `json:"series"` // by quantity
}

// A Series is the record of one quantity; see farm.Summary. Values are rounded
// to one decimal more than the vocabulary says is worth showing.
type Series struct {
	Quantity string       `json:"quantity"`
	Unit     string       `json:"unit"` // UCUM
	Devices  []string     `json:"devices"`
	N        int          `json:"n"`
	Rejected int          `json:"rejected"`
	Min      float64      `json:"min"`
	Mean     float64      `json:"mean"`
	Max      float64      `json:"max"`
	Sum      *float64     `json:"sum,omitempty"` // only of quantities that add up
	Interval int          `json:"interval"`      // seconds that one point stands for
	Points   []farm.Point `json:"points"`
	Gaps     []farm.Gap   `json:"gaps"`
	Coverage float64      `json:"coverage"`
}

// ParsePublicRecord reads the body of a batch's record.
func ParsePublicRecord(body []byte) (PublicRecord, error) {
	var p PublicRecord
	if err := json.Unmarshal(body, &p); err != nil {
		return PublicRecord{}, fmt.Errorf("read public record: %w", err)
	}
	if p.Version < 1 || p.Version > PublicVersion {
		return PublicRecord{}, fmt.Errorf("read public record: version %d is not known", p.Version)
	}
	return p, nil
}

// ofBatch keeps what was done within [from, to), and whatever corrects that or was
// corrected by it, though the correction may have moved the time.
func ofBatch(ops []Operation, from, to time.Time) []Operation {
	keep := map[string]bool{}
	for _, op := range ops {
		if !op.At.Before(from) && op.At.Before(to) {
			keep[op.ID] = true
		}
	}
	for again := true; again; {
		again = false
		for _, op := range ops {
			if op.Corrects != "" && keep[op.ID] != keep[op.Corrects] {
				keep[op.ID], keep[op.Corrects], again = true, true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(ops), func(op Operation) bool { return !keep[op.ID] })
}

// publicEvidence keeps what was measured of the place, and leaves out what the
// devices report of themselves.
func publicEvidence(summaries []farm.Summary, from, to time.Time) (PublicEvidence, error) {
	e := PublicEvidence{From: from.UTC(), To: to.UTC(), Series: []Series{}}
	for _, s := range summaries {
		q, known := farm.LookupQuantity(s.Quantity)
		if known && q.Medium() == farm.OfDevice {
			continue
		}
		round := func(v float64) float64 { return v }
		if known {
			scale := math.Pow10(q.Digits + 1)
			round = func(v float64) float64 { return math.Round(v*scale)/scale + 0 } // + 0: never "-0"
		}
		out, err := publicSeries(s, round)
		if err != nil {
			return PublicEvidence{}, fmt.Errorf("%s: %w", s.Quantity, err)
		}
		out.Unit = q.Unit
		if q.Sum && s.N > 0 {
			sum := round(s.Sum)
			out.Sum = &sum
		}
		e.Recorded = e.Recorded || s.N > 0
		e.Series = append(e.Series, out)
	}
	slices.SortStableFunc(e.Series, func(a, b Series) int { return quantityRank(a.Quantity) - quantityRank(b.Quantity) })
	return e, nil
}

func publicSeries(s farm.Summary, round func(float64) float64) (Series, error) {
	out := Series{
		Quantity: s.Quantity, Devices: append([]string{}, s.Devices...), N: s.N, Rejected: s.Rejected,
		Interval: int(s.Interval / time.Second), Points: []farm.Point{}, Gaps: []farm.Gap{}, Coverage: math.Round(s.Coverage*1e4) / 1e4,
	}
	for _, g := range s.Gaps {
		out.Gaps = append(out.Gaps, farm.Gap{From: g.From.UTC(), To: g.To.UTC()})
	}
	if s.N == 0 { // Min, Mean and Max of nothing
		return out, nil
	}
	out.Min, out.Mean, out.Max = round(s.Min), round(s.Mean), round(s.Max)
	for _, p := range s.Points {
		out.Points = append(out.Points, farm.Point{Time: p.Time.UTC(), Min: round(p.Min), Mean: round(p.Mean), Max: round(p.Max), N: p.N})
	}
	for _, v := range []float64{out.Min, out.Mean, out.Max, out.Coverage, s.Sum} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Series{}, fmt.Errorf("the summary holds %v", v)
		}
	}
	return out, nil
}

// quantityRank orders series as the vocabulary does, unknown ones last.
func quantityRank(id string) int {
	all := farm.Quantities()
	i := slices.IndexFunc(all, func(q farm.Quantity) bool { return q.ID == id })
	if i < 0 {
		return len(all)
	}
	return i
}
