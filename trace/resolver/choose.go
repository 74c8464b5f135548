package resolver

import (
	"slices"
	"strconv"
	"strings"
)

// A wish is what a request would like of the link that it is sent to.
type wish struct {
	languages, media []ranged // of Accept-Language and Accept
	context          string
}

// A ranged is one range of an Accept header with its weight (RFC 9110 §12.4.2).
type ranged struct {
	name string // in small letters
	q    float64
}

// parseAccept reads the ranges of an Accept header; what makes no sense is left out.
func parseAccept(header string) []ranged {
	var out []ranged
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		r := ranged{strings.ToLower(strings.TrimSpace(name)), 1}
		for p := range strings.SplitSeq(params, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
				q, err := strconv.ParseFloat(v, 64)
				if err != nil || !(q >= 0 && q <= 1) {
					q = 0
				}
				r.q = q
			}
		}
		if r.name != "" {
			out = append(out, r)
		}
	}
	return out
}

// How an attribute of a link stands to a wish: refused below, not asked or not
// said at, and met above neutral, by the weight of the wish.
const (
	refused = 0.0
	neutral = 1.0
)

// fit weighs one attribute. A wildcard, like no header, wishes nothing.
func fit(have string, want []ranged, same func(have, want string) bool) float64 {
	if have == "" || len(want) == 0 {
		return neutral
	}
	best := refused
	for _, w := range want {
		switch {
		case same(strings.ToLower(have), w.name):
			if w.q == 0 {
				return refused
			}
			best = max(best, neutral+w.q)
		case strings.HasPrefix(w.name, "*") && w.q > 0:
			best = max(best, neutral)
		}
	}
	return best
}

func sameLanguage(have, want string) bool {
	return have == want || strings.HasPrefix(have, want+"-") || strings.HasPrefix(want, have+"-")
}

func sameMedia(have, want string) bool {
	family, all := strings.CutSuffix(want, "/*")
	return have == want || all && family != "*" && strings.HasPrefix(have, family+"/")
}

// weigh returns how well a link does what is wished: the audience first, then the
// language, then the media type.
func (w wish) weigh(t target) []float64 {
	audience := neutral
	switch {
	case t.Context != "" && t.Context == w.context:
		audience = neutral + 1
	case t.Context != "":
		audience = refused
	}
	return []float64{audience, fit(t.Language, w.languages, sameLanguage), fit(t.Media, w.media, sameMedia)}
}

// best returns the links that do equally well and better than all others. Links that
// miss a wish count only where every link does.
func (w wish) best(targets []target) []target {
	if meet := slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return slices.Contains(w.weigh(t), refused) }); len(meet) > 0 {
		targets = meet
	}
	var best []target
	for _, t := range targets {
		order := 1
		if len(best) > 0 {
			order = slices.Compare(w.weigh(t), w.weigh(best[0]))
		}
		switch {
		case order > 0:
			best = []target{t}
		case order == 0:
			best = append(best, t)
		}
	}
	return best
}

// byDefault returns where a level leads when no type is asked for: to a
// defaultLinkMulti that meets a wish and misses none, else to the defaultLink.
func (w wish) byDefault(l level) []target {
	met := slices.DeleteFunc(l.of("defaultLinkMulti"), func(t target) bool {
		weight := w.weigh(t)
		return slices.Contains(weight, refused) || slices.Max(weight) <= neutral
	})
	if len(met) > 0 {
		return w.best(met)
	}
	return l.of(defaultLink)
}

// choose walks up from the most granular level to the first that has what is asked
// for, and returns the best of it; none where no level has.
func choose(levels []level, kind string, w wish) []target {
	for _, l := range levels {
		found := w.byDefault(l)
		if kind != "" && kind != defaultLink {
			found = w.best(l.of(kind))
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}
