package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

const gatedFarm = `
tenants: [{id: tea, name: {zh: 云岭茶场}, region: "450421", kind: enterprise, credit_code: 91450421MA5KF2T579}]
sites: [{id: garden-1, tenant: tea, region: "450421", kind: garden, name: {zh: 一号茶园, en: Garden 1}, town: {zh: 六堡镇, en: Liubao}, latitude: 23.7, longitude: 111.1}]
models: [{id: station, name: {zh: 气象站}, format: json, interval: 1m, channels: [{key: t, quantity: air.temperature}]}]
devices: [{id: mast-1, tenant: tea, model: station, name: {zh: 气象站}, site: garden-1}]
products: [{id: liubao, kind: tea, species: tea, name: {zh: 六堡茶, en: Liubao tea}}]
accounts:
  - {login: admin, name: 管理员, role: administrator}
  - {login: cha, name: 茶场长, role: manager, tenant: tea}
  - {login: officer, name: 梧州局李四, role: bureau, region: "450400"}
`

const gatedProducts = `id,kind,name_zh,maker,registration,actives,species,max_uses,wait_days,source
matrine,pesticide,苦参碱水剂,演示农药厂,PD20080005,苦参碱,tea,3,7,演示标签
`

// call does what a page does, and returns status and answer.
func (c *chrome) call(method, path, body string) string {
	c.t.Helper()
	return c.eval(fmt.Sprintf(`fetch('/api/v1%s', {method: %q, headers: {'Content-Type': 'application/json'}, body: %q || undefined}).then(async r => { window.answer = r.status + ' ' + await r.text() }), ''`, path, method, body)) + c.answer()
}

func (c *chrome) answer() string {
	c.t.Helper()
	c.waitJS("an answer", "window.answer")
	return c.eval("(a => { window.answer = undefined; return a })(window.answer)")
}

func operationJSON(kind string, at time.Time, items string) string {
	return fmt.Sprintf(`{"id":%q,"kind":%q,"at":%q,"items":[%s]}`, ulid.Make(), kind, at.UTC().Format(time.RFC3339), items)
}

