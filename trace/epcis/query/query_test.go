package query_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"tianhai/trace/epcis"
	"tianhai/trace/epcis/query"
)

func TestRefusedParameters(t *testing.T) {
	for name, test := range map[string]struct{ params, want string }{
		"unknown":              {"EQ_colour=red", "EQ_colour"},
		"no operator":          {"bizStep=shipping", "bizStep"},
		"no such operator":     {"NE_bizStep=shipping", "NE_bizStep"},
		"comparison of a text": {"GT_bizStep=shipping", "GT_bizStep"},
		"time not compared so": {"GT_eventTime=2026-01-01T00:00:00Z", "GT_eventTime"},
		"no value":             {"EQ_bizStep=", "EQ_bizStep has no value"},
		"no value in a list":   {"EQ_bizStep=shipping|", "EQ_bizStep has no value"},
		"action":               {"EQ_action=CREATE", "OBSERVE, ADD or DELETE"},
		"word":                 {"EQ_bizStep=shiping", "neither a word"},
		"no URI":               {"EQ_readPoint=gate", "is not a URI"},
		"no kind of event":     {"eventType=FishEvent", "FishEvent"},
		"no time":              {"GE_eventTime=yesterday", "date and time"},
		"time without zone":    {"GE_eventTime=2026-01-01T00:00:00", "date and time"},
		"two times":            {"GE_eventTime=2026-01-01T00:00:00Z|2026-01-02T00:00:00Z", "2 values"},
		"no number":            {"GE_quantity=much", "is not a number"},
		"infinite":             {"GE_quantity=Inf", "is not a number"},
		"neither":              {"GE_ex:n=much", "neither a number nor"},
		"no unit":              {"GE_value_celsius=3", "GE_value_celsius"},
		"no EPC":               {"MATCH_epc=carp", "is not a URI"},
		"no pattern":           {"MATCH_epc=urn:epc:idpat:carp:1.*", "pattern"},
		"no company":           {"MATCH_epc=urn:epc:idpat:sgtin:12.*.*", "6 to 12 digits"},
		"no such place":        {"WD_disposition=active", "WD_disposition"},
		"no attribute":         {"EQATTR_readPoint=x", "EQATTR_"},
		"no direction":         {"orderDirection=up", "ASC or DESC"},
		"no order":             {"orderBy=colour", "orderBy"},
		"limit alone":          {"eventCountLimit=3", "needs orderBy"},
		"limit and most":       {"eventCountLimit=3&maxEventCount=3&orderBy=eventTime", "exclude"},
		"limit of nothing":     {"eventCountLimit=0&orderBy=eventTime", "whole number"},
		"boolean":              {"EQ_booleanValue=yes", "true or false"},
		"too many values":      {"EQ_eventID=" + strings.Repeat("urn:a:b|", query.MaxValues) + "urn:a:b", "at most"},
	} {
		params, err := url.ParseQuery(test.params)
		if err != nil {
			t.Fatal(err)
		}
		_, err = query.Parse(params, epcis.NamesOf())
		if e, ok := errors.AsType[*query.Error](err); !ok || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		} else if want := map[bool]query.Kind{true: query.TooComplex}[name == "too many values"]; e.Kind != want {
			t.Errorf("%s: kind %d, want %d", name, e.Kind, want)
		}
	}
}

