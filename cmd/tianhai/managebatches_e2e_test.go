package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tianhai/i18n"
)

const tradingFarm = `
tenants:
  - {id: oysters, kind: cooperative, name: {zh: 龙门大蚝合作社, en: Longmen Oysters}, credit_code: 93450700MA5K000017, phone: 0777-1234567, region: "450700"}
  - {id: market, kind: enterprise, name: {zh: 钦州水产批发, en: Qinzhou Market}, credit_code: 91450700MA5K00002G, region: "450702"}
sites:
  - {id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排, en: Raft 1}, town: {zh: 龙门港镇, en: Longmengang}, latitude: 21.7, longitude: 108.5}
  - {id: hall, tenant: market, region: "450702", kind: plot, name: {zh: 冷库, en: Cold store}, town: {zh: 沙埠镇, en: Shabu}, latitude: 21.9, longitude: 108.6}
products:
  - {id: whole, kind: aquatic, name: {zh: 带壳蚝, en: Oysters in the shell}}
  - {id: boxed, kind: aquatic, name: {zh: 盒装蚝, en: Boxed oysters}}
accounts:
  - {login: wang, name: 王场长, role: manager, tenant: oysters}
  - {login: he, name: 何经理, role: manager, tenant: market}
`

// A reader drives a page by the words of one language, as a person does.
type reader struct {
	*chrome
	say  func(key string) string // up to the first thing that is filled in
	name func(zh, en string) string
}

func newReader(t *testing.T, c *chrome, lang string) reader {
	t.Helper()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	say := func(key string) string { s, _, _ := strings.Cut(texts.T(lang, key), "{"); return s }
	name := func(zh, en string) string { return map[string]string{"zh-CN": zh, "en": en}[lang] }
	return reader{c, say, name}
}

