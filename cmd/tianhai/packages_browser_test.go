package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// makesPackage lets a manager make a package of the month, with the keyboard alone, and
// delete it.
func makesPackage(t *testing.T, s *server, password string, enter func(*testing.T, string, string, int) *chrome) {
	b := newBrowser(t, s.HTTP)
	b.login("wang", password)
	b.record(demanded("raft-1", "inspect", time.Now().UTC().Add(-time.Minute)))
	c := enter(t, "wang", "/manage/#/packages", 390)
	c.says("还没有数据包")
	c.says("这段时间没有封存的记录") // last month
	c.axe("packages, of which there are none")
	c.click(`.segments button[lang="zh-CN"]`)
	c.waitJS("the days in reverse", `(e => { e.value = '2020-01-01'; e.dispatchEvent(new Event('input', {bubbles: true})); return document.querySelector('.packages [type=submit]').disabled })(document.querySelector('input[name=last]'))`)
	c.says("结束日期早于开始日期")

	press := func(selector string) {
		c.waitJS(selector, fmt.Sprintf(`(e => { e?.focus(); return e && document.activeElement === e && !e.disabled })(document.querySelector(%q))`, selector))
		c.do(chromedp.KeyEvent(kb.Enter))
	}
	press(".presets button:nth-of-type(2)")
	c.says("将包含 1 条记录")
	c.says("农事操作 1")
	press(".packages [type=submit]")
	c.waitJS("both files", `document.querySelectorAll('.packages li a[download]').length === 2`)
	c.says("1 条记录。")
	c.axe("a package")
	c.click(`.segments button[lang="zh-CN"]`)
	if text := c.eval(`document.querySelector('.packages li').innerText`); strings.Contains(text, "报送") {
		t.Errorf("it can be handed over to nobody: %s", text)
	}
	status, raw := b.send("GET", strings.TrimPrefix(c.eval(`document.querySelector('.packages li a[download]').href`), s.HTTP), nil)
	if p := readPackage(t, raw); status != http.StatusOK || p.Count != 1 {
		t.Errorf("the file: %d %s", status, raw)
	}
	press(".packages li .buttons button:last-of-type")
	c.says("确定删除这个数据包的文件吗")
	press(".packages li button.danger")
	c.says("文件已删除")
	c.waitJS("no file", `document.querySelectorAll('.packages li a[download]').length === 0`)
}

// packagesOfRegion lets an officer find an operator of the region and make a package of
// its records.
func packagesOfRegion(c *chrome, d *demo) {
	c.t.Helper()
	c.open(d.HTTP + "/bureau/?lang=zh-CN#/packages")
	c.says("请先选择经营主体")
	c.choose("select[name=operator]", "liubao-tea")
	c.click(".presets button:nth-of-type(2)")
	c.says("条记录（按记录时间")
	c.click(".packages [type=submit]")
	c.waitJS("both files", `document.querySelectorAll('.packages li a[download]').length === 2`)
	c.waitJS("whose it is", `document.querySelector('.packages li h3').innerText.includes('云岭')`)
	c.axe("packages of a region")
	c.click(`.segments button[lang="zh-CN"]`)
}
