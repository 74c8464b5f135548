package main

import (
	"testing"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/device"
)

// A file that is imported again takes nothing back that somebody changed since.
func TestImportKeepsWhatIsThere(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	file, err := parseFarms([]byte("models:\n  - {id: buoy, name: {zh: 浮标}, channels: [{key: t, quantity: water.temperature}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	im := importer{store: db, now: time.Now()}
	if err := im.run(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	models, err := db.Models(t.Context())
	if err != nil || len(models) != 1 {
		t.Fatalf("imported models %v, %v", models, err)
	}
	changed := models[0]
	changed.Interval = time.Minute
	if err := db.PutModel(t.Context(), device.ModelChange{At: time.Now(), Account: "chief", Model: changed}); err != nil {
		t.Fatal(err)
	}
	if err := im.run(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	models, err = db.Models(t.Context())
	if err != nil || len(models) != 1 || models[0].Interval != time.Minute || im.existing != 1 {
		t.Errorf("after the second import: %+v, %v, %d existing; want the changed model, 1 existing", models, err, im.existing)
	}
}
