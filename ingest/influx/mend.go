package influx

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/influxdata/influxdb/tsdb/index/tsi1"
)

// mendIndexes makes good what kill -9 at the wrong moment does to InfluxDB 1.8:
// it empties the file that lists the parts of a shard's index before it writes
// it, and afterwards opens no shard whose list is empty or cut short.
//
// The list is made anew of what is there. A part that is not whole is left out:
// the parts that it was to replace are removed only after the list is written.
func mendIndexes(dir string, log *slog.Logger) error {
	lists, err := filepath.Glob(filepath.Join(dir, "data", "*", "*", "*", "index", "*", tsi1.ManifestFileName))
	if err != nil {
		return err
	}
	for _, list := range lists {
		raw, err := os.ReadFile(list)
		if err != nil {
			return fmt.Errorf("read index: %w", err)
		}
		if json.Valid(raw) {
			continue
		}
		if err := mendIndex(list); err != nil {
			return fmt.Errorf("mend index: %w", err)
		}
		log.Warn("an index of the embedded influxdb was cut short by a crash, and is made good", "file", list)
	}
	return nil
}

func mendIndex(list string) error {
	m := tsi1.NewManifest(list)
	found, err := os.ReadDir(filepath.Dir(list))
	if err != nil {
		return err
	}
	for _, f := range found {
		switch filepath.Ext(f.Name()) {
		case tsi1.LogFileExt:
			m.Files = append(m.Files, f.Name())
		case tsi1.IndexFileExt:
			if isWhole(filepath.Join(filepath.Dir(list), f.Name())) {
				m.Files = append(m.Files, f.Name())
			}
		}
	}
	// The newest first: what is merged moves up a level, and numbers only grow.
	slices.SortFunc(m.Files, func(a, b string) int {
		idA, levelA := tsi1.ParseFilename(a)
		idB, levelB := tsi1.ParseFilename(b)
		return cmp.Or(cmp.Compare(levelA, levelB), cmp.Compare(idB, idA))
	})
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fresh := list + ".tmp" // InfluxDB removes what the list does not name
	if err := os.WriteFile(fresh, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, list)
}

func isWhole(path string) bool {
	f := tsi1.NewIndexFile(nil)
	f.SetPath(path)
	if err := f.Open(); err != nil {
		return false
	}
	return f.Close() == nil
}
