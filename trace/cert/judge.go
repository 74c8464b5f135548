package cert

import (
	"math/big"
	"regexp"
	"strings"
)

// Verdict is what a test says of a batch; empty where nothing was judged.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass" // 合格
	Fail Verdict = "fail" // 不合格
)

// A finding is what was found, by the forms in which laboratories write it.
type finding struct {
	form  form
	value *big.Rat // of a number, or what it is below
}

type form int

const (
	number      form = iota // 0.023
	below                   // <0.01, 未检出(<0.01): less than the method can tell
	notDetected             // 未检出, ND
	negative                // 阴性
	positive                // 阳性
)

// A bound is what a standard allows.
type bound struct {
	kind  boundKind
	value *big.Rat
}

type boundKind int

const (
	unbounded boundKind = iota // no limit is set
	atMost                     // 0.5, ≤0.5
	atLeast                    // ≥6.5
	absent                     // 不得检出
)

var (
	decimal     = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,12})?$`)
	undetected  = regexp.MustCompile(`^(?i:未检出|nd|n\.d\.|not detected)(?:\((.*)\))?$`)
	halfwidth   = strings.NewReplacer("＜", "<", "（", "(", "）", ")", "≦", "≤", "≧", "≥", "<=", "≤", ">=", "≥", "．", ".")
	mustBeNone  = []string{"不得检出", "not to be detected", "阴性", "negative"}
	noLimitSigs = []string{"", "-", "—", "/"}
)

// parseDecimal reads a number as reports print it. What it returns is exact.
func parseDecimal(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if !decimal.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func parseFinding(s string) (finding, bool) {
	s = strings.TrimSpace(halfwidth.Replace(s))
	switch strings.ToLower(s) {
	case "阴性", "negative":
		return finding{form: negative}, true
	case "阳性", "positive":
		return finding{form: positive}, true
	}
	if m := undetected.FindStringSubmatch(s); m != nil {
		if s = strings.TrimSpace(m[1]); s == "" {
			return finding{form: notDetected}, !strings.HasSuffix(m[0], ")")
		}
		if !strings.HasPrefix(s, "<") {
			return finding{}, false
		}
	}
	if rest, ok := strings.CutPrefix(s, "<"); ok {
		v, ok := parseDecimal(rest)
		return finding{below, v}, ok
	}
	v, ok := parseDecimal(s)
	return finding{number, v}, ok
}

func parseBound(s string) (bound, bool) {
	s = strings.TrimSpace(halfwidth.Replace(s))
	for _, none := range noLimitSigs {
		if s == none {
			return bound{}, true
		}
	}
	for _, none := range mustBeNone {
		if strings.EqualFold(s, none) {
			return bound{kind: absent}, true
		}
	}
	kind := atMost
	if rest, ok := strings.CutPrefix(s, "≥"); ok {
		kind, s = atLeast, rest
	} else {
		s = strings.TrimPrefix(s, "≤")
	}
	v, ok := parseDecimal(s)
	return bound{kind, v}, ok
}

// judge returns the verdict that follows; none where result and limit do not decide
// it, such as a result below 0.05 against a limit of 0.02. Numbers are compared as
// they are written, without rounding (GB/T 8170-2008 § 4.3.2).
func judge(f finding, b bound) Verdict {
	switch b.kind {
	case atMost:
		return judgeMost(f, b.value)
	case atLeast:
		return judgeLeast(f, b.value)
	case absent:
		switch f.form {
		case number:
			return verdict(f.value.Sign() == 0)
		case positive:
			return Fail
		default:
			return Pass
		}
	}
	return ""
}

func judgeMost(f finding, most *big.Rat) Verdict {
	switch f.form {
	case number:
		return verdict(f.value.Cmp(most) <= 0)
	case below:
		if f.value.Cmp(most) <= 0 {
			return Pass
		}
	case notDetected:
		return Pass
	}
	return "" // a strip that is positive or negative says so of its own limit
}

func judgeLeast(f finding, least *big.Rat) Verdict {
	switch f.form {
	case number:
		return verdict(f.value.Cmp(least) >= 0)
	case below:
		if f.value.Cmp(least) <= 0 {
			return Fail
		}
	case notDetected:
		if least.Sign() > 0 {
			return Fail
		}
	}
	return ""
}

func verdict(ok bool) Verdict {
	if ok {
		return Pass
	}
	return Fail
}
