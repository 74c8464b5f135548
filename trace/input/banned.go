package input

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tianhai/farm"
)

// shipped is the list of banned substances with the announcement that each is
// read from. What it does not hold, and why, is said in docs/inputs.md.
//
//go:embed banned.csv
var shipped []byte

// A Ban forbids a substance on some crops or animals.
type Ban struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"` // other names, and salts and esters, each listed
	CAS     string   `json:"cas,omitempty"`
	// Scope lists what it is forbidden on: "crops" or "animals" for all of them, a
	// group ("tea", "aquatic"), or a species ("citrus").
	Scope  []string `json:"scope"`
	Source string   `json:"source"` // the announcement, with its date

	From  time.Time `json:"from,omitzero"`  // in force from then on; zero: as long as anybody remembers
	Until time.Time `json:"until,omitzero"` // lifted from then on; zero: in force
}

// An OwnBan is one that an administrator has added, or one that lifts it.
type OwnBan struct {
	ID string `json:"id"` // ULID
	Ban
	Lifts    string    `json:"lifts,omitempty"` // the ban that this one ends when it begins
	Recorded time.Time `json:"recorded"`
	Account  string    `json:"account"`
}

// A List is banned substances.
type List []Ban

// Banned returns the list that is shipped.
func Banned() List {
	l, err := ParseBans(bytes.NewReader(shipped))
	if err != nil {
		panic(err) // a test reads it
	}
	return l
}

// ParseBans reads a list from CSV with the header name, aliases, cas, scope,
// source; several aliases or scopes are divided by "|". Errors name the line.
func ParseBans(r io.Reader) (List, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord, rows.TrimLeadingSpace = 5, true
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read banned substances: %w", err)
	}
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	if want := []string{"name", "aliases", "cas", "scope", "source"}; !slices.Equal(head, want) {
		return nil, fmt.Errorf("read banned substances: line 1: the columns are %q, not %q", head, want)
	}
	var l List
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read banned substances: %w", err)
		}
		b := Ban{Name: strings.TrimSpace(row[0]), Aliases: divide(row[1]), CAS: row[2], Scope: divide(row[3]), Source: row[4]}
		if err := b.Check(); err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("read banned substances: line %d: %w", line, err)
		}
		l = append(l, b)
	}
}

// Check returns a *FieldError for the first thing that keeps b from being a ban.
func (b Ban) Check() error {
	if fold(b.Name) == "" {
		return field("name", "is missing")
	}
	if err := checkText("source", b.Source, true); err != nil {
		return err
	}
	if b.CAS != "" && !validCAS(b.CAS) {
		return field("cas", "is no CAS number, or its check digit is wrong")
	}
	if len(b.Scope) == 0 {
		return field("scope", "is missing")
	}
	if len(b.Scope) > maxScope || len(b.Aliases) > maxScope {
		return field("scope", "or aliases are more than %d", maxScope)
	}
	for _, s := range b.Scope {
		if farm.CheckID(s) != nil {
			return field("scope", "holds what is neither crops, animals, a group nor a species")
		}
	}
	for _, a := range append([]string{b.Name}, b.Aliases...) {
		if fold(a) == "" {
			return field("aliases", "hold an empty name")
		}
		if err := checkText("name", a, true); err != nil {
			return err
		}
	}
	return nil
}

// maxScope is how many crops or animals, and how many other names, a ban has at most.
const maxScope = 100

// Find returns the bans that an active ingredient of p falls under when used on t at
// a time.
// Names are compared without case, width, spaces and hyphens;
// a name that only contains a banned one is not banned: 甲基对硫磷 is not 对硫磷.
func (l List) Find(p Product, t Target, at time.Time) []Ban {
	var found []Ban
	for _, b := range l {
		if !at.Before(b.From) && (b.Until.IsZero() || at.Before(b.Until)) && b.covers(t) && slices.ContainsFunc(p.Actives, b.is) {
			found = append(found, b)
		}
	}
	return found
}

func (b Ban) is(a Active) bool {
	if a.CAS != "" && a.CAS == b.CAS {
		return true
	}
	name := fold(a.Name)
	return name == fold(b.Name) || slices.ContainsFunc(b.Aliases, func(s string) bool { return fold(s) == name })
}

func (b Ban) covers(t Target) bool {
	return slices.ContainsFunc(b.Scope, func(s string) bool {
		switch s {
		case "crops":
			return t.Group == "tea" || t.Group == "vegetable" || t.Group == "fruit" || t.Group == "crop"
		case "animals":
			return t.Group == "livestock" || t.Group == "aquatic"
		default:
			return s == t.Group || s == t.Species
		}
	})
}

func divide(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '|' })
}

// fold brings a name to the form in which names are compared: half-width, capital,
// without spaces, hyphens, dots, commas and brackets.
func fold(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		switch {
		case r == '\u3000':
			return -1
		case '\uff01' <= r && r <= '\uff5e':
			r -= 0xfee0
		}
		if strings.ContainsRune(" \t-‐–—·.,()[]'′", r) {
			return -1
		}
		return r
	}, s))
}
