package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/monitor/alert"
	"tianhai/monitor/alert/notify"
)

// key stands for what services put into the addresses of their webhooks.
const key = "s3cr3t-key"

type sites map[string]farm.Text

func (s sites) Site(_ context.Context, id string) (farm.Site, error) {
	name, ok := s[id]
	if !ok {
		return farm.Site{}, farm.ErrNotFound
	}
	return farm.Site{ID: id, Name: name}, nil
}

func firing() alert.Notice {
	value := 3.456
	return alert.Notice{ID: "01JZ0000000000000000000000", Channel: "webhook", Alert: alert.Alert{
		ID: "01JZ0000000000000000000001", Rule: "oxygen-alarm", Title: farm.Text{Zh: "溶解氧过低", En: "Oxygen is low"},
		Severity: alert.Critical, Tenant: "haiyue", Region: "450512", Site: "pond-1", Device: "do-7",
		Quantity: "water.dissolved_oxygen", State: alert.Firing, Value: &value, Limit: 4,
		Began: time.Date(2026, 7, 1, 20, 58, 0, 0, time.UTC), Fired: time.Date(2026, 7, 1, 21, 0, 0, 0, time.UTC),
	}}
}

func webhook(t *testing.T, url string, change func(*notify.WebhookConfig)) *notify.Webhook {
	t.Helper()
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg := notify.WebhookConfig{URL: notify.Secret(url), Catalog: catalog, Sites: sites{"pond-1": {Zh: "一号塘", En: "Pond 1"}}}
	if change != nil {
		change(&cfg)
	}
	w, err := notify.NewWebhook(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type body struct {
	ID, Type    string
	Alert       alert.Alert
	Title, Text map[string]string
}

func TestWebhook(t *testing.T) {
	var got body
	var raw []byte
	var header http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		raw, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	n := firing()
	w := webhook(t, srv.URL+"/"+key, func(c *notify.WebhookConfig) {
		c.Key = "signing key"
		c.Header = map[string]notify.Secret{"Authorization": "Bearer token"}
		c.Now = func() time.Time { return time.Unix(1782939600, 0) }
	})
	if _, err := w.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := body{
		ID: n.ID, Type: "alert.firing", Alert: n.Alert,
		Title: map[string]string{"zh-CN": "【紧急】溶解氧过低", "en": "[Critical] Oxygen is low"},
		Text: map[string]string{
			"zh-CN": "一号塘（设备 do-7）：溶解氧 3.46 mg/L，限值 4.00 mg/L，始于 2026-07-02 04:58。",
			"en":    "Pond 1 (device do-7): Dissolved oxygen 3.46 mg/L, limit 4.00 mg/L, since 2026-07-02 04:58.",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "Webhook-Id": n.ID, "Authorization": "Bearer token", "Webhook-Timestamp": "1782939600",
		"Webhook-Signature": standard([]byte("signing key"), n.ID, "1782939600", raw),
	} {
		if header.Get(k) != v {
			t.Errorf("header %s = %q, want %q", k, header.Get(k), v)
		}
	}
}

// The worked example of the standard, so that whatever checks it can check us.
//
// Source: Standard Webhooks 1.0.0, vector of the reference libraries.
func TestSignature(t *testing.T) {
	const id, timestamp, payload = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got := standard(key, id, timestamp, []byte(payload)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Fatalf("the check below is wrong: %s", got)
	}
	var signature string
	var raw []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ = io.ReadAll(r.Body)
		signature = r.Header.Get("Webhook-Signature")
	}))
	defer srv.Close()
	w := webhook(t, srv.URL, func(c *notify.WebhookConfig) {
		c.Key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		c.Now = func() time.Time { return time.Unix(1614265330, 0) }
	})
	n := firing()
	n.ID = id
	if _, err := w.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if want := standard(key, id, timestamp, raw); signature != want {
		t.Errorf("signed %s, want %s", signature, want)
	}
}