// TestOverride goes through stock, gates and an officer's leave in a browser: labels
// come from a file, a lot is bought, a spray bars the harvest, the manager asks, the
// officer allows it, and the consumer reads which office did, and of a spray that was
// recorded late. Nobody's name is on the page.
func TestOverride(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, gatedFarm)
	s := startServer(t, "serve", data)
	enter := func(login, path string, width int) *chrome {
		c := newChrome(t, width, 900)
		c.open(s.HTTP + path)
		c.login(login, passwordOf(t, printed, login))
		return c
	}
	admin := enter("admin", "/manage/#/inputs", 1280)
	admin.waitJS("the page", "(e => e && (e.closest('details').open = true))(document.getElementById('import-products'))")
	admin.upload("#import-products", "bad.csv", strings.Replace(gatedProducts, "PD20080005", "x", 1))
	admin.waitJS("the faults", "document.querySelector('.note.bad') && document.body.innerText.includes('registration')")
	admin.upload("#import-products", "labels.csv", gatedProducts)
	admin.click(".note.good button.primary")
	admin.says("苦参碱水剂")
	admin.waitJS("the label", "document.body.innerText.includes('7 天')")
	admin.waitJS("the form to forbid", "document.querySelector('input[name=ban]')")
	admin.retype("input[name=ban]", "某禁药")
	admin.retype("input[name=ban-source]", "演示公告")
	admin.waitJS("a day", `(e => { e.value = '2026-01-01'; e.dispatchEvent(new Event('input', {bubbles: true})); return true })(document.querySelector('input[name=ban-from]'))`)
	admin.click("button.danger")
	admin.says("本平台增补")
	admin.axe("products and bans")
	admin.shoot("inputs")

	cha := enter("cha", "/manage/#/stock", 390)
	cha.choose("select[name=product]", "matrine")
	cha.retype("input[name=batch]", "20260801")
	cha.waitJS("a day", `(e => { e.value = '2029-01-01'; e.dispatchEvent(new Event('input', {bubbles: true})); return true })(document.querySelector('input[name=expires]'))`)
	cha.retype("input[name=supplier]", "农资店")
	cha.retype("input[name=quantity]", "1")
	cha.choose("select[name=unit]", "L")
	cha.click("form.panel button.primary")
	cha.says("已入库")
	cha.axe("the stock")
	cha.shoot("stock")
	lot := cha.eval(`document.querySelector('th a').hash.split('/')[2].split('?')[0]`)
	now := time.Now()
	spray := func(ago time.Duration) string {
		return operationJSON("spray", now.Add(-ago), `{"key":"product","value":"苦参碱水剂"},{"key":"maker","value":"演示农药厂"},{"key":"target","value":"茶尺蠖"},{"key":"registration","value":"—"},{"key":"dose","value":"60","unit":"mL/[mu_chn]"},{"key":"interval","value":"7","unit":"d"},{"key":"lot","value":"`+lot+`"},{"key":"amount","value":"250","unit":"mL"}`)
	}
	if a := cha.call("POST", "/sites/garden-1/operations", spray(48*time.Hour)); !strings.HasPrefix(a, "201") {
		t.Fatal(a)
	}
	harvest := func() string {
		return operationJSON("harvest", time.Now(), `{"key":"quantity","value":"50","unit":"kg"},{"key":"grade","value":"—"}`)
	}
	if a := cha.call("POST", "/sites/garden-1/operations", harvest()); !strings.HasPrefix(a, "409") || !strings.Contains(a, "gate_interval") {
		t.Fatalf("a harvest inside the interval: %s", a)
	}
	cha.open(s.HTTP + "/manage/#/stock/" + lot + "?tenant=tea")
	cha.says("施药")
	cha.click(".head button")
	cha.retype("input[name=amount]", "0.1")
	cha.retype("input[name=reason]", "瓶破")
	cha.click("dialog button.danger")
	cha.says("报损：瓶破")
	cha.waitJS("what is left", "document.querySelector('dd strong').innerText.startsWith('0.65')")
	cha.axe("a lot")
	cha.shoot("lot")

	cha.open(s.HTTP + "/manage/#/overrides")
	cha.choose("select[name=site]", "garden-1")
	cha.choose("select[name=act]", "harvest")
	cha.waitJS("the refusal", "document.querySelector('fieldset input:checked')")
	cha.retype("textarea[name=reason]", "台风将至，抢收")
	cha.click("form.panel button.primary")
	cha.says("待审批")
	cha.axe("asking")
	cha.shoot("ask")

	officer := enter("officer", "/bureau/#/overrides", 1280)
	officer.says("台风将至，抢收")
	officer.click(".override button.primary")
	officer.retype("textarea[name=reason]", "应急采收，逐批检测")
	officer.axe("deciding")
	officer.shoot("decide")
	officer.click("button.grant")
	officer.says("已特许")

	for _, op := range []string{
		harvest(),
		operationJSON("plant", now.AddDate(-3, 0, 0), `{"key":"variety","value":"六堡群体种"},{"key":"planting_year","value":"2019"},{"key":"seed_source","value":"苗圃"},{"key":"area","value":"46000","unit":"m2"}`),
	} {
		if a := cha.call("POST", "/sites/garden-1/operations", op); !strings.HasPrefix(a, "201") {
			t.Fatalf("with leave: %s", a)
		}
	}
	id := ulid.Make().String()
	if a := cha.call("POST", "/batches", fmt.Sprintf(`{"id":%q,"site":"garden-1","product":"liubao","lot":"LB-1","quantity":50,"unit":"kg","began":%q,"harvest":%q}`, id, now.AddDate(0, -1, 0).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))); !strings.HasPrefix(a, "201") {
		t.Fatalf("the batch: %s", a)
	}
	for _, op := range []string{
		operationJSON("process", time.Now(), `{"key":"step","value":"several"},{"key":"method","value":"杀青、揉捻、干燥"}`),
		operationJSON("pack", time.Now(), `{"key":"quantity","value":"50","unit":"kg"},{"key":"additive","value":"—"}`),
	} {
		if a := cha.call("POST", "/sites/garden-1/operations", op); !strings.HasPrefix(a, "201") {
			t.Fatal(a)
		}
	}
	a := cha.call("POST", "/batches/"+id+"/close", "{}")
	_, code, _ := strings.Cut(a, `"code":"`)
	if !strings.HasPrefix(a, "200") || len(code) < 13 {
		t.Fatalf("the code: %s", a)
	}
	code, _, _ = strings.Cut(code, `"`)
	if a := cha.call("POST", "/sites/garden-1/operations", spray(5*24*time.Hour)); !strings.HasPrefix(a, "201") { // known only now
		t.Fatal(a)
	}
	page := newChrome(t, 390, 900)
	page.open(s.HTTP + "/t/" + code + "?lang=zh-CN")
	page.waitJS("which office", "document.getElementById('notes').innerText.includes('梧州市农业农村主管部门')")
	for _, words := range []string{"应急采收，逐批检测", "采收后才补记", "苦参碱水剂"} {
		page.says(words)
	}
	for _, name := range []string{"李四", "officer", "抢收", "茶场长"} {
		if strings.Contains(page.eval("document.documentElement.outerHTML"), name) {
			t.Errorf("the page tells of %s", name)
		}
	}
	page.shoot("page")
	officer.open(s.HTTP + "/bureau/#/overrides")
	officer.waitJS("the late use", "document.querySelector('.late .mark.bad')")
	officer.axe("a late use")
	officer.shoot("late")
}
