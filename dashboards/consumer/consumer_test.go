package consumer_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tianhai/dashboards/consumer"
	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/label"
	"tianhai/trace/ledger"
)

func (s *shop) get(t testing.TB, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// says fails unless the page holds every text.
func says(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

func saysNot(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page says %q", text)
		}
	}
}

// sound checks what holds for every page: it is well-formed, loads nothing from
// elsewhere, runs and styles nothing inline, and shows no key for a text.
func sound(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	page := w.Body.String()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			soundElement(t, e)
		}
	}
	if m := regexp.MustCompile(`>[^<]*\b(consumer|operation|item|quantity|site_kind)\.[a-z_]+`).FindString(page); m != "" {
		t.Errorf("a text is missing: %q", m)
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	style := page[strings.Index(page, "<style>")+7 : strings.Index(page, "</style>")]
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
		t.Error("the policy does not allow the page's own style")
	}
	for _, v := range []string{"Accept", "Accept-Language", "Cookie", "Accept-Encoding"} {
		if !strings.Contains(strings.Join(w.Header().Values("Vary"), ", ")+",", v+",") {
			t.Errorf("Vary lacks %s", v)
		}
	}
}

func soundElement(t *testing.T, e xml.StartElement) {
	t.Helper()
	for _, a := range e.Attr {
		switch name := a.Name.Local; {
		case name == "src" || name == "href" || name == "action":
			if !regexp.MustCompile(`^(/[^/]|\?|#|tel:|data:image)`).MatchString(a.Value) {
				t.Errorf("<%s %s=%q> leaves the site", e.Name.Local, name, a.Value)
			}
		case name == "style" || strings.HasPrefix(name, "on"):
			t.Errorf("<%s %s> is inline and forbidden by the policy", e.Name.Local, name)
		}
	}
}

func TestSealedPage(t *testing.T) {
	s := newShop(t, "/assets/verify-1.js")
	for range 5 {
		if _, err := s.log.Append(t.Context(), []byte("somebody else")); err != nil {
			t.Fatal(err)
		}
	}
	rec := s.seal(t, record(t, oysters(newCode(t))))
	group := label.Group(rec.Code)

	zh := s.get(t, "/t/"+rec.Code)
	if zh.Code != http.StatusOK {
		t.Fatalf("GET: %d", zh.Code)
	}
	sound(t, zh)
	page := zh.Body.String()
	says(t, page, `<html lang="zh-CN">`, "记录完整，封存后未被改动", "钦州大蚝", "茅尾海蚝业专业合作社", "广西", "钦州市", "尖山街道", "浮筏", "MW-2026-11-19", "1250.5", "千克",
		"2026-11-20 12:00", group, "采收", "净化", "企业自述", "设备自动采集", "公开账本", "水温", "溶解氧", "mg/L", "94.4%", "8412", "剔除 17 次",
		"2026-10-08 12:00 至 2026-10-11 12:00（3 天）", "缺测时段与水温相同", "236.4", "第 5 号", "共 6 条", "能证明", "不能证明", "北京时间",
		`data-sealed="evidence.series.0.mean"`, "tianhai.test/log", "tianhai verify --key", `src="/assets/verify-1.js"`, "&lt;紫外线&gt; &amp; 净化", "2026-11-21 00:00 补录", "93450702MA5KTESTX0", "tel:0777-2820000")
	saysNot(t, page, "<紫外线>", "正在封存")

	en := s.get(t, "/t/"+rec.Code+"?lang=en")
	sound(t, en)
	says(t, en.Body.String(), `<html lang="en">`, "Intact: unchanged since it was sealed", "Qinzhou oysters", "Maowei Bay Oyster Co-operative", "Jianshan", "Harvest", "Dissolved oxygen", "What it does not prove",
		`data-sealed="product.name.en"`)

	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(zh.Body.Bytes())
	_ = z.Close()
	if zipped.Len() > 20<<10 {
		t.Errorf("the page has %d bytes gzipped, at most 20 KiB are allowed", zipped.Len())
	}
}

