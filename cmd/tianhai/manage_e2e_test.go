package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const managedFarm = `
tenants: [{id: oysters, name: {zh: 合作社}, region: "450700"}, {id: tea, name: {zh: 茶场}, region: "450400"}]
sites:
  - {id: raft-1, tenant: oysters, region: "450702", kind: raft, name: {zh: 一号排, en: Raft 1}, town: {zh: 龙门港镇, en: Longmengang}, latitude: 21.7, longitude: 108.5}
  - {id: raft-2, tenant: oysters, region: "450702", kind: raft, name: {zh: 二号排, en: Raft 2}, town: {zh: 龙门港镇, en: Longmengang}, latitude: 21.8, longitude: 108.5}
  - {id: garden-1, tenant: tea, region: "450421", kind: garden, name: {zh: 一号茶园}, latitude: 23.7, longitude: 111.1}
models:
  - {id: station, name: {zh: 水质站, en: Water station}, format: json, interval: 1m, channels: [{key: t, quantity: water.temperature}, {key: do, quantity: water.dissolved_oxygen}], commands: [wipe]}
devices: [{id: sonde, tenant: oysters, model: station, name: {zh: 老探头, en: Old sonde}, site: raft-1, from: 2026-01-01T00:00:00Z}]
accounts:
  - {login: admin, name: 管理员, role: administrator}
  - {login: wang, name: 王场长, role: manager, tenant: oysters}
  - {login: li, name: 老李, role: farmer, tenant: oysters}
  - {login: cha, name: 茶农, role: farmer, tenant: tea}
`

// axe fails the test where the page, in either language, breaks a rule of
// accessibility (WCAG 2.2 AA) that a machine can check.
func (c *chrome) axe(what string) {
	c.t.Helper()
	for _, lang := range []string{"en", "zh-CN"} {
		c.click(`.segments button[lang="` + lang + `"]`)
		c.waitJS("the page in "+lang, `document.documentElement.lang === '`+lang+`'`)
		for _, f := range c.axeFaults() {
			c.t.Errorf("%s in %s: %s", what, lang, f)
		}
	}
}

