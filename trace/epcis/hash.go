package epcis

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hashes returns the hash of each event in turn, as a URI of RFC 6920 with
// the version of the algorithm: ni:///sha-256;…?ver=CBV2.0. Two events have
// one hash if and only if they say the same, however they write it.
//
// eventID, recordTime and errorDeclaration say something of the event and are
// not part of it; so are comments, and what the document's ignoreFields names.
func (d *Document) Hashes() ([]string, error) {
	events, err := d.events()
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(events))
	for i, e := range events {
		text, err := d.preHash(e)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(text))
		texts[i] = "ni:///sha-256;" + hex.EncodeToString(sum[:]) + "?ver=CBV2.0"
	}
	return texts, nil
}

// preHash returns the text that is hashed.
func (d *Document) preHash(event located) (string, error) {
	if len(d.repeated) > 0 {
		return "", errors.New(d.repeated[0].String())
	}
	o, ok := event.value.(*object)
	if !ok {
		return "", errors.New(Fault{Pointer: event.pointer, Message: "is " + kind(event.value) + "; want an event"}.String())
	}
	eventType, ok := o.get("type").(string)
	if !ok || eventType == "" {
		return "", errors.New(Fault{Pointer: pointerTo(event.pointer, "type"), Message: "want the type of an event, such as ObjectEvent"}.String())
	}
	h := hasher{prefixes: namespaces(d.root.get("@context"), o.get("@context"))}
	h.ignored = h.ignoredFields(d.root)
	root := h.tree("", o)
	root.drop("type", "eventID", "recordTime", "errorDeclaration")
	return "eventType=" + h.qualify(eventType, false) + root.ordered(eventOrder) + joined(root.children), nil
}

// A hasher turns an event of one document into nodes.
type hasher struct {
	prefixes map[string]string
	ignored  map[string]bool
}

// ignoredFields reads the names that a repository lists for itself in
// PREFIX:ignoreFields.
func (h hasher) ignoredFields(document *object) map[string]bool {
	ignored := map[string]bool{}
	for _, name := range document.names() {
		if !strings.HasSuffix(name, ":ignoreFields") {
			continue
		}
		list, _ := document.get(name).([]any)
		for _, field := range list {
			if text, ok := field.(string); ok {
				ignored[h.qualify(text, true)] = true
			}
		}
	}
	return ignored
}

// qualify puts the namespace in place of its prefix: in braces for a name, as
// it is for a value.
func (h hasher) qualify(text string, name bool) string {
	prefix, local, found := strings.Cut(text, ":")
	uri, known := h.prefixes[prefix]
	switch {
	case !found || !known:
		return text
	case name:
		return "{" + uri + "}" + local
	default:
		return uri + local
	}
}

// A node is a name with a value, or with nodes of its own. The algorithm is
// defined over this tree, which is that of EPCIS in XML.
type node struct {
	name     string
	value    string
	children []*node
}

// Where the JSON binding has a list, XML has an element with elements of
// these names.
var elements = map[string]string{
	"epcList": "epc", "inputEPCList": "epc", "outputEPCList": "epc", "childEPCs": "epc",
	"quantityList": "quantityElement", "childQuantityList": "quantityElement",
	"inputQuantityList": "quantityElement", "outputQuantityList": "quantityElement",
	"bizTransactionList": "", "sourceList": "", "destinationList": "", "sensorElementList": "sensorElement",
}

// Whose bare words the values of a member are; types go by the parent.
var bareWords = map[string]vocabulary{
	"bizStep": bizSteps, "disposition": dispositions, "set": dispositions, "unset": dispositions,
	"bizTransactionList/type": bizTransactionTypes, "sourceList/type": sourceTypes, "destinationList/type": sourceTypes,
	"sensorReport/type": measurements, "exception": alerts, "component": components,
}

// tree returns the node of a value.
func (h hasher) tree(name string, v any) *node {
	n := &node{name: name}
	o, ok := v.(*object)
	if !ok {
		n.value = h.text(v)
		return n
	}
	for _, member := range o.names() {
		if member == "@context" || member == "comment" || member == "rdfs:comment" {
			continue
		}
		qualified := h.qualify(member, true)
		if h.ignored[qualified] {
			continue
		}
		n.children = append(n.children, h.member(name, qualified, o.get(member))...)
	}
	return n
}

// member returns the nodes of one member of an object.
func (h hasher) member(parent, name string, v any) []*node {
	if v == nil {
		return nil
	}
	list, isList := v.([]any)
	element, wraps := elements[name]
	if !isList {
		n := h.tree(name, v)
		if word, known := bareWords[name]; known {
			n.value = word.expand(n.value)
		} else if word, known = bareWords[parent+"/"+name]; known {
			n.value = word.expand(n.value)
		}
		return []*node{n}
	}
	if wraps {
		wrapper := &node{name: name}
		for _, item := range list {
			child := h.tree(name, item)
			child.name = element
			if element == "" {
				child.typeFirst()
			}
			wrapper.children = append(wrapper.children, child)
		}
		return []*node{wrapper}
	}
	var nodes []*node
	for _, item := range list {
		nodes = append(nodes, h.member(parent, name, item)...)
	}
	return nodes
}

// typeFirst orders an element of a transaction, source or destination list.
func (n *node) typeFirst() {
	slices.SortStableFunc(n.children, func(a, b *node) int {
		rank := map[string]int{"type": -1}
		return rank[a.name] - rank[b.name]
	})
}