// What was corrected stays readable, struck through, and is never shown as true.
func TestCorrection(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	page := s.get(t, "/t/"+rec.Code).Body.String()
	if !regexp.MustCompile(`<del>[^/]*<time[^>]*>[^<]*</time> <b>采收</b>[\s\S]*?12505 千克[\s\S]*?</del>`).MatchString(page) {
		t.Error("the mistake is not struck through")
	}
	without := regexp.MustCompile(`<del>[\s\S]*?</del>`).ReplaceAllString(page, "")
	saysNot(t, without, "12505")
	says(t, without, "1250.5 千克")
}

// Names are read from the sealed bytes, what was taken back stays readable with the
// reason, and a picture is shown where a record names it and nowhere else.
func TestWordsAndPhotos(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	hash, other := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	p.Operations = []trace.PublicOperation{
		{ID: "a", Kind: "bless", At: p.Began, Recorded: p.Began, CorrectedBy: "b", Items: []trace.Item{{Key: "mood", Value: "good"}}},
		{ID: "b", Kind: "void", At: p.Harvest, Recorded: p.Harvest, Corrects: "a", Items: []trace.Item{{Key: "reason", Value: "记错了"}}},
		{ID: "c", Kind: "bless", At: p.Harvest, Recorded: p.Harvest, Items: []trace.Item{{Key: "dose", Value: "2", Unit: "mL/[mu_chn]"}, {Key: "sight", Value: hash}, {Key: "note", Value: other}}},
	}
	p.Words = &trace.Words{
		Operations: map[string]trace.OperationWord{"bless": {Name: farm.Text{Zh: "祈福", En: "Blessing"}, Medicine: true}, "void": {Name: farm.Text{Zh: "作废", En: "Voided"}}},
		Items: map[string]trace.ItemWord{
			"mood": {Name: farm.Text{Zh: "心情", En: "Mood"}, Type: catalog.Choice}, "sight": {Name: farm.Text{Zh: "照片", En: "Photo"}, Type: catalog.Photo},
			"note": {Name: farm.Text{Zh: "备注", En: "Note"}, Type: catalog.Text}, "reason": {Name: farm.Text{Zh: "原因", En: "Reason"}, Type: catalog.Text},
		},
		Choices: map[string]farm.Text{"mood.good": {Zh: "很好", En: "very good"}},
	}
	rec := s.seal(t, record(t, p))
	w := s.get(t, "/t/"+rec.Code)
	sound(t, w)
	page := w.Body.String()
	says(t, page, "祈福", "心情", "很好", "记错了", "2 毫升/亩", `class="medicine"`, `<a class="photo" href="/t/`+rec.Code+`/photo/`+hash+`"><img src="/t/`+rec.Code+`/thumb/`+hash+`"`)
	if !regexp.MustCompile(`<b>作废</b>[\s\S]*?<del>[\s\S]*?心情[\s\S]*?</del>`).MatchString(page) {
		t.Error("what was taken back is not struck through below its reason")
	}
	says(t, s.get(t, "/t/"+rec.Code+"?lang=en").Body.String(), "Blessing", "very good", "2 mL/mu")

	got := s.get(t, "/t/"+rec.Code+"/photo/"+hash)
	if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "image/jpeg" || got.Body.String() != "picture "+hash {
		t.Errorf("the picture: %d %s", got.Code, got.Body)
	}
	if got := s.get(t, "/t/"+rec.Code+"/thumb/"+hash).Body.String(); got != "thumb "+hash {
		t.Errorf("the picture, small: %q", got)
	}
	for _, path := range []string{other, strings.Repeat("0c", 32), "..%2f..%2fkey", "x"} {
		for _, copy := range []string{"/photo/", "/thumb/"} {
			if w := s.get(t, "/t/"+rec.Code+copy+path); w.Code != http.StatusNotFound {
				t.Errorf("a picture that the record does not name, %s%s: %d", copy, path, w.Code)
			}
		}
	}
}

