package epcis

import "slices"

// Fields that several kinds of event have.
var (
	epcs        = listOf(0, true, uri)
	anyEPCs     = listOf(0, false, uri) // the schema asks these lists for no uniqueness
	quantities  = listOf(0, false, quantityShape.check)
	actions     = oneOf("OBSERVE", "ADD", "DELETE")
	hexadecimal = pattern(`^[0-9A-Fa-f]+$`, "hexadecimal digits")

	quantityShape = shape{what: "a quantity element", required: []string{"epcClass"}, fields: map[string]rule{
		"epcClass": uri, "quantity": number, "uom": pattern(`^[A-Z0-9]{2,3}$`, "a unit of UN/CEFACT Recommendation 20, such as KGM"),
	}}
	place            = shape{what: "a place", open: true, lax: true, required: []string{"id"}, fields: map[string]rule{"id": uri}}
	transactionShape = shape{what: "a business transaction", required: []string{"bizTransaction"}, fields: map[string]rule{
		"type": bizTransactionTypes.word, "bizTransaction": uri,
	}}
	sourceShape = shape{what: "a source", required: []string{"type", "source"}, fields: map[string]rule{
		"type": sourceTypes.word, "source": uri,
	}}
	destinationShape = shape{what: "a destination", required: []string{"type", "destination"}, fields: map[string]rule{
		"type": sourceTypes.word, "destination": uri,
	}}
	errorShape = shape{what: "an error declaration", open: true, required: []string{"declarationTime"}, fields: map[string]rule{
		"declarationTime": dateTime, "reason": errorReasons.word, "correctiveEventIDs": listOf(0, false, uri),
	}}
	sensorShape = shape{what: "a sensor element", open: true, required: []string{"sensorReport"}, fields: map[string]rule{
		"sensorReport": listOf(1, false, reportShape.check),
		"sensorMetadata": shape{what: "sensor metadata", open: true, fields: map[string]rule{
			"time": dateTime, "startTime": dateTime, "endTime": dateTime, "deviceID": uri, "deviceMetadata": uri, "rawData": uri,
			"dataProcessingMethod": uri, "bizRules": uri,
		}}.check,
	}}
	reportShape = shape{what: "a sensor report", open: true, required: []string{"type"}, fields: map[string]rule{
		"type": measurements.word, "exception": alerts.word, "component": components.word, "time": dateTime,
		"deviceID": uri, "deviceMetadata": uri, "rawData": uri, "dataProcessingMethod": uri, "bizRules": uri, "microorganism": uri,
		"chemicalSubstance": uri, "coordinateReferenceSystem": uri, "uriValue": uri,
		"value": number, "minValue": number, "maxValue": number, "meanValue": number, "sDev": number, "percRank": number, "percValue": number,
		"stringValue": text, "uom": text, "booleanValue": boolean, "hexBinaryValue": hexadecimal,
	}}
)

// ilmd wants an object whose members are extensions.
func ilmd(c *checker, at string, v any) {
	shape{what: "ilmd", open: true}.check(c, at, v)
}

func certification(c *checker, at string, v any) {
	if _, isList := v.([]any); isList {
		anyEPCs(c, at, v)
		return
	}
	uri(c, at, v)
}

func persistentDisposition(c *checker, at string, v any) {
	words := listOf(1, true, dispositions.word)
	shape{what: "persistentDisposition", fields: map[string]rule{"set": words, "unset": words}}.check(c, at, v)
	if o := asObject(v); o != nil && !o.has("set") && !o.has("unset") {
		c.fault(at, "has neither set nor unset")
	}
}

// An eventKind is one of the five kinds: its fields beside the common ones,
// and the rules across fields.
type eventKind struct {
	shape shape
	rules []func(c *checker, at string, o *object)
}

// newKind adds the fields that every kind has, EPCIS section 7.4.1, and those
// of why and how.
func newKind(what string, required []string, fields map[string]rule, rules ...func(*checker, string, *object)) eventKind {
	all := map[string]rule{
		"bizStep": bizSteps.word, "disposition": dispositions.word, "persistentDisposition": persistentDisposition,
		"readPoint": place.check, "bizLocation": place.check, "bizTransactionList": listOf(0, false, transactionShape.check),
		"sourceList": listOf(0, false, sourceShape.check), "destinationList": listOf(0, false, destinationShape.check),
		"sensorElementList": listOf(0, false, sensorShape.check),
	}
	for name, check := range commonFields {
		all[name] = check
	}
	for name, check := range fields {
		all[name] = check
	}
	return eventKind{shape{what: what, open: true, required: append([]string{"eventTime", "eventTimeZoneOffset"}, required...), fields: all}, rules}
}

var commonFields = map[string]rule{
	"@context": context, "type": text, "eventTime": dateTime, "recordTime": dateTime, "eventID": uri,
	"eventTimeZoneOffset": pattern(`^[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00)$`, "an offset from -14:00 to +14:00, such as +08:00"),
	"certificationInfo":   certification, "errorDeclaration": errorShape.check,
}

