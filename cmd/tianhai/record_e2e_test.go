package main_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tianhai/trace"
	"tianhai/trace/catalog"
)

// TestRecords is a day's writing on a phone: a record with a picture, one that was
// saved out of reach, a correction, and one taken back.
func TestRecords(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "farm.yaml")
	if err := os.WriteFile(file, []byte(managedFarm), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runTianhai(t, "import", file, "--data", data, "--credentials", filepath.Join(t.TempDir(), "creds.csv"))
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	passwords := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 {
			passwords[f[0]] = f[1]
		}
	}
	s := startServer(t, "serve", data)
	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/field/?lang=zh-CN#/record/raft-1")
	c.login("li", passwords["li"])

	c.choose("#record-kind", "stock")
	c.click("form.record button[type=submit]")
	c.says("必填，请填写。")
	c.says("确实没有就勾选")
	c.axe("the form with what is missing")
	c.record("variety", "香港牡蛎")
	c.record("seed_source", "自然采苗")
	c.record("quantity", "６００")
	c.choose("#item-quantity ~ select", "{string}")
	c.record("spec", "壳高 6 cm")
	c.click(".item:has(#item-seed_licence) .none input")
	c.click("form.record summary")
	c.upload("#item-photo", "raft.jpg", snapshot(t))
	c.waitJS("the picture as the server has it", `[...document.querySelectorAll('.pictures img')].some(e => e.naturalWidth > 0)`)
	c.shoot("record-form")
	c.click("form.record button[type=submit]")
	c.says("“放养”已保存")
	c.waitJS("the record in the list", `[...document.querySelectorAll('.recorded li')].some(e => e.innerText.includes('600 串') && e.innerText.includes('自然采苗'))`)

	// The server hangs: what is sent may arrive, and no answer comes.
	signal := func(what syscall.Signal) {
		if err := s.cmd.Process.Signal(what); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	c.choose("#record-kind", "inspect")
	c.record("result", "存活正常")
	c.click("form.record button[type=submit]")
	c.says("还有 1 条没有送到")
	c.shoot("record-offline")
	c.axe("the form out of reach")
	signal(syscall.SIGCONT)
	c.waitJS("the outbox empty", `!document.querySelector('.outbox')`)
	c.waitJS("the record in the list", `[...document.querySelectorAll('.recorded li')].some(e => e.innerText.includes('存活正常'))`)

	c.waitJS("correcting", `(b => { b?.click(); return b })([...document.querySelectorAll('.recorded li')].find(e => e.innerText.includes('存活正常'))?.querySelector('button'))`)
	c.waitJS("what was said", `document.querySelector('#item-result')?.value === '存活正常'`)
	c.retype("#item-result", "死亡三成")
	c.click("form.record button[type=submit]")
	c.waitJS("the mistake struck through", `[...document.querySelectorAll('.recorded del')].some(e => e.innerText.includes('存活正常'))`)
	c.waitJS("taking back", `(b => { b?.click(); return b })([...document.querySelectorAll('.recorded li')].find(e => e.innerText.includes('死亡三成'))?.querySelectorAll('button')[1])`)
	c.retype(".void input", "记到别的排上了")
	c.click(".void button[type=submit]")
	c.says("已作废：记到别的排上了")
	c.shoot("record-list")

	b := newBrowser(t, s.HTTP)
	b.login("li", passwords["li"])
	var got struct {
		Operations []struct {
			Kind, Corrects string
			Catalog        int
			Items          []struct{ Key, Value, Unit string }
		}
	}
	b.getJSON("/api/v1/sites/raft-1/operations", &got)
	if len(got.Operations) != 4 {
		t.Fatalf("%d operations, want 4: %+v", len(got.Operations), got.Operations)
	}
	for _, o := range got.Operations {
		if o.Catalog != 1 {
			t.Errorf("%s was checked against version %d", o.Kind, o.Catalog)
		}
	}
	if said := fmt.Sprint(got.Operations[0].Items); !strings.Contains(said, "{quantity 600 {string}}") || !strings.Contains(said, "{seed_licence — }") || !strings.Contains(said, "{photo ") {
		t.Errorf("the stocking says %s", said)
	}
}