// The first picture of the latest harvest that stands is the page's; a dash and an
// identifier are nobody's reading.
func TestCover(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	old, taken, newest := strings.Repeat("0a", 32), strings.Repeat("0b", 32), strings.Repeat("0c", 32)
	sight := func(id, kind, hash string) trace.PublicOperation {
		return trace.PublicOperation{ID: id, Kind: kind, At: p.Harvest, Recorded: p.Harvest, Items: []trace.Item{
			{Key: "sight", Value: hash}, {Key: "note", Value: "01JZ0000000000000000000SA1"}, {Key: "more", Value: catalog.Dash},
		}}
	}
	p.Operations = []trace.PublicOperation{sight("a", "reap", old), sight("b", "reap", taken), sight("c", "spray", newest)}
	p.Operations[1].CorrectedBy = "d"
	p.Words = &trace.Words{
		Operations: map[string]trace.OperationWord{"reap": {Name: farm.Text{Zh: "采收", En: "Harvest"}, Stage: "harvest"}, "spray": {Name: farm.Text{Zh: "打药", En: "Spraying"}}},
		Items: map[string]trace.ItemWord{
			"sight": {Name: farm.Text{Zh: "照片", En: "Photo"}, Type: catalog.Photo},
			"note":  {Name: farm.Text{Zh: "备注", En: "Note"}, Type: catalog.Text}, "more": {Name: farm.Text{Zh: "说明", En: "More"}, Type: catalog.Text},
		},
	}
	rec := s.seal(t, record(t, p))
	w := s.get(t, "/t/"+rec.Code)
	sound(t, w)
	page := w.Body.String()
	says(t, page, `<img src="/t/`+rec.Code+`/cover/`+old+`" alt="现场照片 · 采收 · `)
	saysNot(t, page, "/cover/"+taken, "/cover/"+newest, "备注", "说明")
	if got := s.get(t, "/t/"+rec.Code+"/cover/"+old).Body.String(); got != "cover "+old {
		t.Errorf("the cover: %q", got)
	}
	if got := s.get(t, "/t/"+rec.Code+"/cover/"+strings.Repeat("0d", 32)); got.Code != http.StatusNotFound {
		t.Errorf("a cover of another's: %d", got.Code)
	}
}

// Of many operations the old ones are folded away, but never a use of medicine.
func TestFold(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	first := &p.Operations[0]
	first.Kind, first.Items = "medicate", []trace.Item{{Key: "product", Value: "聚维酮碘"}, {Key: "withdrawal", Value: "500", Unit: "d"}}
	rec := s.seal(t, record(t, p))
	page := s.get(t, "/t/"+rec.Code).Body.String()
	inView := page[:strings.Index(page, "<details>")]
	says(t, inView, "用药", "聚维酮碘", "500 天", "medicine")
	if n := strings.Count(inView, "苗体正常"); n != 7 {
		t.Errorf("%d inspections in sight, want 7 beside the newest three", n)
	}
	says(t, page, "更早的 28 条记录")
}

func TestNoEvidence(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	p.Evidence.Recorded, p.Evidence.Series, p.Operations = false, nil, nil
	rec := s.seal(t, record(t, p))
	w := s.get(t, "/t/"+rec.Code)
	sound(t, w)
	says(t, w.Body.String(), "没有任何可用的传感器数据", "没有登记任何作业")
	saysNot(t, w.Body.String(), "<svg viewBox=\"0 0 600")
}