// Every parameter that the OpenAPI document of EPCIS 2.0 declares is taken in the URL,
// and every family of its query schema, each with a value of its kind.
func TestDeclaredParameters(t *testing.T) {
	values := map[string]string{
		"time": "2026-01-01T00:00:00%2B08:00", "number": "2.5", "count": "10", "uri": "urn:a:b%7Chttps://x.example/y", "text": "a%7Cb", "boolean": "true", "nothing": "",
		"type": "ObjectEvent%7CAggregationEvent", "action": "ADD%7COBSERVE", "step": "shipping%7Chttps://ref.gs1.org/cbv/BizStep-receiving", "disposition": "in_transit",
		"epc": "urn:epc:id:sgtin:4012345.011111.1%7Curn:epc:idpat:sgtin:4012345.*.*", "measurement": "Temperature", "reason": "incorrect_data", "order": "eventTime", "direction": "ASC", "token": "x",
	}
	for kind, names := range map[string]string{
		"time": `GE_eventTime LT_eventTime GE_recordTime LT_recordTime GE_errorDeclarationTime LT_errorDeclarationTime GE_startTime LT_startTime GE_endTime LT_endTime
			GE_time LT_time GE_ex:a LT_ex:a GE_ILMD_ex:a GE_INNER_ex:a GE_SENSORMETADATA_ex:a`,
		"number": `EQ_quantity GT_quantity GE_quantity LT_quantity LE_quantity EQ_quantity_KGM GE_quantity_KGM EQ_value_CEL GT_value_CEL GE_value_CEL LT_value_CEL LE_value_CEL
			EQ_minValue_CEL GE_maxValue_CEL LT_meanValue_CEL LE_sDev_CEL GT_percValue_CEL EQ_percRank GE_percRank
			GT_ex:a GE_ILMD_ex:a LT_INNER_ILMD_ex:a LE_INNER_ex:a EQ_SENSORREPORT_ex:a GT_INNER_SENSORELEMENT_ex:a GE_readPoint_ex:a LT_INNER_bizLocation_ex:a GE_ERROR_DECLARATION_ex:a`,
		"uri": `EQ_readPoint EQ_bizLocation WD_readPoint WD_bizLocation EQ_transformationID EQ_eventID EQ_correctiveEventID EQ_deviceID EQ_dataProcessingMethod EQ_microorganism
			EQ_chemicalSubstance EQ_bizRules EQ_uriValue EQ_bizTransaction_po EQ_bizTransaction_urn:x:y EQ_source_owning_party EQ_destination_location`,
		"text":        `EQ_stringValue EQ_ex:a EQ_ILMD_ex:a EQ_INNER_ex:a EQ_INNER_ILMD_ex:a EQ_ERROR_DECLARATION_ex:a EQ_SENSORELEMENT_ex:a EQ_SENSORMETADATA_ex:a EQATTR_readPoint_cbvmda:site EQ_ATTR_bizLocation_cbvmda:site HASATTR_readPoint`,
		"boolean":     "EQ_booleanValue",
		"nothing":     `EXISTS_errorDeclaration EXISTS_ex:a EXISTS_ILMD_ex:a EXISTS_INNER_ex:a EXISTS_INNER_ILMD_ex:a EXISTS_ERROR_DECLARATION_ex:a EXISTS_SENSORREPORT_ex:a EXISTS_readPoint_ex:a EXISTS_bizLocation_ex:a EXISTS_sensorElementList`,
		"type":        "eventType",
		"action":      "EQ_action",
		"step":        "EQ_bizStep",
		"disposition": "EQ_disposition EQ_persistentDisposition_set EQ_persistentDisposition_unset",
		"epc":         "MATCH_epc MATCH_parentID MATCH_inputEPC MATCH_outputEPC MATCH_anyEPC MATCH_epcClass MATCH_inputEPCClass MATCH_outputEPCClass MATCH_anyEPCClass",
		"measurement": "EQ_type",
		"reason":      "EQ_errorReason",
		"order":       "orderBy",
		"direction":   "orderDirection",
		"count":       "maxEventCount perPage",
		"token":       "nextPageToken",
	} {
		for name := range strings.FieldsSeq(names) {
			params, err := url.ParseQuery(name + "=" + values[kind])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := query.Parse(params, epcis.Names{"ex": "https://ns.example.com/"}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, both := range []string{"eventCountLimit=10&orderBy=recordTime", "EQ_hexBinaryValue=f0f0", "orderBy=ex:a"} {
		params, err := url.ParseQuery(both)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := query.Parse(params, epcis.Names{"ex": "https://ns.example.com/"}); err != nil {
			t.Errorf("%s: %v", both, err)
		}
	}
}

func TestQueryInJSON(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"lists and values":      {`{"eventType": ["ObjectEvent"], "EQ_bizStep": ["shipping", "receiving"], "GE_eventTime": "2026-01-01T00:00:00Z", "EQ_quantity": [1, 2.5], "GT_quantity": 3, "EXISTS_errorDeclaration": null, "orderBy": "eventTime", "eventCountLimit": 5, "EQ_booleanValue": true}`, ""},
		"extensions":            {`{"@context": [{"ex": "https://ns.example.com/"}], "EQ_ex:a": ["x"], "GE_ILMD_ex:b": 4, "LT_ex:c": "2026-01-01T00:00:00Z", "EQ_ex:d": 5}`, ""},
		"nothing":               {`{}`, ""},
		"words of GS1 as URIs":  {`{"@context": "https://ref.gs1.org/standards/epcis/2.0.0/query-schema.json", "EQ_bizStep": ["https://ref.gs1.org/cbv/BizStep-shipping"], "EQ_disposition": ["cbv:Disp-in_transit"], "GE_quantity": 1, "LT_quantity": 500, "orderBy": "eventTime", "orderDirection": "DESC", "eventCountLimit": 100}`, ""},
		"no object":             {`[]`, "query is not a JSON object"},
		"null":                  {`null`, "query is not a JSON object"},
		"a value for a list":    {`{"EQ_bizStep": "shipping"}`, `"shipping"; want a list`},
		"a list for a value":    {`{"GE_eventTime": ["2026-01-01T00:00:00Z"]}`, "want one value"},
		"a number for texts":    {`{"EQ_bizStep": [1]}`, "want strings"},
		"a text for a number":   {`{"GE_quantity": "1"}`, "want a number"},
		"texts for numbers":     {`{"EQ_quantity": ["1"]}`, "want a number"},
		"a text for a limit":    {`{"maxEventCount": "1"}`, "want a number"},
		"a fraction of a limit": {`{"maxEventCount": 1.5}`, "whole number"},
		"an object":             {`{"EQ_bizStep": [{}]}`, "an object"},
		"a page":                {`{"perPage": 3}`, "perPage"},
		"unknown":               {`{"EQ_colour": ["red"]}`, "EQ_colour"},
		"something that exists": {`{"EXISTS_errorDeclaration": "yes"}`, "is not null"},
	} {
		_, err := query.ParseJSON([]byte(test.raw))
		e, _ := errors.AsType[*query.Error](err)
		if test.want == "" && err != nil || test.want != "" && (e == nil || e.Kind != query.Definition || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// What a sensor measured is found in whatever unit it was given; a deviation has no zero.
func TestUnits(t *testing.T) {
	for param, want := range map[string]string{
		"GE_value_CEL=10":        "[{value_FAH [50]} {value_KEL [283.15]}]",
		"EQ_maxValue_FAH=32|212": "[{maxValue_CEL [0 100]} {maxValue_KEL [273.15 373.15]}]",
		"LT_sDev_CEL=1":          "[{sDev_FAH [1.8]} {sDev_KEL [1]}]",
		"EQ_quantity_LTR=1":      "[]",
		"EQ_value_KGM=1":         "[]",
		"EQ_value=1":             "[]",
	} {
		values, err := url.ParseQuery(param)
		if err != nil {
			t.Fatal(err)
		}
		q, err := query.Parse(values, epcis.NamesOf())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(q.Conditions[0].Also); got != want {
			t.Errorf("%s is %s, want %s", param, got, want)
		}
	}
}

// Whatever is asked, the answer is a query within limits or an Error that names
// something.
func FuzzParse(f *testing.F) {
	f.Add("EQ_bizStep=shipping|receiving&GE_eventTime=2026-01-01T00:00:00Z&MATCH_epc=urn:epc:idpat:sgtin:4012345.*.*", `{"EQ_ex:a": [5], "EXISTS_INNER_ILMD_ex:b": null}`)
	f.Add("EQATTR_readPoint_a:b=x&HASATTR_bizLocation=c&orderBy=ex:y&eventCountLimit=3", `{"EQ_value_CEL": [1e3], "@context": {"a": "urn:a:"}}`)
	f.Fuzz(func(t *testing.T, params, raw string) {
		values, err := url.ParseQuery(params)
		if err != nil {
			return
		}
		q, err := query.Parse(values, epcis.NamesOf())
		checkAnswer(t, q, err)
		q, err = query.ParseJSON([]byte(raw))
		checkAnswer(t, q, err)
	})
}

func checkAnswer(t *testing.T, q query.Query, err error) {
	t.Helper()
	if err != nil {
		if e, ok := errors.AsType[*query.Error](err); !ok || e.Name == "" || e.Reason == "" {
			t.Errorf("the error says too little: %v", err)
		}
		return
	}
	if len(q.Conditions) > query.MaxConditions {
		t.Errorf("%d conditions", len(q.Conditions))
	}
	for _, c := range q.Conditions {
		if len(c.Fields) == 0 || c.Op == query.Compare && len(c.Numbers) != 1 || c.Op == query.Any && len(c.Texts)+len(c.Patterns) == 0 {
			t.Errorf("a condition that cannot be asked: %+v", c)
		}
	}
}
