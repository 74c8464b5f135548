package consumer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"tianhai/farm"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/evidence"
)

// lorry is what a lorry's loggers say: one stood open for an hour, one was silent.
func lorry() trace.Shipment {
	lo, hi, kinetic := 0.0, 4.0, 3.42
	left := noon.Add(-20 * time.Hour)
	return trace.Shipment{
		Version: 1, ID: "s1", Tenant: "maowei", Batches: []string{"01JD8Z0000000000000000000B"}, Origin: "450702", Destination: "450100", Loggers: []string{"lorry-7", "lorry-8"},
		Quantity: "air.temperature", Limits: evidence.Limits{Min: &lo, Max: &hi, Source: "GB/T 31080 冰鲜水产品"}, Departed: left, Arrived: left.Add(6 * time.Hour),
		Trips: []trace.Trip{
			{
				Sensor: trace.Sensor{Device: "lorry-7", Calibration: &trace.Calibration{At: noon.AddDate(0, -1, 0), Slope: 1}}, N: 70, Min: 1.5, Mean: 2.9, Max: 6.8, Kinetic: &kinetic, Hours: 6, Coverage: 1,
				Outside: 1, Area: 1.7, Count: 1, Excursions: []evidence.Excursion{{From: left.Add(time.Hour), To: left.Add(2 * time.Hour), Above: true, Peak: 6.8, Area: 1.7}},
			},
			{Sensor: trace.Sensor{Device: "lorry-8"}},
		},
	}
}

func (s *shelf) Carriages(_ context.Context, batch string) ([]trace.Carriage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []trace.Carriage
	for _, rec := range s.ways {
		of := s.carried
		if of == nil {
			of = []trace.Carried{{Batch: batch}}
		}
		all = append(all, trace.Carriage{Record: rec, Of: of})
	}
	if batch != "01JD8Z0000000000000000000B" {
		return nil, s.err
	}
	return all, s.err
}

// TestTransport shows what loggers said as it was sealed, and nothing that is not
// what was sealed.
func TestTransport(t *testing.T) {
	s := newShop(t, "")
	rec := s.seal(t, record(t, oysters(newCode(t))))
	s.say(t, trace.ArrivalRecord, "s1", lorry())
	s.mu.Lock()
	s.ways, s.said = s.said, nil
	s.mu.Unlock()
	for lang, words := range map[string][]string{
		"zh-CN": {"运输温度", "钦州市 → 南宁市", "要求 0–4 °C（GB/T 31080 冰鲜水产品）", "超出要求 1 次，共 1 小时，累计 1.7 ℃·h", "最甚 6.8 ℃", "平均动力学温度", ">3.4<", "lorry-7（2026-10-20 校准）", "记录仪没有可用的读数"},
		"en":    {"On the way", "Qinzhou → Nanning", "Outside the limits: 1 ×", "at worst 6.8 °C", "Mean kinetic", "The logger gave no usable reading"},
	} {
		body := s.get(t, "/t/"+rec.Code+"?lang="+lang).Body.String()
		for _, w := range words {
			if !strings.Contains(body, w) {
				t.Errorf("in %s the page does not say %q", lang, w)
			}
		}
	}
	if raw := s.get(t, "/t/"+rec.Code+"/statements").Body.Bytes(); !bytes.Contains(raw, []byte(`"t":"arrival"`)) {
		t.Errorf("nobody can check it: %s", raw)
	}

	// A batch that was split off behind the truck shows its parent's way, and whose it was.
	if body := s.get(t, "/t/"+rec.Code+"?lang=en").Body.String(); strings.Contains(body, "Before this batch") {
		t.Error("its own way is told as another's")
	}
	s.mu.Lock()
	s.carried = []trace.Carried{{Batch: "parent", Code: "4Q7XH2M9KTB3D", Product: farm.Text{Zh: "大蚝", En: "Big <oysters>"}}, {Batch: "other", Product: farm.Text{Zh: "蛤", En: "Clams"}}}
	s.mu.Unlock()
	for lang, words := range map[string]string{
		"zh-CN": `制成本批次之前，随此次运输的是： <a href="/t/4Q7XH2M9KTB3D">大蚝 4Q7XH2M9KTB3D</a>，蛤</p>`,
		"en":    `on this way was: <a href="/t/4Q7XH2M9KTB3D">Big &lt;oysters&gt; 4Q7XH2M9KTB3D</a>, Clams</p>`,
	} {
		if body := s.get(t, "/t/"+rec.Code+"?lang="+lang).Body.String(); !strings.Contains(body, words) || !strings.Contains(body, "lorry-7") {
			t.Errorf("in %s the page does not say %q", lang, words)
		}
	}

	s.mu.Lock()
	s.ways[0].Body = bytes.Replace(s.ways[0].Body, []byte("6.8"), []byte("3.8"), 1)
	s.mu.Unlock()
	body := s.get(t, "/t/"+rec.Code+"?lang=zh-CN").Body.String()
	if strings.Contains(body, "lorry-7") || !strings.Contains(body, "有 1 条运输记录与封存凭证不符") {
		t.Error("a forged record of the way is shown")
	}
}

