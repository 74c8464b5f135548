package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/trace"
)

const coldFarm = `
tenants: [{id: fish, name: {zh: 渔场}, region: "450602"}, {id: tea, name: {zh: 茶场}, region: "450400"}]
sites:
  - {id: cage-1, tenant: fish, region: "450602", kind: cage, name: {zh: 一号网箱, en: Cage 1}, town: {zh: 光坡镇, en: Guangpo}, latitude: 21.6, longitude: 108.4}
  - {id: truck-1, tenant: fish, region: "450602", kind: vessel, name: {zh: 冷藏车, en: Cold truck}, latitude: 21.6, longitude: 108.4}
  - {id: garden-1, tenant: tea, region: "450421", kind: garden, name: {zh: 一号茶园}, latitude: 23.7, longitude: 111.1}
models: [{id: logger, name: {zh: 温度记录仪, en: Logger}, format: json, interval: 1m, channels: [{key: t, quantity: air.temperature}]}]
devices:
  - {id: cold-1, tenant: fish, model: logger, name: {zh: 一号记录仪, en: Logger 1}, site: truck-1, from: 2026-01-01T00:00:00Z}
  - {id: cold-2, tenant: fish, model: logger, name: {zh: 二号记录仪, en: Logger 2}, site: truck-1, from: 2026-01-01T00:00:00Z}
products: [{id: pompano, kind: aquatic, species: fish, name: {zh: 金鲳鱼, en: Pompano}}]
accounts:
  - {login: admin, name: 管理员, role: administrator}
  - {login: yu, name: 渔场长, role: manager, tenant: fish}
  - {login: cha, name: 茶场长, role: manager, tenant: tea}
  - {login: ju, name: 王科长, role: bureau, region: "450600"}
`

// caught opens a batch of fish that was caught yesterday.
func (b *browser) caught(lot string) (id string) {
	b.t.Helper()
	now := time.Now().UTC()
	id = ulid.Make().String()
	status, raw := b.send("POST", "/api/v1/batches", fmt.Appendf(nil, `{"id":%q,"site":"cage-1","product":"pompano","lot":%q,"quantity":500,"unit":"kg","began":%q,"harvest":%q}`,
		id, lot, now.AddDate(0, 0, -20).Format(time.RFC3339), now.AddDate(0, 0, -1).Format(time.RFC3339)))
	if status != http.StatusCreated {
		b.t.Fatalf("open the batch: %d %s", status, raw)
	}
	return id
}

