package resolver

import (
	"errors"
	"regexp"
	"time"
)

// A Company is a GS1 company prefix that an operator states as its own or a partner's.
// Nobody but who was given one knows how many digits of a key it is; EPC URNs say so.
type Company struct {
	Prefix  string    `json:"prefix"` // 6 to 12 digits
	Tenant  string    `json:"tenant"`
	Account string    `json:"account"`
	Stated  time.Time `json:"created"`
}

// MaxCompanies is how many an operator may state.
const MaxCompanies = 50

// ErrCompanies reports an operator that stated MaxCompanies.
var ErrCompanies = errors.New("the operator has as many company prefixes as it may")

var companyPrefix = regexp.MustCompile(`^[0-9]{6,12}$`)

// IsCompany reports whether a text is of the form of a company prefix.
func IsCompany(prefix string) bool { return companyPrefix.MatchString(prefix) }
