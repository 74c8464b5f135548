package told

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/epcis"
)

// A draft is an event before it has an ID, by the names of the JSON binding.
type draft map[string]any

// text returns the draft as a document of one event; id is left out where it is empty.
func (d draft) text(publicURL, id string) []byte {
	all := draft{"@context": []any{epcis.OwnContext, map[string]string{"tianhai": strings.TrimSuffix(publicURL, "/") + "/epcis/voc/"}}}
	for name, v := range d {
		all[name] = v
	}
	if id != "" {
		all["eventID"] = id
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts, numbers and lists of them always marshal
	}
	return raw
}

// zone is that of farms here.
const zone = "+08:00"

// begin drafts an event that proves itself by a record.
func begin(rec trace.Record, kind string, at time.Time) draft {
	leaf := trace.Record{Kind: rec.Kind, Subject: rec.Subject, Code: rec.Code, Salt: rec.Salt, Body: rec.Body}.Leaf()
	var sealed struct {
		Hash string `json:"h"`
	}
	if err := json.Unmarshal(leaf, &sealed); err != nil {
		panic(err) // a leaf is JSON
	}
	return draft{
		"type": kind, "eventTime": stamp(at), "eventTimeZoneOffset": zone,
		"tianhai:record": rec.ID, "tianhai:leaf": sealed.Hash,
	}
}

// A statement is what a record says: events, and of which earlier record they take the
// place.
type statement struct {
	events   []draft
	corrects string    // subject of the record; "" for none
	at       time.Time // when it was recorded
}

// events returns what a record says as events, behind what it takes back of an earlier one.
func (t *Teller) events(ctx context.Context, rec trace.Record) ([]draft, error) {
	said, err := t.said(ctx, rec)
	if err != nil || said.corrects == "" {
		return said.events, err
	}
	return t.declare(ctx, rec, said)
}

// said reads a record by itself.
func (t *Teller) said(ctx context.Context, rec trace.Record) (statement, error) {
	switch rec.Kind {
	case trace.OperationRecord:
		return t.operation(rec)
	case trace.MovementRecord:
		return t.movement(ctx, rec)
	case trace.BatchRecord:
		return t.closed(ctx, rec)
	case trace.ShipmentRecord, trace.ArrivalRecord:
		return t.shipment(ctx, rec)
	}
	return statement{}, fmt.Errorf("%s is none of the kinds that are told", rec.Kind)
}

// operationBody is what the record of an operation says that is told.
type operationBody struct {
	Site string `json:"site"`
	trace.PublicOperation
}

// operation tells what was done on a site, to what grew there.
func (t *Teller) operation(rec trace.Record) (statement, error) {
	var op operationBody
	if err := json.Unmarshal(rec.Body, &op); err != nil {
		return statement{}, fmt.Errorf("read its body: %w", err)
	}
	s := statement{corrects: op.Corrects, at: op.Recorded}
	if op.Kind != catalog.Void {
		d := begin(rec, "ObjectEvent", op.At)
		d["action"] = "OBSERVE"
		d["bizStep"] = t.word("BizStep-" + op.Kind)
		d["bizLocation"] = id(t.uri("site", op.Site))
		d["quantityList"] = []any{map[string]any{"epcClass": t.crop(op.Site)}}
		if len(op.Items) > 0 {
			items := make([]any, len(op.Items))
			for i, item := range op.Items {
				items[i] = map[string]any{"tianhai:key": item.Key, "tianhai:value": item.Value}
			}
			d["tianhai:item"] = items
		}
		s.events = []draft{d}
	}
	return s, nil
}

// crop is what grows on a site, until it is harvested.
func (t *Teller) crop(site string) string { return t.uri("site", site) + "/crop" }