// says has a logger report temperatures that it took so many minutes ago, by MQTT.
func (s *server) says(device, secret string, readings ...[2]float64) {
	s.t.Helper()
	c, err := dialRaw(s.MQTT, device, secret)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.conn.Close()
	for i, r := range readings {
		at := time.Now().Add(-time.Duration(r[0] * float64(time.Minute)))
		if _, err := c.conn.Write(publishPacket("th/"+device+"/up", uint16(i+1), fmt.Appendf(nil, `{"ts":%d,"t":%v}`, at.UnixMilli(), r[1]))); err != nil {
			s.t.Fatal(err)
		}
		if _, err := c.readAck(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestShipmentAlarm has a truck's own limits wake somebody: its logger was too warm for
// five minutes, the one beside it has no limits, and with the arrival the alarm ends.
func TestShipmentAlarm(t *testing.T) {
	hook := newWebhook(t)
	t.Setenv("TIANHAI_ALERTS_WEBHOOK_URL", hook.URL)
	data := t.TempDir()
	secrets, printed := importAccounts(t, data, coldFarm)
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("yu", passwordOf(t, printed, "yu"))
	id, now := ulid.Make().String(), time.Now().UTC()
	status, raw := b.send("POST", "/api/v1/shipments", fmt.Appendf(nil, `{"id":%q,"batches":[%q],"origin":"450602","destination":"450100","loggers":["cold-1"],"departed":%q}`,
		id, b.caught("JC-1"), now.Add(-30*time.Minute).Format(time.RFC3339)))
	if status != http.StatusCreated {
		t.Fatalf("depart: %d %s", status, raw)
	}
	type alarm struct {
		Rule, Device, State, Reason string
		Limit, Value                float64
		Title                       struct{ Zh, En string }
	}
	alarms := func(state string) (all []alarm) {
		var got struct{ Alerts []alarm }
		b.getJSON("/api/v1/alerts?state="+state, &got)
		for _, a := range got.Alerts {
			if strings.HasPrefix(a.Rule, "shipment/") {
				all = append(all, a)
			}
		}
		return all
	}
	s.kill() // what was said before the limits were seen would count as heard
	s = startServer(t, "serve", data)
	b.base = s.HTTP
	for _, logger := range []string{"cold-2", "cold-1"} {
		s.says(logger, secrets[logger], [2]float64{9, 9}, [2]float64{1, 9.5})
	}
	waitFor(t, "the alarm", time.Minute, func() bool { return hook.heard("shipment/"+id+"/above", "firing", "cold-1") })
	got := alarms("firing")
	if len(got) != 1 || got[0].Device != "cold-1" || got[0].Limit != 4 || got[0].State != "firing" || got[0].Title.Zh != "运输超温（过热）：防城港市 → 南宁市" || got[0].Title.En != "Shipment too warm: Fangchenggang → Nanning" {
		t.Fatalf("alarms: %+v", got)
	}
	waitFor(t, "the readings stored", 30*time.Second, func() bool {
		var got struct{ Courses []trace.Course }
		b.getJSON("/api/v1/shipments/"+id+"/courses", &got)
		return len(got.Courses) == 1 && got.Courses[0].N == 2 && got.Courses[0].Count == 1 && len(got.Courses[0].Points) > 0 && !got.Courses[0].Kept
	})
	status, raw = b.send("POST", "/api/v1/shipments/"+id+"/close", []byte("{}"))
	var sh trace.Shipment
	if err := json.Unmarshal(raw, &sh); err != nil || status != http.StatusOK || sh.Trips[0].Count != 1 || sh.Trips[0].Max != 9.5 {
		t.Fatalf("arrive: %d %s", status, raw)
	}
	waitFor(t, "the end of the alarm", time.Minute, func() bool { return hook.heard("shipment/"+id+"/above", "resolved", "limits_ended") })
	if got := alarms("resolved"); len(got) != 1 || got[0].State != "resolved" || got[0].Reason != "limits_ended" {
		t.Errorf("after arrival: %+v", got)
	}
}

// TestShipmentScreen sends fish on its way from a phone, looks at how cold it is and
// confirms that it has arrived; a stranger finds nothing of it.
func TestShipmentScreen(t *testing.T) {
	data := t.TempDir()
	secrets, printed := importAccounts(t, data, coldFarm)
	s := startServer(t, "serve", data)
	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/manage/?lang=zh-CN#/shipments")
	c.login("yu", passwordOf(t, printed, "yu"))
	c.says("还没有运输记录")
	c.axe("no shipment")
	b := newBrowser(t, s.HTTP)
	b.login("yu", passwordOf(t, printed, "yu"))
	batch := b.caught("JC-7")
	c.open(s.HTTP + "/manage/?again#/shipments")
	c.waitJS("the batch", fmt.Sprintf(`(e => { e?.click(); return e })(document.querySelector('input[name=batch][value=%q]'))`, batch))
	c.waitJS("the logger", `(e => { e?.click(); return e })(document.querySelector('input[name=logger][value="cold-1"]'))`)
	c.choose("select[name=origin]", "450600")
	c.choose("select[name=destination]", "elsewhere")
	c.retype("input[name=to]", "440100")
	c.retype("input[name=carrier]", "鲜达物流")
	c.retype("input[name=vehicle]", "桂P12345")
	c.waitJS("when it left", fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event('input', {bubbles: true})); return true })(document.querySelector('input[name=departed]'))`,
		beijing(time.Now().Add(-20*time.Minute)).Format("2006-01-02T15:04")))
	c.axe("the form")
	c.shoot("shipment-form")
	c.click(".shipment-form button[type=submit]")
	c.says("还没有可用的读数")
	for _, words := range []string{"防城港市 → 440100", "在途", "0–4 °C", "GB/T 31080", "鲜达物流", "桂P12345", "JC-7"} {
		c.says(words)
	}
	s.says("cold-1", secrets["cold-1"], [2]float64{15, 2}, [2]float64{9, 3}, [2]float64{4, 9}, [2]float64{1, 3})
	waitFor(t, "the readings stored", 30*time.Second, func() bool {
		var list struct{ Shipments []trace.Shipment }
		b.getJSON("/api/v1/shipments", &list)
		var got struct{ Courses []trace.Course }
		b.getJSON("/api/v1/shipments/"+list.Shipments[0].ID+"/courses", &got)
		return got.Courses[0].N == 4
	})
	here := c.eval("location.hash")
	c.open(s.HTTP + "/manage/?cold" + here)
	c.waitJS("the curve", `document.querySelector('.trip-curve path.mean') && document.querySelector('.trip-curve rect.stray')`)
	c.says("超出要求 1 次")
	c.axe("on its way")
	c.click(".head button.primary")
	c.click("dialog button.primary")
	c.says("有超温")
	c.says("9.0 °C")
	c.axe("arrived")
	c.shoot("shipment")
	c.open(s.HTTP + "/manage/?list#/shipments")
	c.says("有超温")
	c.axe("the list")

	stranger := newChrome(t, 1280, 900)
	stranger.open(s.HTTP + "/manage/?lang=zh-CN" + here)
	stranger.login("cha", passwordOf(t, printed, "cha"))
	stranger.waitJS("a refusal", `document.querySelector('.note.bad')`)
	if strings.Contains(stranger.text(), "鲜达") {
		t.Error("a stranger reads who carries it")
	}
	stranger.open(s.HTTP + "/manage/?list#/shipments")
	stranger.says("还没有运输记录")
}
