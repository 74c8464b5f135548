package api_test

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace/complaint"
	"tianhai/trace/scan"
)

const (
	scanAlarmID = "01JZ0000000000000000000SA1"
	unknownCode = "01JZ0000000000000000000SA2" // of an alarm about a code that is nobody's
	complaintID = "01JZ0000000000000000000CM1"
)

func scanAlarms() []scan.Alarm {
	return []scan.Alarm{
		{ID: scanAlarmID, Reason: scan.Travel, Code: "CODE1", Tenant: "oyster", Batch: batchID, Region: "450512", Raised: noon, Evidence: scan.Evidence{Distance: 900, Minutes: 5, Looks: 3, Devices: 2}},
		{ID: unknownCode, Reason: scan.Reason(scan.Unknown), Code: "CODE9", Region: farm.GuangxiCode, Raised: noon},
	}
}

func aComplaint() complaint.Complaint {
	return complaint.Complaint{
		ID: complaintID, Reference: "SECRETREFERENCE", Code: "CODE1", Batch: batchID, Tenant: "oyster", Region: "450512", Kind: "quality",
		Words: "有沙子", Phone: "13800000000", Photo: strings.Repeat("ab", 32), Language: "zh-CN", Received: noon, State: complaint.Received,
	}
}

func (w *world) ListScanAlarms(_ context.Context, q api.NoticeQuery) ([]scan.Alarm, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	var all []scan.Alarm
	for _, a := range slices.Backward(scanAlarms()) {
		if w.within(q.Scope, a.Tenant, a.Region) && behind(q.After, a.Raised, a.ID) && len(all) < q.Limit {
			all = append(all, a)
		}
	}
	return all, nil
}

func (w *world) ScanAlarm(_ context.Context, id string) (scan.Alarm, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return scan.Alarm{}, err
	}
	for _, a := range scanAlarms() {
		if a.ID == id {
			return a, nil
		}
	}
	return scan.Alarm{}, farm.ErrNotFound
}

func (w *world) AcknowledgeScanAlarm(_ context.Context, id, account, finding string) (scan.Alarm, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return scan.Alarm{}, err
	}
	w.wrote++
	a := scanAlarms()[0]
	a.ID, a.Acknowledged, a.By, a.Finding = id, noon, account, finding
	return a, nil
}

func (w *world) Markets(context.Context, string) ([]string, error) {
	defer w.mu.Unlock()
	return []string{"45"}, w.enter()
}

func (w *world) SetMarkets(_ context.Context, _ string, regions []string, _ string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	w.regions = regions
	return nil
}

func (w *world) ListComplaints(_ context.Context, q api.NoticeQuery) ([]complaint.Complaint, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	w.notices = q
	if c := aComplaint(); w.within(q.Scope, c.Tenant, c.Region) && behind(q.After, c.Received, c.ID) {
		return []complaint.Complaint{c}, nil
	}
	return nil, nil
}

func (w *world) Complaint(_ context.Context, id string) (complaint.Complaint, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return complaint.Complaint{}, err
	}
	if id != complaintID {
		return complaint.Complaint{}, farm.ErrNotFound
	}
	return aComplaint(), nil
}

func (w *world) Answer(_ context.Context, _ string, a complaint.Answer) (complaint.Complaint, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return complaint.Complaint{}, err
	}
	w.wrote++
	return aComplaint().Add(a)
}

func (w *world) ErasePhone(context.Context, string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func (w *world) ComplaintPhoto(string) ([]byte, error) {
	defer w.mu.Unlock()
	return []byte("\xff\xd8\xff\xe0"), w.enter()
}

// Who answers is whom the account says, and what a consumer looks a complaint up by
// stays the consumer's.
func TestAnswerComplaint(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	for login, office := range map[string]string{"manager": `"producer"`, "bureau": `"bureau"`} {
		c := client{t, base, login}
		got := c.do(http.MethodPost, "/complaints/"+complaintID+"/answers", `{"id":"01JZ0000000000000000000AN1","words":"我们马上查","closes":true}`)
		if got.status != http.StatusCreated || !strings.Contains(got.body, office) || !strings.Contains(got.body, `"closed"`) || !strings.Contains(got.body, `"may_answer":false`) {
			t.Errorf("%s: %d %s", login, got.status, got.body)
		}
		for _, path := range []string{"/complaints", "/complaints/" + complaintID} {
			if got := c.do(http.MethodGet, path, ""); !strings.Contains(got.body, "有沙子") || strings.Contains(got.body, "SECRET") {
				t.Errorf("%s sees %s", login, got.body)
			}
		}
	}
}

// What narrows a list of notices reaches whoever reads them; what is none is refused.
func TestNoticeQuery(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "bureau"}
	for query, field := range map[string]string{
		"state=closed&batch=" + batchID + "&from=2026-07-01T00:00:00Z&to=2026-07-02T00:00:00Z": "",
		"state=gone": "state", "batch=7": "batch", "from=today": "from", "to=x": "to",
		"from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z": "from",
	} {
		got := c.do(http.MethodGet, "/complaints?"+query, "")
		if field != "" {
			if got.status != http.StatusBadRequest || !strings.Contains(got.body, field) {
				t.Errorf("%s: %d %s", query, got.status, got.body)
			}
			continue
		}
		if q := w.notices; got.status != http.StatusOK || q.State != "closed" || q.Batch != batchID || q.To.Sub(q.From) != 24*time.Hour || q.Region == "" {
			t.Errorf("%s: %d, asked for %+v", query, got.status, q)
		}
	}
	if got := c.do(http.MethodGet, "/scan-alarms?state=closed", ""); got.status != http.StatusBadRequest {
		t.Errorf("a state of complaints: %d", got.status)
	}
}

// What is nobody's code is for officers of the whole region, and for nobody of a farm.
func TestUnknownCode(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	w.leaky = true
	for login, sees := range map[string]bool{"admin": true, "bureau": false, "manager": false} {
		c := client{t, base, login}
		got := c.do(http.MethodGet, "/scan-alarms?state=open", "")
		if strings.Contains(got.body, "CODE9") != sees || !strings.Contains(got.body, "CODE1") {
			t.Errorf("%s sees %s", login, got.body)
		}
		if got := c.do(http.MethodPost, "/scan-alarms/"+unknownCode+"/acknowledge", `{"finding":"x"}`); got.status == http.StatusOK {
			t.Errorf("%s acknowledges it: %d", login, got.status)
		}
	}
}

func TestMarkets(t *testing.T) {
	w := newWorld()
	base, _ := serve(t, w)
	c := client{t, base, "manager"}
	if got := c.do(http.MethodPut, "/tenants/oyster/markets", `{"regions":["广西"]}`); got.status != http.StatusBadRequest || !strings.Contains(got.body, "regions") {
		t.Errorf("%d %s", got.status, got.body)
	}
	got := c.do(http.MethodPut, "/tenants/oyster/markets", `{"regions":["450000","vn"]}`)
	if want := []string{"45", "VN"}; got.status != http.StatusOK || !reflect.DeepEqual(w.regions, want) {
		t.Errorf("%d %s, stored %q", got.status, got.body, w.regions)
	}
}
