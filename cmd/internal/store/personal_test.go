package store_test

import (
	"strings"
	"testing"
	"time"

	"tianhai/api/auth"
	"tianhai/cmd/internal/store"
	"tianhai/farm"
	"tianhai/trace"
)

// Personal data go where they stand; the sealed bytes and the receipt stay.
func testPersonal(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.AddBatch(ctx, newBatch("b1")))
	done, rec := closed(newBatch("b1"), "CODE1")
	rec.Personal = []trace.Personal{
		{Path: "producer.name.zh", Salt: []byte("0123456789abcdef"), Text: "韦大山"},
		{Path: "producer.phone", Salt: []byte("fedcba9876543210"), Text: "0774-1"},
	}
	check(t, s.CloseBatch(ctx, done, rec))
	check(t, s.Sealed(ctx, rec.ID, trace.Seal{Log: 1, Index: 3, Receipt: "receipt"}))
	rec.Index, rec.Receipt = 3, "receipt"
	equal(t, "with personal data", rec)(s.RecordByCode(ctx, "CODE1"))

	erasure := trace.Record{ID: "r-erasure", Tenant: "tea", Kind: trace.ErasureRecord, Subject: "e1", Body: []byte(`{"v":1}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1}
	for name, change := range map[string]func(*trace.Record){
		"of another":      func(r *trace.Record) { r.Tenant = "oysters" },
		"of a kind":       func(r *trace.Record) { r.Kind = trace.BatchRecord },
		"with a taken ID": func(r *trace.Record) { r.ID = rec.ID },
	} {
		other := erasure
		change(&other)
		if _, err := s.ErasePersonal(ctx, "tea", other); err == nil {
			t.Errorf("erased by a record %s", name)
		}
	}
	equal(t, "after refusals", rec)(s.RecordByCode(ctx, "CODE1"))
	unknown := erasure
	unknown.Tenant = "nobody"
	_, err := s.ErasePersonal(ctx, "nobody", unknown)
	wantErr(t, "unknown tenant", err, farm.ErrNotFound)

	equal(t, "texts gone", 2)(s.ErasePersonal(ctx, "tea", erasure))
	rec.Personal = nil
	equal(t, "erased", rec)(s.RecordByCode(ctx, "CODE1"))
	equal(t, "and said", []trace.Record{erasure})(s.RecordsOf(ctx, "e1"))
	tenant, err := s.Tenant(ctx, "tea")
	check(t, err)
	site, err := s.Site(ctx, "garden-1")
	check(t, err)
	if tenant.Phone != "" || !strings.Contains(tenant.Name.Zh, "已按法律删除") || site.Name != tenant.Name || tenant.Region == "" || site.Tenant != "tea" {
		t.Errorf("left: %+v, %+v", tenant, site)
	}
	if other, err := s.Tenant(ctx, "oysters"); err != nil || other.Name == tenant.Name {
		t.Errorf("another tenant: %+v, %v", other, err)
	}
}

func testEraseAccount(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	check(t, s.CreateAccount(ctx, auth.Account{Login: "shan", Name: "韦大山", Role: auth.Farmer, Tenant: "tea", Password: "old", Created: noon}))
	check(t, s.CreateSession(ctx, auth.Session{TokenHash: []byte("token"), Login: "shan", Created: noon, Expires: noon.AddDate(0, 0, 1)}))
	erasure := trace.Record{ID: "r-erasure", Tenant: "oysters", Kind: trace.ErasureRecord, Subject: "e1", Body: []byte(`{"v":1}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1}
	wantErr(t, "another tenant's", s.EraseAccount(ctx, "shan", "new", erasure), farm.ErrNotFound)
	erasure.Tenant = "tea"
	wantErr(t, "unknown", s.EraseAccount(ctx, "nobody", "new", erasure), farm.ErrNotFound)
	check(t, s.EraseAccount(ctx, "shan", "new", erasure))
	if a, err := s.Account(ctx, "shan"); err != nil || strings.Contains(a.Name, "韦") || a.Password != "new" || a.Tenant != "tea" {
		t.Errorf("left: %+v, %v", a, err)
	}
	_, err := s.Session(ctx, []byte("token"))
	wantErr(t, "its session", err, farm.ErrNotFound)
	equal(t, "and said", []trace.Record{erasure})(s.RecordsOf(ctx, "e1"))
}

// Names in operations stand beside their record: they are read back as they were, go
// at a word, and the operation stays what it was.
func testEraseText(t *testing.T, s *store.Store) {
	ctx := t.Context()
	seed(t, s)
	op, rec := newOperation("o1", noon)
	name := trace.Personal{Path: "items[0].value", Salt: []byte("0123456789abcdef"), Text: "覃小妹"}
	op.Items = []trace.Item{{Key: "buyer", Commitment: name.Commitment()}, {Key: "quantity", Value: "3", Unit: "kg"}}
	rec.Personal = []trace.Personal{name}
	check(t, s.AddOperation(ctx, op, rec))
	again, againRec := op, rec
	againRec.ID, againRec.Personal = "r-again", []trace.Personal{{Path: name.Path, Salt: []byte("fedcba9876543210"), Text: name.Text}}
	again.Items = []trace.Item{{Key: "buyer", Commitment: againRec.Personal[0].Commitment()}, op.Items[1]}
	check(t, s.AddOperation(ctx, again, againRec))
	lie, lieRec := again, againRec
	lieRec.Personal = []trace.Personal{{Path: name.Path, Salt: name.Salt, Text: "别人"}}
	lie.Items = []trace.Item{{Key: "buyer", Commitment: lieRec.Personal[0].Commitment()}, op.Items[1]}
	wantErr(t, "another name under the same ID", s.AddOperation(ctx, lie, lieRec), farm.ErrConflict)

	whole := op
	whole.Items = []trace.Item{{Key: "buyer", Value: "覃小妹", Commitment: name.Commitment()}, op.Items[1]}
	equal(t, "with the name", whole)(s.Operation(ctx, "o1"))
	equal(t, "in the list", []trace.Operation{whole})(s.Operations(ctx, op.Site, noon.Add(-time.Hour), noon.Add(time.Hour)))

	erasure := trace.Record{ID: "r-erasure", Tenant: "tea", Kind: trace.ErasureRecord, Subject: "e1", Body: []byte(`{"v":1}`), Salt: []byte("0123456789abcdef"), At: noon, Index: -1, Log: 1}
	_, err := s.EraseText(ctx, "tea", "谁也不是", erasure)
	wantErr(t, "a name that nobody wrote", err, farm.ErrNotFound)
	equal(t, "and no record says so", []trace.Record{})(s.RecordsOf(ctx, "e1"))
	strange := erasure
	strange.Tenant = "oysters"
	_, err = s.EraseText(ctx, "oysters", "覃小妹", strange)
	wantErr(t, "another tenant's", err, farm.ErrNotFound)

	equal(t, "names gone", 1)(s.EraseText(ctx, "tea", "覃小妹", erasure))
	equal(t, "erased", op)(s.Operation(ctx, "o1"))
	equal(t, "and said", []trace.Record{erasure})(s.RecordsOf(ctx, "e1"))
	check(t, s.AddOperation(ctx, again, againRec)) // the phone that sends it once more has not heard
}
