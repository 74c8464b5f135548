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

// A GTIN is entered for its holder, once; what is wrong with it is said.
func TestImportGTINs(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	im := importer{store: db, now: time.Now()}
	run := func(text string) error {
		t.Helper()
		file, err := parseFarms([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return im.run(t.Context(), file)
	}
	const farms = `tenants: [{id: tea, kind: household, name: {zh: 茶场}, region: "450400"}, {id: sea, kind: household, name: {zh: 蚝场}, region: "450700"}]
products: [{id: leaf, kind: tea, species: tea, name: {zh: 茶}}]
gtins: [{gtin: "9506000134352", tenant: tea, product: leaf}]`
	for range 2 {
		if err := run(farms); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db.HeldGTIN(t.Context(), "tea", "leaf"); err != nil || got != "09506000134352" {
		t.Errorf("held: %q, %v", got, err)
	}
	for text, want := range map[string]string{
		`gtins: [{gtin: "9506000134353", tenant: tea, product: leaf}]`:                         "gtin 9506000134353: digital link: path: (01) GTIN: check digit of 09506000134353 is 3, should be 2: mistyped",
		`gtins: [{gtin: "4012345111118", tenant: gone, product: leaf}]`:                        `gtin 4012345111118: tenant: there is no "gone"`,
		`gtins: [{gtin: "4012345111118", tenant: tea, product: gone}]`:                         `gtin 4012345111118: product: there is no "gone"`,
		`gtins: [{gtin: "9506000134352", tenant: sea, product: leaf}]`:                         "gtin 9506000134352: it is held by tenant tea for product leaf",
		`products: [{id: new, kind: tea, species: tea, name: {zh: 新}, gtin: "4012345111118"}]`: `product new: gtin: it does not say whose it is; write it under gtins instead: {gtin: "4012345111118", tenant: …, product: new}`,
	} {
		if err := run(text); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}
