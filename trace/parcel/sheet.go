package parcel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tianhai/table"
	"tianhai/trace"
	"tianhai/trace/catalog"
	"tianhai/trace/recall"
	"tianhai/trace/unit"
)

// A sheet of the workbook, which is a stage of the JSON document.
type sheet struct {
	id, name string
	stages   []string // of the catalog, whose operations stand on it
	columns  []string // code names, before those of the stages' items
}

const (
	subjectSheet = "subject"
	batchSheet   = "batch"
	otherSheet   = "other"
)

// sheets follow a product's life.
func sheets() []sheet {
	return []sheet{
		{"origin", "产地与来源", []string{"origin"}, nil},
		{"inputs", "投入品购入", []string{"inputs"}, []string{"product", "batch", "made", "expires", "supplier", "quantity", "lot", "reason"}},
		{"use", "投入品使用", []string{"use"}, nil},
		{"care", "日常管理与病虫害", []string{"care", "pests"}, nil},
		{"harvest", "收获", []string{"harvest"}, nil},
		{batchSheet, "批次", nil, []string{"batch", "product", "lot", "quantity", "began", "harvest", "closed", "producer", "origin", "operations", "evidence"}},
		{"process", "加工", []string{"process"}, []string{"kind", "step", "inputs", "outputs", "losses", "reason", "place"}},
		{"test", "检测", []string{"test"}, []string{"laboratory", "cma", "number", "sample", "sampled", "reported", "standard", "items", "verdict", "source"}},
		{"store", "储存运输", []string{"store"}, []string{"kind", "origin", "destination", "carrier", "vehicle", "departed", "arrived", "limits", "trips", "inputs", "place"}},
		{"sale", "销售", []string{"sale"}, []string{"kind", "inputs", "outputs", "buyer", "to", "handover", "reason"}},
		{"certificate", "合格证", []string{"certificate"}, []string{"number", "style", "basis", "product", "quantity", "origin", "promiser", "issued", "promise", "reports", "collected", "voids", "cause", "reason"}},
		{"label", "标签", []string{"label"}, []string{"roll", "kind", "first", "last", "codes", "product", "gtin", "covered", "reason"}},
		{otherSheet, "更正与其他", []string{"record"}, []string{"reason"}},
	}
}

// sheetOfStage is the sheet on which operations of a stage stand.
func sheetOfStage(stage string) string {
	for _, s := range sheets() {
		if slices.Contains(s.stages, stage) {
			return s.id
		}
	}
	return otherSheet
}

// stageOf returns the sheet of a record that is no operation, and what its kind is
// called.
func stageOf(kind string, body map[string]any) (stage, name string) {
	switch kind {
	case trace.BatchRecord:
		return batchSheet, "批次赋码"
	case trace.LotRecord:
		return "inputs", "投入品入库"
	case trace.WriteOffRecord:
		return "inputs", "投入品核销"
	case trace.ReportRecord:
		return "test", "检测报告"
	case trace.CertificateRecord:
		return "certificate", "承诺达标合格证"
	case trace.VoidRecord:
		return "certificate", "作废"
	case trace.ShipmentRecord:
		return "store", "发运"
	case trace.ArrivalRecord:
		return "store", "到达"
	case unit.RollRecord:
		return "label", "单件码赋码"
	case unit.StepRecord:
		return "label", "单件码操作"
	case trace.MovementRecord:
		what, _ := body["kind"].(string)
		return stageOfMovement(what), "批次流转"
	case recall.RecordKind:
		return otherSheet, "召回"
	case trace.ErasureRecord:
		return otherSheet, "个人信息删除"
	case trace.AskedRecord:
		return otherSheet, "放行申请"
	case trace.OverrideRecord:
		return otherSheet, "放行决定"
	case trace.LateRecord:
		return otherSheet, "迟报用药"
	}
	return otherSheet, kind
}

func stageOfMovement(kind string) string {
	switch kind {
	case "move", "store":
		return "store"
	case "sell", "receive", "decline", "ship":
		return "sale"
	case "harvest":
		return "harvest"
	}
	return "process"
}

// heading is what a member of a body is called; what has no name keeps its code name.
func heading(key string) string {
	if name := headings()[key]; name != "" {
		return name
	}
	return key
}

