package press_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"tianhai/trace/label"
	"tianhai/trace/label/press"
)

func newPress(t testing.TB) *press.Press {
	t.Helper()
	p, err := press.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func stock(t testing.TB, name string) label.Stock {
	t.Helper()
	s, err := label.ParseStock(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// packet is a label as a farm prints it.
func packet(n int) press.Label {
	code := fmt.Sprintf("8Q3KX7M2VD%03d", n%1000)
	return press.Label{
		URL: "https://trace.gx-ocean.cn/t/" + code, Title: "钦州大蚝（吊养）",
		Lines: []string{"钦州市龙门港蚝业专业合作社", "广西钦州市", "2026-11-21 采收"}, Code: label.Group(code),
	}
}

// many yields n labels without keeping them.
func many(n int) iter.Seq2[press.Design, error] {
	return func(yield func(press.Design, error) bool) {
		for i := range n {
			if !yield(packet(i), nil) {
				return
			}
		}
	}
}

func write(t testing.TB, format press.Format, job press.Job) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := newPress(t).Write(t.Context(), &b, format, job); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// promise is a certificate with much to say.
func promise() press.Certificate {
	return press.Certificate{
		URL: "https://trace.gx-ocean.cn/t/8Q3KX7M2VDABC?c=2026-000123", Title: "承诺达标合格证", Sign: "签名（盖章）：", Scan: "扫码查验、追溯",
		Lines: []label.Line{
			{Name: "编号", Value: "2026-000123"},
			{Name: "产品名称", Value: "香港牡蛎（大蚝）"},
			{Name: "数量（重量）", Value: "12000 kg"},
			{Name: "产地", Value: "广西壮族自治区钦州市钦南区龙门港镇"},
			{Name: "生产者", Value: "钦州市龙门港蚝业专业合作社"},
			{Name: "联系方式", Value: "0777-1234567"},
			{Name: "开具日期", Value: "2026-11-21"},
			{Name: "上游合格证", Value: "2026-000101、2026-000102"},
		},
		Promise: label.Line{Name: "我承诺：", Value: "不使用禁用农药兽药、停用兽药和非法添加物；常规农药兽药残留不超标；对承诺的真实性负责"},
		Basis:   label.Line{Name: "承诺依据："},
		Choices: []label.Choice{{Text: "质量安全控制符合要求", Chosen: true}, {Text: "自行检测合格"}, {Text: "委托检测合格", Chosen: true}},
	}
}

// What is wrong is said before a byte is written.
func TestRefused(t *testing.T) {
	long := packet(1)
	long.Lines = append(long.Lines, strings.Repeat("很长的说明", 60))
	rare := packet(1)
	rare.Title = "柑橘🍊"
	sheet, roll := stock(t, "plain"), stock(t, "roll-60x40")
	job := func(s label.Stock, designs ...press.Design) press.Job {
		n, labels := press.Of(designs...)
		return press.Job{Stock: s, Count: n, Labels: labels}
	}
	with := func(j press.Job, change func(*press.Job)) press.Job { change(&j); return j }
	tests := map[string]struct {
		format press.Format
		job    press.Job
		want   string
	}{
		"no stock":            {press.PDF, job(label.Stock{}, packet(1)), "stock"},
		"a sheet as ZPL":      {press.ZPL, job(sheet, packet(1)), "ZPL is for rolls"},
		"two in a picture":    {press.PNG, job(sheet, packet(1), packet(2)), "one label, not 2"},
		"none":                {press.PDF, job(sheet), "copies"},
		"skip":                {press.PDF, with(job(sheet, packet(1)), func(j *press.Job) { j.Skip = 21 }), "skip: 21 is not 0 to 20"},
		"copies":              {press.PDF, with(job(sheet, packet(1)), func(j *press.Job) { j.Copies = 2001 }), "take a ZIP"},
		"too many":            {press.ZPL, with(job(roll, packet(1)), func(j *press.Job) { j.Copies = 1000001 }), "copies"},
		"dpi":                 {press.ZPL, with(job(roll, packet(1)), func(j *press.Job) { j.DPI = 72 }), "dpi"},
		"picture":             {press.ZIP, with(job(roll, packet(1)), func(j *press.Job) { j.Picture = "jpeg" }), "picture"},
		"format":              {"docx", job(sheet, packet(1)), "format"},
		"too long":            {press.PDF, job(sheet, long), "does not fit on a label of 62 × 39 mm"},
		"too long in a list":  {press.ZIP, with(job(sheet, long), func(j *press.Job) { j.Readme = noise(1 << 16) }), "does not fit"},
		"not in the font":     {press.SVG, job(sheet, rare), "U+1F34A"},
		"a form on a small":   {press.PNG, job(roll, promise()), "does not fit"},
		"too small a code":    {press.PNG, job(stock(t, "roll,width=15,height=15"), packet(1)), "too small for its code"},
		"no address":          {press.PDF, job(sheet, press.Label{Title: "x"}), "address"},
		"fewer than promised": {press.ZPL, press.Job{Stock: roll, Count: 3, Labels: many(2)}, "2 labels instead of 3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := newPress(t).Write(t.Context(), &out, tt.format, tt.job)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want one that says %q", err, tt.want)
			}
			if tt.format != press.ZPL && out.Len() > 0 {
				t.Errorf("wrote %d bytes", out.Len())
			}
		})
	}
}

