package consumer

import (
	"cmp"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/label"
	"tianhai/trace/ledger"
)

const (
	maxOperations = 60 // shown; the rest is in the record
	inSight       = 10 // of them not folded away; medicines never are
	maxGaps       = 4  // told in words per quantity
	lateAfter     = 36 * time.Hour
)

// base is what every page has.
type base struct {
	Lang    string
	Title   string
	Style   template.CSS
	Langs   []langLink
	Foreign bool // neither Chinese nor checked by those who speak it
	catalog *i18n.Catalog
	names   trace.Words // sealed with the record
	code    string
	harvest time.Time // of the record
	thumbs  bool      // pictures have small copies
}

type langLink struct {
	Tag, Name, Href string
	Current         bool
}

// T returns the message under key in the page's language.
func (b base) T(key string, args ...string) string { return b.catalog.T(b.Lang, key, args...) }

// word returns the message under prefix.name, or the name itself.
func (b base) word(prefix, name string) string {
	key := prefix + "." + name
	if msg := b.T(key); msg != key {
		return msg
	}
	return name
}

// kind returns the message under key.kind where there is one, else under key.
func (b base) kind(key string, kind trace.ProductKind) string {
	if msg := b.T(key + "." + string(kind)); msg != key+"."+string(kind) {
		return msg
	}
	return b.T(key)
}

// base begins the answer to a request for a page. Its links to other languages ask
// for the same page.
func (s *server) base(w http.ResponseWriter, r *http.Request, titleKey string) base {
	b := base{Lang: s.language(w, r), Style: s.style, catalog: s.Catalog}
	b.Foreign = b.Lang != i18n.Default
	query := r.URL.Query()
	for _, tag := range s.Catalog.ConsumerLanguages() {
		query.Set("lang", tag)
		b.Langs = append(b.Langs, langLink{tag, s.Catalog.T(tag, "language.name"), "?" + query.Encode(), tag == b.Lang})
	}
	b.Title = b.T(titleKey)
	return b
}

// view is a record and how it stands.
type view struct {
	state     state
	proof     ledger.Proof
	public    trace.PublicRecord
	key       string   // of the log that the record is in
	witnesses []string // that cosigned, where a quorum has
	recalls   []recalled
}

// page is the consumer page of one batch. Sealed paths name where in the sealed
// body a text stands, for the check script to compare.
type page struct {
	base
	State         state
	Recalls       []recallBanner // shown before everything else
	Recalled      bool           // one of them is open
	Packet        *shownPacket   // nil where the code is the batch's
	Code, Grouped string
	Site          string // address of this server, for paper
	Kind          trace.ProductKind
	Icon          string // of the species, where one is drawn, else of the kind
	Cover         *photo // of the harvest; nil where there is none
	Product       sealedText
	Producer      sealedText
	Summary       string // one sentence for search engines and link previews
	Facts, Maker  []fact
	Notes         []note
	Made          *made // of other batches; nil where it was harvested as it is
	Blend         bool
	Operations    []operation
	Earlier       []operation // folded away
	More          int         // operations that are not shown at all
	Period        string
	Recorded      bool
	Hashed        bool // its evidence can be recomputed
	Series        []series
	Transport     shownTransport
	Origin        string // of the log
	Index, Size   int64
	Closed        moment
	Key           string
	Asked         bool     // witnesses are asked for
	Witnesses     []string // that cosigned; none as long as they are too few
	WitnessKeys   []string
	Quorum        int
	Script        string
	Assurance     shownAssurance
	Looks         string // how often the code was looked at
	Link          string // GS1 Digital Link; "" where the producer holds no GTIN
	Complain      bool
}

// sealedText is a text and its path in the sealed body; Lang is the language it is in,
// where that is not the page's.
type sealedText struct{ Text, Path, Lang string }

// fact is one line of a list.
type fact struct {
	Name  string
	Parts []sealedText
	Join  string // between parts; a dot where it is empty
	Value string // machine-readable, for the first part; "" where there is none
	Unit  string
	Tel   string
	Code  bool
}

type moment struct{ Machine, Text string }

// Unbroken is the text for a sentence: its hyphens end no line.
func (m moment) Unbroken() string { return unbroken(m.Text) }

func unbroken(date string) string { return strings.ReplaceAll(date, "-", "\u2060-\u2060") }

type operation struct {
	Kind, Class string
	Lang        string // of the names, where it is not the page's
	At          moment
	Items       []item
	Photos      []photo
	Met         string // its interval, until the harvest
	Late        string
	Corrected   []operation // what this one replaces, oldest mistake last
}

