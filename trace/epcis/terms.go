package epcis

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Term is one thing that a query may ask of an event: a field, as the query
// language names it behind the operator, and what it says. Terms are the whole index
// of events: the query language is written on them alone.
//
// Text is in the one form that queries compare: identification keys as canonical
// Digital Links, words of the vocabulary as URIs, numbers in their shortest form. A
// field that may be asked for as a number or a time has a term with Number, a time in
// Unix microseconds, beside.
type Term struct {
	Field   string
	Text    string
	Number  float64
	Numeric bool // Number counts, and not Text
}

// TimeOf is the name of the terms that hold the times of an extension. A number is
// never compared with a time.
func TimeOf(field string) string { return field + "@time" }

// maxTerm is how long a text or a field may be in an index, in bytes.
const maxTerm = 240

// bounded returns s, or where it is longer than an index takes, its beginning and its
// hash: equality stays what it is.
func bounded(s string) string {
	s = strings.ReplaceAll(s, "\x00", "\uFFFD") // which PostgreSQL does not keep
	if len(s) <= maxTerm {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	cut := maxTerm - 2*len(sum)
	for s[cut]&0xC0 == 0x80 { // not within a character
		cut--
	}
	return s[:cut] + hex.EncodeToString(sum[:])
}

// Names are the namespaces that prefixes stand for.
type Names map[string]string

// standardNames are the prefixes of GS1's own context.
func standardNames() Names {
	return Names{
		"cbv": cbv, "gs1": voc, "cbvmda": "urn:epcglobal:cbv:mda:", "epcis": "https://ref.gs1.org/epcis/",
		"dcterms": "http://purl.org/dc/terms/", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
		"rdfs": "http://www.w3.org/2000/01/rdf-schema#", "owl": "http://www.w3.org/2002/07/owl#",
		"xsd": "http://www.w3.org/2001/XMLSchema#", "schema": "http://schema.org/",
	}
}

// NamesOf returns what prefixes stand for in contexts as they are parsed, the inner
// ones last; what none of them declares is as in GS1's own.
func NamesOf(contexts ...any) Names {
	names := standardNames()
	for prefix, uri := range namespaces(contexts...) {
		names[prefix] = uri
	}
	return names
}

// ParseNames is NamesOf for the JSON of one context. It fails where that is not one.
func ParseNames(raw []byte) (Names, error) {
	_, v, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	return NamesOf(v), nil
}

// Field returns the name of an extension in full where its prefix is known, and as it
// is otherwise.
func (n Names) Field(name string) string { return bounded(n.expand(name)) }

func (n Names) expand(text string) string {
	prefix, local, found := strings.Cut(text, ":")
	if uri, known := n[prefix]; found && known {
		return uri + local
	}
	return text
}

// Text returns a text in the form that is compared.
func (n Names) Text(text string) string {
	text = n.expand(strings.TrimSpace(text))
	if len(text) >= len("2006-01-02T") && text[4] == '-' {
		text = canonicalTime(text)
	}
	return bounded(canonicalKey(canonicalNumber(oldVocabulary.Replace(text))))
}

// Word returns a value of a field of the standard in the form that is compared: a
// bare word of the field's vocabulary is its URI. Fields are named as in Term; those
// of transactions, sources and destinations by the list alone, for their types.
func (n Names) Word(field, text string) string {
	if v, ok := vocabularyOf[field]; ok {
		text = v.expand(strings.TrimSpace(text))
	}
	return n.Text(text)
}

var vocabularyOf = map[string]vocabulary{
	"bizStep": bizSteps, "disposition": dispositions, "persistentDisposition_set": dispositions, "persistentDisposition_unset": dispositions,
	"errorReason": errorReasons, "type": measurements, "exception": alerts, "component": components,
	"bizTransaction": bizTransactionTypes, "source": sourceTypes, "destination": sourceTypes,
}

// Standard reports whether a text is a bare word of a field's vocabulary, or the field
// has none.
func Standard(field, text string) bool {
	v, ok := vocabularyOf[field]
	return !ok || v.words[text]
}

// Bare returns the bare word that a URI of a field's vocabulary stands for, and other
// text as it is.
func Bare(field, text string) string {
	if word, ok := strings.CutPrefix(text, vocabularyOf[field].prefix); ok && vocabularyOf[field].words[word] {
		return word
	}
	return text
}

// URI reports whether s is an absolute URI.
func URI(s string) bool { return uriProblem(s) == "" }

// scalar returns the text of a value that is no object and no list; a typed value of
// JSON-LD is its @value.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case *object:
		if v.has("@value") {
			return scalar(v.get("@value"))
		}
	}
	return "", false
}