// Numbers that hang on what suits the product are told with their source, and only
// where they were sealed.
func TestNorms(t *testing.T) {
	lo := 5.0
	s := newShop(t, "")
	r := oysters(newCode(t))
	r.Evidence.Version = trace.EvidenceVersion
	for i := range r.Evidence.Series {
		switch e := &r.Evidence.Series[i]; e.Quantity {
		case "water.dissolved_oxygen":
			e.InRange = &evidence.InRange{Range: evidence.Range{Min: &lo, Source: "GB 11607-1989"}, Share: 0.8765, Hours: 1400}
			e.Below = &evidence.Below{Floor: evidence.Floor{Limit: 3, Source: "GB 11607-1989"}, Hours: 12.5, Known: 1400}
			e.Sensors = []trace.Sensor{{Device: "buoy-1", Model: "sonde", Calibration: &trace.Calibration{At: noon, Slope: 1.02, By: "manager"}}}
		case "water.temperature":
			e.DegreeDays = &evidence.DegreeDays{Warmth: evidence.Warmth{Base: 10, Source: "本场"}, Sum: 812.4, Days: 58, Missing: []string{"2026-10-01"}}
			e.Below = &evidence.Below{Floor: evidence.Floor{Limit: 8, Source: "本场"}, Known: 1400}
		}
	}
	rec := s.seal(t, record(t, r))
	body := s.get(t, "/t/"+rec.Code+"?lang=zh-CN").Body.String()
	for _, w := range []string{
		"在适宜范围 ≥ 5 mg/L 内：87.6% 的时间（GB 11607-1989）", "低于 3 mg/L：累计 12.5 小时", "从未低于 8 °C", "有效积温 812.4 ℃·d：10 ℃ 以上，计 58 天（本场）", "另有 1 天数据不足",
		"buoy-1（2026-11-20 校准）", "tianhai evidence verify",
	} {
		if !strings.Contains(body, w) {
			t.Errorf("the page does not say %q", w)
		}
	}
	for lang, none := range map[string]string{"zh-CN": "没有该产品这项指标的标准", "en": "No norm on file"} {
		body := s.get(t, "/t/"+rec.Code+"?lang="+lang).Body.String()
		if got, want := strings.Count(body, none), len(r.Evidence.Series)-2; got != want || want < 1 {
			t.Errorf("in %s the page says %d times that no norm is on file, want %d", lang, got, want)
		}
	}
	old := s.seal(t, record(t, oysters(newCode(t))))
	if body := s.get(t, "/t/"+old.Code).Body.String(); strings.Contains(body, "evidence verify") || strings.Contains(body, `class="norms"`) {
		t.Error("a record from before says what it cannot know")
	}
}

// A lot that was drawn from stands in the record by an identifier of ours, which no
// consumer is shown; what it was used on is said in words.
func TestUseOfALot(t *testing.T) {
	s := newShop(t, "")
	r := oysters(newCode(t))
	r.Words = &trace.Words{
		Operations: map[string]trace.OperationWord{"medicate": {Name: farm.Text{Zh: "用药", En: "Medication"}, Medicine: true}},
		Items: map[string]trace.ItemWord{
			"lot": {Name: farm.Text{Zh: "库存批次", En: "Lot in stock"}, Type: catalog.Lot}, "crop": {Name: farm.Text{Zh: "施用动物", En: "Used on"}, Type: catalog.Text},
		},
		Choices: map[string]farm.Text{"crop.shrimp": {Zh: "虾", En: "Shrimp"}},
	}
	r.Operations = []trace.PublicOperation{{
		ID: "01JD8Z0000000000000000000C", Kind: "medicate", At: noon, Recorded: noon,
		Items: []trace.Item{{Key: "lot", Value: "01JD8Z0000000000000000LOT0"}, {Key: "crop", Value: "shrimp"}},
	}}
	rec := s.seal(t, record(t, r))
	body := s.get(t, "/t/"+rec.Code+"?lang=en").Body.String()
	if strings.Contains(body, "01JD8Z0000000000000000LOT0") || strings.Contains(body, "Lot in stock") || !strings.Contains(body, "Used on") || !strings.Contains(body, "Shrimp") {
		t.Errorf("the page says:\n%s", body)
	}
}
