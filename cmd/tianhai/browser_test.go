package main_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A chrome is a window of a headless browser that reports what a page must not
// do: raise an error, or ask another origin for anything.
type chrome struct {
	t      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	faults []string
}

// newChrome opens a window; the test is skipped where there is no browser.
func newChrome(t *testing.T, width, height int) *chrome {
	t.Helper()
	return openChrome(t, t.TempDir(), width, height)
}

// openChrome opens a window of a browser that keeps what it keeps in a directory.
func openChrome(t *testing.T, profile string, width, height int) *chrome {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed; `make testdeps` installs it as root on Debian")
	}
	opts := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("accept-lang", "zh-CN"),
		chromedp.WindowSize(width, height), chromedp.UserDataDir(profile),
	})
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	c := &chrome{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		cancelAlloc()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, f := range c.faults {
			t.Error(f)
		}
	})
	if err := chromedp.Listen(ctx, c.watch); err != nil {
		t.Fatal(err)
	}
	c.do(chromedp.EmulateViewport(int64(width), int64(height)))
	return c
}

// quit closes the browser as a person does, and waits until it is gone.
func (c *chrome) quit() {
	c.t.Helper()
	if err := chromedp.Cancel(c.ctx); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chrome) watch(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.faults = append(c.faults, fmt.Sprintf("script error: %v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" {
			c.faults = append(c.faults, fmt.Sprintf("console error: %v", e.Args))
		}
	case *network.EventRequestWillBeSent:
		u := e.Request.URL
		if !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "about:") {
			c.faults = append(c.faults, "request to another origin: "+u)
		}
	}
}

func (c *chrome) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.t.Fatalf("%v\nthe page says:\n%s", err, c.text())
	}
}

func (c *chrome) open(url string) {
	c.t.Helper()
	c.do(chromedp.Navigate(url))
}

// text returns what a person can read.
func (c *chrome) text() string {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// waitJS waits until a JavaScript expression is true.
func (c *chrome) waitJS(what, expression string) {
	c.t.Helper()
	var last error
	defer func() {
		if c.t.Failed() {
			c.t.Logf("%v; the page says:\n%s", last, c.text())
		}
	}()
	waitFor(c.t, what, time.Minute, func() bool {
		ok, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		last = err
		return err == nil && ok
	})
}

// fill types into the field with this CSS selector.
func (c *chrome) fill(selector, value string) {
	c.t.Helper()
	c.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), value))
}

func (c *chrome) click(selector string) {
	c.t.Helper()
	waitFor(c.t, "a click on "+selector, time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
		defer cancel()
		err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
		if err != nil && !drawnAnew(err) {
			c.t.Fatalf("%s: %v\nthe page says:\n%s", selector, err, c.text())
		}
		return err == nil
	})
}

// drawnAnew reports whether the element went while it was about to be clicked: the
// page put another in its place, and nothing was clicked.
func drawnAnew(err error) bool {
	return strings.Contains(err.Error(), "Could not find node with given id")
}
