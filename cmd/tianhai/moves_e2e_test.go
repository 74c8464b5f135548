package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const movingFarm = managedFarm + `
products:
  - {id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oyster}}
  - {id: shucked, kind: aquatic, name: {zh: 蚝肉, en: Oyster meat}}
`

// put fills a field of a form anew, whatever stood in it.
func (c *chrome) put(selector, value string) {
	c.t.Helper()
	c.waitJS(selector, fmt.Sprintf(`(e => { if (!e) return false; e.value = %[2]q; e.dispatchEvent(new Event('input', {bubbles: true})); return true })(document.querySelector(%[1]q))`, selector, value))
}

// take chooses the batch with a lot, of which so much is left, in the form of a movement.
func (c *chrome) take(lot string) {
	c.t.Helper()
	c.waitJS("lot "+lot, fmt.Sprintf(`(e => { e?.querySelector('input').click(); return e })([...document.querySelectorAll('.chooser .option')].find(e => e.innerText.includes(%q)))`, lot))
}

// TestFieldMovements: without a server a catch becomes a batch, is shucked, parted, and
// sold; too much is refused on the phone; something is taken back before anybody heard
// of it. The browser is closed, the server comes back, and each arrives once, in order.
func TestFieldMovements(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, movingFarm)
	s := startServer(t, "serve", data)
	addr := strings.TrimPrefix(s.HTTP, "http://")
	page, profile := s.HTTP+"/field/?lang=zh-CN#/moves", t.TempDir()

	c := openChrome(t, profile, 390, 844)
	c.open(s.HTTP + "/field/?lang=zh-CN#/")
	c.login("li", passwordOf(t, printed, "li"))
	c.says("一号排")
	c.waitJS("what the page of movements asks", `['/batches?stock=true', '/products', '/catalog'].every(p => localStorage.getItem('tianhai.cache.li.' + p))`)
	c.waitKept()
	s.kill()

	c.open("about:blank")
	c.open(page)
	c.says("没有存货")
	c.axe("the page of movements")
	c.shoot("moves")
	c.click(`[data-task="harvest"]`)
	c.click("form.record button[type=submit]")
	c.says("请填写标红的各项")
	c.choose("#move-site", "raft-1")
	c.choose("#move-product", "oyster")
	c.put("#move-lot", "H-1")
	c.put("#move-quantity", "１００")
	c.put("#move-began", time.Now().AddDate(0, -6, 0).Format(time.DateOnly))
	c.axe("the form of a harvest")
	c.shoot("moves-harvest")
	c.click("form.record button[type=submit]")
	c.says("还有 1 条没有送到")
	c.says("还剩 100 千克")

	c.click(`[data-task="process"]`)
	c.take("H-1")
	c.put(".much input", "100.5")
	c.says("只剩 100 千克，不够")
	c.put(".much input", "60")
	c.choose("#move-step", "cutting")
	c.choose("#made-product-0", "shucked")
	c.put("#made-lot-0", "M-1")
	c.put("#made-quantity-0", "10")
	c.says("还有 60 千克 没有去向")
	c.click("form.record button[type=submit]")
	c.says("数量要对得上")
	c.put("#made-from-0", "55")
	c.says("还有 5 千克 没有去向")
	c.shoot("moves-process")
	c.waitJS("the rest as a loss", `(b => { b?.click(); return b })([...document.querySelectorAll('.note-box button')].find(b => b.innerText === '算作损耗'))`)
	c.put("#move-why", "死蚝")
	c.axe("the form of a step")
	c.click("form.record button[type=submit]")
	c.says("还剩 40 千克")
	c.says("还剩 10 千克")

	c.click(`[data-task="split"]`)
	c.take("H-1")
	c.put("#made-lot-0", "S-1")
	c.put("#made-quantity-0", "15")
	c.put("#made-lot-1", "S-2")
	c.put("#made-quantity-1", "25.5")
	c.says("产出比取用的多 0.5 千克")
	c.put("#made-quantity-1", "25")
	c.click("form.record button[type=submit]")
	c.says("还剩 15 千克")

	c.click(`[data-task="sell"]`)
	c.take("M-1")
	c.put(".much input", "4")
	c.put("#move-buyer", "张三")
	c.click("form.record button[type=submit]")
	c.says("还剩 6 千克")
	c.click(`[data-task="loss"]`)
	c.take("S-2")
	c.put("#move-why", "写错了")
	c.click("form.record button[type=submit]")
	c.waitJS("nothing left of it", `![...document.querySelectorAll('.recorded')][0].innerText.includes('还剩 25 千克')`)
	c.waitJS("the button to take it back", `(b => { b?.click(); return b })(document.querySelector('.recorded ul:last-of-type li button'))`)
	c.put(".void input", "记错了")
	c.click(".void button[type=submit]")
	c.says("还剩 25 千克")
	c.says("还有 6 条没有送到")
	c.shoot("moves-waiting")
	c.axe("movements that wait")
	c.click(`.segments button[lang="en"]`)
	c.click(`[data-task="merge"]`)
	c.take("S-1")
	c.take("S-2")
	c.says("40 kg is not accounted for")
	c.shoot("moves-merge-en")
	c.quit()

	startServer(t, "serve", data, "--http", addr)
	c = openChrome(t, profile, 390, 844)
	c.open(page)
	c.waitJS("the outbox empty", `document.querySelector('.recorded li') && !document.querySelector('.outbox') && !document.body.innerText.includes('没有送到')`)
	c.says("还剩 25 千克")

	b := newBrowser(t, s.HTTP)
	b.login("li", passwordOf(t, printed, "li"))
	var got struct {
		Movements []struct {
			Kind     string
			Site     string
			Person   string
			VoidedBy string `json:"voided_by"`
		}
		Goods []struct {
			Lot  string
			Left struct{ Quantity float64 }
		}
	}
	b.getJSON("/api/v1/movements", &got)
	kinds := ""
	for _, m := range got.Movements {
		kinds = m.Kind + " " + kinds
		if m.Person != "li" || m.Kind == "harvest" && m.Site != "raft-1" || (m.VoidedBy != "") != (m.Kind == "loss") {
			t.Errorf("%+v", m)
		}
	}
	if kinds != "harvest process split sell loss void " {
		t.Errorf("in this order arrived %s", kinds)
	}
	left := map[string]float64{}
	for _, g := range got.Goods {
		left[g.Lot] = g.Left.Quantity
	}
	if fmt.Sprint(left) != "map[H-1:0 M-1:6 S-1:15 S-2:25]" {
		t.Errorf("left are %v", left)
	}
}