type item struct{ Name, Value string }

type photo struct{ Href, Small, Alt string }

// newPage lays out a record.
func newPage(s *server, b base, rec trace.Record, v view) page {
	p := page{base: b, State: v.state, Code: rec.Code, Grouped: label.Group(rec.Code), Site: s.PublicURL, Key: v.key, Script: s.VerifyScript()}
	for _, r := range v.recalls {
		p.Recalls = append(p.Recalls, b.recall(r))
		p.Recalled = p.Recalled || r.open()
	}
	if v.state == broken {
		return p
	}
	r := v.public
	b.names, b.code, b.harvest, b.thumbs = s.words(r), rec.Code, r.Harvest, s.Thumb != nil
	p.base, p.Kind, p.Icon = b, r.Product.Kind, icon(r.Product)
	p.Product, p.Producer = b.text("product.name", r.Product.Name), b.personal(r, "producer.name", r.Producer.Name)
	p.Origin, p.Index, p.Size = v.proof.Origin, v.proof.Index, v.proof.Size
	p.Asked, p.Witnesses, p.WitnessKeys, p.Quorum = s.Policy.Quorum > 0, v.witnesses, s.Policy.Witnesses, s.Policy.Quorum
	p.Link, _ = label.DigitalLinks{Base: s.PublicURL}.Address(label.Item{Code: rec.Code, Lot: r.Lot, GTIN: r.Product.GTIN})
	p.Closed = at(r.Closed)
	p.Facts, p.Maker = b.facts(r), b.maker(r)
	p.Made, p.Blend = b.made(r), r.Blend
	if s.Cover != nil && !r.Blend {
		p.Cover = b.cover(r.Operations)
	}
	p.Operations, p.More = b.operations(r.Operations)
	p.Operations, p.Earlier = fold(p.Operations)
	p.Period = b.T("consumer.period", "from", at(r.Evidence.From).Unbroken(), "to", at(r.Evidence.To).Unbroken())
	p.Recorded, p.Hashed = r.Evidence.Recorded, r.Evidence.Version == trace.EvidenceVersion && len(r.Evidence.Series) > 0
	for i, e := range r.Evidence.Series {
		p.Series = append(p.Series, b.series(e, r.Evidence, i))
	}
	b.sayOnce(p.Series)
	p.Title = b.T("consumer.title.of", "product", p.Product.Text)
	if p.Recalled {
		p.Title = b.T("consumer.recall.line") + " · " + p.Title
	}
	p.Summary = b.T("consumer.summary", "product", p.Product.Text, "producer", p.Producer.Text, "lot", r.Lot)
	return p
}

// text picks the language of a name and says where it stands.
func (b base) text(path string, t farm.Text) sealedText {
	out := sealedText{Text: t.In(b.Lang), Path: path + ".zh", Lang: b.foreign(t)}
	if out.Text == t.En && t.En != t.Zh {
		out.Path = path + ".en"
	}
	return out
}

// foreign returns the language that a name is shown in, where it is not the page's:
// names are given in Chinese and English, and are not translated by us.
func (b base) foreign(t farm.Text) string {
	shown := "en"
	if t.In(b.Lang) == t.Zh {
		shown = i18n.Default
	}
	if shown == b.Lang || t.In(b.Lang) == "" {
		return ""
	}
	return shown
}

func (b base) facts(r trace.PublicRecord) []fact {
	place := []sealedText{{Text: b.T("consumer.guangxi")}}
	for _, part := range []sealedText{b.text("origin.prefecture", r.Origin.Prefecture), b.text("origin.town", r.Origin.Town)} {
		if part.Text != "" {
			place = append(place, part)
		}
	}
	quantity := strconv.FormatFloat(r.Quantity, 'f', -1, 64)
	shown := b.local(quantity)
	facts := []fact{
		{Name: b.placeName(r), Parts: place},
		{Name: b.T("consumer.site"), Parts: []sealedText{{Text: b.word("site_kind", string(r.Origin.Kind))}, b.personal(r, "origin.site", r.Origin.Site)}},
		{Name: b.T("consumer.lot"), Parts: []sealedText{{Text: r.Lot, Path: "lot"}}},
		{Name: b.T("consumer.quantity"), Parts: []sealedText{{Text: shown, Path: "quantity"}}, Value: quantity, Unit: b.unit(r.Unit)},
		{Name: b.kind("consumer.grown", r.Product.Kind), Parts: []sealedText{{Text: unbroken(day(r.Began))}, {Text: unbroken(day(r.Harvest))}}, Join: " – "},
		{Name: b.kind("consumer.harvest", r.Product.Kind), Parts: []sealedText{{Text: day(r.Harvest)}}},
		{Name: b.T("consumer.code"), Parts: []sealedText{{Text: label.Group(r.Code)}}, Code: true},
	}
	if r.Product.GTIN != "" {
		facts = append(facts, fact{Name: b.T("consumer.gtin"), Parts: []sealedText{{Text: r.Product.GTIN, Path: "product.gtin"}}, Code: true})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Parts[len(f.Parts)-1].Text == "" })
}