// noise is text that cannot be compressed to nothing.
func noise(n int) string {
	var b strings.Builder
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < n; { //nolint:gosec // no secret
		b.WriteByte(byte('a' + r.IntN(26)))
	}
	return b.String()
}

// Every character that the law lets a name have is in the font, and those of
// Vietnamese; what no label can show is said, with its number.
func TestFont(t *testing.T) {
	job := press.Job{Stock: stock(t, "roll-60x40")}
	for _, title := range []string{"龢鑫鱻鰲䶮𬒈𫖯堃喆犇㛃", "Cá basa Đồng Tháp, ặ ễ ữ ỹ", "繁體：鮮蠔（養殖）", "m² ℃ № ½ ￥ €"} {
		l := packet(1)
		l.Title = title
		job.Count, job.Labels = press.Of(l)
		write(t, press.PNG, job)
	}
	for _, missing := range []string{"เกาะ", "\u202e", "🐟"} {
		l := packet(1)
		l.Lines = append(l.Lines, missing)
		job.Count, job.Labels = press.Of(l)
		err := newPress(t).Write(t.Context(), io.Discard, press.PNG, job)
		var fit *press.FitError
		if !errors.As(err, &fit) || fit.Missing != []rune(missing)[0] {
			t.Errorf("%q: %v", missing, err)
		}
	}
}

// Whatever a label says, all of it is on the paper or none.
func FuzzLabel(f *testing.F) {
	f.Add("钦州大蚝（吊养）", "Cá basa - 2026/11/21", "8Q3K-X7M2-VD000", 60.0, 40.0)
	f.Add("a", "", "", 15.0, 15.0)
	p := newPress(f)
	f.Fuzz(func(t *testing.T, title, line, code string, width, height float64) {
		if !(width >= 15 && width <= 210 && height >= 15 && height <= 297) || len(title)+len(line)+len(code) > 2000 {
			return
		}
		s := label.Stock{Name: "fuzz", Columns: 1, Rows: 1, Width: width, Height: height, Roll: true}
		n, labels := press.Of(press.Label{URL: "https://a.cn/t/8Q3KX7M2VD000", Title: title, Lines: []string{line}, Code: code})
		err := p.Write(t.Context(), io.Discard, press.SVG, press.Job{Stock: s, Count: n, Labels: labels})
		var fit *press.FitError
		if err != nil && !errors.As(err, &fit) {
			t.Errorf("%v", err)
		}
	})
}
