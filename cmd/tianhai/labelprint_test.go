package main

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whoever has a list has labels, in every kind of file; what is wrong leaves none.
func TestLabelPrintList(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "list.csv")
	rows := "\ufeffURL,title,code,line1,line2\n"
	for i := range 300 {
		rows += fmt.Sprintf("https://trace.example.cn/t/%013d,\"大蚝，吊养\",%013d,合作社,第 %d 箱\n", i, i, i)
	}
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(bad, []byte("url,title\nhttps://a.cn/t/1,x\n,y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for out, tt := range map[string]struct {
		args []string
		code int
	}{
		"labels.pdf":  {[]string{"--list", list, "--stock", "63.5x33.9", "--skip", "3"}, 0},
		"labels.zpl":  {[]string{"--list", list, "--stock", "roll-60x40", "--dpi", "300"}, 0},
		"labels.zip":  {[]string{"--list", list, "--stock", "roll,width=58,height=40"}, 0},
		"many.pdf":    {[]string{"--list", list, "--copies", "7"}, 1},
		"one.svg":     {[]string{"--list", list}, 1},
		"labels.docx": {[]string{"--list", list}, 1},
		"sheet.zpl":   {[]string{"--list", list, "--stock", "plain"}, 1},
		"small.pdf":   {[]string{"--list", list, "--stock", "roll,width=15,height=15"}, 1},
		"bad.pdf":     {[]string{"--list", bad}, 1},
		"no.pdf":      {[]string{"--list", filepath.Join(dir, "none.csv")}, 1},
		"both.pdf":    {[]string{"--list", list, "--batch", "4Q7XH2M9KTB3D"}, 80},
		"nothing.pdf": {nil, 80},
	} {
		t.Run(out, func(t *testing.T) {
			file := filepath.Join(dir, out)
			code := run(append([]string{"label", "print", "--out", file}, tt.args...))
			if (code == 0) != (tt.code == 0) {
				t.Fatalf("exit code %d, want %d", code, tt.code)
			}
			if _, err := os.Stat(file); (err == nil) != (tt.code == 0) {
				t.Errorf("the file: %v", err)
			}
		})
	}
	archive, err := zip.OpenReader(filepath.Join(dir, "labels.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	if n := len(archive.File); n != 300+1 { // and the list
		t.Errorf("%d files", n)
	}
}

func FuzzReadLabels(f *testing.F) {
	f.Add("url,title,code,note,line1,line9\nhttps://a.cn,b,c,d,e,f\n")
	f.Add("\ufeffURL\n\"a\nb\"\n")
	f.Add("url,url\nx\n")
	f.Fuzz(func(t *testing.T, file string) {
		failed := false
		for l, err := range readLabels(strings.NewReader(file)) {
			if failed {
				t.Fatal("it went on after an error")
			}
			if failed = err != nil; failed {
				continue
			}
			if l.URL == "" || !utf8.ValidString(l.Title+l.Code+strings.Join(l.Lines, "")) {
				t.Errorf("%q gives %+v", file, l)
			}
		}
	})
}
