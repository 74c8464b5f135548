package trace

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/evidence"
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
	Operations []PublicOperation `json:"operations"`          // oldest first
	Words      *Words            `json:"words,omitempty"`     // records before there was a catalog have none
	Overrides  []PublicOverride  `json:"overrides,omitempty"` // what an office allowed of what the law forbids
	Evidence   PublicEvidence    `json:"evidence"`
	// Kin is what the batch was made of; nil where it was harvested as it is. Then
	// Operations and Evidence are of the one site where all of it grew, or there are
	// none where it grew on several: Blend.
	Kin   *Kin `json:"kin,omitempty"`
	Blend bool `json:"blend,omitempty"`
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

// EvidenceVersion is that of evidence that can be recomputed from the canonical
// series. What was sealed before has none and lacks what came with it.
const EvidenceVersion = 2

// PublicEvidence is what the sensors of the site said while the batch grew.
type PublicEvidence struct {
	Version int       `json:"v,omitempty"` // EvidenceVersion
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Recorded is false where no sensor gave one usable reading. That is said
	// aloud, because a missing record is something to know about a batch.
	Recorded bool     `json:"recorded"`
	Series   []Series `json:"series"` // by quantity
}

// A Series is the record of one quantity; see farm.Summary and evidence.Tally.
// Values are rounded to one decimal more than the vocabulary says is worth showing.
type Series struct {
	Quantity string       `json:"quantity"`
	Unit     string       `json:"unit"` // UCUM
	Devices  []string     `json:"devices"`
	N        int          `json:"n"`
	Rejected int          `json:"rejected"`
	Min      float64      `json:"min"`
	Mean     float64      `json:"mean"` // of readings
	Max      float64      `json:"max"`
	Sum      *float64     `json:"sum,omitempty"` // only of quantities that add up
	Interval int          `json:"interval"`      // seconds that one point stands for
	Points   []farm.Point `json:"points"`
	Gaps     []farm.Gap   `json:"gaps"`
	Coverage float64      `json:"coverage"`

	// Since version 2.
	SHA256     string               `json:"sha256,omitempty"` // of the canonical series, in hex
	InRange    *evidence.InRange    `json:"in_range,omitempty"`
	Below      *evidence.Below      `json:"below,omitempty"`
	DegreeDays *evidence.DegreeDays `json:"degree_days,omitempty"`
	Sensors    []Sensor             `json:"sensors,omitempty"` // of Devices, in their order
}

// A Sensor is a device as it stood when the evidence was sealed.
type Sensor struct {
	Device      string       `json:"device"`
	Model       string       `json:"model,omitempty"`       // empty where the registry does not know the device any more
	Calibration *Calibration `json:"calibration,omitempty"` // the last; nil where there was none
}

// A Calibration is how a sensor's values were corrected.
type Calibration struct {
	At     time.Time `json:"at"` // since when
	Slope  float64   `json:"slope"`
	Offset float64   `json:"offset"`       // in the quantity's unit
	By     string    `json:"by,omitempty"` // the role of who recorded it, not the person
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
	if v := p.Evidence.Version; v != 0 && v != EvidenceVersion {
		return PublicRecord{}, fmt.Errorf("read public record: version %d of its evidence is not known", v)
	}
	return p, nil
}

// ofBatch keeps what was done within [from, to) and what was kept already, and
// whatever corrects that or was corrected by it, though the correction may have moved
// the time.
func ofBatch(ops []Operation, from, to time.Time, keep map[string]bool) []Operation {
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

// quantityRank orders series as the vocabulary does, unknown ones last.
func quantityRank(id string) int {
	all := farm.Quantities()
	i := slices.IndexFunc(all, func(q farm.Quantity) bool { return q.ID == id })
	if i < 0 {
		return len(all)
	}
	return i
}
