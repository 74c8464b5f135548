package main_test

import (
	"encoding/csv"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// A manager issues a roll, looks at a specimen, prints, binds by typing what a scanner
// would, and voids the rest; a label that was printed leads to its packet.
func TestRollsInABrowser(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, printed := importAccounts(t, data, managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝（吊养）, en: Oysters}}]\n")
	s := startServer(t, "serve", data)
	b := newBrowser(t, s.HTTP)
	b.login("wang", passwordOf(t, printed, "wang"))
	sellBatch(b, "2026-07/3")
	var all struct{ Batches []struct{ ID, Code string } }
	b.getJSON("/api/v1/batches", &all)

	c := newChrome(t, 1280, 900)
	c.open(s.HTTP + "/manage/#/rolls")
	c.login("wang", passwordOf(t, printed, "wang"))
	c.says("还没有码卷")
	c.retype(`input[name=codes]`, "100")
	c.choose(`select[name=product]`, "oyster")
	c.click(`input[name=covered]`)
	c.axe("rolls")
	c.look("manage-rolls-zh", 390, 1100)
	c.click(`form.panel button.primary`)
	c.waitJS("the roll", `location.hash.startsWith('#/rolls/') && document.querySelector('dl.counts') !== null`)
	var rolls struct{ Rolls []struct{ ID string } }
	b.getJSON("/api/v1/tenants/oysters/rolls", &rolls)
	c.click(`.buttons button:nth-child(2)`)
	c.waitJS("the specimen", `document.querySelector('figure img')?.naturalWidth > 300`)
	c.click(`.buttons button.primary`)
	c.retype(`dialog input[name=last]`, "60")
	c.click(`dialog button[type=submit]`)
	c.says("标签 1 – 60")
	c.waitJS("the preview", `document.querySelector('figure img')?.naturalWidth > 300`)

	labels := "/api/v1/rolls/" + rolls.Rolls[0].ID
	_, raw := b.send(http.MethodGet, labels+"/codes?first=1&last=60", nil)
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(rows) != 61 {
		t.Fatalf("codes: %s, %v", raw, err)
	}
	c.open(s.HTTP + "/manage/#/batches/" + all.Batches[0].ID)
	c.fill(`input[name=first]`, rows[1][2])
	c.fill(`form input[name=last]`, rows[50][1])
	c.click(`form:has(input[name=first]) button.primary`)
	c.says("已绑定 50 个码")
	c.look("manage-units-zh", 390, 1500)
	code := strings.ReplaceAll(rows[7][1], "-", "")
	scanLabels(t, b, labels+"/labels?stock=roll-60x40&first=7&last=7", code)

	c.open(s.HTTP + "/manage/#/rolls/" + rolls.Rolls[0].ID)
	c.waitJS("the counts", `document.querySelector('dl.counts') !== null`)
	c.click(`.buttons button:nth-child(4)`)
	c.fill(`dialog input[name=reason]`, "剩余标签")
	c.click(`dialog button[type=submit]`)
	c.says("剩余标签")
	c.axe("a roll")
	c.look("manage-roll-zh", 1280, 1500)
	c.look("manage-roll-narrow-zh", 390, 2300)
	c.click(`.segments button[lang="en"]`)
	c.look("manage-roll-en", 1280, 1500)

	c.open(s.HTTP + "/t/" + code + "?lang=zh-CN")
	c.look("packet-zh", 390, 1500)
	c.fill(`input[name=cover]`, rows[7][3])
	c.click(`#packet button`)
	c.says("首次激活成功")
	for _, f := range c.axeFaults() {
		t.Errorf("a packet: %s", f)
	}
	c.look("packet-first-zh", 390, 1500)
	c.open(s.HTTP + "/t/" + strings.ReplaceAll(rows[55][1], "-", "") + "?lang=en")
	c.says("This code is void")
	c.look("packet-void-en", 390, 700)
}

// look takes a picture where somebody wants to see it.
func (c *chrome) look(name string, width, height int64) {
	c.t.Helper()
	if *screenshotDir != "" {
		c.picture(name, width, height)
	}
}
