package query

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/trace/epcis"
)

// A parser gathers a Query.
type parser struct {
	names              epcis.Names
	q                  Query
	orderBy, direction string
}

// parameter reads one parameter with its values.
func (p *parser) parameter(name string, values []string) error {
	if len(values) > MaxValues {
		return &Error{Kind: TooComplex, Name: name, Reason: fmt.Sprintf("has %d values; at most %d are taken", len(values), MaxValues)}
	}
	op, rest, _ := strings.Cut(name, "_")
	if op != "EXISTS" && (len(values) == 0 || slices.Contains(values, "")) {
		return bad(name, "has no value")
	}
	var err error
	c := Condition{Name: name}
	switch op {
	case "eventType":
		c, err = p.eventTypes(c, rest, values)
	case "orderBy", "orderDirection", "eventCountLimit", "maxEventCount":
		return p.control(name, values)
	case "EQ":
		c, err = p.equal(c, rest, values)
	case "GT", "GE", "LT", "LE":
		if done, err := p.column(op, rest, values); done || err != nil {
			return err
		}
		c, err = p.compare(c, op, rest, values)
	case "MATCH":
		c, err = match(c, rest, values)
	case "WD":
		if rest != "readPoint" && rest != "bizLocation" {
			return bad(name, "is not known; WD_ goes with readPoint and bizLocation")
		}
		c.Op, c.Fields, c.Texts = Within, []string{rest}, p.words(rest, values)
	case "EXISTS":
		c, err = p.exists(c, rest, values)
	case "HASATTR":
		c.Op, c.Fields, err = HasAttr, p.attributed(rest), nil
		for _, v := range values {
			c.Attributes = append(c.Attributes, p.names.Field(v))
		}
	case "EQATTR":
		c, err = p.attribute(c, rest, values)
	default:
		return bad(name, "is not a parameter of the query language")
	}
	if err != nil {
		return err
	}
	if len(c.Fields) == 0 {
		return bad(name, "is not a parameter of the query language")
	}
	p.q.Conditions = append(p.q.Conditions, c)
	return nil
}

func (p *parser) eventTypes(c Condition, rest string, values []string) (Condition, error) {
	if rest != "" {
		return c, nil
	}
	known := EventTypes()
	for _, v := range values {
		if !slices.Contains(known, v) && !epcis.URI(v) {
			return c, bad("", "%q is not a kind of event; want one of %s, or the URI of your own", v, strings.Join(known, ", "))
		}
	}
	c.Fields, c.Texts = []string{"eventType"}, p.words("eventType", values)
	return c, nil
}

func (p *parser) words(field string, values []string) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = p.names.Word(field, v)
	}
	return texts
}

// Fields of the standard that EQ_ takes.
var (
	textFields = set(`action bizStep disposition persistentDisposition_set persistentDisposition_unset readPoint bizLocation transformationID
		eventID errorReason correctiveEventID type exception component deviceID deviceMetadata rawData dataProcessingMethod bizRules
		microorganism chemicalSubstance coordinateReferenceSystem stringValue hexBinaryValue uriValue booleanValue certificationInfo`)
	wordList  = set("bizStep disposition persistentDisposition_set persistentDisposition_unset errorReason type exception component")
	uriFields = set(`readPoint bizLocation transformationID eventID correctiveEventID deviceID deviceMetadata rawData dataProcessingMethod
		bizRules microorganism chemicalSubstance coordinateReferenceSystem uriValue`)
	timeFields = set("errorDeclarationTime errorDeclaration_Time time startTime endTime")
	withUnit   = regexp.MustCompile(`^(quantity|value|minValue|maxValue|meanValue|sDev|percValue)_[A-Z0-9]{2,4}$`)
	scopes     = regexp.MustCompile(`^(INNER_)?((ILMD|ERROR_DECLARATION|SENSORELEMENT|SENSORMETADATA|SENSORREPORT|readPoint|bizLocation)_)?(.+)$`)
	pairs      = regexp.MustCompile(`^(bizTransaction|source|destination)_(.+)$`)
)

func set(names string) map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		all[name] = true
	}
	return all
}

func numberField(rest string) bool {
	return rest == "quantity" || rest == "percRank" || withUnit.MatchString(rest) || dimensionless[rest]
}

// Of a report without a unit.
var dimensionless = set("value minValue maxValue meanValue sDev percValue")

// numberTerm is the field of terms: a report without a unit ends with _.
func numberTerm(rest string) string {
	if dimensionless[rest] {
		return rest + "_"
	}
	return rest
}

// extensionName reports whether a field can only be an extension: its name is a URI or
// has a prefix.
func extensionName(rest string) bool {
	m := scopes.FindStringSubmatch(rest)
	return m != nil && strings.Contains(m[4], ":") && !pairs.MatchString(rest)
}