// field is an expression for what can be filled in under a label.
func (r reader) field(key string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('label')].filter(l => l.innerText.trim().startsWith(%q))
		.map(l => l.control ?? l.querySelector('input, select')).find(e => e?.offsetParent)`, r.say(key))
}

// pick chooses what is called so, or begins so, under a label.
func (r reader) pick(key, name string) {
	r.t.Helper()
	r.waitJS(name+" under "+key, fmt.Sprintf(`(e => { const o = [...(e?.options ?? [])].find(o => o.innerText.trim() === %q); if (!o) return false
		e.value = o.value; e.dispatchEvent(new Event('change', {bubbles: true})); return true })(%s)`, name, r.field(key)))
}

func (r reader) write(key, text string) {
	r.t.Helper()
	r.waitJS(key, fmt.Sprintf(`(e => { if (!e) return false; e.value = %q; e.dispatchEvent(new Event('input', {bubbles: true})); return true })(%s)`, text, r.field(key)))
}

// press presses the last button that is called so: of a dialog, where there is one.
func (r reader) press(key string) {
	r.t.Helper()
	r.waitJS("the button "+key, fmt.Sprintf(`(b => { b?.click(); return b })([...document.querySelectorAll('button')].findLast(b => b.offsetParent && !b.disabled && b.innerText.trim() === %q))`, r.say(key)))
}

func (r reader) reads(key string) {
	r.t.Helper()
	r.says(strings.TrimSpace(r.say(key)))
}

// TestManageBatches goes a batch's whole way on a phone's screen, in Chinese and in
// English: harvested, packed, given its code and its certificate, handed over to an
// operator that is found by name, and received there. A mistake is taken back.
func TestManageBatches(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, tradingFarm)
	s := startServer(t, "serve", data)
	for _, lang := range []string{"zh-CN", "en"} {
		t.Run(lang, func(t *testing.T) {
			c := newChrome(t, 390, 844)
			c.open(s.HTTP + "/manage/?lang=" + lang + "#/batches")
			c.login("wang", passwordOf(t, printed, "wang"))
			r := newReader(t, c, lang)
			batch := makeBatch(r, "M-"+lang)
			certifyBatch(r, s, batch)
			handOver(r, s, batch)
			c.quit()
			takeOver(t, s, lang, passwordOf(t, printed, "he"), "P-M-"+lang)
		})
	}
	checkTrade(t, s, passwordOf(t, printed, "he"))
}

// makeBatch enters a harvest and packs it, with a mistake in between, and returns the
// hash of the packed batch's page.
func makeBatch(r reader, lot string) string {
	r.t.Helper()
	r.press("manage.batches.new")
	r.axe("the form of a harvest in manage")
	r.click(`.segments button[lang="` + r.name("zh-CN", "en") + `"]`)
	r.pick("manage.site", r.name("一号排", "Raft 1"))
	r.pick("manage.batch.product", r.name("带壳蚝", "Oysters in the shell"))
	r.write("manage.batch.lot", lot)
	r.write("manage.movement.quantity", "100.5")
	r.write("web.batch.began", time.Now().AddDate(-1, 0, 0).Format(time.DateOnly))
	r.shoot("manage-harvest-" + lot)
	r.press("manage.batches.new.submit")
	r.waitJS("the batch's page", `location.hash.startsWith('#/batches/') && document.querySelector('.left')?.innerText.includes('100.5')`)
	r.waitJS("where it comes from", `document.querySelector('.chain svg')`)
	r.reads("chain.kind.harvest")

	r.pick("manage.movement.kind", r.say("chain.kind.loss"))
	r.write("manage.movement.taken", "20")
	r.write("manage.reason", "x")
	r.press("manage.movement.save")
	r.waitJS("what is left", `document.querySelector('.left')?.innerText.includes('80.5')`)
	r.waitJS("the loss", fmt.Sprintf(`(b => { b?.click(); return b })([...document.querySelectorAll('.lines li')].find(e => e.innerText.includes(%q))?.querySelector('button'))`, r.say("chain.kind.loss")))
	r.write("manage.reason", "y")
	r.click("dialog button[type=submit]")
	r.reads("manage.movement.voided")
	r.waitJS("all of it again", `document.querySelector('.left strong')?.innerText.includes('100.5')`)

	r.pick("manage.movement.kind", r.say("chain.kind.pack"))
	r.waitJS("the new batch", "document.querySelector('fieldset.made')")
	r.pick("manage.batch.product", r.name("盒装蚝", "Boxed oysters"))
	r.write("manage.batch.lot", "P-"+lot)
	r.write("manage.movement.quantity", "50")
	r.pick("manage.movement.unit", r.say("unit.{box}"))
	r.write("manage.movement.from", "100")
	r.waitJS("the rest", `document.querySelector('.movement .note')?.innerText.includes('0.5')`)
	r.waitJS("no saving", `document.querySelector('.movement button[type=submit]').disabled`)
	r.press("manage.movement.as_loss")
	r.write("manage.reason", r.name("破损", "broken"))
	r.shoot("manage-pack-" + lot)
	r.press("manage.movement.save")
	r.reads("manage.movement.saved")
	r.reads("manage.batch.empty")
	r.axe("the page of a batch")
	r.click(`.segments button[lang="` + r.name("zh-CN", "en") + `"]`)
	r.waitJS("the packed batch", fmt.Sprintf(`(a => { a?.click(); return a })([...document.querySelectorAll('.lines a')].find(a => a.innerText === %q))`, "P-"+lot))
	r.waitJS("its page", fmt.Sprintf(`document.querySelector('h1')?.innerText.includes(%q) && document.querySelector('.left')?.innerText.includes('50')`, "P-"+lot))
	return r.eval("location.hash")
}

// certifyBatch asks for a certificate too early, closes the batch, and issues it.
func certifyBatch(r reader, s *server, batch string) {
	r.t.Helper()
	id := strings.TrimPrefix(batch, "#/batches/")
	r.open(s.HTTP + "/manage/#/certificates/" + id)
	r.reads("manage.certificate.needs_code")
	r.open(s.HTTP + "/manage/" + batch)
	r.press("web.batch.close")
	r.waitJS("the code", `document.querySelector('.left + p a[href^="/t/"]')`)
	r.open(s.HTTP + "/manage/#/certificates/" + id)
	r.press("manage.certificate.preview")
	r.says(r.name("龙门大蚝合作社", "Longmen Oysters"))
	r.press("manage.certificate.issue")
	r.reads("manage.certificate.in_force")
	r.shoot("manage-certificate-" + id)
	r.axe("a certificate")
	r.click(`.segments button[lang="` + r.name("zh-CN", "en") + `"]`)
}

// handOver sells some to an operator that is looked up.
func handOver(r reader, s *server, batch string) {
	r.t.Helper()
	r.open(s.HTTP + "/manage/" + batch)
	r.pick("manage.movement.kind", r.say("chain.kind.sell"))
	r.write("manage.movement.taken", "30")
	r.write("web.operator.words", "91450700ma5k")
	r.press("web.operator.find")
	r.says("91450700MA5K00002G")
	r.write("web.operator.words", r.name("不存在的名字", "nobody's name"))
	r.press("web.operator.find")
	r.reads("web.operator.none")
	r.write("web.operator.words", r.name("批发", "market"))
	r.press("web.operator.find")
	r.waitJS("the market", `document.querySelector('.operator .option')`)
	r.shoot("manage-operator-" + r.name("zh", "en"))
	r.axe("the search for an operator")
	r.click(`.segments button[lang="` + r.name("zh-CN", "en") + `"]`)
	r.click(".operator .option")
	r.says(r.name("钦州水产批发", "Qinzhou Market"))
	r.press("manage.movement.save")
	r.reads("manage.movement.waits")
	r.waitJS("what is left", `document.querySelector('.left strong')?.innerText.includes('20')`)
}

// takeOver receives it at the other operator.
func takeOver(t *testing.T, s *server, lang, password, lot string) {
	t.Helper()
	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/manage/?lang=" + lang + "#/batches")
	c.login("he", password)
	r := newReader(t, c, lang)
	r.reads("manage.batches.incoming")
	r.says(r.name("来自 龙门大蚝合作社", "From Longmen Oysters"))
	r.press("manage.batches.receive")
	r.pick("manage.site", r.name("冷库", "Cold store"))
	r.click("dialog button[type=submit]")
	r.waitJS("nothing that waits", fmt.Sprintf(`!document.querySelector('.handover') && [...document.querySelectorAll('tbody tr')].some(e => e.innerText.includes(%q) && e.innerText.includes('30 / 30'))`, lot))
	r.axe("the list of batches")
}

// checkTrade asks the API what became of it all.
func checkTrade(t *testing.T, s *server, password string) {
	b := newBrowser(t, s.HTTP)
	b.login("he", password)
	var got struct {
		Movements []struct{ Kind, Tenant, To string }
		Goods     []struct {
			Lot  string
			Made struct{ Quantity float64 }
		}
	}
	b.getJSON("/api/v1/movements", &got)
	kinds := map[string]int{}
	for _, m := range got.Movements {
		kinds[m.Kind+" of "+m.Tenant]++
	}
	if fmt.Sprint(kinds) != "map[receive of market:2 sell of oysters:2]" || len(got.Goods) != 4 {
		t.Errorf("the market sees %v and %+v", kinds, got.Goods)
	}
}