// A lot is picked from stock, fills in what its label says, and tells from what day a
// harvest may be; what was used is gone from it.
func TestLotInTheForm(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, managedFarm)
	s := startServer(t, "serve", data)
	admin, farmer := newBrowser(t, s.HTTP), newBrowser(t, s.HTTP)
	admin.login("admin", passwordOf(t, printed, "admin"))
	farmer.login("cha", passwordOf(t, printed, "cha"))
	for _, ask := range []struct {
		b                  *browser
		method, path, body string
	}{
		{admin, "PUT", "/api/v1/inputs/matrine", `{"kind":"pesticide","name":{"zh":"苦参碱水剂"},"maker":"演示农药厂","form":"水剂","registration":"PD20101580","actives":[{"name":"苦参碱","content":"0.5%"}],
			"labels":[{"species":"tea","max_uses":3,"wait":{"days":7},"source":"标签","dose":{"basis":"area","min":10,"max":90,"unit":"mL","per":"[mu_chn]"}}]}`},
		{farmer, "POST", "/api/v1/tenants/tea/lots", `{"id":"01JZ00000000000000000000M1","product":"matrine","batch":"A-17","supplier":"农资店","quantity":500,"unit":"mL","expires":"2099-01-01T00:00:00Z"}`},
	} {
		if status, raw := ask.b.send(ask.method, ask.path, []byte(ask.body)); status >= 300 {
			t.Fatalf("%s: %d %s", ask.path, status, raw)
		}
	}
	c := newChrome(t, 390, 844)
	c.open(s.HTTP + "/field/?lang=zh-CN#/record/garden-1?kind=spray")
	c.login("cha", passwordOf(t, printed, "cha"))
	c.click(".item:has(#item-lot) .none input")
	c.choose("#item-lot", "01JZ00000000000000000000M1")
	c.says("剩 500 毫升")
	c.waitJS("what the lot says", `document.querySelector('#item-maker').value === '演示农药厂' && document.querySelector('#item-interval').value === '7' && document.querySelector('#item-registration').value === 'PD20101580'`)
	day := time.Now().In(time.FixedZone("", 8*60*60)).AddDate(0, 0, 7).Format(time.DateOnly)
	c.says("最早可采收、捕捞或出栏：" + day)
	c.record("target", "茶尺蠖")
	c.record("dose", "60")
	c.choose("#item-dose ~ select", "mL/[mu_chn]")
	c.click("form.record summary")
	c.record("amount", "300")
	c.shoot("record-lot")
	c.axe("the form with a lot")
	c.click("form.record button[type=submit]")
	c.says("“施药”已保存")
	c.waitJS("the record with the lot's own number", `[...document.querySelectorAll('.recorded li')].some(e => e.innerText.includes('A-17'))`)
	var lots struct{ Lots []struct{ Left float64 } }
	farmer.getJSON("/api/v1/tenants/tea/lots", &lots)
	if len(lots.Lots) != 1 || lots.Lots[0].Left != 200 {
		t.Errorf("left: %+v", lots.Lots)
	}
}

// An administrator adds a product on the command line, and a running server has it
// within seconds.
func TestCatalogCommand(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "catalog.yaml")
	s := startServer(t, "serve", data)
	out, err := runTianhai(t, "account", "add", "root", "--role", "administrator", "--data", data)
	if err != nil {
		t.Fatalf("account: %v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(out, "password ")
	password, _, _ := strings.Cut(rest, "\n")
	shown, err := runTianhai(t, "catalog", "show", "--data", data)
	if err != nil || shown != string(catalog.Shipped()) {
		t.Fatalf("a new installation shows %d bytes: %v", len(shown), err)
	}
	doc := strings.Replace(shown, "products:\n", "products:\n  - {id: mango, group: fruit, name: {zh: 芒果, en: Mango}, sites: [orchard], operations: [plant, harvest]}\n", 1)
	write := func(doc string) {
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(doc, "operations: [plant, harvest]", "operations: [plant, reap]", 1))
	for _, command := range []string{"check", "save"} {
		args := []string{"catalog", command, file}
		if command == "save" {
			args = append(args, "--data", data)
		}
		if out, err := runTianhai(t, args...); err == nil || !strings.Contains(out, `mango: operations: operation "reap" is not defined`) {
			t.Errorf("catalog %s of a faulty one: %v\n%s", command, err, out)
		}
	}
	write(doc)
	if out, err := runTianhai(t, "catalog", "save", file, "--data", data); err != nil || !strings.Contains(out, "version 2") {
		t.Fatalf("save: %v\n%s", err, out)
	}
	b := newBrowser(t, s.HTTP)
	b.login("root", password)
	waitFor(t, "the new product on the running server", time.Minute, func() bool {
		var c catalog.Catalog
		b.getJSON("/api/v1/catalog", &c)
		_, known := c.Product("mango")
		return known && c.Version == 2
	})
	var list struct{ Products []trace.Product }
	b.getJSON("/api/v1/products", &list)
	if !slices.ContainsFunc(list.Products, func(p trace.Product) bool { return p.ID == "mango" && p.Species == "mango" }) {
		t.Error("no batch can be of the new product")
	}
}

// record types the answer to an item.
func (c *chrome) record(key, value string) {
	c.t.Helper()
	c.retype("#item-"+key, value)
}

func (c *chrome) shoot(name string) {
	if *screenshotDir != "" {
		c.picture(name, 390, 1700)
	}
}

func snapshot(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
