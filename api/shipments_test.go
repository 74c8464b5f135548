package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/evidence"
)

const shipmentID = "01JZ0000000000000000000SH1"

// shipment is the oyster farm's, on its way.
func shipment() trace.Shipment {
	return trace.Shipment{ID: shipmentID, Tenant: "oyster", Batches: []string{batchID}, Origin: "450702", Destination: "450100", Vehicle: "N-77", Loggers: []string{"do-1"}, Departed: noon.Add(-time.Hour)}
}

func (w *world) FindShipments(_ context.Context, q api.ShipmentQuery) ([]trace.Shipment, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc([]trace.Shipment{shipment()}, func(s trace.Shipment) bool { return !w.leaky && q.Tenant != "" && s.Tenant != q.Tenant }), nil
}

func (w *world) Shipment(_ context.Context, id string) (trace.Shipment, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return trace.Shipment{}, err
	}
	if id != shipmentID {
		return trace.Shipment{}, farm.ErrNotFound
	}
	return shipment(), nil
}

func (w *world) Depart(_ context.Context, s trace.Shipment) (trace.Shipment, bool, error) {
	defer w.mu.Unlock()
	return s, s.ID != shipmentID, w.enter()
}

func (w *world) Arrive(_ context.Context, _, _ string, arrived time.Time) (trace.Shipment, error) {
	defer w.mu.Unlock()
	s := shipment()
	s.Arrived = arrived
	return s, w.enter()
}

func (w *world) Courses(_ context.Context, s trace.Shipment) ([]trace.Course, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	return []trace.Course{{Trip: trace.Trip{Sensor: trace.Sensor{Device: s.Loggers[0]}, Gaps: []farm.Gap{}, Excursions: []evidence.Excursion{}}, Interval: 60, Points: []farm.Point{}}}, nil
}

func TestShipments(t *testing.T) {
	base, _ := serve(t, newWorld())
	c := client{t, base, "farmer"}
	if a := c.do("POST", "/shipments", `{"id":"`+shipmentID+`","batches":["b"]}`); a.status != 200 || !strings.Contains(a.body, `"tenant":"oyster"`) {
		t.Errorf("the same one again: %d %s, want 200 and the caller's tenant", a.status, a.body)
	}
	if a := c.do("POST", "/shipments/"+shipmentID+"/close", `{}`); a.status != 200 || !strings.Contains(a.body, `"arrived":"2026-07-01T04:00:00Z"`) {
		t.Errorf("arrived now: %d %s", a.status, a.body)
	}
	if a := c.do("POST", "/shipments", `{"tenant":"tea","id":"`+shipmentID+`"}`); a.status != 404 {
		t.Errorf("for a stranger: %d, want 404", a.status)
	}
	if a := c.do("GET", "/shipments/"+shipmentID+"/courses", ""); a.status != 200 || !strings.Contains(a.body, `"device":"do-1"`) {
		t.Errorf("its courses: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/shipments/nothing", "/shipments/01JZ0000000000000000000SH9", "/shipments/%2e%2e"} {
		if a := c.do("GET", path, ""); a.status != 404 {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	if a := c.do("GET", "/shipments?limit=0", ""); a.status != 400 {
		t.Errorf("no limit: %d", a.status)
	}
	for _, leaky := range []bool{false, true} {
		w := newWorld()
		w.leaky = leaky
		base, _ := serve(t, w)
		for login, sees := range map[string]bool{"admin": true, "bureau": true, "bureau-tea": false, "farmer": true, "stranger": false, "nobody": false} {
			if got := strings.Contains(client{t, base, login}.do("GET", "/shipments", "").body, shipmentID); got != sees {
				t.Errorf("leaky %v: %s sees it: %v", leaky, login, got)
			}
		}
	}
}
