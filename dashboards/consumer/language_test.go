package consumer_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tianhai/farm"
	"tianhai/i18n"
	"tianhai/trace/label"
)

// What a consumer may read stands in all ten languages, with the same blanks to fill.
func TestConsumerLanguagesAgree(t *testing.T) {
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	blanks := func(msg string) []string {
		b := regexp.MustCompile(`\{[a-z_]+\}`).FindAllString(msg, -1)
		slices.Sort(b)
		return slices.Compact(b)
	}
	want := slices.DeleteFunc(c.Keys(i18n.Default), func(key string) bool { return !i18n.ForConsumers(key) })
	for _, lang := range c.ConsumerLanguages() {
		if slices.Contains(c.Languages(), lang) {
			continue
		}
		file, have := "i18n/consumer/"+lang+".json", c.Keys(lang)
		for _, key := range want {
			source, msg := c.T(i18n.Default, key), c.T(lang, key)
			switch {
			case !slices.Contains(have, key):
				t.Errorf("%s: add %q, the translation of %q (in English: %q)", file, key, source, c.T("en", key))
			case strings.TrimSpace(msg) == "":
				t.Errorf("%s: %q is empty; write the translation of %q", file, key, source)
			case !slices.Equal(blanks(source), blanks(msg)):
				t.Errorf("%s: %q fills %v and should fill %v", file, key, blanks(msg), blanks(source))
			}
		}
		for _, key := range have {
			if !slices.Contains(want, key) {
				t.Errorf("%s: take out %q, which no consumer reads", file, key)
			}
		}
	}
}

// In every language the pages are whole, name themselves in it, and lead to all others
// without a script.
func TestEveryLanguage(t *testing.T) {
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t, "/assets/verify.js")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	key := regexp.MustCompile(`>[^<>]*\b(?:consumer|certificate|chain|quantity|unit|site_kind)\.[a-z_]+[^<>]*<|\{[a-z_]+\}[^}]*<`)
	wrong := label.Group(newCode(t))
	langs := catalog.ConsumerLanguages()
	if len(langs) != 10 {
		t.Errorf("consumers are spoken to in %v", langs)
	}
	for _, lang := range langs {
		for _, path := range []string{"/t/" + rec.Code, "/t/", "/t/" + strings.ReplaceAll(wrong, "-", "")} {
			w := s.get(t, path+"?lang="+lang)
			sound(t, w)
			page := w.Body.String()
			says(t, page, `<html lang="`+lang+`">`, catalog.T(lang, "language.name"), catalog.T(lang, "consumer.complain"))
			for _, other := range langs {
				if other != lang {
					says(t, page, `href="?lang=`+other+`" lang="`+other+`"`)
				}
			}
			_, body, _ := strings.Cut(page, "</style>")
			if found := key.FindString(body); found != "" {
				t.Errorf("%s in %s shows a key or a blank: %s", path, lang, found)
			}
		}
	}
}

func TestLanguageLinksKeepTheQuestion(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	says(t, s.get(t, "/t/"+rec.Code+"?c=CN-1&lang=th").Body.String(), `href="?c=CN-1&amp;lang=vi"`)
}

// Names are given in Chinese and perhaps English: they stand as given, and say which.
func TestNamesAreNotTranslated(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	p.Producer.Name = farm.Text{Zh: "茅尾海蚝业专业合作社"}
	page := s.get(t, "/t/"+s.seal(t, record(t, p)).Code+"?lang=vi").Body.String()
	says(t, page, `lang="en">Qinzhou oysters</h1>`, `lang="zh-CN">茅尾海蚝业专业合作社</p>`, "Trang này là bản dịch.")
	saysNot(t, s.get(t, "/t/"+p.Code+"?lang=zh-CN").Body.String(), `<h1 data-sealed="product.name.zh" lang=`, "本页为译文")
}

// A number stands as its language writes it, and beside it as a machine reads it.
func TestNumbersOfALanguage(t *testing.T) {
	s := newShop(t, "")
	p := oysters(newCode(t))
	p.Quantity = 12500.5
	code := s.seal(t, record(t, p)).Code
	for lang, want := range map[string][]string{
		"en": {`<data value="12500.5" data-sealed="quantity">12500.5</data>`, "Data for 94.4% of the time", ">6.20<"},
		"vi": {`<data value="12500.5" data-sealed="quantity">12500,5</data>`, "Có dữ liệu 94,4% thời gian", ">6,20<"},
		"my": {`<data value="12500.5" data-sealed="quantity">12500.5</data>`, "94.4%"},
	} {
		says(t, s.get(t, "/t/"+code+"?lang="+lang).Body.String(), want...)
	}
}

// What somebody chose on a packet's page is remembered there.
func TestChosenLanguageStays(t *testing.T) {
	s := newShop(t, "")
	w := s.get(t, "/t/?lang=km")
	cookies := (&http.Response{Header: w.Header()}).Cookies()
	if len(cookies) != 1 || cookies[0].Value != "km" {
		t.Fatalf("cookies %v", cookies)
	}
	says(t, s.get(t, "/t/", "Cookie", cookies[0].String(), "Accept-Language", "en").Body.String(), `<html lang="km">`)
}