func headings() map[string]string {
	return map[string]string{
		"amount": "数量", "arrived": "到达时间", "basis": "承诺依据", "batch": "批次", "batches": "批次", "began": "生长开始", "buyer": "购买单位", "by": "检测机构编号",
		"carrier": "承运人", "cause": "缘由", "closed": "赋码时间", "cma": "资质认定证书编号", "codes": "码数", "collected": "收取的证明", "corrects": "更正的记录", "covered": "有涂层码",
		"departed": "发运时间", "destination": "目的地区划", "evidence": "传感器记录", "expires": "有效期至", "far": "不在基地记录", "file": "文件", "first": "首号", "from": "起", "gtin": "GTIN",
		"handover": "交接记录", "harvest": "收获日期", "inputs": "投入批次", "issued": "签发时间", "items": "检测项目", "kind": "类型", "laboratory": "检测机构", "last": "末号", "limits": "限值",
		"loggers": "记录仪", "losses": "损耗", "lot": "批号", "made": "生产日期", "method": "方法", "name": "名称", "number": "编号", "operations": "农事记录数", "origin": "产地", "outputs": "产出批次",
		"overrides": "放行决定", "parents": "上级合格证", "personal": "个人信息", "phone": "电话", "place": "地点", "producer": "生产者", "product": "名称", "promise": "承诺内容", "promiser": "承诺主体",
		"quantity": "数量", "reason": "原因", "reported": "报告日期", "reports": "检测报告", "result": "结果", "roll": "标签卷", "sample": "样品编号", "sampled": "抽样日期", "source": "来源",
		"standard": "判定依据", "step": "工序", "style": "样式", "supplier": "供货单位", "to": "接收方", "town": "乡镇", "trips": "温度记录", "unit": "单位", "vehicle": "车船号", "verdict": "结论",
		"voids": "作废对象", "limit": "限量", "credit_code": "统一社会信用代码", "prefecture": "设区市", "site": "基地", "region": "行政区划",
	}
}

// workbook is the officers' file.
type workbook struct {
	book    *table.Book
	current *catalog.Catalog
	dict    dictionary
	sheets  map[string]*openSheet
}

type openSheet struct {
	*table.Sheet
	columns []string
	rows    int
}

// leading and trailing are the columns that every sheet begins and ends with.
func leading() []string {
	return []string{"追溯码 codes", "时间（北京） at", "记录时间（北京） recorded", "事项 name", "基地 site"}
}

func trailing() []string {
	return []string{"其他 other", "记录号 id", "记录类型 record", "日志 log", "叶序号 index", "叶 leaf"}
}

// columnsOf returns the code names of a sheet's own columns, and what each is called
// there.
func (w *workbook) columnsOf(s sheet) (keys, names []string) {
	add := func(key, name string) {
		if !slices.Contains(keys, key) {
			keys, names = append(keys, key), append(names, name+" "+key)
		}
	}
	for _, op := range w.current.Operations {
		if !slices.Contains(s.stages, op.Stage) {
			continue
		}
		for _, key := range slices.Concat(op.Required, op.Stated, op.Wanted) {
			item, _ := w.current.Item(key)
			add(key, item.Name.Zh)
		}
	}
	for _, key := range s.columns {
		add(key, heading(key))
	}
	if len(s.stages) > 0 {
		for _, key := range w.current.Common {
			item, _ := w.current.Item(key)
			add(key, item.Name.Zh)
		}
		add("corrects", heading("corrects"))
	}
	return keys, names
}

func (w *workbook) begin(h head) error {
	w.sheets = map[string]*openSheet{}
	summary, err := w.book.Sheet("说明 summary", []float64{34, 90})
	if err != nil {
		return err
	}
	w.sheets["summary"] = &openSheet{Sheet: summary}
	if err := w.subjects(h); err != nil {
		return err
	}
	for _, s := range sheets() {
		keys, names := w.columnsOf(s)
		heads := slices.Concat(leading(), names, trailing())
		widths := make([]float64, len(heads))
		for i, head := range heads {
			widths[i] = widthOf(head)
		}
		out, err := w.book.Sheet(s.name+" "+s.id, widths)
		if err != nil {
			return err
		}
		w.sheets[s.id] = &openSheet{Sheet: out, columns: keys}
		if err := out.Row(cellsOf(heads)); err != nil {
			return err
		}
	}
	return nil
}

// widthOf is that of a column: wide enough for what is always as long, and for a
// heading in two lines.
func widthOf(head string) float64 {
	_, key, _ := strings.Cut(head, " ")
	switch key {
	case "at", "recorded":
		return 17
	case "codes":
		return 16
	case "id":
		return 29
	case "leaf":
		return 46
	case "other", "evidence", "items", "promise", "inputs", "outputs":
		return 40
	}
	return float64(max(12, min(20, len(head))))
}

// subjects writes who the operator is, what it may do and where. None of it is sealed.
func (w *workbook) subjects(h head) error {
	out, err := w.book.Sheet("主体 "+subjectSheet, []float64{14, 28, 28, 22, 22, 18, 18, 14, 14})
	if err != nil {
		return err
	}
	o := h.Operator
	rows := [][]string{
		{"类别 type", "编号 id", "名称 name", "种类 kind", "统一社会信用代码或证号 number", "行政区划 region", "电话或签发机关 contact", "签发 issued", "有效期至 expires"},
		{"经营主体", o.ID, o.Name.Zh, w.dict.called("operator_kind.", string(o.Kind)), o.CreditCode, o.Region, o.Phone, "", ""},
	}
	for _, l := range h.Licences {
		row := []string{"许可证件", l.ID, l.Site, string(l.Kind), l.Number, "", l.Issuer, l.Issued.In(beijing()).Format("2006-01-02"), ""}
		if !l.Expires.IsZero() {
			row[8] = l.Expires.In(beijing()).AddDate(0, 0, -1).Format("2006-01-02")
		}
		rows = append(rows, row)
	}
	for _, s := range h.Sites {
		rows = append(rows, []string{"基地", s.ID, s.Name.Zh, w.dict.called("site_kind.", string(s.Kind)), "", s.Region, s.Town.Zh, "", ""})
	}
	for _, row := range rows {
		cells := cellsOf(row)
		cells[7], cells[8] = dayOf(row[7]), dayOf(row[8])
		if err := out.Row(cells); err != nil {
			return err
		}
	}
	return nil
}