// standard signs as the standard says.
func standard(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(slices.Concat([]byte(id), []byte("."), []byte(timestamp), []byte("."), body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestWords(t *testing.T) {
	var got body
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = body{}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	w := webhook(t, srv.URL, nil)
	resolved := func(n *alert.Notice) {
		value := 4.6
		n.Alert.State, n.Alert.Value, n.Alert.Ended = alert.Resolved, &value, n.Alert.Fired.Add(time.Hour)
	}
	silent := func(n *alert.Notice) { n.Alert.Value, n.Alert.Limit, n.Alert.Quantity = nil, 1800, "" }
	tests := map[string]struct {
		change []func(*alert.Notice)
		en, zh string
	}{
		"resolved":     {[]func(*alert.Notice){resolved}, "Pond 1 (device do-7): Dissolved oxygen is back at 4.60 mg/L (limit 4.00 mg/L), ended 2026-07-02 06:00.", "一号塘（设备 do-7）：溶解氧 已恢复至 4.60 mg/L（限值 4.00 mg/L），结束于 2026-07-02 06:00。"},
		"silent":       {[]func(*alert.Notice){silent}, "Pond 1 (device do-7): no usable reading (all quantities) since 2026-07-02 04:58, longer than 30 minutes.", "一号塘（设备 do-7）：自 2026-07-02 04:58 起未收到有效数据（全部项目），已超过 30 分钟。"},
		"heard again":  {[]func(*alert.Notice){resolved, silent}, "Pond 1 (device do-7): readings are coming in again (all quantities), ended 2026-07-02 06:00.", "一号塘（设备 do-7）：数据已恢复（全部项目），结束于 2026-07-02 06:00。"},
		"rule removed": {[]func(*alert.Notice){resolved, func(n *alert.Notice) { n.Alert.Reason = alert.RuleRemoved }}, "Pond 1 (device do-7): the rule was removed or now watches something else, ended 2026-07-02 06:00.", "一号塘（设备 do-7）：规则已取消或已改为监测其他项目，于 2026-07-02 06:00 结束。"},
		"unknown site": {[]func(*alert.Notice){func(n *alert.Notice) { n.Alert.Site = "pond-9" }}, "pond-9 (device do-7): Dissolved oxygen 3.46 mg/L, limit 4.00 mg/L, since 2026-07-02 04:58.", "pond-9（设备 do-7）：溶解氧 3.46 mg/L，限值 4.00 mg/L，始于 2026-07-02 04:58。"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := firing()
			for _, c := range tt.change {
				c(&n)
			}
			if _, err := w.Notify(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if got.Text["en"] != tt.en || got.Text["zh-CN"] != tt.zh {
				t.Errorf("said\n%s\n%s\nwant\n%s\n%s", got.Text["en"], got.Text["zh-CN"], tt.en, tt.zh)
			}
		})
	}
}

// Every reason an alert may end for has words in every language.
func TestReasons(t *testing.T) {
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range catalog.Languages() {
		for _, r := range []string{alert.RuleRemoved, alert.DeviceRemoved, alert.DeviceMoved} {
			if k := "alert_reason." + r; catalog.T(lang, k) == k {
				t.Errorf("%s has no words for %s", lang, r)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	tests := map[int]struct{ ok, retry bool }{
		200: {ok: true}, 202: {ok: true}, 204: {ok: true},
		301: {}, 307: {}, 400: {}, 401: {}, 404: {}, 410: {}, 413: {},
		408: {retry: true}, 429: {retry: true}, 500: {retry: true}, 502: {retry: true}, 503: {retry: true}, 504: {retry: true},
	}
	for status, tt := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/"+key)
				w.WriteHeader(status)
			}))
			defer srv.Close()
			retry, err := webhook(t, srv.URL+"/"+key, nil).Notify(t.Context(), firing())
			if (err == nil) != tt.ok || retry != tt.retry {
				t.Errorf("retry %v, err %v", retry, err)
			}
			if err != nil && (!strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), key)) {
				t.Errorf("err = %q, want the status and not the key", err)
			}
		})
	}
}

// An answer cannot send notices elsewhere, whatever client is given.
func TestRedirectIsRefused(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the notice went elsewhere")
	}))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	w := webhook(t, srv.URL, func(c *notify.WebhookConfig) { c.Client = srv.Client() })
	if retry, err := w.Notify(t.Context(), firing()); err == nil || retry {
		t.Errorf("retry %v, err %v; want a refusal for good", retry, err)
	}
}

func TestSlowServer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer srv.Close()
	w := webhook(t, srv.URL+"/"+key, func(c *notify.WebhookConfig) { c.Timeout = 20 * time.Millisecond })
	retry, err := w.Notify(t.Context(), firing())
	if !retry || err == nil || !strings.Contains(err.Error(), "no answer within 20ms") || strings.Contains(err.Error(), key) {
		t.Errorf("retry %v, err %v", retry, err)
	}
}

// A server that is gone, or talks without end, is no reason to wait or to leak.
func TestBrokenServers(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer cut.Close()
	for name, url := range map[string]string{"gone": gone.URL, "cut": cut.URL} {
		retry, err := webhook(t, url+"/"+key, nil).Notify(t.Context(), firing())
		if !retry || err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%s: retry %v, err %v", name, retry, err)
		}
	}
	nameless := webhook(t, "https://"+key+".example/x", func(c *notify.WebhookConfig) {
		c.Client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: key + ".example", IsNotFound: true}
		}}}
	})
	if retry, err := nameless.Notify(t.Context(), firing()); !retry || err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("host not found: retry %v, err %v", retry, err)
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	if _, err := webhook(t, endless.URL, nil).Notify(t.Context(), firing()); err != nil {
		t.Errorf("an endless answer that is 200: %v", err)
	}
}

func TestNewWebhookRefuses(t *testing.T) {
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"", key, "ftp://host/" + key, "http://", "http://host/%zz" + key, "://" + key} {
		_, err := notify.NewWebhook(notify.WebhookConfig{URL: notify.Secret(u), Catalog: catalog})
		if err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("NewWebhook(%q): err = %v, want one without the URL", u, err)
		}
	}
	if _, err := notify.NewWebhook(notify.WebhookConfig{URL: "http://host", Key: "whsec_" + key, Catalog: catalog}); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("a key that is not base64: err = %v", err)
	}
	if _, err := notify.NewWebhook(notify.WebhookConfig{URL: "http://host"}); err == nil {
		t.Error("a webhook without words was made")
	}
}

// No usual way of printing shows a secret.
func TestSecret(t *testing.T) {
	s := notify.Secret(key)
	wrapped := struct{ URL notify.Secret }{s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "url", s, "cfg", wrapped)
	encoded, err := json.Marshal(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %s %q %#v %+v", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", wrapped, wrapped, wrapped),
		log.String(), string(encoded), errors.New(fmt.Sprint(s)).Error(),
	} {
		if strings.Contains(out, key) {
			t.Errorf("printed as %s", out)
		}
	}
}
