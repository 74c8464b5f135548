// Package gate says whether a harvest, a catch, a slaughter, a sale, a certificate
// or the use of an input may be, and if not, from which day.
//
// It is pure: the caller brings what happened, Check answers. The same call with
// what was known later answers for a harvest that has happened, which is how a
// spray that was recorded late finds the batches that it concerns.
//
// Days are Beijing's. After a wait of N days the first allowed day is the day of
// the last use plus N, so that a spray on 1 May with an interval of 7 bars the 1st
// to the 7th and allows the 8th; docs/decisions/0046 says why. Degree-days are the
// sum of the daily means of the site's own water over whole days, from the day
// after the last use. What is not known counts against the harvest.
package gate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tianhai/farm"
	"tianhai/trace/input"
)

// ActKind is what somebody is about to do.
type ActKind string

// The kinds of act.
const (
	Harvest     ActKind = "harvest"
	Catch       ActKind = "catch"
	Collect     ActKind = "collect" // eggs or milk
	Exit        ActKind = "exit"    // animals leave the farm
	Slaughter   ActKind = "slaughter"
	Sale        ActKind = "sale"
	Certificate ActKind = "certificate"
	Apply       ActKind = "apply" // use an input
)

// ActKinds lists every kind of act.
func ActKinds() []ActKind {
	return []ActKind{Harvest, Catch, Collect, Exit, Slaughter, Sale, Certificate, Apply}
}

// An Act is something that somebody is about to do, or did.
type Act struct {
	Kind       ActKind
	Site       string
	At         time.Time
	Target     input.Target
	Harvested  time.Time // of a sale or certificate: when the goods were taken; zero: they live
	Season     time.Time // start of the season or production cycle; zero: a year before At
	Quarantine string    // number of the 检疫证明; "" for none
	Use        *Use      // of an Apply
}

// taken is the moment up to which waits are reckoned: what is sprayed after a
// harvest says nothing of what was harvested, and what was harvested too early
// does not become good by lying.
func (a Act) taken() time.Time {
	if !a.Harvested.IsZero() {
		return a.Harvested
	}
	return a.At
}

// A Use is one use of an input on a site.
type Use struct {
	ID       string // of the operation
	At       time.Time
	Until    time.Time // last day of a treatment that went on; zero: that of At
	Target   input.Target
	Product  input.Product // with the labels that it had then
	Lot      input.Lot
	Quantity input.Amount
	Extent   input.Amount // what it was used on, in the label's basis; zero where not said
	Rate     input.Amount // where the dose is only stated: on each Extent; zero: Quantity on Extent
	Void     bool         // taken back or replaced by a correction
}

// Last returns when the input was last used.
func (u Use) Last() time.Time {
	if u.Until.After(u.At) {
		return u.Until
	}
	return u.At
}

// A DayMean is the mean water temperature of one Beijing day.
type DayMean struct {
	Day      time.Time // any moment of the day
	Mean     float64   // °C
	Coverage float64   // 0 to 1: the part of the day for which there are usable readings
}

// enough is the part of a day that must have been measured for its mean to count.
// Temperature has a daily course; half a day may be the warm half.
const enough = 0.75

// History is what happened before an act.
type History struct {
	Uses     []Use
	Licences []farm.Licence
	Water    []DayMean // of the site, for degree-days
	Bans     input.List
}

// Gate names what refuses.
type Gate string

// The gates.
const (
	Interval     Gate = "interval"      // 安全间隔期 or 休药期 in days
	DegreeDays   Gate = "degree_days"   // 休药期 in degree-days
	NoInterval   Gate = "no_interval"   // used without a label for this crop or species: no interval is known
	NotOnLabel   Gate = "not_on_label"  // the label does not name the crop or species
	OverDose     Gate = "over_dose"     // more than the label's dose
	DoseUnknown  Gate = "dose_unknown"  // the label has a dose, and what it was used on is not said in its unit
	OverCount    Gate = "over_count"    // more often than the label allows in a season
	Laying       Gate = "laying"        // not for laying hens
	Milked       Gate = "milked"        // not for milked animals
	LotExpired   Gate = "lot_expired"   // the lot is past its date
	Banned       Gate = "banned"        // a banned substance
	Licence      Gate = "licence"       // a licence that was held has expired
	NoQuarantine Gate = "no_quarantine" // no 检疫证明
)