// TestFieldMovementRefused: what the server does not want says why, holds back what
// leans on it, and goes once it is mended.
func TestFieldMovementRefused(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, movingFarm)
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwordOf(t, printed, "wang"))
	now := time.Now().UTC()
	status, raw := b.send("POST", "/api/v1/batches", fmt.Appendf(nil, `{"id":"01JZ00000000000000000000B1","site":"raft-1","product":"oyster","lot":"H-9","quantity":50,"unit":"kg","began":%q,"harvest":%q}`,
		now.AddDate(0, -1, 0).Format(time.RFC3339), now.Add(-time.Minute).Format(time.RFC3339)))
	if status != 201 {
		t.Fatalf("%d %s", status, raw)
	}

	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/field/?lang=zh-CN#/moves")
	c.login("li", passwordOf(t, printed, "li"))
	c.says("还剩 50 千克")
	// Somebody else sells most of it, of which this phone hears nothing.
	c.eval(`const heard = window.fetch; window.deaf = true; window.fetch = (u, o) => deaf && o?.method === 'GET' ? Promise.reject(new TypeError()) : heard(u, o); ''`)
	status, raw = b.send("POST", "/api/v1/movements", fmt.Appendf(nil, `{"id":"01JZ00000000000000000000C1","kind":"sell","at":%q,"inputs":[{"batch":"01JZ00000000000000000000B1","amount":{"quantity":45,"unit":"kg"}}],"buyer":{"name":"李四"}}`, now.Format(time.RFC3339)))
	if status != 201 {
		t.Fatalf("%d %s", status, raw)
	}
	c.click(`[data-task="pack"]`)
	c.take("H-9")
	c.put("#made-lot-0", "P-1")
	c.put("#made-quantity-0", "50")
	c.click("form.record button[type=submit]")
	c.says("这一批只剩")
	c.says("还有 1 条没有送到")
	c.waitJS("no stock of what was refused", `![...document.querySelectorAll('.recorded li')].some(e => e.innerText.includes('P-1'))`)
	c.shoot("moves-refused")
	c.eval(`window.deaf = false; ''`)
	c.click(".outbox .pair button")
	c.put(".much input", "5")
	c.put("#made-quantity-0", "5")
	c.click("form.record button[type=submit]")
	c.waitJS("the outbox empty", `document.querySelector('.recorded li') && !document.querySelector('.outbox')`)
	c.says("P-1")
	var got struct {
		Batches []struct {
			Lot  string
			Left struct{ Quantity float64 }
		}
	}
	b.getJSON("/api/v1/batches?stock=true", &got)
	if fmt.Sprint(got.Batches) != "[{P-1 {5}}]" {
		t.Errorf("in stock is %v", got.Batches)
	}
}