// declare puts before what a record says the events of the one that it corrects or takes
// back, declared to be in error as EPCIS 2.0 section 7.4.1.2 has it.
func (t *Teller) declare(ctx context.Context, rec trace.Record, said statement) ([]draft, error) {
	all, err := t.Source.RecordsOf(ctx, said.corrects)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r trace.Record) bool { return r.Kind == rec.Kind && r.Tenant == rec.Tenant })
	if i < 0 {
		return said.events, nil // from before there were records
	}
	wrong, err := t.said(ctx, all[i])
	if err != nil {
		return nil, err
	}
	declaration := map[string]any{"declarationTime": stamp(said.at), "reason": "did_not_occur"}
	if len(said.events) > 0 {
		ids := make([]string, len(said.events))
		for i, d := range said.events {
			e, err := t.finish(d)
			if err != nil {
				return nil, err
			}
			ids[i] = e.ID
		}
		declaration["reason"], declaration["correctiveEventIDs"] = "incorrect_data", ids
	}
	for _, d := range wrong.events {
		d["errorDeclaration"] = declaration
	}
	return append(wrong.events, said.events...), nil
}

// movement tells what became of batches.
func (t *Teller) movement(ctx context.Context, rec trace.Record) (statement, error) {
	var body struct {
		Movement chain.Movement `json:"movement"`
	}
	if err := json.Unmarshal(rec.Body, &body); err != nil {
		return statement{}, fmt.Errorf("read its body: %w", err)
	}
	m := body.Movement
	s := statement{corrects: m.Corrects, at: m.Recorded}
	if m.Kind == chain.Void {
		return s, nil
	}
	d, err := t.moved(ctx, rec, m)
	s.events = []draft{d}
	return s, err
}

func (t *Teller) moved(ctx context.Context, rec trace.Record, m chain.Movement) (draft, error) {
	var inputs, outputs []any
	for _, in := range m.Inputs {
		q, err := t.quantity(ctx, in.Batch, in.Amount)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, q)
	}
	for _, out := range m.Outputs {
		q, err := t.quantity(ctx, out.Batch, out.Amount)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, q)
	}
	if m.Kind == chain.Harvest {
		inputs = []any{map[string]any{"epcClass": t.crop(m.Site)}}
	}
	var d draft
	if len(outputs) > 0 {
		d = begin(rec, "TransformationEvent", m.At)
		d["inputQuantityList"], d["outputQuantityList"] = inputs, outputs
	} else {
		d = begin(rec, "ObjectEvent", m.At)
		d["action"], d["quantityList"] = "OBSERVE", inputs
	}
	t.step(d, m)
	if m.Site != "" {
		d["bizLocation"] = id(t.uri("site", m.Site))
	}
	return d, t.parties(ctx, d, m)
}

// step names what was done, in a word of CBV 2.0 where there is one.
func (t *Teller) step(d draft, m chain.Movement) {
	own := func(word string) string { return t.word("BizStep-" + word) }
	switch m.Kind {
	case chain.Process:
		d["bizStep"] = own(strings.Trim("process-"+m.Step, "-"))
	case chain.Pack:
		d["bizStep"] = "packing"
	case chain.Store:
		d["bizStep"], d["disposition"] = "storing", "in_progress"
	case chain.Move, chain.Sell:
		d["bizStep"], d["disposition"] = "shipping", "in_transit"
		if m.Kind == chain.Move && m.To == "" { // it is there already
			d["bizStep"], d["disposition"] = "transporting", "in_progress"
		}
	case chain.Receive:
		d["bizStep"], d["disposition"] = "receiving", "in_progress"
	case chain.Loss:
		d["action"], d["bizStep"] = "DELETE", "decommissioning"
	case chain.Decline:
		d["bizStep"], d["disposition"] = own("decline"), "returned"
	case chain.Harvest, chain.Split, chain.Merge, chain.Void:
		d["bizStep"] = own(string(m.Kind))
	}
}

// parties says from whom to whom goods went, where that is an operator here. A buyer
// outside may be a person, and is not told.
func (t *Teller) parties(ctx context.Context, d draft, m chain.Movement) error {
	from, to := m.Tenant, m.To
	if m.Handover != "" {
		all, err := t.Source.RecordsOf(ctx, m.Handover)
		if err != nil || len(all) == 0 {
			return err
		}
		from, to = all[0].Tenant, m.Tenant
		if m.Kind == chain.Decline {
			from, to = to, from
		}
	}
	if to == "" {
		return nil
	}
	parties := func(role, tenant string) []any {
		list := []any{map[string]any{"type": "possessing_party", role: t.uri("operator", tenant)}}
		if m.Kind == chain.Sell {
			list = append(list, map[string]any{"type": "owning_party", role: t.uri("operator", tenant)})
		}
		return list
	}
	d["sourceList"], d["destinationList"] = parties("source", from), parties("destination", to)
	return nil
}

