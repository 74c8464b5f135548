package farm

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// LicenceKind is what a licence allows.
type LicenceKind string

// The kinds of licence. Their names on screen are the law's.
const (
	AquacultureLicence LicenceKind = "aquaculture"     // 水域滩涂养殖证
	SeedLicence        LicenceKind = "aquatic_seed"    // 水产苗种生产许可证
	FishingLicence     LicenceKind = "fishing"         // 渔业捕捞许可证
	EpidemicLicence    LicenceKind = "animal_epidemic" // 动物防疫条件合格证
	BreedingLicence    LicenceKind = "animal_breeding" // 种畜禽生产经营许可证
	SlaughterLicence   LicenceKind = "slaughter"       // 定点屠宰证
	FoodLicence        LicenceKind = "food"            // 食品生产许可证
	SeaUseLicence      LicenceKind = "sea_use"         // 海域使用权证
	OtherLicence       LicenceKind = "other"
)

// LicenceKinds lists every kind of licence.
func LicenceKinds() []LicenceKind {
	return []LicenceKind{AquacultureLicence, SeedLicence, FishingLicence, EpidemicLicence, BreedingLicence, SlaughterLicence, FoodLicence, SeaUseLicence, OtherLicence}
}

// maxLicenceText bounds number and issuer, in bytes.
const maxLicenceText = 200

// A Licence allows a tenant something, everywhere or at one site. It is never
// edited: a renewal is another licence.
type Licence struct {
	ID       string      `json:"id"` // ULID
	Tenant   string      `json:"tenant"`
	Site     string      `json:"site,omitempty"` // empty: all of the tenant's
	Kind     LicenceKind `json:"kind"`
	Number   string      `json:"number"`
	Issuer   string      `json:"issuer"`
	Issued   time.Time   `json:"issued"`           // its day begins in Beijing
	Expires  time.Time   `json:"expires,omitzero"` // the first moment at which it no longer holds; zero: never
	Recorded time.Time   `json:"recorded"`
	Account  string      `json:"-"` // who recorded it
}

// Covers reports whether the licence holds at t for a site.
func (l Licence) Covers(site string, t time.Time) bool {
	return (l.Site == "" || l.Site == site) && !t.Before(l.Issued) && (l.Expires.IsZero() || t.Before(l.Expires))
}

// Check reports everything that keeps l from being a licence.
func (l Licence) Check() error {
	var errs []error
	if !slices.Contains(LicenceKinds(), l.Kind) {
		errs = append(errs, fmt.Errorf("kind %q is none of %v", l.Kind, LicenceKinds()))
	}
	for _, f := range []struct{ name, value string }{{"number", l.Number}, {"issuer", l.Issuer}} {
		if f.value == "" || len(f.value) > maxLicenceText {
			errs = append(errs, fmt.Errorf("%s is not 1 to %d bytes long", f.name, maxLicenceText))
		}
	}
	if l.Issued.IsZero() {
		errs = append(errs, errors.New("issued is missing"))
	}
	if !l.Expires.IsZero() && !l.Issued.Before(l.Expires) {
		errs = append(errs, errors.New("expires is not after issued"))
	}
	return errors.Join(errs...)
}