func cellsOf(texts []string) []any {
	cells := make([]any, len(texts))
	for i, t := range texts {
		cells[i] = t
	}
	return cells
}

func (w *workbook) add(e entry) error {
	s := w.sheets[e.stage]
	s.rows++
	row := []any{strings.Join(e.codes, "、"), table.Moment(e.at.In(beijing())), table.Moment(e.rec.At.In(beijing())), e.name, e.site}
	left := maps.Clone(e.cells)
	for _, key := range s.columns {
		row = append(row, w.cellOf(key, e.cells[key]))
		delete(left, key)
	}
	if e.rec.Kind == trace.OperationRecord {
		delete(left, "kind") // its name says so
	}
	var others []string
	for _, key := range slices.Sorted(maps.Keys(left)) {
		name := heading(key)
		if item, ok := w.current.Item(key); ok && name == key {
			name = item.Name.Zh
		}
		others = append(others, name+"："+left[key])
	}
	var leaf struct {
		Hash string `json:"h"`
	}
	if err := json.Unmarshal(e.rec.Leaf(), &leaf); err != nil {
		return err
	}
	log, index := "", "未封存"
	if e.rec.Receipt != "" {
		log, index = strconv.Itoa(e.rec.Log), strconv.FormatInt(e.rec.Index, 10)
	}
	row = append(row, strings.Join(others, "；"), e.rec.ID, e.rec.Kind, log, index, leaf.Hash)
	return s.Row(row)
}

// cellOf makes dates of what is one. Everything else stays a text, lots and numbers of
// documents among it, however they look.
func (w *workbook) cellOf(key, text string) any {
	item, known := w.current.Item(key)
	if !slices.Contains(dates(), key) && (!known || item.Type != catalog.Date) {
		return text
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", text, beijing()); err == nil {
		return table.Moment(at)
	}
	return dayOf(text)
}

// dayOf makes a date of a text that is one.
func dayOf(text string) any {
	if at, err := time.ParseInLocation(time.DateOnly, text, beijing()); err == nil {
		return table.Day(at)
	}
	return text
}

// dates are the columns whose members are days or times.
func dates() []string {
	return []string{"began", "harvest", "closed", "made", "expires", "sampled", "reported", "departed", "arrived", "issued"}
}

func (w *workbook) end(h head, n Tally) error {
	complete := "是"
	if !h.Complete {
		complete = "否：制作时所选期间尚未结束，之后的记录不在内"
	}
	rows := [][]string{
		{"项目 item", "内容 value"},
		{"经营主体 operator", h.Operator.Name.Zh + "（" + h.Operator.ID + "）"},
		{"期间 period", h.First() + " 至 " + h.Last() + "（北京时间，首尾两天都算，按记录时间）"},
		{"期间已结束 complete", complete},
		{"制作时间 made", clock(h.Made)},
		{"格式版本 version", fmt.Sprintf("%s %d", Format, Version)},
		{"记录数 count", strconv.Itoa(n.Records)},
		{"其中尚未封存 unsealed", strconv.Itoa(n.Unsealed)},
	}
	for _, s := range sheets() {
		rows = append(rows, []string{s.name + " " + s.id, strconv.Itoa(w.sheets[s.id].rows)})
	}
	for _, l := range h.Logs {
		rows = append(rows, []string{fmt.Sprintf("公开日志 %d log", l.Number), fmt.Sprintf("公钥 %s，%d 条\n%s", l.Key, l.Size, l.Checkpoint)})
	}
	rows = append(rows,
		[]string{"如何核对", "每行末尾的日志号和叶序号指明该记录在公开日志中的位置；同名 JSON 文件中有该记录的原文和凭证，任何人可用 tianhai verify 核对。本表由原文生成，以 JSON 原文为准。主体表未封存。"},
		[]string{"说明", "凭证只证明记录封存后未被改动，不证明记录时即属实。本格式为系统自定，未声称符合 NY/T 4712-2025 或任何平台接口。文件中有个人信息，请依法保管。"},
	)
	for _, row := range rows {
		if err := w.sheets["summary"].Row(cellsOf(row)); err != nil {
			return err
		}
	}
	return w.book.Close()
}