func (h hasher) text(v any) string {
	switch v := v.(type) {
	case string:
		return h.qualify(v, false)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

func (n *node) drop(names ...string) {
	n.children = slices.DeleteFunc(n.children, func(c *node) bool { return slices.Contains(names, c.name) })
}

// An order lists names as they are hashed, each with that of its own.
type order []struct {
	name  string
	inner order
}

func plain(names string) order {
	var o order
	for name := range strings.FieldsSeq(names) {
		o = append(o, struct {
			name  string
			inner order
		}{name: name})
	}
	return o
}

var (
	epcOrder      = plain("epc")
	quantityOrder = order{{"quantityElement", plain("epcClass quantity uom")}}
	sensorOrder   = order{{"sensorElement", order{
		{"sensorMetadata", plain("time startTime endTime deviceID deviceMetadata rawData dataProcessingMethod bizRules")},
		{"sensorReport", plain(`type exception deviceID deviceMetadata rawData dataProcessingMethod time microorganism
			chemicalSubstance value component stringValue booleanValue hexBinaryValue uriValue minValue maxValue meanValue sDev
			percRank percValue uom coordinateReferenceSystem`)},
	}}}
	// Lists of transactions, sources and destinations, ILMD and extensions
	// are not in it: the reference implementation, whose hashes are the only
	// published ones, puts what is left to the end, sorted.
	eventOrder = order{
		{"eventTime", nil},
		{"eventTimeZoneOffset", nil},
		{"certificationInfo", nil},
		{"parentID", nil},
		{"epcList", epcOrder},
		{"inputEPCList", epcOrder},
		{"childEPCs", epcOrder},
		{"quantityList", quantityOrder},
		{"childQuantityList", quantityOrder},
		{"inputQuantityList", quantityOrder},
		{"outputEPCList", epcOrder},
		{"outputQuantityList", quantityOrder},
		{"action", nil},
		{"transformationID", nil},
		{"bizStep", nil},
		{"disposition", nil},
		{"persistentDisposition", plain("set unset")},
		{"readPoint", plain("id")},
		{"bizLocation", plain("id")},
		{"sensorElementList", sensorOrder},
	}
)

// ordered returns the text of the children that an order names, and takes
// them out: what is left is not in the order.
func (n *node) ordered(o order) string {
	var text strings.Builder
	extensions := n.takeExtensions()
	for _, field := range o {
		var values []string
		var rest []*node
		for _, c := range n.children {
			if c.name != field.name {
				rest = append(rest, c)
				continue
			}
			inner := ""
			if field.inner != nil {
				inner = c.ordered(field.inner)
			}
			if value := c.canonicalValue(true); value != "" || inner != "" {
				values = append(values, c.name+value+inner)
			}
			if len(c.children) > 0 {
				c.value = ""
				rest = append(rest, c)
			}
		}
		n.children = rest
		slices.Sort(values)
		for _, v := range values {
			text.WriteString(v)
		}
	}
	text.WriteString(joined(extensions))
	return text.String()
}

// takeExtensions takes out the extensions that stand within an element of the
// standard, so that they follow its own fields. Those of the event itself, and
// of namespaces that do not end with a slash, are left: they come last.
func (n *node) takeExtensions() []*node {
	if len(n.children) < 2 || n.name == "" {
		return nil
	}
	var own, extensions []*node
	for _, c := range n.children {
		if strings.HasPrefix(c.name, "{") && strings.Contains(c.name, "/}") {
			extensions = append(extensions, c)
		} else {
			own = append(own, c)
		}
	}
	n.children = own
	return extensions
}

// joined returns the text of nodes that no order names, sorted.
func joined(nodes []*node) string {
	texts := make([]string, len(nodes))
	typed := false
	for i, c := range nodes {
		texts[i] = c.name + c.canonicalValue(false) + joined(c.children)
		typed = typed || c.name == "bizTransaction" || c.name == "source" || c.name == "destination"
	}
	if !typed { // else the type goes first
		slices.Sort(texts)
	}
	return strings.Join(texts, "")
}

// canonicalValue returns "=" and the value in the one form that counts, or
// nothing. Times are known by the names of the standard's own fields.
func (n *node) canonicalValue(standard bool) string {
	text := strings.TrimSpace(n.value)
	if text == "" {
		return ""
	}
	if lower := strings.ToLower(n.name); standard && strings.Contains(lower, "time") && !strings.Contains(lower, "offset") {
		return "=" + canonicalTime(text)
	}
	return "=" + canonicalKey(canonicalNumber(oldVocabulary.Replace(text)))
}

// oldVocabulary maps CBV 1's URNs to the URIs of CBV 2.
var oldVocabulary = strings.NewReplacer(urns+":bizstep:", cbv+"BizStep-", urns+":disp:", cbv+"Disp-",
	urns+":btt:", cbv+"BTT-", urns+":sdt:", cbv+"SDT-", urns+":er:", cbv+"ER-")

// canonicalTime returns a time in UTC with milliseconds, rounded half up.
func canonicalTime(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.UTC().Round(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// canonicalNumber returns the shortest decimal of a number that a double
// holds, and other text as it is.
func canonicalNumber(text string) string {
	if !decimal.MatchString(text) {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return text
	case f == 0:
		return "0"
	case f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	case math.Abs(f) < 1e-4: // as the reference implementation's language writes it
		return strconv.FormatFloat(f, 'e', -1, 64)
	default:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
}
