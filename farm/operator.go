package farm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// OperatorKind is what a tenant is before the law.
type OperatorKind string

// The kinds of operator. Households and vessels may be natural persons, who have
// no credit code.
const (
	Enterprise  OperatorKind = "enterprise"
	Cooperative OperatorKind = "cooperative"
	Household   OperatorKind = "household"
	VesselOwner OperatorKind = "vessel"
)

// OperatorKinds lists every kind of operator.
func OperatorKinds() []OperatorKind {
	return []OperatorKind{Enterprise, Cooperative, Household, VesselOwner}
}

// The characters of a credit code, whose place is their value: digits and
// capitals without I, O, S, V and Z.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// CheckCreditCode reports why s cannot be a 统一社会信用代码: 18 characters, of which
// the last is the check character of the others.
//
// Source: GB 32100-2015, 4 and annex A (weights 3^i mod 31, modulus 31).
func CheckCreditCode(s string) error {
	if len(s) != 18 {
		return fmt.Errorf("credit code has %d characters, not 18", len(s))
	}
	sum, weight := 0, 1
	for i := range 17 {
		v := strings.IndexByte(creditAlphabet, s[i])
		if v < 0 {
			return fmt.Errorf("credit code has %q as character %d; it is made of 0-9 and A-Z without I, O, S, V, Z", s[i], i+1)
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	if want := creditAlphabet[(31-sum%31)%31]; s[17] != want {
		return fmt.Errorf("credit code ends in %q, its check character is %q: a character is wrong", s[17], want)
	}
	return nil
}

// CheckPersonNumber reports why s cannot be a 公民身份号码: 17 digits, among them a
// date of birth that is past at now, and a check character. The error does not
// repeat the number.
//
// Source: GB 11643-1999 (ISO 7064, MOD 11-2).
func CheckPersonNumber(s string, now time.Time) error {
	if len(s) != 18 {
		return errors.New("identity number is not 18 characters long")
	}
	remainder := 0
	for i := range 17 {
		if s[i] < '0' || s[i] > '9' {
			return fmt.Errorf("identity number has something other than a digit as character %d", i+1)
		}
		remainder = (remainder + int(s[i]-'0')) * 2 % 11
	}
	if s[17] != "10X98765432"[remainder] {
		return errors.New("identity number does not fit its check character: a character is wrong")
	}
	if born, err := time.Parse("20060102", s[6:14]); err != nil || born.Year() < 1900 || born.After(now) {
		return errors.New("identity number names no date of birth in characters 7 to 14")
	}
	return nil
}

// Check reports everything that keeps t from being an operator: an unusable
// identifier, a missing Chinese name, an unknown kind, a credit code that is
// wrong, or lacking where the kind needs one.
func (t Tenant) Check() error {
	errs := []error{CheckID(t.ID)}
	if t.Name.Zh == "" {
		errs = append(errs, errors.New("name.zh is missing"))
	}
	switch t.Kind {
	case Enterprise, Cooperative:
		if t.CreditCode == "" {
			errs = append(errs, fmt.Errorf("credit_code is missing: every %s has one", t.Kind))
		}
	case Household, VesselOwner, "":
	default:
		errs = append(errs, fmt.Errorf("kind %q is none of %v", t.Kind, OperatorKinds()))
	}
	if t.CreditCode != "" {
		errs = append(errs, CheckCreditCode(t.CreditCode))
	}
	return errors.Join(errs...)
}
