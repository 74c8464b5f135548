package main_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/trace/label"
)

// look opens a code as a phone behind the reverse proxy does.
func look(t *testing.T, base, code, address, region string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/t/"+code+"?lang=en", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", address)
	req.Header.Set("X-Region", region)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// scanAlarms are those that an account sees, by reason and code.
func scanAlarms(b *browser) map[string]string {
	var list struct {
		Alarms []struct{ ID, Reason, Code string } `json:"scan_alarms"`
	}
	b.getJSON("/api/v1/scan-alarms?state=open", &list)
	all := map[string]string{}
	for _, a := range list.Alarms {
		all[a.Reason+" "+a.Code] = a.ID
	}
	return all
}

// TestScans: looks are counted and said on the page; a crowd outside the places of sale,
// a code that nobody printed and one that is recalled are alarms for the producer and
// the bureau, told by the webhook, once, over kill -9; and no address is kept.
func TestScans(t *testing.T) {
	hook := newReceiver(t)
	hook.key = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of twenty bytes"))
	for k, v := range map[string]string{
		"TIANHAI_ALERTS_WEBHOOK_URL": hook.URL, "TIANHAI_ALERTS_WEBHOOK_SECRET": hook.key,
		"TIANHAI_HTTP_PROXIES": "[127.0.0.1/32]", "TIANHAI_HTTP_REGION_HEADER": "X-Region",
	} {
		t.Setenv(k, v)
	}
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"  - {login: ju, name: 王科长, role: bureau, region: \"450700\"}\nproducts: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	manager, bureau := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	manager.login("wang", passwordOf(t, printed, "wang"))
	bureau.login("ju", passwordOf(t, printed, "ju"))
	if status, raw := manager.send("PUT", "/api/v1/tenants/oysters/markets", []byte(`{"regions":["45"]}`)); status != http.StatusOK {
		t.Fatalf("places of sale: %d %s", status, raw)
	}
	code := sellBatch(manager, "S-1")
	if page := look(t, s.HTTP, code, "203.0.113.1", "45"); !strings.Contains(page, "You are the first to look at this code") {
		t.Error("the first look is not called so")
	}
	for i := range 5 {
		look(t, s.HTTP, code, fmt.Sprintf("203.0.113.%d", 10+i), "CN-BJ")
	}
	waitFor(t, "the alarm", time.Minute, func() bool { return scanAlarms(manager)["outside_market "+code] != "" })
	id := scanAlarms(bureau)["outside_market "+code]
	if id == "" {
		t.Error("the bureau does not see it")
	}
	waitFor(t, "the message, at the second attempt", time.Minute, func() bool { m, _ := hook.told(id); return m != nil })
	if m, attempts := hook.told(id); attempts != 2 || m["type"] != "scan_alarm.raised" {
		t.Errorf("at attempt %d: %v", attempts, m)
	}

	fake, err := label.NewCode(strings.NewReader("twelve bytes and more of nothing"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		look(t, s.HTTP, fake, "203.0.113.77", "45")
	}
	s.kill() // the looks of the last second may go; an alarm stays
	s = startServer(t, "serve", data)
	manager.base, bureau.base = s.HTTP, s.HTTP
	if scanAlarms(manager)["outside_market "+code] != id {
		t.Error("the alarm is gone")
	}
	for range 3 {
		look(t, s.HTTP, fake, "203.0.113.77", "45")
	}
	admin := newBrowser(t, s.HTTP)
	admin.login("admin", passwordOf(t, printed, "admin"))
	waitFor(t, "the alarm of a code that nobody printed", time.Minute, func() bool { return scanAlarms(admin)["never_issued "+fake] != "" })
	if scanAlarms(manager)["never_issued "+fake] != "" {
		t.Error("a code that is nobody's is a farm's")
	}
	waitFor(t, "the count", time.Minute, func() bool {
		return strings.Contains(look(t, s.HTTP, code, "203.0.113.1", "45"), "looked at 6 times")
	})

	batch := batchOf(manager, code)
	status, raw := bureau.send("POST", "/api/v1/recalls", fmt.Appendf(nil, `{"id":%q,"start":{"kind":"batch","id":%q},"reason":{"zh":"检出麻痹性贝类毒素","en":"Shellfish toxin found"},"hazard":{"zh":"可致头晕"},"advice":{"zh":"请退货"},"contact":"12316"}`, ulid.Make(), batch))
	if status != http.StatusCreated {
		t.Fatalf("recall: %d %s", status, raw)
	}
	look(t, s.HTTP, code, "203.0.113.1", "45")
	waitFor(t, "the alarm of a recalled code", time.Minute, func() bool { return scanAlarms(bureau)["recalled "+code] != "" })
	path := "/api/v1/scan-alarms/" + id + "/acknowledge"
	if status, raw := bureau.send("POST", path, []byte(`{"finding":"是旅游团"}`)); status != http.StatusOK {
		t.Errorf("acknowledge: %d %s", status, raw)
	}
	if status, _ := manager.send("POST", path, []byte(`{"finding":"again"}`)); status != http.StatusConflict {
		t.Errorf("acknowledged twice: %d", status)
	}
	if scanAlarms(manager)["outside_market "+code] != "" {
		t.Error("what was acknowledged is open")
	}

	if err := s.terminate(); err != nil {
		t.Error(err)
	}
	err = filepath.WalkDir(data, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if bytes.Contains(raw, []byte("203.0.113.")) {
			t.Errorf("%s keeps an address", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// batchOf returns the batch that has a code.
func batchOf(b *browser, code string) string {
	b.t.Helper()
	var list struct{ Batches []struct{ ID, Code string } }
	b.getJSON("/api/v1/batches", &list)
	for _, batch := range list.Batches {
		if batch.Code == code {
			return batch.ID
		}
	}
	b.t.Fatalf("no batch has code %s", code)
	return ""
}

// filterComplaints finds a complaint that waits by its state and batch, as a farm's
// manager does; the file holds what is shown.
func filterComplaints(t *testing.T, base, password, id, batch string) {
	t.Helper()
	c := newChrome(t, 390, 844)
	c.open(base + "/manage/?lang=en#/consumers")
	c.login("wang", password)
	shown := fmt.Sprintf(`document.querySelector('.consumers li[data-id=%q]')`, id)
	c.waitJS("the complaint", shown)
	c.choose(".filters [name=state]", "done")
	c.says("No complaint matches the filter.")
	c.axe("the filter")
	c.click(".filters button")
	c.choose(".filters [name=batch]", batch)
	c.waitJS("the complaint of the batch, and its file", shown+` && document.querySelector('.exports a[href*="state=open&batch=`+batch+`"]')`)
}

// TestComplaint: a consumer complains on a phone, in Thai and with a picture that knows
// where it was taken; producer and bureau read it and answer; the consumer reads the
// answer and has the telephone number deleted.
func TestComplaint(t *testing.T) {
	hook := newReceiver(t)
	hook.key = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of twenty bytes"))
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL)
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_SECRET", hook.key)
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"  - {login: ju, name: 王科长, role: bureau, region: \"450700\"}\nproducts: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}]\n")
	s := startServer(t, "serve", data)
	manager, bureau := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	manager.login("wang", passwordOf(t, printed, "wang"))
	bureau.login("ju", passwordOf(t, printed, "ju"))
	code := sellBatch(manager, "C-1")

	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/t/" + code + "/complaint?lang=th")
	c.eval(`(f => { f.kind.value = 'quality'; f.words.value = 'หอยมีทรายเยอะมาก'; f.phone.value = '+66 2 123 4567'; f.requestSubmit(); return '' })(document.querySelector('form[method=post]'))`)
	c.waitJS("what has become of it", "location.pathname.startsWith('/c/')")
	if said := c.text(); !strings.Contains(said, "รอคำตอบ") || !strings.Contains(said, label.Group(code)) {
		t.Errorf("after it was sent: %s", said)
	}
	type list struct {
		Complaints []struct {
			ID, Words, Phone, Photo, Language, State string
		}
	}
	var seen list
	bureau.getJSON("/api/v1/complaints?state=open", &seen)
	if len(seen.Complaints) != 1 || seen.Complaints[0].Words != "หอยมีทรายเยอะมาก" || seen.Complaints[0].Phone != "+66 2 123 4567" || seen.Complaints[0].Language != "th" {
		t.Fatalf("the bureau reads %+v", seen)
	}
	id := seen.Complaints[0].ID
	waitFor(t, "the message", time.Minute, func() bool { m, _ := hook.told(id); return m != nil })
	if m, _ := hook.told(id); m["type"] != "complaint.received" || strings.Contains(fmt.Sprint(m), "123 4567") {
		t.Errorf("told %v", m)
	}
	filterComplaints(t, s.HTTP, passwordOf(t, printed, "wang"), id, batchOf(manager, code))
	status, raw := manager.send("POST", "/api/v1/complaints/"+id+"/answers", fmt.Appendf(nil, `{"id":%q,"words":"抱歉，请联系我们换货。"}`, ulid.Make()))
	if status != http.StatusCreated {
		t.Errorf("answer: %d %s", status, raw)
	}
	c.eval("location.reload(), ''")
	c.waitJS("the answer", "document.body.innerText.includes('抱歉，请联系我们换货。')")
	c.eval("document.querySelector('form[action$=forget] button').click(), ''")
	c.waitJS("the number gone", "document.readyState === 'complete' && !document.querySelector('form[action$=forget]')")
	seen = list{}
	bureau.getJSON("/api/v1/complaints", &seen)
	if len(seen.Complaints) != 1 || seen.Complaints[0].Phone != "" || seen.Complaints[0].State != "answered" {
		t.Errorf("afterwards: %+v", seen)
	}

	// A picture without what it knows, and limits.
	secret := pictureWith(t, "GPSSECRET")
	if status, at := complain(t, s.HTTP, code, "words", "两只是坏的，请看照片", secret); status != http.StatusOK || !strings.Contains(at, "/c/") {
		t.Errorf("with a picture: %d at %s", status, at)
	}
	seen = list{}
	bureau.getJSON("/api/v1/complaints", &seen)
	if _, shown := bureau.send("GET", "/api/v1/complaints/"+seen.Complaints[0].ID+"/photo", nil); !bytes.HasPrefix(shown, []byte("\xff\xd8")) || bytes.Contains(shown, []byte("SECRET")) {
		t.Errorf("the picture begins %q", shown[:min(len(shown), 60)])
	}
	for name, test := range map[string]struct {
		words   string
		picture []byte
		want    int
	}{
		"no words":   {"x", nil, http.StatusUnprocessableEntity},
		"no picture": {"两只是坏的，请看照片", []byte("<html>"), http.StatusUnprocessableEntity},
		"too large":  {"两只是坏的，请看照片", bytes.Repeat(secret, 11<<20/len(secret)), http.StatusRequestEntityTooLarge},
	} {
		if status, _ := complain(t, s.HTTP, code, "words", test.words, test.picture); status != test.want {
			t.Errorf("%s: %d, want %d", name, status, test.want)
		}
	}
	last := 0
	for range 6 {
		last, _ = complain(t, s.HTTP, code, "words", "又来一次，又来一次", nil)
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the sixth of a day: %d", last)
	}
	if status, _ := manager.send("GET", "/c/0000000000000", nil); status != http.StatusNotFound {
		t.Errorf("a reference that is none: %d", status)
	}
}

// pictureWith is a JPEG that carries a text beside the picture.
func pictureWith(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	comment := append([]byte{0xff, 0xfe, 0, byte(len(text) + 2)}, text...)
	return append(append(b.Bytes()[:2:2], comment...), b.Bytes()[2:]...)
}

// complain sends the form, and returns the status and where it led.
func complain(t *testing.T, base, code, field, value string, picture []byte) (status int, at string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	fields := map[string]string{"kind": "quality", field: value}
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if picture != nil {
		w, err := form.CreateFormFile("photo", "a.jpg")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(picture); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/t/"+code+"/complaint", &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Request.URL.Path
}