// Gates lists every gate.
func Gates() []Gate {
	return []Gate{Interval, DegreeDays, NoInterval, NotOnLabel, OverDose, DoseUnknown, OverCount, Laying, Milked, LotExpired, Banned, Licence, NoQuarantine}
}

// Final reports whether no officer can allow what the gate refuses: nobody may use a
// banned substance, or an input past its date, which the law takes for a bad one.
func (g Gate) Final() bool { return g == Banned || g == LotExpired }

// A Refusal is one reason why an act may not be, for machines; words are i18n's,
// under gate.{gate}.
type Refusal struct {
	Gate      Gate      `json:"gate"`
	Product   string    `json:"product,omitempty"` // input product
	Name      farm.Text `json:"name,omitzero"`     // its name, or that of the banned substance
	Operation string    `json:"operation,omitempty"`
	Date      string    `json:"date,omitempty"`     // of the use, or on which a licence or lot ended: 2006-01-02 in Beijing
	Earliest  string    `json:"earliest,omitempty"` // first day for the harvest; empty where none can be named
	Estimate  bool      `json:"estimate,omitempty"` // Earliest is reckoned with the temperatures of the last days
	Limit     float64   `json:"limit,omitempty"`    // days, degree-days, dose or times that the label says
	Have      float64   `json:"have,omitempty"`     // what there is of it
	Missing   []string  `json:"missing,omitempty"`  // days without enough readings; each counts as 0 °C
	Number    string    `json:"number,omitempty"`   // of the licence
	Source    string    `json:"source,omitempty"`   // of the ban or the label
}

// Key names what a refusal is about, so that an override can say what it covers.
func (r Refusal) Key() string {
	return string(r.Gate) + "/" + cmp.Or(r.Operation, r.Number) + "/" + r.Product
}

// Keys returns those of refusals.
func Keys(refusals []Refusal) []string {
	keys := make([]string, len(refusals))
	for i, r := range refusals {
		keys[i] = r.Key()
	}
	return keys
}

// Refused reports that an act may not be. It holds at least one Refusal.
type Refused struct{ Refusals []Refusal }

// Error names the first gate.
func (r *Refused) Error() string { return "refused by gate " + string(r.Refusals[0].Gate) }

// Check returns every reason why the act may not be; none means that it may.
func Check(act Act, h History) []Refusal {
	var out []Refusal
	if act.Kind == Apply {
		if act.Use != nil {
			out = checkUse(act, h)
		}
	} else {
		for _, u := range h.Uses {
			if !u.Void && !u.At.After(act.taken()) && u.Product.Kind.ByLabel() {
				out = append(out, checkWait(act.Target, act.taken(), u, h.Water)...)
			}
		}
	}
	out = append(out, checkLicences(act, h.Licences)...)
	if (act.Kind == Exit || act.Kind == Slaughter) && act.Target.Group == "livestock" && act.Quarantine == "" {
		out = append(out, Refusal{Gate: NoQuarantine})
	}
	return out
}

