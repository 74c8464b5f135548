// Package query reads the query language of EPCIS 2.0, section 8.2.7.1, from the query
// string of a URL or from JSON, and says in a Query what is asked of the terms of
// events. It knows no database: whoever keeps events answers a Query from their terms.
//
// Every parameter must be met (AND); of the values of one, any (OR).
package query

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tianhai/trace/epcis"
)

// Limits of a query, so that none asks too much.
const (
	MaxConditions = 50
	MaxValues     = 500 // of one parameter
	MaxCount      = 100_000
)

// A Query is what is asked. The zero Query asks for every event.
type Query struct {
	// Times bound the columns that every event has; zero ones do not. Each is half
	// open: From ≤ t < Before.
	EventTime, RecordTime Period
	Conditions            []Condition
	Order                 Order
	Limit                 int // eventCountLimit: no more than so many, the first in order; 0: all
	Max                   int // maxEventCount: if there are more, none; 0: any number
}

// A Period is a time from and before; either may be zero.
type Period struct{ From, Before time.Time }

// An Order is how events are sorted: by their own time, or by another.
type Order struct {
	By        OrderKey
	Field     string // of terms, where By is of an extension
	Ascending bool
}

// An OrderKey is what events are sorted by.
type OrderKey int

// The order keys.
const (
	ByEventTime OrderKey = iota
	ByRecordTime
	ByNumber // of the terms Order.Field and its TimeOf; events without are last
	ByText
)

// An Op is how a condition compares.
type Op int

// The operators. A condition is met where any term of any of its Fields meets it.
const (
	Any     Op = iota // the text is one of Texts, or matches one of Patterns
	Numbers           // the number is one of Numbers
	Compare           // the number compares with the one of Numbers as Sign says
	Exists            // there is a term at all
	Within            // the text is one of Texts, or within one of them by master data
	HasAttr           // master data of the text have one of Attributes
	EqAttr            // master data of the text have Attributes[0] with one of Texts
)

// A Condition is one parameter, read. Of Numbers and Compare, what is in Also meets it
// too.
type Condition struct {
	Name       string // as the client wrote it
	Fields     []string
	Op         Op
	Sign       string // ">", ">=", "<", "<="
	Texts      []string
	Patterns   []Pattern
	Numbers    []float64
	Also       []Reading
	Attributes []string
}

// A Kind says which of EPCIS's exceptions an error is.
type Kind int

// The kinds of errors.
const (
	Parameter  Kind = iota // QueryParameterException: of a URL
	Definition             // QueryValidationException: of a query in JSON
	TooComplex             // QueryTooComplexException
)

// An Error names the parameter that cannot be.
type Error struct {
	Kind   Kind
	Name   string
	Reason string // what is there and what would be right
}

// Error tells the case in English.
func (e *Error) Error() string { return e.Name + " " + e.Reason }

func bad(name, format string, args ...any) error {
	return &Error{Name: name, Reason: fmt.Sprintf(format, args...)}
}

// And returns a query that is met where both are; the order and the limits are q's
// unless it has none.
func (q Query) And(other Query) Query {
	q.EventTime, q.RecordTime = q.EventTime.and(other.EventTime), q.RecordTime.and(other.RecordTime)
	q.Conditions = append(slices.Clip(q.Conditions), other.Conditions...)
	if q.Order == (Order{}) {
		q.Order = other.Order
	}
	q.Limit, q.Max = cmp.Or(q.Limit, other.Limit), cmp.Or(q.Max, other.Max)
	return q
}

func (p Period) and(other Period) Period {
	if other.From.After(p.From) {
		p.From = other.From
	}
	if p.Before.IsZero() || !other.Before.IsZero() && other.Before.Before(p.Before) {
		p.Before = other.Before
	}
	return p
}

// Of asks for the events that one resource of the standard's tree holds, such as
// those of a bizStep; false where there is no such tree.
func Of(resource, value string, names epcis.Names) (Query, bool) {
	fields, ok := map[string][]string{
		"eventTypes": {"eventType"}, "bizSteps": {"bizStep"}, "bizLocations": {"bizLocation"},
		"readPoints": {"readPoint"}, "dispositions": {"disposition"}, "epcs": anyEPC(),
	}[resource]
	if !ok {
		return Query{}, false
	}
	c := Condition{Name: resource, Fields: fields, Texts: []string{names.Word(fields[0], value)}}
	return Query{Conditions: []Condition{c}}, true
}

// Listed returns the fields whose values a resource of the tree lists.
func Listed(resource string) []string {
	q, _ := Of(resource, "", nil)
	if len(q.Conditions) == 0 {
		return nil
	}
	return q.Conditions[0].Fields
}

func anyEPC() []string { return []string{"epc", "parentID", "inputEPC", "outputEPC"} }

// EventID asks for the events of one ID.
func EventID(id string) Condition {
	return Condition{Name: "EQ_eventID", Fields: []string{"eventID"}, Texts: []string{epcis.Names{}.Text(id)}}
}

// EventTypes returns the kinds of events of the standard.
func EventTypes() []string {
	return []string{"ObjectEvent", "AggregationEvent", "AssociationEvent", "TransactionEvent", "TransformationEvent"}
}
