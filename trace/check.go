package trace

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/catalog"
)

// Limits of what a person may write, in bytes.
const (
	maxValue = 500
	maxLot   = 64
	maxUnit  = 20
	maxItems = 40
)

// A FieldError says which field of an operation or batch cannot be, and why.
type FieldError struct {
	Field  string // by its JSON name: "items[2].value"
	Reason string // English, without the value
}

// Error returns field and reason.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func field(name, reason string, args ...any) error {
	return &FieldError{Field: name, Reason: fmt.Sprintf(reason, args...)}
}

// Same reports whether two operations say the same, whenever they were received. A
// name that was erased is any name.
func (o Operation) Same(other Operation) bool {
	return o.ID == other.ID && o.Tenant == other.Tenant && o.Site == other.Site && o.Kind == other.Kind &&
		o.At.Equal(other.At) && o.Person == other.Person && o.Corrects == other.Corrects && slices.EqualFunc(o.Items, other.Items, sameItem) &&
		o.Position.same(other.Position)
}

func sameItem(a, b Item) bool {
	gone := func(i Item) bool { return i.Value == "" && i.Commitment != "" }
	return a.Key == b.Key && a.Unit == b.Unit && (a.Value == b.Value || gone(a) || gone(b))
}

func (p *Position) same(other *Position) bool {
	return p == other || p != nil && other != nil && *p == *other
}

func checkOperation(op Operation, now time.Time) error {
	if _, err := ulid.ParseStrict(op.ID); err != nil {
		return field("id", "is not a ULID")
	}
	if err := farm.CheckID(op.Kind); err != nil {
		return field("kind", "is not a lower-case word")
	}
	if op.At.Year() < 2000 || op.At.After(now.Add(clockAhead)) {
		return field("at", "is before the year 2000 or more than %v ahead of the server's clock", clockAhead)
	}
	if op.Corrects == op.ID {
		return field("corrects", "names the operation itself")
	}
	if op.Corrects == "" && op.Kind == catalog.Void {
		return field("corrects", "does not name the operation that is taken back")
	}
	if err := checkPosition(op.Position); err != nil {
		return err
	}
	if len(op.Items) > maxItems {
		return field("items", "are %d, at most %d are allowed", len(op.Items), maxItems)
	}
	for i, item := range op.Items {
		at := fmt.Sprintf("items[%d].", i)
		if farm.CheckID(item.Key) != nil {
			return field(at+"key", "is not a lower-case word")
		}
		if item.Commitment != "" {
			return field(at+"commitment", "is the server's to make")
		}
		if err := checkText(at+"value", item.Value, maxValue); err != nil {
			return err
		}
		if len(item.Unit) > maxUnit || !printable(item.Unit) {
			return field(at+"unit", "is longer than %d bytes or not printable", maxUnit)
		}
	}
	return nil
}

// checkPosition is written so that NaN fails it too.
func checkPosition(p *Position) error {
	switch {
	case p == nil:
	case !(math.Abs(p.Longitude) <= 180):
		return field("position.longitude", "is not from -180 to 180 degrees")
	case !(math.Abs(p.Latitude) <= 90):
		return field("position.latitude", "is not from -90 to 90 degrees")
	case !(p.Accuracy >= 0 && p.Accuracy <= 1e6):
		return field("position.accuracy", "is not from 0 to 1000000 metres")
	}
	return nil
}

// checkItems holds an operation against the catalog. Errors: *FieldError for the
// kind, *catalog.ItemError.
func checkItems(op Operation, c *catalog.Catalog) error {
	kind, ok := c.Operation(op.Kind)
	if !ok {
		return field("kind", "is not in the catalog, version %d", c.Version)
	}
	return c.Check(kind, op.Items)
}

// checkCorrection refuses a correction of nothing, of a stranger's operation, of
// what was taken back, and a second one of the same: whoever errs twice corrects
// the correction, and who took back by mistake records anew.
func checkCorrection(op Operation, ops []Operation) error {
	if op.Corrects == "" {
		return nil
	}
	found := false
	for _, o := range ops {
		if o.Corrects == op.Corrects {
			return fmt.Errorf("operation %s is corrected by %s already: %w", op.Corrects, o.ID, farm.ErrConflict)
		}
		if o.ID != op.Corrects || o.Tenant != op.Tenant {
			continue
		}
		if o.Kind == catalog.Void {
			return field("corrects", "names what takes another back; record anew instead")
		}
		found = true
	}
	if !found {
		return field("corrects", "names no operation of this site")
	}
	return nil
}

func checkBatch(b Batch, now time.Time) error {
	if _, err := ulid.ParseStrict(b.ID); err != nil {
		return field("id", "is not a ULID")
	}
	if err := checkText("lot", b.Lot, maxLot); err != nil {
		return err
	}
	if !(b.Quantity > 0) || math.IsInf(b.Quantity, 0) {
		return field("quantity", "is not a positive number")
	}
	if err := checkText("unit", b.Unit, maxUnit); err != nil {
		return err
	}
	if b.Began.Year() < 2000 || !b.Began.Before(now) {
		return field("began", "is before the year 2000 or not past")
	}
	if !b.Began.Before(b.Harvest) {
		return field("harvest", "is not after began")
	}
	if b.Harvest.After(now.Add(24 * time.Hour)) {
		return field("harvest", "is more than a day ahead")
	}
	return nil
}

func checkText(name, s string, limit int) error {
	switch {
	case strings.TrimSpace(s) == "":
		return field(name, "is empty")
	case len(s) > limit:
		return field(name, "is longer than %d bytes", limit)
	case !printable(s):
		return field(name, "holds control characters or is not UTF-8")
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