// Where there is no data there is no ink.
func TestChartBreaks(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	page := s.get(t, "/t/"+rec.Code).Body.String()
	lines := regexp.MustCompile(`class="l" d="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(lines) != 5 {
		t.Fatalf("%d lines are drawn, want 5 beside the bars of rain", len(lines))
	}
	for _, l := range lines {
		if n := strings.Count(l[1], "M"); n != 2 {
			t.Errorf("a line has %d strokes, want 2 with the long gap between", n)
		}
		if n := strings.Count(l[1], " ") + strings.Count(l[1], "-"); n > 2*125 {
			t.Errorf("a line has %d numbers", n)
		}
	}
	says(t, page, `<rect class="g"`, `role="img" aria-label="水温变化图：最低 20.0 °C，平均 24.0 °C，最高 28.0 °C；缺测 2 段。"`)
}

func TestPending(t *testing.T) {
	s := newShop(t, "/assets/verify-1.js")
	rec := record(t, oysters(newCode(t)))
	s.put(rec)
	w := s.get(t, "/t/"+rec.Code)
	sound(t, w)
	says(t, w.Body.String(), "记录正在封存", "钦州大蚝")
	saysNot(t, w.Body.String(), "封存后未被改动", "<script", "id=\"verify\"")
	if c := w.Header().Get("Cache-Control"); c != "no-store" {
		t.Errorf("cached as %q", c)
	}
	if w := s.get(t, "/t/"+rec.Code+"/receipt"); w.Code != http.StatusNotFound || w.Header().Get("Retry-After") == "" {
		t.Errorf("receipt: %d", w.Code)
	}
}

// A record that was altered in the database is not shown, whichever part of it.
func TestBroken(t *testing.T) {
	s := newShop(t, "/assets/verify-1.js")
	good := s.seal(t, record(t, oysters(newCode(t))))
	other := s.seal(t, record(t, oysters(newCode(t))))
	tests := map[string]func(*trace.Record){
		"body":              func(r *trace.Record) { r.Body = bytes.Replace(r.Body, []byte("1250.5"), []byte("1250.6"), 1) },
		"salt":              func(r *trace.Record) { r.Salt = bytes.Repeat([]byte{7}, 16) },
		"body of no record": func(r *trace.Record) { r.Body = []byte("{") },
		"later version":     func(r *trace.Record) { r.Body = bytes.Replace(r.Body, []byte(`"v":1`), []byte(`"v":3`), 1) },
		"another's body":    func(r *trace.Record) { r.Body, r.Salt = other.Body, other.Salt },
		"another's receipt": func(r *trace.Record) { r.Receipt = other.Receipt },
		"another's all":     func(r *trace.Record) { code := r.Code; *r = other; r.Code = code },
		"receipt":           func(r *trace.Record) { r.Receipt = strings.Replace(r.Receipt, "index ", "index 1", 1) },
		"no real receipt":   func(r *trace.Record) { r.Receipt = "x" },
	}
	for name, alter := range tests {
		t.Run(name, func(t *testing.T) {
			r := good
			alter(&r)
			s.put(r)
			w := s.get(t, "/t/"+good.Code)
			sound(t, w)
			says(t, w.Body.String(), "记录与封存凭证不符", label.Group(good.Code), "12315")
			saysNot(t, w.Body.String(), "钦州大蚝", "1250", "封存后未被改动", "<script")
			if w := s.get(t, "/t/"+good.Code, "Accept", "application/json"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "钦州") {
				t.Errorf("JSON: %d %s", w.Code, w.Body)
			}
		})
	}
	// Sealed under one code, with a body that is told to the readers of another.
	mixed := record(t, oysters(newCode(t)))
	mixed.Code = newCode(t)
	s.seal(t, mixed)
	says(t, s.get(t, "/t/"+mixed.Code).Body.String(), "记录与封存凭证不符")
}

// A stranger checks for himself, with nothing but what is served.
func TestCheckForYourself(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	receipt, opening := s.get(t, "/t/"+rec.Code+"/receipt"), s.get(t, "/t/"+rec.Code+"/record")
	proof, err := ledger.Verify(s.log.VerifierKey(), receipt.Body.String())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := trace.ParseOpening(opening.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(opened.Leaf(), proof.Leaf) {
		t.Error("the served record does not make the served leaf")
	}
	for w, name := range map[*httptest.ResponseRecorder]string{receipt: rec.Code + ".tlog-proof", opening: rec.Code + ".json"} {
		if d := w.Header().Get("Content-Disposition"); !strings.Contains(d, `"`+name+`"`) {
			t.Errorf("%s is saved as %q", name, d)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s cannot be checked by another site's page", name)
		}
	}
	machine := s.get(t, "/t/"+rec.Code, "Accept", "application/json")
	if !bytes.Equal(machine.Body.Bytes(), rec.Body) || !strings.HasPrefix(machine.Header().Get("Content-Type"), "application/json") {
		t.Error("JSON is not the sealed bytes")
	}
	if browser := s.get(t, "/t/"+rec.Code, "Accept", "text/html,application/json;q=0.9"); !strings.HasPrefix(browser.Header().Get("Content-Type"), "text/html") {
		t.Error("a browser gets JSON")
	}
}

func TestQR(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	want, err := label.SVG("https://trace.example.cn/t/" + rec.Code)
	if err != nil {
		t.Fatal(err)
	}
	if w := s.get(t, "/t/"+rec.Code+"/qr.svg"); !bytes.Equal(w.Body.Bytes(), want) || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Error("qr.svg is not the drawing of the public address")
	}
	if w := s.get(t, "/t/"+rec.Code+"/qr.png"); !bytes.HasPrefix(w.Body.Bytes(), []byte("\x89PNG")) || w.Header().Get("Content-Type") != "image/png" {
		t.Error("qr.png is no PNG")
	}
	if w := s.get(t, "/t/"+newCode(t)+"/qr.svg"); w.Code != http.StatusNotFound {
		t.Errorf("a code that was never issued is drawn: %d", w.Code)
	}
	if w := s.get(t, "/t/"+rec.Code+"/qr.gif"); w.Code != http.StatusNotFound {
		t.Errorf("qr.gif: %d", w.Code)
	}
}

func TestLanguage(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	asked := s.get(t, "/t/"+rec.Code+"?lang=en", "Accept-Language", "zh-CN")
	cookies := asked.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Value != "en" || cookies[0].Path != "/" || !cookies[0].Secure {
		t.Fatalf("cookies %v", cookies)
	}
	tests := map[string]struct {
		query  string
		header []string
		want   string
	}{
		"nothing said":          {"", nil, "zh-CN"},
		"browser":               {"", []string{"Accept-Language", "en-GB,en;q=0.9"}, "en"},
		"cookie before browser": {"", []string{"Accept-Language", "zh-CN", "Cookie", "th_lang=en"}, "en"},
		"query before cookie":   {"?lang=zh-CN", []string{"Cookie", "th_lang=en"}, "zh-CN"},
		"unknown":               {"?lang=xx", []string{"Accept-Language", "en"}, "en"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := s.get(t, "/t/"+rec.Code+tt.query, tt.header...)
			says(t, w.Body.String(), `<html lang="`+tt.want+`">`)
			if name == "unknown" && len(w.Result().Cookies()) > 0 {
				t.Error("an unknown language is kept")
			}
		})
	}
}

func TestCodes(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	unknown := newCode(t)
	wrong := map[byte]string{'0': "1"}[rec.Code[12]]
	if wrong == "" {
		wrong = "0"
	}
	tests := map[string]struct{ path, says string }{
		"unknown":       {"/t/" + unknown, label.Group(unknown)},
		"mistyped":      {"/t/" + rec.Code[:12] + wrong, "校验不符"},
		"short":         {"/t/" + rec.Code[:10], "您输入了 10 位"},
		"long":          {"/t/" + rec.Code + "00", "您输入了 15 位"},
		"U":             {"/t/U" + rec.Code[1:], "第 1 位的“U”"},
		"markup":        {"/t/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "第 1 位的“&lt;”"},
		"broken text":   {"/t/%FF%FE", "第 1 位"},
		"long nonsense": {"/t/" + strings.Repeat("9", 500), "您输入了 500 位"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := s.get(t, tt.path)
			if w.Code != http.StatusNotFound {
				t.Errorf("status %d", w.Code)
			}
			sound(t, w)
			says(t, w.Body.String(), tt.says, `<form action="/t/"`)
			saysNot(t, w.Body.String(), "<script>")
			sound(t, s.get(t, tt.path+"?lang=en"))
		})
	}
	for name, typed := range map[string]string{"lower case": strings.ToLower(rec.Code), "grouped": label.Group(rec.Code)} {
		if w := s.get(t, "/t/"+typed+"?lang=en"); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "/t/"+rec.Code+"?lang=en" {
			t.Errorf("%s: %d to %q", name, w.Code, w.Header().Get("Location"))
		}
	}
	if w := s.get(t, "/t/"+strings.ToLower(rec.Code)+"/receipt"); w.Header().Get("Location") != "/t/"+rec.Code+"/receipt" {
		t.Errorf("receipt of a code in lower case: %q", w.Header().Get("Location"))
	}
	form := s.get(t, "/t/")
	sound(t, form)
	says(t, form.Body.String(), "查询追溯码")
	if w := s.get(t, "/t/?lang=en&code=+"+label.Group(rec.Code)); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/t/"+label.Group(rec.Code)+"?lang=en" {
		t.Errorf("form: %d to %q", w.Code, w.Header().Get("Location"))
	}
	for _, typed := range []string{"%2F%2Fevil.example", "..%2F..%2Fapi"} {
		if w := s.get(t, "/t/?code="+typed); w.Code != http.StatusOK {
			t.Errorf("form with %s: %d to %q", typed, w.Code, w.Header().Get("Location"))
		}
	}
}

// Somebody who reads 8 for B is shown the code that was meant.
func TestGuess(t *testing.T) {
	s := newShop(t, "")
	for {
		code := newCode(t)
		at := strings.IndexByte(code, 'B')
		if at < 0 {
			continue
		}
		w := s.get(t, "/t/"+code[:at]+"8"+code[at+1:])
		sound(t, w)
		says(t, w.Body.String(), "的 8 会不会是 B？", `href="/t/`+code+`?lang=zh-CN"`)
		return
	}
}

func TestUnavailable(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.err = errors.New("database is locked")
	w := s.get(t, "/t/"+rec.Code)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, cached as %q", w.Code, w.Header().Get("Cache-Control"))
	}
	sound(t, w)
	says(t, w.Body.String(), "这是我们的故障")
	saysNot(t, w.Body.String(), "locked")
}

func TestHTTP(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	for _, path := range []string{"/t/" + rec.Code, "/t/" + rec.Code + "/receipt", "/t/"} {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code != http.StatusMethodNotAllowed || !strings.Contains(w.Header().Get("Allow"), "GET") {
			t.Errorf("POST %s: %d, Allow %q", path, w.Code, w.Header().Get("Allow"))
		}
	}
	first := s.get(t, "/t/"+rec.Code)
	tag := first.Header().Get("ETag")
	if w := s.get(t, "/t/"+rec.Code, "If-None-Match", tag); tag == "" || w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the same again: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := s.get(t, "/t/"+rec.Code+"?lang=en", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("another language: %d", w.Code)
	}
	zipped := s.get(t, "/t/"+rec.Code, "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, first.Body.Bytes()) {
		t.Errorf("unzipped it is another page: %v", err)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/t/"+rec.Code, nil))
	if w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestNewRefuses(t *testing.T) {
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"", "trace.example.cn", "ftp://trace.example.cn", "https://trace.example.cn/?a=b", "://"} {
		if _, err := consumer.New(consumer.Options{PublicURL: u, Catalog: catalog}); err == nil {
			t.Errorf("public URL %q is taken", u)
		}
	}
}

func TestStyleBudget(t *testing.T) {
	css, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(css)
	_ = z.Close()
	if b.Len() > 6<<10 {
		t.Errorf("the style has %d bytes gzipped, at most 6 KiB are allowed", b.Len())
	}
}

// Long numbers have commas, and the plot begins to the right of the longest label.
func TestLongNumbers(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	light := p.Evidence.Series[0]
	light.Quantity, light.Min, light.Mean, light.Max, light.N = "air.illuminance", 0, 23359, 99678, 12345
	light.Points = slices.Clone(light.Points)
	light.Points[0].Min, light.Points[0].Max = 0, 99678
	p.Evidence.Series = []trace.Series{light}
	page := s.get(t, "/t/"+s.seal(t, record(t, p)).Code+"?lang=en").Body.String()
	says(t, page, ">23,359</data>", `value="23359"`, "12,345 readings")
	label := regexp.MustCompile(`<text x="(\d+)" dx="-8" y="\d+" dy="8" text-anchor="end">100,000<`).FindStringSubmatch(page)
	if label == nil {
		t.Fatal("no label 100,000 on the axis")
	}
	if x, _ := strconv.Atoi(label[1]); x < 7*13+8 {
		t.Errorf("the label ends at %d less 8, too near to the edge for seven characters", x)
	}
}

// The chart copes with the odd: one point, a flat line, nothing, no interval.
func TestOddSeries(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	base := p.Evidence.Series[0]
	one, flat, none, bare, negative := base, base, base, base, base
	one.Points, one.Gaps = base.Points[:1], nil
	flat.Min, flat.Mean, flat.Max = 20, 20, 20
	flat.Points = nil
	for i, pt := range base.Points {
		pt.Min, pt.Mean, pt.Max = 20, 20, 20
		if i%3 == 0 {
			flat.Points = append(flat.Points, pt)
		}
	}
	none.N, none.Points = 0, nil
	bare.Points, bare.Interval = nil, 0
	negative.Quantity, negative.Points = "unheard.of", nil
	for _, pt := range base.Points {
		pt.Min, pt.Mean, pt.Max, pt.Time = pt.Min-30, pt.Mean-30, pt.Max-30, pt.Time.Add(-1000*time.Hour)
		negative.Points = append(negative.Points, pt)
	}
	p.Evidence.Series = []trace.Series{one, flat, none, bare, negative}
	rec := s.seal(t, record(t, p))
	w := s.get(t, "/t/"+rec.Code)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	sound(t, w)
	says(t, w.Body.String(), "unheard.of")
	saysNot(t, w.Body.String(), "NaN", "Inf")
	if strings.Count(w.Body.String(), `class="l"`) != 3 {
		t.Error("want a line for one point, the flat one and the negative one")
	}
	if n := strings.Count(w.Body.String(), `viewBox="0 0 600`); n != 3 {
		t.Errorf("%d charts, want none where there are no points", n)
	}
}