func text1(field, text string) Term { return Term{Field: field, Text: text} }

// An indexer gathers the terms of one event.
type indexer struct {
	names Names
	terms map[Term]bool
}

func termsOf(o *object, names Names) []Term {
	x := indexer{names: names, terms: map[Term]bool{}}
	x.event(o)
	all := make([]Term, 0, len(x.terms))
	for t := range x.terms {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Term) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Text, b.Text), cmp.Compare(a.Number, b.Number))
	})
	return all
}

func (x indexer) add(field, text string) { x.terms[text1(field, text)] = true }

func (x indexer) number(field string, v any) {
	text, ok := scalar(v)
	if f, err := strconv.ParseFloat(text, 64); ok && err == nil {
		x.terms[Term{Field: field, Number: f, Numeric: true}] = true
	}
}

func (x indexer) time(field string, v any) {
	text, _ := v.(string)
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		x.terms[Term{Field: field, Number: float64(t.UnixMicro()), Numeric: true}] = true
	}
}

// words adds the values of a field of the standard: one, or a list.
func (x indexer) words(field string, v any) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		if text, ok := scalar(item); ok {
			x.add(field, x.names.Word(field, text))
		}
	}
}

// Which terms the fields of an event make, besides those that event treats by itself.
var (
	wordFields = map[string]string{
		"action": "action", "bizStep": "bizStep", "disposition": "disposition", "transformationID": "transformationID",
		"epcList": "epc", "childEPCs": "epc", "parentID": "parentID", "inputEPCList": "inputEPC", "outputEPCList": "outputEPC",
		"certificationInfo": "certificationInfo", "eventID": "eventID", "type": "eventType",
	}
	quantityFields = map[string]string{
		"quantityList": "epcClass", "childQuantityList": "epcClass", "inputQuantityList": "inputEPCClass", "outputQuantityList": "outputEPCClass",
	}
	pairFields  = map[string]string{"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}
	placeFields = map[string]bool{"readPoint": true, "bizLocation": true}
)

func (x indexer) event(o *object) {
	for _, name := range o.names() {
		v := o.get(name)
		switch {
		case name == "eventID" || name == "@context" || name == "eventTime" || name == "recordTime" || name == "eventTimeZoneOffset":
			// Record adds the ID; times are the event's own.
		case wordFields[name] != "":
			x.words(wordFields[name], v)
		case quantityFields[name] != "":
			x.each(v, func(q *object) { x.quantity(quantityFields[name], q) })
		case pairFields[name] != "":
			x.each(v, func(p *object) { x.pair(pairFields[name], p) })
		case placeFields[name]:
			x.words(name, asObject(v).get("id"))
			x.extensions(name+"_", asObject(v), nil)
		case name == "persistentDisposition":
			x.words("persistentDisposition_set", asObject(v).get("set"))
			x.words("persistentDisposition_unset", asObject(v).get("unset"))
		case name == "ilmd":
			x.extensions("ILMD_", asObject(v), nil)
		case name == "errorDeclaration":
			x.declaration(asObject(v))
		case name == "sensorElementList":
			x.add("sensorElementList", "")
			x.each(v, x.sensor)
		default:
			x.extension("", name, v)
		}
	}
}

// each calls do for the objects of a list.
func (x indexer) each(v any, do func(*object)) {
	list, _ := v.([]any)
	for _, item := range list {
		if o := asObject(item); o != nil {
			do(o)
		}
	}
}

func (x indexer) quantity(field string, q *object) {
	x.words(field, q.get("epcClass"))
	if !q.has("quantity") {
		return
	}
	x.number("quantity", q.get("quantity"))
	if uom, _ := q.get("uom").(string); uom != "" {
		x.number(bounded("quantity_"+uom), q.get("quantity"))
	}
}

func (x indexer) pair(field string, p *object) {
	kind, _ := p.get("type").(string)
	x.words(PairField(field, x.names.Word(field, kind)), p.get(field))
}

// PairField is the field of the transactions, sources or destinations of one type, a
// canonical URI.
func PairField(list, kind string) string { return bounded(list + "_" + kind) }

func (x indexer) declaration(o *object) {
	x.add("errorDeclaration", "")
	x.time("errorDeclarationTime", o.get("declarationTime"))
	x.words("errorReason", o.get("reason"))
	x.words("correctiveEventID", o.get("correctiveEventIDs"))
	x.extensions("ERROR_DECLARATION_", o, map[string]bool{"declarationTime": true, "reason": true, "correctiveEventIDs": true})
}

// Fields of sensors that have a term of their own name.
var (
	sensorWords = map[string]bool{
		"type": true, "exception": true, "component": true, "deviceID": true, "deviceMetadata": true, "rawData": true,
		"dataProcessingMethod": true, "bizRules": true, "microorganism": true, "chemicalSubstance": true,
		"coordinateReferenceSystem": true, "stringValue": true, "hexBinaryValue": true, "uriValue": true, "booleanValue": true,
	}
	sensorTimes  = map[string]bool{"time": true, "startTime": true, "endTime": true}
	sensorValues = map[string]bool{"value": true, "minValue": true, "maxValue": true, "meanValue": true, "sDev": true, "percValue": true}
)

func (x indexer) sensor(o *object) {
	x.sensorFields("SENSORMETADATA_", asObject(o.get("sensorMetadata")))
	x.each(o.get("sensorReport"), func(r *object) { x.sensorFields("SENSORREPORT_", r) })
	x.extensions("SENSORELEMENT_", o, map[string]bool{"sensorMetadata": true, "sensorReport": true})
}

func (x indexer) sensorFields(scope string, o *object) {
	uom, _ := o.get("uom").(string)
	for _, name := range o.names() {
		v := o.get(name)
		switch {
		case sensorWords[name]:
			x.words(name, v)
		case sensorTimes[name]:
			x.time(name, v)
		case sensorValues[name]:
			x.number(bounded(name+"_"+uom), v)
		case name == "percRank":
			x.number(name, v)
		case name != "uom":
			x.extension(scope, name, v)
		}
	}
}

// extensions adds the members of an object that are not the standard's.
func (x indexer) extensions(scope string, o *object, known map[string]bool) {
	for _, name := range o.names() {
		ofPlace := placeFields[strings.TrimSuffix(scope, "_")] && name == "id"
		if !known[name] && !ofPlace {
			x.extension(scope, name, o.get(name))
		}
	}
}

// extension adds a member that is not the standard's, and what is within it as inner.
// A name whose prefix was declared can be asked for in full and as it is written.
func (x indexer) extension(scope, name string, v any) {
	for _, field := range []string{x.names.Field(name), bounded(name)} {
		x.value(scope+field, v)
	}
	x.inner("INNER_"+scope, v)
}

func (x indexer) inner(scope string, v any) {
	if list, ok := v.([]any); ok {
		for _, item := range list {
			x.inner(scope, item)
		}
		return
	}
	o := asObject(v)
	for _, name := range o.names() {
		for _, field := range []string{x.names.Field(name), bounded(name)} {
			x.value(scope+field, o.get(name))
		}
		x.inner(scope, o.get(name))
	}
}

// value adds what a field says; of an object, only that it is there.
func (x indexer) value(field string, v any) {
	if list, ok := v.([]any); ok {
		for _, item := range list {
			x.value(field, item)
		}
		return
	}
	text, ok := scalar(v)
	if !ok {
		x.add(field, "")
		return
	}
	x.add(field, x.names.Text(text))
	if decimal.MatchString(text) {
		x.number(field, v)
	}
	x.time(TimeOf(field), v)
}