// placeName is what the place of a record is: of a blend, where it was blended.
func (b base) placeName(r trace.PublicRecord) string {
	if r.Blend {
		return b.T("consumer.blended_at")
	}
	return b.T("consumer.origin")
}

// personal is text, or that it was erased.
func (b base) personal(r trace.PublicRecord, path string, t farm.Text) sealedText {
	if r.Erased(path + ".zh") {
		return sealedText{Text: b.T("consumer.erased")}
	}
	return b.text(path, t)
}

func (b base) maker(r trace.PublicRecord) []fact {
	p := r.Producer
	facts := []fact{{Name: b.T("consumer.producer"), Parts: []sealedText{b.personal(r, "producer.name", p.Name)}}}
	if r.Erased("producer.phone") {
		facts = append(facts, fact{Name: b.T("consumer.phone"), Parts: []sealedText{{Text: b.T("consumer.erased")}}})
	}
	if p.CreditCode != "" {
		facts = append(facts, fact{Name: b.T("consumer.credit_code"), Parts: []sealedText{{Text: p.CreditCode, Path: "producer.credit_code"}}, Code: true})
	}
	if p.Phone != "" {
		facts = append(facts, fact{Name: b.T("consumer.phone"), Parts: []sealedText{{Text: p.Phone, Path: "producer.phone"}}, Tel: p.Phone})
	}
	return facts
}

// icon names the drawing for a product: base.html has one of some species, and one of
// each kind.
func icon(p trace.Product) string {
	switch p.Species {
	case "cattle", "poultry", "eggs", "fish", "shrimp", "pearl":
		return p.Species
	}
	return string(p.Kind)
}

// unit writes a UCUM code as people do.
func (b base) unit(ucum string) string {
	parts := strings.Split(ucum, "/")
	for i, part := range parts {
		namespace := "unit"
		if i > 0 && b.T("unit.per."+part) != "unit.per."+part {
			namespace = "unit.per" // a day, not days
		}
		parts[i] = strings.Trim(b.word(namespace, part), "{}[]")
	}
	return strings.Join(parts, "/")
}

// operations lists what was done, newest first, each with what it replaces.
func (b base) operations(done []trace.PublicOperation) (shown []operation, more int) {
	byID := map[string]trace.PublicOperation{}
	for _, o := range done {
		byID[o.ID] = o
	}
	for _, o := range slices.Backward(done) {
		if _, known := byID[o.CorrectedBy]; known {
			continue // stands below its correction
		}
		if len(shown) == maxOperations {
			more++
			continue
		}
		entry := b.operation(o)
		for wrong, ok := byID[o.Corrects]; ok && len(entry.Corrected) < len(done); wrong, ok = byID[wrong.Corrects] {
			entry.Corrected = append(entry.Corrected, b.operation(wrong))
		}
		shown = append(shown, entry)
	}
	return shown, more
}

// cover is the first picture of the latest harvest that has one and stands.
func (b base) cover(done []trace.PublicOperation) *photo {
	for _, o := range slices.Backward(done) {
		shown := b.operation(o)
		if shown.Class != "harvest" || o.CorrectedBy != "" || len(shown.Photos) == 0 {
			continue
		}
		p := shown.Photos[0]
		return &photo{Href: strings.Replace(p.Href, "/photo/", "/cover/", 1), Alt: p.Alt + " · " + shown.Kind + " · " + day(o.At)}
	}
	return nil
}

// photo is a picture that the record names, as it stands in the timeline.
func (b base) photo(hash string) photo {
	p := photo{Href: "/t/" + b.code + "/photo/" + hash, Alt: b.T("consumer.photo")}
	p.Small = p.Href
	if b.thumbs {
		p.Small = "/t/" + b.code + "/thumb/" + hash
	}
	return p
}

