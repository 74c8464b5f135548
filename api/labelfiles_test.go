package api_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Labels of a batch, of devices and of certificates come as every kind of file.
func TestLabelFiles(t *testing.T) {
	w := newWorld()
	b := w.batches[batchID]
	b.Code = "4Q7XH2M9KTB3D"
	w.batches[batchID] = b
	base, _ := serve(t, w)
	farmer := client{t, base, "farmer"}
	begins := map[string]string{"pdf": "%PDF-", "zpl": "^XA^PW", "svg": "<svg ", "png": "\x89PNG", "zip": "PK\x03\x04"}
	media := map[string]string{"pdf": "application/pdf", "zpl": "application/zpl; charset=us-ascii", "svg": "image/svg+xml", "png": "image/png", "zip": "application/zip"}
	for name, path := range map[string]string{
		"labels-4Q7XH2M9KTB3D":    "/batches/" + batchID + "/labels",
		"device-labels":           "/devices/labels?id=do-1",
		"certificate-2026-000007": "/certificates/" + certificateID + "/print",
	} {
		mark := "?"
		if strings.Contains(path, mark) {
			mark = "&"
		}
		for format, begin := range begins {
			got := farmer.do(http.MethodGet, path+mark+"stock=roll-80x60&copies=2&lang=zh-CN&format="+format, "")
			want(t, path+" "+format, 200, got.status)
			want(t, path+" type", media[format], got.header.Get("Content-Type"))
			if !strings.HasPrefix(got.body, begin) {
				t.Errorf("%s %s begins %.20q", path, format, got.body)
			}
			if file := got.header.Get("Content-Disposition"); !strings.HasSuffix(file, `filename="`+name+"."+format+`"`) {
				t.Errorf("%s is %s", path, file)
			}
		}
		for query, field := range map[string]string{
			"stock=letter": "stock", "stock=columns%3D99,width%3D60,height%3D40": "stock", "skip=x": "skip", "skip=21&stock=plain": "skip",
			"copies=0": "copies", "copies=2001": "copies", "dpi=72": "dpi", "format=zpl&stock=plain": "stock", "format=docx": "format",
			"format=zip&picture=gif": "picture", "stock=roll-40x30&format=zpl&dpi=x": "dpi",
		} {
			if !strings.Contains(query, "format=") {
				query += "&format=pdf"
			}
			want(t, path+" "+query, field, farmer.do(http.MethodGet, path+mark+query, "").problem(t).Field)
		}
	}
	if a := farmer.do(http.MethodGet, "/certificates/"+certificateID+"/print?format=png&stock=roll-40x30", ""); a.problem(t).Code != "label_long" {
		t.Errorf("a certificate on a small label: %s", a.body)
	}
}

// The list of a print shop says what is on each label; the words are the batch's.
func TestLabelList(t *testing.T) {
	w := newWorld()
	b := w.batches[batchID]
	b.Code = "4Q7XH2M9KTB3D"
	w.batches[batchID] = b
	base, _ := serve(t, w)
	got := client{t, base, "farmer"}.do(http.MethodGet, "/batches/"+batchID+"/labels?format=zip&picture=png&copies=5000&stock=70x37&lang=en", "")
	want(t, "status", 200, got.status)
	files := unzip(t, got.body)
	for name, holds := range map[string][]string{
		"labels.csv":             {"number,file,copies,url,code,title,", "1,labels/000/0000001.png,5000,", "/t/4Q7XH2M9KTB3D,4Q7X-H2M9-KTB3D,", "Lot: lot-77"},
		"README.txt":             {"二维码四周的白边", "Before printing"},
		"labels/000/0000001.png": {"PNG"},
	} {
		for _, s := range holds {
			if !strings.Contains(files[name], s) {
				t.Errorf("%s has no %q:\n%.400s", name, s, files[name])
			}
		}
	}
}

// What no label can show is said with its words, in the caller's language.
func TestLabelWords(t *testing.T) {
	w := newWorld()
	b := w.batches[batchID]
	b.Code, b.Lot = "4Q7XH2M9KTB3D", "🐚-1"
	w.batches[batchID] = b
	base, _ := serve(t, w)
	farmer := client{t, base, "farmer"}
	p := farmer.do(http.MethodGet, "/batches/"+batchID+"/labels?format=zpl&stock=roll-60x40&lang=zh-CN", "").problem(t)
	if p.Code != "label_character" || !strings.Contains(p.Title, "“🐚”") {
		t.Errorf("%+v", p)
	}
	b.Lot = strings.Repeat("x", 900)
	w.batches[batchID] = b
	if p := farmer.do(http.MethodGet, "/batches/"+batchID+"/labels", "").problem(t); p.Code != "label_long" {
		t.Errorf("%+v", p)
	}
}

func unzip(t *testing.T, body string) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(raw)
	}
	return files
}
