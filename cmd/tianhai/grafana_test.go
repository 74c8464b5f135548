package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/influxdata/influxql"

	"tianhai/farm"
)

type grafanaDashboard struct {
	UID    string
	Title  string
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Query, Expr string }
	}
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
}

// Every query of the provisioned dashboards parses and reads only measurements,
// fields and tags of our schema.
func TestGrafanaDashboards(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repoRoot, "dashboards", "grafana", "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	uids := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d grafanaDashboard
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if other, taken := uids[d.UID]; taken || d.UID == "" {
			t.Errorf("%s: uid %q is empty or that of %s", file, d.UID, other)
		}
		uids[d.UID] = file
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: panel %d repeats its id, has no title or is too wide", file, p.ID)
			}
			ids[p.ID] = true
			for _, target := range p.Targets {
				if target.Expr != "" {
					continue // of Prometheus: TestPrometheus
				}
				checkQuery(t, d.Title+" / "+p.Title, target.Query)
			}
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				checkQuery(t, d.Title+" variable "+v.Name, v.Query)
			}
		}
	}
}

func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	query = strings.NewReplacer("$timeFilter", "time > now() - 1h", "$__interval", "1m", "/^$site$/", "/^a$/").Replace(query)
	stmt, err := influxql.ParseStatement(query)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, query)
		return
	}
	sel, ok := stmt.(*influxql.SelectStatement)
	if !ok {
		return
	}
	for _, src := range sel.Sources {
		m := src.(*influxql.Measurement).Name
		for _, f := range sel.Fields {
			for _, name := range influxql.ExprNames(f.Expr) {
				if _, known := farm.LookupQuantity(m + "." + strings.TrimSuffix(name.Val, "_flag")); !known {
					t.Errorf("%s: nothing writes %s.%s", where, m, name.Val)
				}
			}
		}
	}
}