// extension returns the field of an extension, or nothing.
func (p *parser) extension(rest string) []string {
	if !extensionName(rest) {
		return nil
	}
	m := scopes.FindStringSubmatch(rest)
	name := strings.Replace(m[4], "#", "", 1) // EPCIS 1 writes namespace#name
	fields := []string{m[1] + m[2] + p.names.Field(m[4])}
	if name != m[4] {
		fields = append(fields, m[1]+m[2]+p.names.Field(name))
	}
	return fields
}

func (p *parser) equal(c Condition, rest string, values []string) (Condition, error) {
	if numberField(rest) {
		c.Op, c.Fields = Numbers, []string{numberTerm(rest)}
		for _, v := range values {
			f, err := number(v)
			if err != nil {
				return c, err
			}
			c.Numbers = append(c.Numbers, f)
		}
		c.Also = elsewhere(rest, c.Numbers)
		return c, nil
	}
	if attr, ok := strings.CutPrefix(rest, "ATTR_"); ok { // as GS1's schema writes EQATTR_
		return p.attribute(c, attr, values)
	}
	if m := pairs.FindStringSubmatch(rest); m != nil {
		if err := uris(values); err != nil {
			return c, err
		}
		c.Fields, c.Texts = []string{epcis.PairField(m[1], p.names.Word(m[1], m[2]))}, p.words("", values)
		return c, nil
	}
	if !textFields[rest] {
		c.Fields, c.Texts = p.extension(rest), p.words("", values)
		return c, nil
	}
	c.Fields, c.Texts = []string{rest}, p.words(rest, values)
	return c, checkTexts(rest, values)
}

// checkTexts refuses what no event could say.
func checkTexts(field string, values []string) error {
	for _, v := range values {
		switch {
		case field == "action" && v != "OBSERVE" && v != "ADD" && v != "DELETE":
			return bad("", "%q is not an action; want OBSERVE, ADD or DELETE", v)
		case field == "booleanValue" && v != "true" && v != "false":
			return bad("", "%q is not true or false", v)
		case wordList[field] && !epcis.Standard(field, v) && !epcis.URI(v):
			return bad("", "%q is neither a word of the standard nor a URI", v)
		}
	}
	if field == "booleanValue" && len(values) != 1 {
		return bad("", "has %d values; want one", len(values))
	}
	if uriFields[field] {
		return uris(values)
	}
	return nil
}

func uris(values []string) error {
	for _, v := range values {
		if !epcis.URI(v) {
			return bad("", "%q is not a URI", v)
		}
	}
	return nil
}

func number(v string) (float64, error) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f != f || f > 1e300 || f < -1e300 {
		return 0, bad("", "%.80q is not a number", v)
	}
	return f, nil
}

func instant(v string) (time.Time, error) {
	// A + that was not escaped is a space in a URL.
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(v, " ", "+", 1))
	if err != nil {
		return t, bad("", "%.80q is not a date and time with a zone, such as 2026-07-22T06:45:00.000+08:00", v)
	}
	return t.UTC(), nil
}

func one(values []string) (string, error) {
	if len(values) != 1 {
		return "", bad("", "has %d values; want one", len(values))
	}
	return values[0], nil
}

// column reads the bounds of the two times that every event has.
func (p *parser) column(op, rest string, values []string) (bool, error) {
	period := map[string]*Period{"eventTime": &p.q.EventTime, "recordTime": &p.q.RecordTime}[rest]
	if period == nil || op == "GT" || op == "LE" {
		return false, nil
	}
	v, err := one(values)
	if err != nil {
		return true, err
	}
	t, err := instant(v)
	if op == "GE" {
		period.From = t
	} else {
		period.Before = t
	}
	return true, err
}

var signs = map[string]string{"GT": ">", "GE": ">=", "LT": "<", "LE": "<="}

func (p *parser) compare(c Condition, op, rest string, values []string) (Condition, error) {
	v, err := one(values)
	if err != nil {
		return c, err
	}
	c.Op, c.Sign = Compare, signs[op]
	switch {
	case timeFields[rest] && (op == "GE" || op == "LT"):
		t, err := instant(v)
		c.Fields, c.Numbers = []string{strings.Replace(rest, "_Time", "Time", 1)}, []float64{float64(t.UnixMicro())}
		return c, err
	case numberField(rest):
		f, err := number(v)
		c.Fields, c.Numbers, c.Also = []string{numberTerm(rest)}, []float64{f}, elsewhere(rest, []float64{f})
		return c, err
	}
	c.Fields = p.extension(rest)
	if f, err := number(v); err == nil {
		c.Numbers = []float64{f}
		return c, nil
	}
	t, err := instant(v)
	if err != nil && len(c.Fields) > 0 {
		return c, bad("", "%.80q is neither a number nor a date and time with a zone", v)
	}
	c.Numbers = []float64{float64(t.UnixMicro())}
	for i, field := range c.Fields {
		c.Fields[i] = epcis.TimeOf(field)
	}
	return c, nil
}