// closed tells that a batch bears a code, and what its sensors recorded.
func (t *Teller) closed(ctx context.Context, rec trace.Record) (statement, error) {
	var public trace.PublicRecord
	if err := json.Unmarshal(rec.Body, &public); err != nil {
		return statement{}, fmt.Errorf("read its body: %w", err)
	}
	b, err := t.Source.EventBatch(ctx, rec.Subject)
	if err != nil {
		return statement{}, err
	}
	q, err := t.quantity(ctx, rec.Subject, b.Made)
	if err != nil {
		return statement{}, err
	}
	d := begin(rec, "ObjectEvent", public.Closed)
	d["action"], d["bizStep"], d["disposition"], d["quantityList"] = "OBSERVE", "commissioning", "active", []any{q}
	d["bizLocation"] = id(t.uri("site", b.Site))
	d["tianhai:traceCode"] = strings.TrimSuffix(t.PublicURL, "/") + "/t/" + rec.Code
	d["tianhai:lot"] = public.Lot
	d["tianhai:harvest"] = public.Harvest.UTC().Format(time.RFC3339)
	if elements := t.sensed(public.Evidence); len(elements) > 0 {
		d["sensorElementList"] = elements
	}
	return statement{events: []draft{d}}, nil
}

// shipment tells that batches left or arrived, and how warm they were on the way.
func (t *Teller) shipment(ctx context.Context, rec trace.Record) (statement, error) {
	s, err := trace.ReadShipment(trace.Record{ID: rec.ID, Kind: rec.Kind, Subject: rec.Subject, Body: rec.Body})
	if err != nil {
		return statement{}, err
	}
	at, step, disposition := s.Departed, "departing", "in_transit"
	if rec.Kind == trace.ArrivalRecord {
		at, step, disposition = s.Arrived, "arriving", "in_progress"
	}
	d := begin(rec, "ObjectEvent", at)
	var quantities []any
	for _, batch := range s.Batches {
		b, err := t.Source.EventBatch(ctx, batch)
		if err != nil {
			return statement{}, err
		}
		name, err := t.name(ctx, b)
		if err != nil {
			return statement{}, err
		}
		quantities = append(quantities, map[string]any{"epcClass": name})
	}
	d["action"], d["bizStep"], d["disposition"], d["quantityList"] = "OBSERVE", step, disposition, quantities
	d["tianhai:shipment"], d["tianhai:origin"], d["tianhai:destination"] = s.ID, s.Origin, s.Destination
	if elements := t.trips(s); len(elements) > 0 {
		d["sensorElementList"] = elements
	}
	return statement{events: []draft{d}}, nil
}

func id(uri string) map[string]any { return map[string]any{"id": uri} }

// word is one of our own vocabulary.
func (t *Teller) word(name string) string {
	return strings.TrimSuffix(t.PublicURL, "/") + "/epcis/voc/" + name
}

// quantity is an amount of a batch.
func (t *Teller) quantity(ctx context.Context, batch string, a chain.Amount) (map[string]any, error) {
	b, err := t.Source.EventBatch(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", batch, err)
	}
	name, err := t.name(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", batch, err)
	}
	q := map[string]any{"epcClass": name}
	if a.N == 0 {
		return q, nil
	}
	unit, code := measure(a)
	if converted, ok := a.In(unit); ok {
		a = converted
	}
	q["quantity"] = json.Number(a.Number())
	if code != "" {
		q["uom"] = code
	}
	return q, nil
}

// measure returns a unit that has a code of UN/CEFACT Recommendation 20, and that code;
// "" for what is counted, of which EPCIS has no unit.
func measure(a chain.Amount) (unit, code string) {
	switch a.Dim() {
	case "mg":
		return "kg", "KGM"
	case "uL":
		return "L", "LTR"
	}
	return a.Unit, ""
}

// checkSum writes a SHA-256 as it stands in a document; "" for one that is none.
func checkSum(s string) string {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 32 {
		return ""
	}
	return s
}