// A household's name is shown as long as it has not been erased; then that is said,
// and the proof holds as before.
func TestPersonalData(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	name := trace.Personal{Path: "producer.name.zh", Salt: []byte("0123456789abcdef"), Text: "韦大山"}
	phone := trace.Personal{Path: "producer.phone", Salt: []byte("fedcba9876543210"), Text: "0777-2820000"}
	p.Version, p.Producer = 2, trace.Producer{}
	p.Personal = map[string]string{name.Path: name.Commitment(), phone.Path: phone.Commitment()}
	rec := record(t, p)
	rec.Personal = []trace.Personal{name, phone}
	rec = s.seal(t, rec)
	page := s.get(t, "/t/"+rec.Code+"?lang=zh-CN").Body.String()
	says(t, page, "韦大山", `href="tel:0777-2820000"`, "verdict sealed")
	says(t, s.get(t, "/t/"+rec.Code+"/record").Body.String(), "韦大山")

	rec.Personal = nil
	s.put(rec)
	w := s.get(t, "/t/"+rec.Code+"?lang=zh-CN")
	sound(t, w)
	says(t, w.Body.String(), "已按法律删除", "verdict sealed")
	saysNot(t, w.Body.String(), "韦大山", "0777-2820000", `data-sealed=""`)
	for _, path := range []string{"", "/record", "/receipt"} {
		saysNot(t, s.get(t, "/t/"+rec.Code+path, "Accept", "application/json").Body.String(), "韦大山")
	}

	name.Text = "韦大海"
	rec.Personal = []trace.Personal{name}
	s.put(rec)
	says(t, s.get(t, "/t/"+rec.Code).Body.String(), "verdict broken")
}

