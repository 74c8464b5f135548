package press_test

import (
	"bytes"
	"errors"
	"image"
	"regexp"
	"strconv"
	"testing"

	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

// device is the label of a device that is not claimed yet.
func device(id string) press.Label {
	return press.Label{
		URL: "https://trace.gx-ocean.cn/d/" + id, Title: "六参数水质监测站", Lines: []string{"钦州湾一号排", id},
		Note: "领取码（手机扫码或手工输入）", Code: "8Q3K-X7M2-VD000",
	}
}

// Whatever it is stuck on, the code that is printed has level Q, its quiet zone and
// modules that a phone reads: measured in the dots that printers get.
func TestModules(t *testing.T) {
	const least = 0.375 // mm, as docs/labels.md promises
	long := device("water-quality-station-of-the-second-raft-in-the-bay-0000017")
	designs := map[string]struct {
		design press.Design
		url    string
	}{
		"batch": {packet(1), packet(1).URL}, "certificate": {promise(), promise().URL},
		"device": {device("sonde-1"), device("sonde-1").URL}, "device of a long name": {long, long.URL},
	}
	stocks := []string{"roll-40x30", "roll,width=38,height=26", "roll,width=26,height=56", "roll,width=56,height=32", "63.5x33.9", "roll,width=80,height=50", "plain-80x60"}
	for name, of := range designs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, printed := newPress(t), 0
			for _, name := range stocks {
				s := stock(t, name)
				if inline, err := p.Inline(s, of.design); err == nil {
					m := regexp.MustCompile(`scale\((\S+)\)`).FindSubmatch(inline)
					if scale, err := strconv.ParseFloat(string(m[1]), 64); err != nil || scale < least {
						t.Errorf("%s on a page: a module of %s mm", s.Name, m[1])
					}
				}
				for _, dpi := range []int{203, 300, 600} {
					job := press.Job{Stock: s, DPI: dpi}
					job.Count, job.Labels = press.Of(of.design)
					var raw bytes.Buffer
					err := p.Write(t.Context(), &raw, press.PNG, job)
					if _, small := errors.AsType[*press.FitError](err); small {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					printed++
					if dots := measure(t, gray(t, raw.Bytes()), of.url); float64(dots)*25.4/float64(dpi) < least {
						t.Errorf("%s at %d dpi: a module has %d dots, %.3f mm", s.Name, dpi, dots, float64(dots)*25.4/float64(dpi))
					}
				}
			}
			if printed < 2*3 {
				t.Errorf("%d labels were printed", printed)
			}
		})
	}
}

// measure finds the code of an address in a picture, all of it with its quiet zone, and
// returns how many dots its modules have; 0 where it is not there as it should be.
func measure(t *testing.T, p *image.Gray, url string) int {
	t.Helper()
	modules, err := label.Modules(url)
	if err != nil {
		t.Fatal(err)
	}
	dark := func(x, y int) bool { return image.Pt(x, y).In(p.Bounds()) && p.GrayAt(x, y).Y < 128 }
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() {
			if !dark(x, y) || dark(x-1, y) || dark(x, y-1) {
				continue
			}
			n := 1 // the bar above the first finder has seven modules
			for dark(x+n, y) && dark(x, y+n) {
				n++
			}
			if n%7 == 0 && isAt(p, modules, x-4*n/7, y-4*n/7, n/7) {
				return n / 7
			}
		}
	}
	return 0
}

// isAt reports whether a code stands at a place, every dot of it.
func isAt(p *image.Gray, modules [][]bool, left, top, dots int) bool {
	side := dots * len(modules)
	if !image.Rect(left, top, left+side, top+side).In(p.Bounds()) {
		return false
	}
	for y := range side {
		for x := range side {
			if modules[y/dots][x/dots] != (p.GrayAt(left+x, top+y).Y < 128) {
				return false
			}
		}
	}
	return true
}