// checkWait holds a harvest of a target at a time against one use before it.
func checkWait(target input.Target, at time.Time, u Use, water []DayMean) []Refusal {
	labels := u.Product.LabelsFor(target)
	if len(labels) == 0 {
		return []Refusal{{Gate: NoInterval, Product: u.Product.ID, Name: u.Product.Name, Operation: u.ID, Date: date(u.Last())}}
	}
	var days, heat *Refusal
	for _, l := range labels { // the longest wait counts where several may be meant
		r := Refusal{Product: u.Product.ID, Name: u.Product.Name, Operation: u.ID, Date: date(u.Last()), Source: l.Source}
		if n := l.Wait.Days; n != nil {
			first := day(u.Last()).AddDate(0, 0, *n)
			if day(at).Before(first) && (days == nil || float64(*n) > days.Limit) {
				days = new(r)
				days.Gate, days.Earliest, days.Limit = Interval, date(first), float64(*n)
				days.Have = math.Round(day(at).Sub(day(u.Last())).Hours() / 24)
			}
		}
		if need := l.Wait.DegreeDays; need > 0 && (heat == nil || need > heat.Limit) {
			if h := Reckon(u.Last(), at, need, water); !h.Reached {
				heat = new(r)
				heat.Gate, heat.Earliest, heat.Estimate, heat.Limit = DegreeDays, h.Earliest, h.Earliest != "", need
				heat.Have, heat.Missing = h.Sum, h.Missing
			}
		}
	}
	var out []Refusal
	for _, r := range []*Refusal{days, heat} {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// checkUse holds the use of an input against its label, its lot, the bans and the
// uses before it.
func checkUse(act Act, h History) []Refusal {
	u := *act.Use
	base := Refusal{Product: u.Product.ID, Name: u.Product.Name, Date: date(u.At)}
	var out []Refusal
	refuse := func(g Gate, change func(*Refusal)) {
		r := base
		r.Gate = g
		if change != nil {
			change(&r)
		}
		out = append(out, r)
	}
	for _, b := range h.Bans.Find(u.Product, u.Target, u.At) {
		refuse(Banned, func(r *Refusal) { r.Name, r.Source = farm.Text{Zh: b.Name}, b.Source })
	}
	if !u.Lot.Usable(u.At) {
		refuse(LotExpired, func(r *Refusal) { r.Date = date(u.Lot.Expires.Add(-time.Nanosecond)) })
	}
	if !u.Product.Kind.ByLabel() {
		return out
	}
	label, ok := u.Product.LabelFor(u.Target)
	if !ok {
		refuse(NotOnLabel, nil)
		return out
	}
	base.Source = label.Source
	if label.NoLayers && u.Target.Laying {
		refuse(Laying, nil)
	}
	if label.NoMilked && u.Target.Milked {
		refuse(Milked, nil)
	}
	if !label.Dose.IsZero() {
		on := u.Quantity
		if u.Rate.N > 0 {
			on = u.Rate
		}
		switch dose, ok := label.Dose.Of(on, u.Extent); {
		case !ok:
			refuse(DoseUnknown, nil)
		case label.Dose.Exceeds(dose):
			refuse(OverDose, func(r *Refusal) { r.Limit, r.Have = label.Dose.Max, dose })
		}
	}
	if n := 1 + timesBefore(act, h.Uses); label.MaxUses > 0 && n > label.MaxUses {
		refuse(OverCount, func(r *Refusal) { r.Limit, r.Have = float64(label.MaxUses), float64(n) })
	}
	return out
}

// timesBefore counts the uses of the same product on the same crop or species in
// the season, other than the act's own and wherever in the season they lie: one
// that is recorded late counts as well.
func timesBefore(act Act, uses []Use) int {
	from := act.Season
	if from.IsZero() {
		from = act.At.AddDate(-1, 0, 0)
	}
	n := 0
	for _, u := range uses {
		if !u.Void && u.ID != act.Use.ID && !u.At.Before(from) &&
			u.Product.ID == act.Use.Product.ID && u.Target.Species == act.Use.Target.Species {
			n++
		}
	}
	return n
}

// licencesFor returns the kinds of licence that an act rests on.
func licencesFor(act Act) []farm.LicenceKind {
	switch {
	case act.Kind == Slaughter:
		return []farm.LicenceKind{farm.SlaughterLicence}
	case act.Kind == Exit && act.Target.Group == "livestock":
		return []farm.LicenceKind{farm.EpidemicLicence}
	case act.Kind == Catch || act.Kind == Harvest && act.Target.Group == "aquatic":
		return []farm.LicenceKind{farm.AquacultureLicence, farm.FishingLicence, farm.SeaUseLicence}
	default:
		return nil
	}
}

// checkLicences refuses where a licence of a kind that the act rests on was held
// for the site and none of the kind holds now. Who never recorded one is not
// refused: households need not have all of them.
func checkLicences(act Act, all []farm.Licence) []Refusal {
	var out []Refusal
	for _, kind := range licencesFor(act) {
		var last farm.Licence
		held := false
		for _, l := range all {
			if l.Kind != kind || l.Site != "" && l.Site != act.Site || act.At.Before(l.Issued) {
				continue
			}
			held = held || l.Covers(act.Site, act.At)
			if l.Expires.After(last.Expires) {
				last = l
			}
		}
		if !held && last.ID != "" {
			out = append(out, Refusal{Gate: Licence, Number: last.Number, Date: date(last.Expires)})
		}
	}
	return out
}

// Outstanding returns the refusals whose keys are not covered.
func Outstanding(refusals []Refusal, covered []string) []Refusal {
	return slices.DeleteFunc(slices.Clone(refusals), func(r Refusal) bool { return slices.Contains(covered, r.Key()) })
}

// beijing is the time that labels and farmers reckon in; there is no summer time.
func beijing() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// day returns the start of t's Beijing day.
func day(t time.Time) time.Time {
	y, m, d := t.In(beijing()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, beijing())
}

func date(t time.Time) string { return t.In(beijing()).Format(time.DateOnly) }
