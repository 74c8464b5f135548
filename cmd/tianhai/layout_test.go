package main_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layout lists, per package, every package of ours that it may import. A new
// package or a new edge is a design decision, and is made here first.
var layout = map[string]string{
	"farm":                   "",
	"i18n":                   "",
	"ingest":                 "farm",
	"ingest/packet":          "",
	"ingest/broker":          "farm ingest ingest/packet",
	"ingest/mqtt":            "farm ingest ingest/packet",
	"ingest/device":          "farm ingest",
	"ingest/journal":         "farm ingest",
	"ingest/decode":          "farm ingest",
	"ingest/edge":            "farm ingest ingest/decode",
	"ingest/mapping":         "farm ingest ingest/decode ingest/device",
	"ingest/qc":              "farm ingest",
	"ingest/influx":          "farm ingest",
	"ingest/history":         "farm ingest",
	"monitor/alert":          "farm ingest",
	"monitor/alert/notify":   "farm i18n monitor/alert",
	"trace":                  "farm trace/catalog trace/cert trace/chain trace/evidence trace/gate trace/input",
	"trace/catalog":          "farm trace/evidence",
	"trace/cert":             "farm",
	"trace/photo":            "farm trace/catalog",
	"trace/input":            "farm table",
	"trace/gate":             "farm trace/input",
	"trace/chain":            "farm",
	"trace/evidence":         "farm",
	"trace/recall":           "farm trace trace/cert trace/chain",
	"trace/ledger":           "",
	"trace/resolver":         "farm i18n trace/label",
	"trace/label":            "",
	"trace/label/press":      "trace/label",
	"trace/complaint":        "farm trace/photo",
	"trace/scan":             "farm",
	"trace/unit":             "farm trace trace/label",
	"trace/parcel":           "farm table trace trace/catalog trace/chain trace/recall trace/unit",
	"trace/epcis":            "trace/label",
	"trace/epcis/query":      "farm trace/epcis",
	"trace/epcis/repository": "farm trace/epcis trace/epcis/query",
	"trace/epcis/lineage":    "trace/chain trace/epcis trace/epcis/query trace/epcis/repository",
	"trace/epcis/told":       "farm trace trace/catalog trace/chain trace/epcis trace/epcis/repository trace/label",
	"trace/epcis/standing":   "farm trace/epcis trace/epcis/query trace/epcis/repository",
	"api":                    "farm i18n ingest ingest/decode ingest/device ingest/history ingest/mapping monitor/alert trace trace/catalog trace/cert trace/chain trace/epcis/lineage trace/evidence trace/gate trace/input trace/photo trace/recall trace/label trace/label/press trace/resolver trace/scan trace/complaint trace/unit trace/parcel api/auth api/once table",
	"api/auth":               "farm",
	"api/once":               "",
	"api/epcishttp":          "farm api/auth trace/epcis trace/epcis/query trace/epcis/repository trace/epcis/standing",
	"table":                  "",
	"dashboards/consumer":    "farm i18n trace trace/catalog trace/cert trace/chain trace/gate trace/evidence trace/label trace/ledger trace/recall trace/unit trace/scan trace/complaint",
	"dashboards/web":         "i18n",
	"firmware-sim":           "firmware-sim/fleet",
	"firmware-sim/fleet":     "",
	"cmd/internal/store":     "farm ingest ingest/device ingest/history ingest/mapping monitor/alert trace trace/cert trace/chain trace/gate trace/input trace/catalog trace/photo trace/recall trace/resolver trace/epcis trace/epcis/query trace/epcis/lineage trace/epcis/repository trace/epcis/told trace/epcis/standing trace/unit trace/scan trace/complaint trace/parcel api/auth api/once",
	"cmd/tianhai":            "*",
}

// homes names the only packages that may import a third-party module, so that
// each can be replaced in one place.
var homes = map[string]string{
	"github.com/eclipse/paho.mqtt.golang": "ingest/mqtt firmware-sim/fleet",
	"github.com/mochi-mqtt/server":        "ingest/broker",
	"github.com/nats-io/":                 "ingest/journal",
	"github.com/influxdata/":              "ingest/influx",
	"github.com/gin-gonic/gin":            "api",
	"github.com/gorilla/websocket":        "api/epcishttp",
	"github.com/jackc/pgx":                "cmd/internal/store",
	"modernc.org/sqlite":                  "cmd/internal/store",
	"github.com/uptrace/bun":              "cmd/internal/store",
	"github.com/pressly/goose":            "cmd/internal/store",
	"github.com/skip2/go-qrcode":          "trace/label",
	"github.com/transparency-dev/":        "trace/ledger",
	"golang.org/x/mod/sumdb":              "trace/ledger trace/unit",
	"github.com/alecthomas/kong":          "cmd/tianhai firmware-sim",
	"github.com/goccy/go-yaml":            "cmd/tianhai ingest/decode monitor/alert ingest/qc firmware-sim/fleet trace/catalog trace/input",
	"github.com/prometheus/client_golang": "ingest cmd/tianhai",
	"github.com/gofrs/flock":              "cmd/tianhai",
	"github.com/compose-spec/compose-go":  "",
	"github.com/chromedp/chromedp":        "",
	"github.com/santhosh-tekuri/":         "",
	"k8s.io/klog":                         "cmd/tianhai",
	"github.com/oklog/ulid":               "cmd/tianhai cmd/internal/store trace trace/catalog trace/input trace/recall trace/epcis/repository monitor/alert api api/epcishttp ingest/history trace/unit trace/scan trace/complaint trace/parcel",
	"golang.org/x/crypto":                 "api/auth",
	"golang.org/x/text":                   "ingest/device ingest/history table",
	"golang.org/x/sync":                   "ingest ingest/broker ingest/mqtt ingest/journal cmd/tianhai firmware-sim/fleet monitor/alert trace trace/epcis/standing",
	"google.golang.org/protobuf":          "ingest/decode",
	"github.com/xuri/excelize":            "ingest/history table",
	"golang.org/x/image":                  "trace/photo trace/label/press",
	"github.com/signintech/gopdf":         "trace/label/press",
	"github.com/bep/imagemeta":            "trace/photo",
	"cloud.google.com/":                   "",
}

// TestLayout holds the map above against what the code imports.
func TestLayout(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		pkgs := strings.Fields(line)
		importer := strings.TrimPrefix(pkgs[0], "tianhai/")
		seen[importer] = true
		allowed, known := layout[importer]
		if !known {
			t.Errorf("package %s is not in the layout", importer)
			continue
		}
		for _, p := range pkgs[1:] {
			checkImport(t, importer, allowed, p)
		}
	}
	for p := range layout {
		if !seen[p] {
			t.Errorf("the layout names %s, which does not exist", p)
		}
	}
}

func checkImport(t *testing.T, importer, allowed, imported string) {
	t.Helper()
	if own, ok := strings.CutPrefix(imported, "tianhai/"); ok {
		if allowed != "*" && !slices.Contains(strings.Fields(allowed), own) {
			t.Errorf("%s imports %s, which the layout does not allow", importer, own)
		}
		return
	}
	for prefix, where := range homes {
		if strings.HasPrefix(imported, prefix) && !slices.Contains(strings.Fields(where), importer) {
			t.Errorf("%s imports %s, whose home is %q", importer, imported, where)
		}
	}
}