// axeFaults returns what keeps people out of the page as it is, and keys that nobody
// put into words.
func (c *chrome) axeFaults() []string {
	c.t.Helper()
	source, err := os.ReadFile("../../dashboards/web/node_modules/axe-core/axe.min.js")
	if err != nil {
		c.t.Fatalf("axe-core is not installed; `make web` does it: %v", err)
	}
	faults, err := chromedp.Run(c.ctx, chromedp.Evaluate[[]string](string(source)+`;
		axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => [
			...r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')),
			...new Set(document.body.innerText.match(/\b(?:web|manage|field|fault|problem|device_state|device_event|job_state|consumer)\.[a-z_.]+/g) ?? []),
		])`, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	return faults
}

// says waits until a person can read the words.
func (c *chrome) says(words string) {
	c.t.Helper()
	c.waitJS(words, fmt.Sprintf("document.body.innerText.includes(%q)", words))
}

// choose picks from a list as a person does.
func (c *chrome) choose(selector, value string) {
	c.t.Helper()
	c.waitJS(value+" in "+selector, fmt.Sprintf(`(e => { if (![...(e?.options ?? [])].some(o => o.value === %[2]q)) return false
		e.value = %[2]q; e.dispatchEvent(new Event('change', {bubbles: true})); return true })(document.querySelector(%[1]q))`, selector, value))
}

// retype replaces what stands in a field.
func (c *chrome) retype(selector, text string) {
	c.t.Helper()
	c.waitJS(selector, fmt.Sprintf(`(e => { e?.select(); return e })(document.querySelector(%q))`, selector))
	c.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

func (c *chrome) upload(selector, file, content string) {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), file)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

func (c *chrome) eval(expression string) string {
	c.t.Helper()
	s, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// TestManage goes from the printed label to old data as an administrator, a farmer
// and a manager do, in a browser.
func TestManage(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "farm.yaml")
	if err := os.WriteFile(file, []byte(managedFarm+"products: [{id: oyster, kind: aquatic, species: oyster, name: {zh: 大蚝, en: Oysters}}]\n"), 0o600); err != nil {
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
	enter := func(t *testing.T, login, path string, width int) *chrome {
		c := newChrome(t, width, 844)
		c.open(s.HTTP + path)
		c.login(login, passwords[login])
		return c
	}
	var id, secret, code string
	t.Run("issue and label", func(t *testing.T) {
		c := enter(t, "admin", "/manage/#/issue", 1280)
		c.choose("select[name=model]", "station")
		c.axe("the page to issue")
		c.retype("input[name=count]", "2")
		// The sheet opens in a window of its own; here it takes this one.
		c.waitJS("the form", `document.querySelector('form.panel').target = '_self'`)
		c.click("form.panel button[type=submit]")
		c.waitJS("two labels", `document.querySelectorAll('article svg').length === 2`)
		id, code = c.eval(`document.querySelector('article').textContent.match(/station-[a-z2-7]{8}/)[0]`), c.eval(`document.querySelector('article').textContent.match(/[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}/)[0]`)
		row := c.eval(`decodeURIComponent(document.querySelector('a[download]').href)`)
		if strings.Contains(row, ";base64,") {
			row = c.eval(`atob(document.querySelector('a[download]').href.split('base64,')[1])`)
		}
		_, row, _ = strings.Cut(row, id+",station,")
		secret, _, _ = strings.Cut(row, ",")
	})
	t.Run("claim in the field", func(t *testing.T) { claimInField(t, s, enter, id, secret, code) })
	t.Run("import with bad lines", func(t *testing.T) {
		c := enter(t, "wang", "/manage/#/import", 390)
		c.waitJS("the page", "document.getElementById('import-file')")
		c.upload("#import-file", "bad.csv", "id,model,name_zh,site\nsonde,station,一号,\nnew-2,clock,二号,\nnew-3,station,三号,garden-1\n")
		for _, words := range []string{"第 2 行", "“sonde”已经登记过", "没有登记过“clock”", "“garden-1”不是 oysters 的监测点"} {
			c.says(words)
		}
		c.axe("the faults of a file")
		c.upload("#import-file", "good.csv", "id,model,name_zh,site\nnew-1,station,=新一号,raft-1\n")
		c.says("检查通过，共 1 台设备")
		c.click(".note.good button.primary")
		c.says("已导入 1 台设备")
		c.open(s.HTTP + "/manage/#/devices/new-1")
		c.says("=新一号")
		c.says("一号排")
		c.axe("a device's page")
	})
	t.Run("mapping", func(t *testing.T) { mapping(t, enter) })
	t.Run("old data", func(t *testing.T) {
		c := enter(t, "wang", "/manage/#/history", 1280)
		c.retype(`input[list^="devices-"]`, "sonde\t")
		var rows bytes.Buffer
		rows.WriteString("时间,水温,溶氧\n")
		for i := range 500 {
			fmt.Fprintf(&rows, "%s,%.1f,6.8\n", time.Date(2026, 3, 1, 0, i*10, 0, 0, time.UTC).Format(time.DateTime), 20+float64(i%30)/10)
		}
		rows.WriteString("2026-03-09 00:00:00,坏了,\n2025-03-09 00:00:00,20.0,6\n")
		c.waitJS("the file's field", "document.getElementById('history-file')")
		c.upload("#history-file", "old.csv", rows.String())
		c.says("“坏了”不是数")
		c.says("2025-03-09 00:00:00 时 sonde 还没有安装")
		c.axe("the preview of a file")
		c.choose(".columns .field:nth-of-type(3) select", "do")
		c.waitJS("the column taken", `document.querySelectorAll('.columns select')[2].value === 'do' && !document.querySelector('[role=status] progress')`)
		c.click("button.primary")
		c.says("任务已开始")
		c.says("完成")
		c.says("入库 500")
		c.axe("jobs")
	})
	t.Run("retention", func(t *testing.T) {
		c := enter(t, "admin", "/manage/#/retention", 1280)
		c.says("所有读数永久保存")
		c.choose("#retention-form .field:nth-of-type(1) select", "oysters")
		c.choose("#retention-form .field:nth-of-type(2) select", "water")
		c.retype("#retention-form .field:nth-of-type(3) input", "60")
		c.click("#retention-form button.primary")
		c.says("删了不能恢复")
		c.click("dialog button[type=submit]")
		c.says("已保存，24 小时后生效")
		c.waitJS("the rule, not yet in force", `document.querySelector('tbody tr')?.innerText.includes('60 天') && document.querySelector('tbody .mark.warn')`)
		c.choose("#horizon", "30")
		c.says("再过 30 天")
		c.says("没有要删的") // nothing is rolled up yet, and so nothing may go
		c.axe("retention")
	})
	var invitation string
	t.Run("people", func(t *testing.T) { invitation = people(t, s, enter) })
	var token string
	t.Run("programs", func(t *testing.T) { token = addsProgram(t, s, enter) })
	t.Run("packages", func(t *testing.T) { makesPackage(t, s, passwords["wang"], enter) })
	t.Run("links of a GTIN", func(t *testing.T) { linksOfGTIN(t, s, enter) })
	t.Run("every page", func(t *testing.T) {
		c := enter(t, "admin", "/manage/#/devices", 390)
		c.says("老探头")
		c.axe("devices")
		for page, words := range map[string]string{
			"devices?state=issued": "未领取", "models": "水质站", "models/station": "通道", "mappings": "weather", "quarantine": "隔离区", "server": "报文日志", "history": "old.csv",
		} {
			c.open(s.HTTP + "/manage/#/" + page)
			c.says(words)
			c.axe(page)
		}
	})
	t.Run("not for farmers", func(t *testing.T) {
		c := enter(t, "li", "/manage/#/devices", 390)
		c.says("这里供场站负责人和系统管理员使用")
		c.axe("the refusal")
	})
	if secret == "" {
		t.Skip("no label was read: see above")
	}
	if strings.Contains(s.log.String(), invitation) || strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), strings.ReplaceAll(code, "-", "")) {
		t.Error("a secret is in the log")
	}
}

// people lets a manager invite somebody, who chooses a password and works until he is
// disabled. It returns the code.
func people(t *testing.T, s *server, enter func(*testing.T, string, string, int) *chrome) string {
	manager := enter(t, "wang", "/manage/#/people", 390)
	manager.waitJS("who is there", `document.querySelector('[data-login=wang]')`)
	if text := manager.text(); strings.Contains(text, "cha") || strings.Contains(text, "admin") {
		t.Errorf("a manager sees others' people:\n%s", text)
	}
	manager.retype("input[name=name]", "韦小妹")
	manager.retype("input[name=login]", "wei")
	manager.click("form.card:last-of-type button.primary")
	manager.waitJS("the code", `document.getElementById('slip-code')`)
	manager.axe("people")
	code := manager.eval(`document.getElementById('slip-code').value`)
	address := manager.eval(`document.querySelector('.slip dd').textContent`)

	c := newChrome(t, 390, 844)
	c.open(address)
	c.waitJS("the login filled in", `document.getElementById('login')?.value === 'wei'`)
	c.axe("the way in")
	c.retype("#code", "aaaa-bbbb-cccc")
	c.retype("#password", "eight-or-more")
	c.click("form button.primary")
	c.says("邀请码不正确")
	c.retype("#code", strings.ToUpper(code))
	c.click("form button.primary")
	c.says("一号排")

	manager.click("[data-login=wei] .buttons button:last-child")
	manager.says("立即退出")
	manager.click("[data-login=wei] button.danger")
	manager.waitJS("the state", `document.querySelector('[data-login=wei] .state.disabled')`)
	c.open(s.HTTP + "/field/")
	c.waitJS("the login again", `document.querySelector('form [name=username]')`)
	return code
}

// addsProgram lets a manager add a program, which asks for events until it is deleted. It
// returns its token. A company prefix is stated and taken back beside it.
func addsProgram(t *testing.T, s *server, enter func(*testing.T, string, string, int) *chrome) string {
	c := enter(t, "wang", "/manage/#/programs", 390)
	c.says("还没有程序")
	c.retype("input[name=name]", "冷库")
	c.choose("select[name=days]", "90")
	c.click("form.card button.primary")
	c.waitJS("the token", `document.querySelector('.once input')?.value.startsWith('thp_')`)
	c.axe("programs")
	token := c.eval(`document.querySelector('.once input').value`)
	erp := partner{t, s.HTTP, token}
	if resp, body := erp.do("GET", "/events", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the program: %d %s", resp.StatusCode, body)
	}
	c.says("尚未填写")
	c.retype("input[name=prefix]", "4012345")
	c.click("form:has([name=prefix]) button[type=submit]")
	c.waitJS("the prefix", `document.querySelector('form:has([name=prefix]) li .number')?.innerText === '4012345'`)
	c.click("form:has([name=prefix]) li button")
	c.says("尚未填写")
	c.click("tbody button")
	c.says("令牌立即失效")
	c.click("dialog button.danger")
	c.says("还没有程序")
	if resp, _ := erp.do("GET", "/events", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the deleted program: %d", resp.StatusCode)
	}
	return token
}

// linksOfGTIN lets an administrator enter a GTIN and its holder's manager add, change,
// take away and put back a link; what the page foretells is what a scan gets.
func linksOfGTIN(t *testing.T, s *server, enter func(*testing.T, string, string, int) *chrome) {
	const gtin = "09506000134352"
	scan := func() (status int, to string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.HTTP+"/01/"+gtin+"?linkType=gs1:recipeInfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req) // follows nothing
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Location")
	}
	admin := enter(t, "admin", "/manage/#/links", 1280)
	admin.choose("select[name=tenant]", "oysters")
	admin.says("还没有登记 GTIN")
	admin.retype("input[name=gtin]", "9506000134353")
	admin.choose("select[name=product]", "oyster")
	admin.click("form.card button.primary")
	admin.says("最后一位是校验码")
	admin.retype("input[name=gtin]", "9506000134352")
	admin.click("form.card button.primary")
	admin.waitJS("the GTIN", `document.querySelector('tbody a')?.textContent === '`+gtin+`'`)
	admin.axe("GTINs")

	c := enter(t, "wang", "/manage/#/links", 390)
	c.click("tbody a")
	c.says("还没有链接")
	c.waitJS("where a scan leads", `document.querySelector('.preview li')?.innerText.includes('/t/')`)
	c.choose("form.link select[name=type]", "recipeInfo")
	c.retype("form.link input[name=title]", "清蒸大蚝")
	c.retype("form.link input[name=href]", "http://shop.example/")
	c.click("form.link button.primary")
	c.says("请填以 https:// 开头的完整网址")
	c.waitJS("the field at fault", `document.querySelector('input[name=href][aria-invalid=true]')?.getAttribute('aria-describedby') === 'wrong-href'`)
	c.axe("an address that is none")
	c.retype("form.link input[name=href]", "shop.example/做法")
	c.click("form.link button.primary")
	c.waitJS("the link", `document.querySelector('tr[data-type=recipeInfo]')?.innerText.includes('清蒸大蚝')`)
	c.choose("select[name=asked]", "recipeInfo")
	c.waitJS("where it leads", `document.querySelector('.preview li')?.innerText.includes('https://shop.example/做法')`)
	if status, to := scan(); status != http.StatusTemporaryRedirect || !strings.HasPrefix(to, "https://shop.example/%E5%81%9A%E6%B3%95?") {
		t.Errorf("a scan: %d to %s", status, to)
	}
	c.retype("input[name=scanned]", "批次\t")
	c.says("有一项内容填写有误")
	c.retype("input[name=scanned]", "L7\t")
	c.says("/10/L7")
	c.axe("links of a GTIN")
	if *screenshotDir != "" {
		c.picture("manage-links-zh", 390, 1900)
		c.picture("manage-links-wide-zh", 1280, 1100)
	}

	c.click("tr[data-type=recipeInfo] button")
	c.says("修改链接")
	c.retype("form.link input[name=title]", "蒜蓉大蚝")
	c.click("form.link button.primary")
	c.waitJS("the change", `document.querySelector('tr[data-type=recipeInfo]')?.innerText.includes('蒜蓉大蚝')`)
	c.choose("form.link select[name=type]", "recipeInfo")
	c.retype("form.link input[name=title]", "又一个")
	c.retype("form.link input[name=href]", "https://shop.example/2")
	c.click("form.link button.primary")
	c.says("都相同的链接")
	c.click("tr[data-type=recipeInfo] button:last-child")
	c.says("已删除“蒜蓉大蚝”")
	if status, _ := scan(); status != http.StatusNotFound {
		t.Errorf("once it is deleted: %d", status)
	}
	c.click(".note.good button")
	c.waitJS("the link again", `document.querySelector('tr[data-type=recipeInfo]')?.innerText.includes('蒜蓉大蚝')`)
	if status, _ := scan(); status != http.StatusTemporaryRedirect {
		t.Errorf("once it is put back: %d", status)
	}

	if *screenshotDir != "" {
		c.open(s.HTTP + "/manage/?lang=en#/links/" + gtin)
		c.click(`.segments button[lang="en"]`)
		c.says("What a scan opens")
		c.click("tr[data-type=recipeInfo] button")
		c.click("form.link summary")
		c.picture("manage-links-en", 390, 2100)
		c.picture("manage-links-wide-en", 1280, 1200)
	}

	stranger := enter(t, "cha", "/manage/#/links/"+gtin, 390)
	stranger.says("这里供场站负责人和系统管理员使用")
	if text := stranger.text(); strings.Contains(text, "大蚝") || strings.Contains(text, "shop.example") {
		t.Errorf("a stranger is told: %s", text)
	}
}

// claimInField does as a farmer with wet hands does: mistypes, guesses, claims at the
// wrong site, and moves the device to the right one.
func claimInField(t *testing.T, s *server, enter func(*testing.T, string, string, int) *chrome, id, secret, code string) {
	stranger := enter(t, "cha", "/d/sonde", 390)
	stranger.says("没有这台设备，或者您无权查看")
	if text := stranger.text(); strings.Contains(text, "老探头") || strings.Contains(text, "水质站") {
		t.Errorf("a stranger is told: %s", text)
	}

	c := enter(t, "li", "/d/"+id, 390)
	c.says("水质站")
	c.axe("the page to claim")
	typed := " " + strings.ToLower(strings.ReplaceAll(code, "-", " ")) + " "
	c.fill("#claim-code", "ABCU")
	c.says("第 4 个字符“U”不会出现在领取码里")
	c.retype("#claim-code", "0000-0000-00001")
	c.says("有一个字符打错了")
	c.retype("#claim-code", "0000 0000 00000")
	c.click(`input[value="raft-2"]`)
	c.fill("#claim-name", "新探头")
	c.click("form.claim button[type=submit]")
	c.says("领取码不对")
	c.says("还可以试 9 次")
	c.axe("a wrong code")
	c.retype("#claim-code", typed)
	c.click("form.claim button[type=submit]")
	c.says("等待第一条数据")
	c.says("新探头")
	c.axe("the page that waits")

	// A machine that sleeps is told when it wakes, unless somebody thinks again.
	c.waitJS("the switch", `document.querySelector('.hold')`)
	c.waitJS("the command", `(b => { for (let i = 0; i < 2; i++) b.click(); return true })(document.querySelector('.hold'))`)
	c.says("已登记，设备上线后发出")
	c.click(".outcome button")
	c.says("取消")
	c.waitJS("the cancelled command", `document.querySelector('.outcome').innerText.includes('li')`)

	c.click(".fold summary")
	c.click(`.fold input[value="raft-1"]`)
	c.click(".fold button[type=submit]")
	c.waitJS("the other site", `document.querySelector('.heading').innerText.includes('一号排')`)

	m := meter(t, s, id, secret)
	if m == nil {
		t.Fatal("the claimed device was not let in")
	}
	m.Publish("th/"+id+"/status", 1, true, "online").Wait()
	m.Publish("th/"+id+"/up", 1, false, fmt.Sprintf(`{"ts":%d,"t":21.5}`, time.Now().UnixMilli())).Wait()
	c.says("21.5")
	c.waitJS("what is live", `!document.body.innerText.includes('等待第一条数据')`)
	c.axe("the device that speaks")
}

func mapping(t *testing.T, enter func(*testing.T, string, string, int) *chrome) {
	c := enter(t, "admin", "/manage/#/mappings/weather", 1280)
	c.waitJS("the example", `document.getElementById('mapping-doc')?.value.includes('channels:')`)
	write := func(id, text string) {
		t.Helper()
		c.waitJS("what is written", fmt.Sprintf(`(a => { a.value = %q; a.dispatchEvent(new Event('input')); return true })(document.getElementById(%q))`, text, id))
	}
	write("mapping-sample", `{"temp":245}`)
	write("mapping-doc", "channels:\n  - channel: t\n    path: temp\n    scael: 0.1\n")
	c.click(".sides button.primary")
	c.says("映射里 · 第 4 行")
	c.axe("the fault of a mapping")
	write("mapping-doc", "channels:\n  - {channel: t, path: temp, scale: 0.1}\n")
	c.choose(".sides select", "station")
	c.click(".sides button.primary")
	c.waitJS("what would be stored", `document.querySelector('#mapping-outcome table')?.innerText.includes('24.5')`)
	c.click("main > .buttons button.primary")
	c.says("已保存为第 1 版")
	write("mapping-doc", "channels:\n  - {channel: t, path: temp, scale: 0.01}\n")
	c.click("main > .buttons button.primary")
	c.says("已保存为第 2 版")
	c.waitJS("both versions", `document.querySelectorAll('.lines li').length === 2`)
	c.click(".lines li:nth-child(2) button")
	c.waitJS("the change", `document.querySelector('.diff ins') && document.querySelector('.diff del')`)
	c.axe("the versions of a mapping")
}