func match(c Condition, rest string, values []string) (Condition, error) {
	fields, ok := map[string][]string{
		"epc": {"epc"}, "parentID": {"parentID"}, "inputEPC": {"inputEPC"}, "outputEPC": {"outputEPC"}, "anyEPC": anyEPC(),
		"epcClass": {"epcClass"}, "inputEPCClass": {"inputEPCClass"}, "outputEPCClass": {"outputEPCClass"},
		"anyEPCClass": {"epcClass", "inputEPCClass", "outputEPCClass"},
	}[rest]
	if !ok {
		return c, nil
	}
	c.Fields = fields
	for _, v := range values {
		pattern, is, err := patternOf(v)
		switch {
		case err != nil:
			return c, err
		case is:
			c.Patterns = append(c.Patterns, pattern)
			// A class is named by its own pattern.
			c.Texts = append(c.Texts, epcis.Names{}.Text(v))
		case !epcis.URI(v):
			return c, bad("", "%q is not a URI", v)
		default:
			c.Texts = append(c.Texts, epcis.Names{}.Text(v))
		}
	}
	return c, nil
}

func (p *parser) exists(c Condition, rest string, values []string) (Condition, error) {
	c.Op = Exists
	if rest == "errorDeclaration" || rest == "sensorElementList" {
		c.Fields = []string{rest}
		return c, nil
	}
	c.Fields = p.extension(rest)
	return c, nil
}

// attributed returns the fields whose values master data may describe.
func (p *parser) attributed(rest string) []string {
	switch rest {
	case "epc", "epcList":
		return []string{"epc"}
	case "anyEPC":
		return anyEPC()
	case "epcClass", "inputEPCClass", "outputEPCClass", "parentID", "inputEPC", "outputEPC":
		return []string{rest}
	}
	if textFields[rest] {
		return []string{rest}
	}
	return p.extension(rest)
}

// attribute reads FIELD_ATTRIBUTE. Which _ parts them, the fields of the standard say;
// behind an extension it is the first that a prefix or a URI follows.
func (p *parser) attribute(c Condition, rest string, values []string) (Condition, error) {
	for i := range len(rest) {
		if rest[i] != '_' {
			continue
		}
		field, name := rest[:i], rest[i+1:]
		fields := p.attributed(field)
		if len(fields) == 0 || name == "" || name == "set" || name == "unset" {
			continue
		}
		c.Op, c.Fields, c.Attributes, c.Texts = EqAttr, fields, []string{p.names.Field(name)}, p.words("", values)
		return c, nil
	}
	return c, bad("", "is not of the form EQATTR_FIELD_ATTRIBUTE, such as EQATTR_readPoint_cbvmda:site")
}

// control reads what is no condition.
func (p *parser) control(name string, values []string) error {
	v, err := one(values)
	if err != nil {
		return err
	}
	switch name {
	case "orderBy":
		p.orderBy = v
		return nil
	case "orderDirection":
		if p.direction = v; v != "ASC" && v != "DESC" {
			return bad("", "%.80q is not ASC or DESC", v)
		}
		return nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > MaxCount {
		return bad("", "%.80q is not a whole number from 1 to %d", v, MaxCount)
	}
	if name == "maxEventCount" {
		p.q.Max = n
	} else {
		p.q.Limit = n
	}
	return nil
}

// finish holds the controls against each other.
func (p *parser) finish() (Query, error) {
	switch {
	case len(p.q.Conditions) > MaxConditions:
		return Query{}, &Error{Kind: TooComplex, Name: "query", Reason: fmt.Sprintf("has %d conditions; at most %d are taken", len(p.q.Conditions), MaxConditions)}
	case p.q.Limit > 0 && p.q.Max > 0:
		return Query{}, bad("maxEventCount", "and eventCountLimit exclude each other")
	case p.q.Limit > 0 && p.orderBy == "":
		return Query{}, bad("eventCountLimit", "needs orderBy, or which events it leaves is not said")
	}
	p.q.Order.Ascending = p.direction == "ASC"
	switch p.orderBy {
	case "", "eventTime":
	case "recordTime":
		p.q.Order.By = ByRecordTime
	default:
		if err := p.orderByField(); err != nil {
			return Query{}, err
		}
	}
	return p.q, nil
}

func (p *parser) orderByField() error {
	switch {
	case numberField(p.orderBy) || timeFields[p.orderBy]:
		p.q.Order.By, p.q.Order.Field = ByNumber, strings.Replace(numberTerm(p.orderBy), "_Time", "Time", 1)
	case textFields[p.orderBy]:
		p.q.Order.By, p.q.Order.Field = ByText, p.orderBy
	case extensionName(p.orderBy):
		p.q.Order.By, p.q.Order.Field = ByNumber, p.extension(p.orderBy)[0]
	default:
		return bad("orderBy", "%.80q is not eventTime, recordTime or the name of an extension", p.orderBy)
	}
	return nil
}
