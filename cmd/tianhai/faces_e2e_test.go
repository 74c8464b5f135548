package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// checkConsumer scans a code: the browser itself checks the proof, and notices
// when what it shows is not what was sealed.
func checkConsumer(t *testing.T, d *demo) {
	for _, lang := range []string{"zh-CN", "en"} {
		c := newChrome(t, 390, 844)
		c.open(d.HTTP + "/t/" + d.codes[0] + "?lang=" + lang)
		c.click("#verify button")
		c.waitJS("the browser's own verdict", "document.getElementById('verify').dataset.state === 'ok'")
		c.waitJS("every certificate and report by itself", "[...document.querySelectorAll('[data-statement]')].every(e => e.querySelector('.checked.ok'))")
		c.waitJS("every step of the proof", "[...document.querySelectorAll('#verify li')].every(e => e.dataset.state === 'ok')")

		c.open(d.HTTP + "/t/" + d.codes[0] + "?lang=" + lang)
		c.waitJS("a forged product name", "document.querySelector('h1').textContent = 'forged'")
		c.click("#verify button")
		c.waitJS("the verdict on a forged page", "document.getElementById('verify').dataset.state === 'bad'")
	}
}

func (c *chrome) login(login, password string) {
	c.t.Helper()
	c.fill("#login", login)
	c.fill("#password", password)
	c.click("form button[type=submit]")
}

// checkBureau looks at the province as an officer does.
func checkBureau(t *testing.T, d *demo) {
	c := newChrome(t, 1440, 900)
	c.open(d.HTTP + "/bureau/?lang=zh-CN")
	c.login("bureau", d.passwords["bureau"])
	for _, name := range []string{"茅尾海一号蚝排", "光坡三号虾塘", "云岭一号茶园", "双桥二号果园", "温泉五号猪舍"} {
		c.waitJS(name, "document.body.innerText.includes('"+name+"')")
	}
	c.open(d.HTTP + "/bureau/?lang=zh-CN#/site/maowei-raft-1")
	c.waitJS("the site's chart", "document.querySelector('canvas')")
	c.waitJS("readings that move", `(() => {
		const now = document.body.innerText; const first = window.seenFirst ??= now; return now !== first })()`)
	packagesOfRegion(c, d)
}

// checkField opens the code on a device as its owner does.
func checkField(t *testing.T, d *demo) {
	c := newChrome(t, 390, 844)
	c.open(d.HTTP + "/d/pond-1")
	c.login("shrimp", d.passwords["shrimp"])
	c.waitJS("the device behind the code", "document.body.innerText.includes('三号塘控制站')")
	c.waitJS("its oxygen", "document.body.innerText.includes('溶解氧')")
	c.waitJS("its aerator", "document.body.innerText.includes('增氧机')")
}

// TestScreenshots takes the README's pictures: go test -run TestScreenshots -screenshots DIR.
func TestScreenshots(t *testing.T) {
	if *screenshotDir == "" {
		t.Skip("pictures are taken with -screenshots DIR; `make screenshots` does")
	}
	if err := os.MkdirAll(*screenshotDir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := startDemo(t)
	for name, tag := range map[string]string{"zh": "zh-CN", "en": "en"} {
		c := newChrome(t, 390, 844)
		c.open(d.HTTP + "/t/" + d.codes[0] + "?lang=" + tag)
		c.picture("consumer-"+name, 390, 1560)
		f := newChrome(t, 390, 844)
		f.open(d.HTTP + "/field/?lang=" + tag + "#/d/pond-1")
		f.login("shrimp", d.passwords["shrimp"])
		f.waitJS("the alarm and every trend", "document.querySelector('.alarmed') && [...document.querySelectorAll('.trend svg')].every(e => e.querySelector('path'))")
		f.picture("field-"+name, 390, 1560)
	}
	c := newChrome(t, 1280, 844)
	c.open(d.HTTP + "/bureau/?lang=zh-CN")
	c.login("bureau", d.passwords["bureau"])
	c.waitJS("the sites and an alarm", "document.querySelector('a[href*=\"maowei-raft-1\"]') && document.querySelector('tr.alarmed')")
	c.picture("bureau-zh", 1280, 1180)
	c.open(d.HTTP + "/bureau/?lang=zh-CN#/site/guangpo-pond-3?range=24h")
	c.waitJS("the chart", "document.querySelector('canvas')")
	c.picture("bureau-site-zh", 1280, 1180)
	pictureManaging(t, d)
}

// pictureManaging takes those of docs/manage.md and of a claim.
func pictureManaging(t *testing.T, d *demo) {
	admin := newBrowser(t, d.HTTP)
	admin.login("admin", d.passwords["admin"])
	status, answer := admin.send("POST", "/api/v1/devices", []byte(`{"model":"pond","count":1}`))
	var issued struct {
		Devices []struct{ ID string }
	}
	if err := json.Unmarshal(answer, &issued); err != nil || status != http.StatusCreated {
		t.Fatalf("issue: %d %s", status, answer)
	}
	f := newChrome(t, 390, 844)
	f.open(d.HTTP + "/d/" + issued.Devices[0].ID)
	f.login("shrimp", d.passwords["shrimp"])
	f.says("领取这台设备")
	f.picture("claim-zh", 390, 900)
	c := newChrome(t, 1280, 844)
	c.open(d.HTTP + "/manage/?lang=zh-CN#/devices/pond-1")
	c.login("admin", d.passwords["admin"])
	c.says("按标准液或参比仪计算")
	c.picture("manage-device-zh", 1280, 1500)
	c.open(d.HTTP + "/manage/?lang=zh-CN#/mappings/weather")
	c.choose(".sides select", "pond")
	c.click(".sides button.primary")
	c.says("将这样入库")
	c.picture("manage-mapping-zh", 1280, 1000)
}

// picture writes the top of the page, so many CSS pixels of it, as a JPEG.
func (c *chrome) picture(name string, width, height int64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	c.do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(min(1.5, 1440/float64(width)))))
	// Charts and fonts settle within a few frames.
	c.waitJS("some frames", "(window.frames2 = (window.frames2 ?? 0) + 1) > 5")
	quality := int64(70)
	shot, err := chromedp.Run(ctx, chromedp.Action[page.CaptureScreenshotResult](func(ctx context.Context, t *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatJpeg, Quality: &quality})
	}))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshotDir, name+".jpg"), shot.Data, 0o644); err != nil {
		c.t.Fatal(err)
	}
}