var eventKinds = map[string]eventKind{
	"ObjectEvent": newKind("an ObjectEvent", []string{"action"}, map[string]rule{
		"action": actions, "epcList": epcs, "quantityList": quantities, "ilmd": ilmd,
	}, objectHasWhat, ilmdNeedsAdd),
	"AggregationEvent": newKind("an AggregationEvent", []string{"action"}, map[string]rule{
		"action": actions, "parentID": uri, "childEPCs": anyEPCs, "childQuantityList": quantities,
	}, parentUnlessObserve, childrenUnlessDelete),
	"AssociationEvent": newKind("an AssociationEvent", []string{"action", "parentID"}, map[string]rule{
		"action": actions, "parentID": uri, "childEPCs": anyEPCs, "childQuantityList": quantities,
	}, childrenUnlessDelete),
	"TransactionEvent": newKind("a TransactionEvent", []string{"action", "bizTransactionList"}, map[string]rule{
		"action": actions, "parentID": uri, "epcList": anyEPCs, "quantityList": quantities,
		"bizTransactionList": listOf(1, false, transactionShape.check),
	}, transactionHasWhat),
	"TransformationEvent": newKind("a TransformationEvent", nil, map[string]rule{
		"inputEPCList": epcs, "inputQuantityList": quantities, "outputEPCList": epcs, "outputQuantityList": quantities,
		"transformationID": uri, "ilmd": ilmd,
	}, transformsSomething),
}

// checkEvent holds an event against its kind.
func checkEvent(c *checker, at string, v any) {
	if c.apart {
		return
	}
	o, ok := v.(*object)
	if !ok {
		c.fault(at, "is %s; want an event", kind(v))
		return
	}
	t, ok := o.get("type").(string)
	if !ok {
		c.fault(pointerTo(at, "type"), "is %s; want the type of an event, such as ObjectEvent", kind(o.get("type")))
		return
	}
	outer := c.prefixes
	defer func() { c.prefixes = outer }()
	if o.has("@context") {
		inner := namespaces(o.get("@context"))
		for prefix, stands := range outer {
			if _, again := inner[prefix]; !again {
				inner[prefix] = stands
			}
		}
		c.prefixes = inner
	}
	known, ok := eventKinds[t]
	if !ok {
		extendedEvent(c, at, t, o)
		return
	}
	known.shape.check(c, at, o)
	for _, check := range known.rules {
		check(c, at, o)
	}
}

// extendedEvent checks a kind of event that somebody has added.
func extendedEvent(c *checker, at, t string, o *object) {
	if uriProblem(t) != "" {
		c.fault(pointerTo(at, "type"), "%q is not a kind of event; want ObjectEvent, AggregationEvent, AssociationEvent, TransactionEvent, TransformationEvent or the URI of your own", shorten(t))
	}
	for _, name := range []string{"eventTime", "eventTimeZoneOffset"} {
		if !o.has(name) {
			c.fault(pointerTo(at, name), "is missing; every event must have it")
		}
	}
	for _, name := range o.names() {
		if check, known := commonFields[name]; known {
			check(c, pointerTo(at, name), o.get(name))
		}
	}
}

// filled reports whether one of the lists has something in it.
func filled(o *object, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		list, _ := o.get(name).([]any)
		return len(list) > 0
	})
}

func objectHasWhat(c *checker, at string, o *object) {
	observed := filled(o, "sensorElementList") && o.has("readPoint")
	if !o.has("epcList") && !filled(o, "quantityList") && !observed {
		c.fault(at, "an ObjectEvent needs epcList, quantityList, or sensorElementList with readPoint, to say what it is about")
	}
}

func ilmdNeedsAdd(c *checker, at string, o *object) {
	if action, ok := o.get("action").(string); ok && action != "ADD" && o.has("ilmd") {
		c.fault(pointerTo(at, "ilmd"), "is there with action %s; instance and lot master data go with ADD only", action)
	}
}

func parentUnlessObserve(c *checker, at string, o *object) {
	if action := o.get("action"); (action == "ADD" || action == "DELETE") && !o.has("parentID") {
		c.fault(pointerTo(at, "parentID"), "is missing; an AggregationEvent must have it if action is ADD or DELETE")
	}
}

func childrenUnlessDelete(c *checker, at string, o *object) {
	if o.get("action") != "DELETE" && !filled(o, "childEPCs", "childQuantityList") {
		c.fault(at, "has neither childEPCs nor childQuantityList; only DELETE, which means all of them, may leave both out")
	}
}

func transactionHasWhat(c *checker, at string, o *object) {
	if o.get("action") != "DELETE" && !o.has("epcList") && !filled(o, "quantityList") {
		c.fault(at, "a TransactionEvent needs epcList or quantityList; only DELETE may leave both out")
	}
}

func transformsSomething(c *checker, at string, o *object) {
	in, out := filled(o, "inputEPCList", "inputQuantityList"), filled(o, "outputEPCList", "outputQuantityList")
	switch {
	case in && out, o.has("transformationID") && (in || out):
	case o.has("transformationID"):
		c.fault(at, "has neither inputs nor outputs")
	default:
		c.fault(at, "has not both inputs and outputs; a part of a transformation needs transformationID")
	}
}