// A medicine says that its interval was over, in days as the gates count them: from the
// day of the last use, which is not before that of the operation.
func TestIntervalMet(t *testing.T) {
	for name, tt := range map[string]struct {
		before time.Duration // the harvest
		item   trace.Item
		stop   string
		met    string // days; "" where the page says nothing
	}{
		"over":              {8 * 24 * time.Hour, trace.Item{Key: "interval", Value: "7", Unit: "d"}, "", "8"},
		"over on the day":   {7 * 24 * time.Hour, trace.Item{Key: "withdrawal", Value: "7", Unit: "d"}, "", "7"},
		"not over":          {6 * 24 * time.Hour, trace.Item{Key: "interval", Value: "7", Unit: "d"}, "", ""},
		"used for longer":   {9 * 24 * time.Hour, trace.Item{Key: "withdrawal", Value: "7", Unit: "d"}, "2026-11-13", ""},
		"none":              {9 * 24 * time.Hour, trace.Item{Key: "amount", Value: "7", Unit: "d"}, "", ""},
		"in degree-days":    {90 * 24 * time.Hour, trace.Item{Key: "withdrawal", Value: "7", Unit: "Cel.d"}, "", ""},
		"after the harvest": {-24 * time.Hour, trace.Item{Key: "interval", Value: "0", Unit: "d"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, "")
			r := oysters(newCode(t))
			items := []trace.Item{tt.item}
			if tt.stop != "" {
				items = append(items, trace.Item{Key: "stop", Value: tt.stop})
			}
			at := r.Harvest.Add(-tt.before)
			r.Operations = []trace.PublicOperation{{ID: "01JD8Z0000000000000000000M", Kind: "medicate", At: at, Recorded: at, Items: items}}
			page := s.get(t, "/t/"+s.seal(t, record(t, r)).Code).Body.String()
			if tt.met == "" {
				saysNot(t, page, "间隔期已满")
			} else {
				says(t, page, "间隔期已满，"+tt.met+" 天后收获")
			}
		})
	}
}
