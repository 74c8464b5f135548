package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tianhai/trace/epcis"
)

// Others are the parameters of a URL that are no part of the query language.
func Others() []string { return []string{"perPage", "nextPageToken"} }

// Parse reads the parameters of a URL; those of Others are passed over. Values of a
// list are separated by | or given one by one. Names resolve the prefixes of
// extensions, as GS1-Extensions declares them. The error is an *Error.
func Parse(params url.Values, names epcis.Names) (Query, error) {
	p := parser{names: names}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if slices.Contains(Others(), name) {
			continue
		}
		var values []string
		for _, v := range params[name] {
			values = append(values, strings.Split(v, "|")...)
		}
		if err := p.parameter(name, values); err != nil {
			return Query{}, named(err, name, Parameter)
		}
	}
	q, err := p.finish()
	return q, named(err, "", Parameter)
}

// named completes an error.
func named(err error, name string, kind Kind) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	if e.Name == "" {
		e.Name = cmp.Or(name, "a parameter without a name")
	}
	if e.Kind != TooComplex {
		e.Kind = kind
	}
	return e
}

// ParseJSON reads a query in JSON, an object whose members are the parameters: of lists
// an array, of others one value. Its @context declares the prefixes of extensions. The
// error is an *Error.
func ParseJSON(raw []byte) (Query, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return Query{}, &Error{Kind: Definition, Name: "query", Reason: "is not a JSON object of parameters"}
	}
	names := epcis.NamesOf()
	if context, ok := members["@context"]; ok {
		var err error
		if names, err = epcis.ParseNames(context); err != nil {
			return Query{}, &Error{Kind: Definition, Name: "@context", Reason: "cannot be read: " + err.Error()}
		}
	}
	p := parser{names: names}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == "@context" {
			continue
		}
		if slices.Contains(Others(), name) {
			return Query{}, &Error{Kind: Definition, Name: name, Reason: "is no part of a query; it goes into the URL"}
		}
		values, err := jsonValues(name, members[name])
		if err == nil {
			err = p.parameter(name, values)
		}
		if err != nil {
			return Query{}, named(err, name, Definition)
		}
	}
	q, err := p.finish()
	return q, named(err, "", Definition)
}

// jsonValues returns the texts of a member, whose JSON type must be that of its
// parameter.
func jsonValues(name string, raw json.RawMessage) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, bad(name, "is no JSON value")
	}
	op, rest, _ := strings.Cut(name, "_")
	numeric := numberField(rest)
	list, isList := v.([]any)
	switch {
	case op == "EXISTS":
		if _, isNumber := v.(json.Number); v == nil || isNumber {
			return nil, nil
		}
		return nil, bad(name, "is not null")
	case isList && !takesList(op, rest, numeric):
		return nil, bad(name, "is a list; want one value")
	case !isList && wantsList(op, rest, numeric):
		return nil, bad(name, "is %s; want a list", jsonKind(v))
	case !isList:
		list = []any{v}
	}
	values := make([]string, len(list))
	for i, item := range list {
		switch item := item.(type) {
		case string:
			if numeric || name == "eventCountLimit" || name == "maxEventCount" || rest == "booleanValue" {
				return nil, bad(name, "is %s; want a number, or for booleanValue true or false", jsonKind(item))
			}
			values[i] = item
		case json.Number:
			if wantsList(op, rest, false) && !numeric && !extensionName(rest) {
				return nil, bad(name, "has a number; want strings")
			}
			values[i] = item.String()
		case bool:
			if rest != "booleanValue" {
				return nil, bad(name, "is %s; want a string or a number", jsonKind(item))
			}
			values[i] = strconv.FormatBool(item)
		default:
			return nil, bad(name, "is %s; want a string or a number", jsonKind(item))
		}
	}
	return values, nil
}

func jsonKind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "the number " + v.String()
	case string:
		return fmt.Sprintf("%.80q", v)
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// wantsList reports whether only a list will do, takesList whether one will.
func wantsList(op, rest string, numeric bool) bool {
	switch op {
	case "eventType", "MATCH", "WD", "HASATTR", "EQATTR":
		return true
	case "EQ":
		return rest != "booleanValue" && !extensionName(rest) && !strings.HasPrefix(rest, "ATTR_")
	}
	return false
}

func takesList(op, rest string, numeric bool) bool {
	return wantsList(op, rest, numeric) || op == "EQ" && rest != "booleanValue"
}