// timeline is some operations with the words that go with them.
type timeline struct {
	base
	Operations []operation
}

// TimelineOf gives operations to the template of that name.
func (p page) TimelineOf(ops []operation) timeline { return timeline{p.base, ops} }

// fold keeps the newest operations and every use of medicine in sight.
func fold(all []operation) (inView, earlier []operation) {
	for i, o := range all {
		if i < inSight || o.Class == "medicine" {
			inView = append(inView, o)
		} else {
			earlier = append(earlier, o)
		}
	}
	return inView, earlier
}

func (b base) operation(o trace.PublicOperation) operation {
	word := b.names.Operations[o.Kind]
	out := operation{Kind: cmp.Or(word.Name.In(b.Lang), o.Kind), Lang: b.foreign(word.Name), At: at(o.At)}
	switch {
	case o.Kind == catalog.Void:
		out.Class = "void"
	case word.Medicine:
		out.Class = "medicine"
	case word.Stage == "harvest" || o.Kind == "slaughter":
		out.Class = "harvest"
	}
	for _, i := range o.Items {
		switch kind := b.names.Items[i.Key].Type; {
		case isPhoto(b.names, i):
			out.Photos = append(out.Photos, b.photo(i.Value))
		case i.Value == catalog.Dash || kind == catalog.Lot || kind == catalog.Batch || identifies(i.Value):
			// What does not apply, or an identifier of ours, tells a consumer nothing; it stands
			// in the record.
		default:
			out.Items = append(out.Items, b.item(i))
		}
	}
	out.Met = b.met(o)
	if o.Recorded.Sub(o.At) > lateAfter {
		out.Late = b.T("consumer.late", "time", at(o.Recorded).Text)
	}
	return out
}

// met says that the interval of a medicine was over at the harvest, its days counted as
// the gates do (docs/decisions/0046); "" where it has none in days, or was not over: a
// note says then who allowed it.
func (b base) met(o trace.PublicOperation) string {
	last, wait := day(o.At), -1.0
	for _, i := range o.Items {
		switch {
		case (i.Key == "interval" || i.Key == "withdrawal") && i.Unit == "d":
			if days, err := strconv.ParseFloat(i.Value, 64); err == nil {
				wait = days
			}
		case i.Key == "stop":
			last = max(last, i.Value)
		}
	}
	used, err := time.Parse(time.DateOnly, last)
	if err != nil || wait < 0 || o.CorrectedBy != "" {
		return ""
	}
	harvest, err := time.Parse(time.DateOnly, day(b.harvest))
	days := int(harvest.Sub(used).Hours() / 24)
	if err != nil || harvest.Before(used) || float64(days) < wait {
		return ""
	}
	return b.T("consumer.interval.met", "n", strconv.Itoa(days))
}

// identifies reports whether a value is the ID of a lot or batch, also in a record from
// before items had the types of these.
func identifies(value string) bool { return ours.MatchString(value) }

var ours = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`) // a ULID

func (b base) item(i trace.Item) item {
	value := i.Value
	if choice, ok := b.names.Choices[i.Key+"."+i.Value]; ok {
		value = choice.In(b.Lang)
	}
	if i.Unit != "" {
		value = b.local(value) + " " + b.unit(i.Unit)
	}
	return item{cmp.Or(b.names.Items[i.Key].Name.In(b.Lang), i.Key), value}
}

// words returns the names that were sealed with a record; for one from before they
// were, those that the program was shipped with.
func (s *server) words(r trace.PublicRecord) trace.Words {
	if r.Words != nil {
		return *r.Words
	}
	return s.shipped
}

// shippedWords returns the names that the program was shipped with.
func shippedWords() trace.Words {
	w := trace.Words{Operations: map[string]trace.OperationWord{}, Items: map[string]trace.ItemWord{}}
	c := catalog.Default()
	for _, o := range c.Operations {
		w.Operations[o.Kind] = trace.OperationWord{Name: o.Name, Stage: o.Stage, Medicine: o.Medicine}
	}
	for _, k := range c.Items {
		w.Items[k.Key] = trace.ItemWord{Name: k.Name, Type: k.Type}
	}
	return w
}

// beijing is China Standard Time, which has had no summer time since 1991.
func beijing(t time.Time) time.Time { return t.In(time.FixedZone("CST", 8*3600)) }

func at(t time.Time) moment {
	return moment{t.UTC().Format(time.RFC3339), beijing(t).Format("2006-01-02 15:04")}
}

func day(t time.Time) string { return beijing(t).Format("2006-01-02") }
