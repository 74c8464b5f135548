package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEditedTogether: two people edit the same model of device, by a program and in two
// browsers. Whoever saves second is told, loses nothing of what was typed, and may save
// it over what is there.
func TestEditedTogether(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "farm.yaml")
	farm := strings.Replace(managedFarm, "  - {login: wang", "  - {login: second, name: 副管理员, role: administrator}\n  - {login: wang", 1)
	if err := os.WriteFile(file, []byte(farm), 0o600); err != nil {
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
	t.Run("programs", func(t *testing.T) {
		first, second := newProgram(t, s, "admin", passwords["admin"]), newProgram(t, s, "second", passwords["second"])
		_, tag, body := first.do("GET", "/models/station", "", "")
		_, other, _ := second.do("GET", "/models/station", "", "")
		if tag == "" || tag != other {
			t.Fatalf("tags %q and %q of %s", tag, other, body)
		}
		change := func(name string) string {
			return fmt.Sprintf(`{"name":{"zh":%q},"format":"json","interval":60,"channels":[{"key":"t","quantity":"water.temperature"}],"commands":["wipe"]}`, name)
		}
		if status, _, body := first.do("PUT", "/models/station", change("第一"), tag); status != http.StatusOK {
			t.Fatalf("the first: %d %s", status, body)
		}
		status, now, body := second.do("PUT", "/models/station", change("第二"), tag)
		var told struct {
			Code    string
			Current struct{ Name struct{ Zh string } }
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil || status != http.StatusPreconditionFailed || told.Code != "changed" || told.Current.Name.Zh != "第一" {
			t.Fatalf("the second: %d %s, %v", status, body, err)
		}
		if status, _, body := second.do("PUT", "/models/station", change("第二"), now); status != http.StatusOK {
			t.Errorf("the second, who has seen: %d %s", status, body)
		}
	})
	t.Run("browsers", func(t *testing.T) {
		var windows []*chrome
		for _, login := range []string{"admin", "second"} {
			c := newChrome(t, 390, 844)
			c.open(s.HTTP + "/manage/#/models/station")
			c.login(login, passwords[login])
			c.waitJS("the form", `document.querySelector('form.panel input')?.value === '第二'`)
			windows = append(windows, c)
		}
		first, second := windows[0], windows[1]
		const name, save = "form.panel input[required]", "form.panel button[type=submit]"
		first.retype(name, "甲的名字")
		second.retype(name, "乙的名字")
		first.click(save)
		first.says("已保存")
		second.click(save)
		second.says("刚被别人改过")
		second.says("甲的名字")
		second.waitJS("what was typed", `document.querySelector('form.panel input').value === '乙的名字'`)
		second.axe("what somebody else has saved")
		second.click(save)
		second.waitJS("the end of the warning", `!document.querySelector('.changed')`)
		admin := newProgram(t, s, "admin", passwords["admin"])
		if _, _, body := admin.do("GET", "/models/station", "", ""); !strings.Contains(body, "乙的名字") {
			t.Errorf("saved again: %s", body)
		}
		first.retype(name, "丙的名字")
		first.click(save)
		first.says("乙的名字")
		first.click(".changed button")
		first.waitJS("what is there now", `document.querySelector('form.panel input').value === '乙的名字' && !document.querySelector('.changed')`)
	})
}

// A webProgram asks the API as a person who is signed in.
type webProgram struct {
	t    *testing.T
	base string
	http http.Client
}

func newProgram(t *testing.T, s *server, login, password string) *webProgram {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &webProgram{t: t, base: s.HTTP + "/api/v1", http: http.Client{Jar: jar}}
	if status, _, body := p.do("POST", "/session", fmt.Sprintf(`{"login":%q,"password":%q}`, login, password), ""); status != http.StatusOK {
		t.Fatalf("sign in as %s: %d %s", login, status, body)
	}
	return p
}

func (p *webProgram) do(method, path, body, ifMatch string) (status int, tag, answer string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if ifMatch != "" {
		req.Header.Set("If-Match", ifMatch)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), string(raw)
}
