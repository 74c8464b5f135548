package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// waitKept waits until the browser has the whole page.
func (c *chrome) waitKept() {
	c.t.Helper()
	waitFor(c.t, "the page on the phone", time.Minute, func() bool {
		ok, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`(async () => {
			const name = (await caches.keys()).find(n => n.startsWith('tianhai-field-'))
			return Boolean(name && navigator.serviceWorker.controller && (await (await caches.open(name)).keys()).length > 5)
		})()`, chromedp.EvalAwaitPromise))
		return err == nil && ok
	})
}

// TestFieldOffline: the server is gone; a record with a picture is written; the browser
// is closed and opened again, still without a server; the server comes back, and
// record and picture arrive, each once.
func TestFieldOffline(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, managedFarm)
	s := startServer(t, "serve", data)
	addr := strings.TrimPrefix(s.HTTP, "http://")
	page := s.HTTP + "/field/?lang=zh-CN#/record/raft-1"
	profile := t.TempDir()

	c := openChrome(t, profile, 390, 844)
	c.open(s.HTTP + "/field/?lang=zh-CN#/")
	c.login("li", passwordOf(t, printed, "li"))
	c.says("一号排")
	c.open(page)
	c.waitJS("the form", `document.querySelector('#record-kind option[value="inspect"]')`)
	c.open(s.HTTP + "/d/sonde")
	c.says("老探头")
	c.waitKept()
	s.kill()

	c.open("about:blank")
	c.open(page)
	c.choose("#record-kind", "inspect")
	c.record("result", "台风前检查")
	c.click("form.record summary")
	picture := snapshot(t)
	c.upload("#item-photo", "raft.jpg", picture)
	c.says("已存在手机上，有信号自动上传")
	c.waitJS("the picture from the phone itself", `[...document.querySelectorAll('.pictures img')].some(e => e.src.startsWith('blob:') && e.naturalWidth > 0)`)
	c.shoot("offline-form")
	c.click("form.record button[type=submit]")
	c.says("还有 1 条没有送到")
	c.axe("the record page without a server")
	c.quit()

	c = openChrome(t, profile, 390, 844)
	c.open(page)
	c.says("还有 1 条没有送到")
	c.says("其中照片 1 张")
	c.says("下面是") // and the time that what is shown was read at
	c.shoot("offline-again")
	c.choose("#record-kind", "inspect")
	c.record("result", "第二天再看")
	c.click("form.record button[type=submit]")
	c.says("还有 2 条没有送到")
	c.open(s.HTTP + "/d/sonde") // the code on a device opens the page, too
	c.says("老探头")

	startServer(t, "serve", data, "--http", addr)
	c.open(page)
	c.click(".outbox button.wide")
	c.waitJS("the outbox empty", `document.querySelector('.recorded') && !document.querySelector('.outbox')`)
	c.waitJS("both in the list", `['台风前检查', '第二天再看'].every(w => [...document.querySelectorAll('.recorded li')].filter(e => e.innerText.includes(w)).length === 1)`)

	b := newBrowser(t, s.HTTP)
	b.login("li", passwordOf(t, printed, "li"))
	var got struct {
		Operations []struct{ Items []struct{ Key, Value string } }
		Photos     []struct{ Hash string }
	}
	b.getJSON("/api/v1/sites/raft-1/operations", &got)
	if len(got.Operations) != 2 || len(got.Photos) != 1 {
		t.Fatalf("%d records and %d pictures arrived: %+v", len(got.Operations), len(got.Photos), got)
	}
	if _, raw := b.send("GET", "/api/v1/photos/"+got.Photos[0].Hash, nil); !bytes.Equal(raw, []byte(picture)) {
		t.Error("the picture is not the one that was taken")
	}
	left, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`(async () => { const db = await new Promise((ok, no) => { const r = indexedDB.open('tianhai'); r.onsuccess = () => ok(r.result); r.onerror = no })
		const count = s => new Promise(ok => { const r = db.transaction(s).objectStore(s).count(); r.onsuccess = () => ok(r.result) })
		return JSON.stringify([await count('records'), await count('kept'), await count('bytes')]) })()`, chromedp.EvalAwaitPromise))
	if err != nil || left != "[0,0,0]" {
		t.Errorf("left on the phone: %s, %v", left, err)
	}
}

// TestFieldUpdate: a newer version waits for a word, and takes nothing with it that
// was not sent.
func TestFieldUpdate(t *testing.T) {
	data := t.TempDir()
	_, printed := importAccounts(t, data, managedFarm)
	s := startServer(t, "serve", data)
	target, err := url.Parse(s.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	var newer, deaf atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/field/sw.js" || !newer.Load() {
			return nil
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		raw = bytes.Replace(raw, []byte("const version = '"), []byte("const version = 'newer-"), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		r.Header.Set("Content-Length", fmt.Sprint(len(raw)))
		r.Header.Del("ETag")
		return nil
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deaf.Load() && r.Method == http.MethodPost {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		if r.URL.Path == "/field/sw.js" {
			r.Header.Del("Accept-Encoding") // to be read here
			r.Header.Del("If-None-Match")   // another version has another tag
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)

	c := newChrome(t, 390, 844)
	c.open(front.URL + "/field/?lang=zh-CN#/record/raft-1")
	c.login("li", passwordOf(t, printed, "li"))
	c.waitJS("the form", `document.querySelector('#record-kind option[value="inspect"]')`)
	c.waitKept()
	deaf.Store(true)
	c.choose("#record-kind", "inspect")
	c.record("result", "更新之前")
	c.click("form.record button[type=submit]")
	c.says("还有 1 条没有送到")
	newer.Store(true)
	if _, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`navigator.serviceWorker.getRegistration('/field/').then(r => r.update()).then(() => true)`, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
	c.says("有新版本")
	c.shoot("newer")
	if old := c.caches(); strings.Contains(old, "newer") && !strings.Contains(old, ",") {
		t.Fatalf("the old version was thrown away under the page: %s", old)
	}
	c.click(".newer button")
	waitFor(t, "the newer version alone", time.Minute, func() bool {
		got := c.caches()
		return strings.Contains(got, "newer") && !strings.Contains(got, ",")
	})
	c.says("还有 1 条没有送到")
	deaf.Store(false)
	c.click(".outbox button.wide")
	c.waitJS("the record in the list", `[...document.querySelectorAll('.recorded li')].some(e => e.innerText.includes('更新之前'))`)
}

// caches returns the names of the versions on the phone.
func (c *chrome) caches() string {
	names, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`caches.keys().then(k => k.filter(n => n.startsWith('tianhai-field-')).join())`, chromedp.EvalAwaitPromise))
	if err != nil {
		return err.Error() // the page is on its way
	}
	return names
}
