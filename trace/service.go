package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"tianhai/farm"
	"tianhai/trace/catalog"
	"tianhai/trace/chain"
	"tianhai/trace/evidence"
	"tianhai/trace/gate"
	"tianhai/trace/input"
)

// clockAhead is how far a client's clock may be ahead of ours.
const clockAhead = 5 * time.Minute

// ErrNoEvidence reports that the sensors' record could not be asked for, which
// is not the same as that there is none. The batch stays open; try again.
var ErrNoEvidence = errors.New("sensor record is out of reach")

// A Service records operations and batches and closes batches into records. It
// checks what is said, not who says it: the caller has done that.
type Service struct {
	Store     Store
	Journal   Journal
	Evidence  Evidence
	Sensors   Sensors         // nil means that nothing is known of devices
	Shipments Shipments       // nil where none are kept
	Series    *evidence.Shelf // where sealed series are kept; nil keeps none
	Catalogs  Catalogs
	Chain     Chain
	Water     Water    // for waits in degree-days; nil refuses what hangs on them
	Licences  Licences // nil means that none are known
	// HasPhoto reports whether a tenant has uploaded the picture with this hash.
	HasPhoto func(ctx context.Context, tenant, hash string) (bool, error)
	Inputs   Inputs     // nil means that nothing is in stock, and lots are but words
	Bans     input.List // banned substances
	// OwnBans returns the substances that are forbidden beside Bans; nil: none.
	OwnBans func(ctx context.Context) (input.List, error)
	Stock   Stock                  // nil: nothing is bought here
	NewCode func() (string, error) // a trace code that nobody can guess
	// GTIN returns what GS1 gave an operator for a product, "" for nothing; nil: nobody
	// holds any.
	GTIN   func(ctx context.Context, tenant, product string) (string, error)
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // for salts and IDs; nil means crypto/rand
	Added  func()           // told of every new record, to wake the Sealer; may be nil

	Overrides Overrides                                  // nil: there are none
	Harvests  Harvests                                   // nil: nobody asks what comes late
	Late      func(ctx context.Context, found []LateUse) // told of uses that came late, once they are stored; may be nil
}

// maxTries is how often a statement is held against a history that grows at the same
// time. Of all who write at once one always gets through.
const maxTries = 100

// steady does something again as long as it is ErrMoved.
func steady(ctx context.Context, do func() error) error {
	var err error
	for range maxTries {
		if err = do(); !errors.Is(err, ErrMoved) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// OpenBatch stores a new batch of what was taken from a site, as the harvest that
// makes it: who took it, where, how much and when is a movement with a record of its
// own. It returns the batch with ID and Opened set, and its quantity as exactly as it
// is kept. Tenant, Site, Product, Lot, Quantity, Unit, Began and Harvest are the
// caller's, and the account of the person; an ID is made where there is none. Errors:
// *FieldError, farm.ErrNotFound for an unknown site or product, farm.ErrConflict, and
// *gate.Refused for a harvest that may not be, ErrNoEvidence where that hangs on
// temperatures that are out of reach.
func (s *Service) OpenBatch(ctx context.Context, b Batch, person string) (Batch, error) {
	b, err := s.openBatch(ctx, b, person)
	if err != nil {
		return Batch{}, fmt.Errorf("open batch: %w", err)
	}
	return b, nil
}

func (s *Service) openBatch(ctx context.Context, b Batch, person string) (_ Batch, err error) {
	now := s.now()
	b.Code, b.Opened, b.Closed = "", now, time.Time{}
	b.Began, b.Harvest = wireTime(b.Began), wireTime(b.Harvest)
	if b.ID == "" {
		if b.ID, err = s.newID(now); err != nil {
			return b, err
		}
	}
	if err := checkBatch(b, now); err != nil {
		return b, err
	}
	amount, ok := chain.Round(b.Quantity, b.Unit)
	if !ok {
		return b, field("quantity", "is less than can be counted, or too much")
	}
	if _, err := s.site(ctx, b.Tenant, b.Site); err != nil {
		return b, err
	}
	if _, err := s.Store.Product(ctx, b.Product); err != nil {
		return b, fmt.Errorf("product %s: %w", b.Product, err)
	}
	m := chain.Movement{
		Tenant: b.Tenant, Kind: chain.Harvest, At: b.Harvest, Person: person, Site: b.Site,
		Outputs: []chain.Output{{Batch: b.ID, Product: b.Product, Lot: b.Lot, Amount: amount, Began: b.Began, Harvest: b.Harvest}},
	}
	if m.At.After(now) { // what will be harvested tonight is written down now
		m.At = now
	}
	if m.ID, err = s.newID(now); err != nil {
		return b, err
	}
	if m, _, err = s.Move(ctx, m); err != nil {
		return b, err
	}
	b.Quantity, b.Opened = amount.Float(), m.Recorded
	return b, nil
}

// AddOperation stores an operation and its record, once it says all that the
// catalog in force demands. It returns the operation as stored and whether it is
// new: the same one again, by ID, changes nothing, whatever the catalog says by
// now. Another under its ID, or a second correction of one operation, is
// farm.ErrConflict. Other errors: *FieldError, *catalog.ItemError,
// farm.ErrNotFound for the site; *gate.Refused and ErrNoEvidence as for OpenBatch
// when the operation is a harvest, a catch or the like; what an officer has allowed
// is not refused. One that names a lot draws
// from stock: *gate.Refused where label or law forbid it, *input.ShortError where
// there is not so much. Tenant, Site, Kind, At, Person, Position, Items
// and Corrects are the caller's.
func (s *Service) AddOperation(ctx context.Context, op Operation) (stored Operation, added bool, err error) {
	err = steady(ctx, func() error {
		stored, added, err = s.addOperation(ctx, op)
		return err
	})
	if err != nil {
		return Operation{}, false, fmt.Errorf("add operation: %w", err)
	}
	if added {
		s.added()
		found := slices.DeleteFunc(slices.Clone(stored.Late), func(l LateUse) bool { return l.Withdrawn })
		if s.Late != nil && len(found) > 0 {
			s.Late(ctx, found)
		}
	}
	return stored, added, nil
}

// addOperation is one try of AddOperation. The version of the site is read before
// anything that may grow with it.
func (s *Service) addOperation(ctx context.Context, op Operation) (stored Operation, added bool, err error) {
	op.At, op.Recorded = wireTime(op.At), s.now()
	if err := checkOperation(op, op.Recorded); err != nil {
		return Operation{}, false, err
	}
	site, err := s.site(ctx, op.Tenant, op.Site)
	if err != nil {
		return Operation{}, false, err
	}
	if op.Seen, err = s.Journal.Version(ctx, op.Site); err != nil {
		return Operation{}, false, err
	}
	ops, err := s.history(ctx, op)
	if err != nil {
		return Operation{}, false, err
	}
	if i := slices.IndexFunc(ops, func(o Operation) bool { return o.ID == op.ID }); i >= 0 {
		if !op.Same(ops[i]) {
			return Operation{}, false, fmt.Errorf("another one has the ID %s: %w", op.ID, farm.ErrConflict)
		}
		return ops[i], false, nil
	}
	if err := checkCorrection(op, ops); err != nil {
		return Operation{}, false, err
	}
	if err := s.weigh(ctx, site, &op); err != nil {
		return Operation{}, false, err
	}
	kept := op
	personal, err := kept.withhold(s.Catalogs.Current(), s.random())
	if err != nil {
		return Operation{}, false, err
	}
	rec, err := s.operationRecord(kept)
	if err != nil {
		return Operation{}, false, err
	}
	rec.Personal = personal
	if err := s.Journal.AddOperation(ctx, kept, rec); err != nil {
		return Operation{}, false, err
	}
	return op, true, nil
}

// weigh holds a new operation against catalog and gates, and fills in what follows
// from it.
func (s *Service) weigh(ctx context.Context, site farm.Site, op *Operation) (err error) {
	c := s.Catalogs.Current()
	if err := checkItems(*op, c); err != nil {
		return err
	}
	if op.Leave, err = s.gateOperation(ctx, *op); err != nil {
		return err
	}
	if op.Photos, err = s.photos(ctx, *op, c); err != nil {
		return err
	}
	if err := s.draw(ctx, site, op); err != nil {
		return err
	}
	op.Catalog, op.Far = c.Version, op.Position != nil && site.Far(farm.Position{Longitude: op.Position.Longitude, Latitude: op.Position.Latitude}, op.Position.Accuracy)
	op.Late, err = s.lateUses(ctx, site, *op)
	return err
}

// photos returns the pictures that an operation names. Each must have been uploaded
// before: a record that names a picture which nobody has proves nothing.
func (s *Service) photos(ctx context.Context, op Operation, c *catalog.Catalog) ([]string, error) {
	var hashes []string
	for _, item := range op.Items {
		k, _ := c.Item(item.Key)
		if !k.IsPicture() || item.Value == catalog.Dash || slices.Contains(hashes, item.Value) {
			continue
		}
		has, err := s.HasPhoto(ctx, op.Tenant, item.Value)
		if err != nil {
			return nil, fmt.Errorf("picture %s: %w", item.Value, err)
		}
		if !has {
			return nil, &catalog.ItemError{Key: item.Key, Name: k.Name, Reason: "is no picture that this farm has uploaded; send the picture first"}
		}
		hashes = append(hashes, item.Value)
	}
	return hashes, nil
}

// history returns what AddOperation must know: normally the operations of one
// instant, among which a repeated one is; for a correction all of the site.
func (s *Service) history(ctx context.Context, op Operation) ([]Operation, error) {
	from, to := op.At, op.At.Add(time.Millisecond)
	if op.Corrects != "" {
		from, to = time.Unix(0, 0).UTC(), op.Recorded.Add(clockAhead)
	}
	return s.Store.Operations(ctx, op.Site, from, to)
}

func (s *Service) operationRecord(op Operation) (Record, error) {
	var overrides []string
	for _, l := range op.Leave {
		overrides = append(overrides, l.Override)
	}
	body, err := marshal(struct {
		Version int    `json:"v"`
		Tenant  string `json:"tenant"`
		Site    string `json:"site"`
		Catalog int    `json:"catalog"`
		Far     bool   `json:"far,omitempty"`
		// Overrides are those by whose leave it may be.
		Overrides []string `json:"overrides,omitempty"`
		PublicOperation
	}{1, op.Tenant, op.Site, op.Catalog, op.Far, overrides, PublicOperation{ID: op.ID, Kind: op.Kind, At: op.At, Recorded: op.Recorded, Items: op.Items, Corrects: op.Corrects}})
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: op.Tenant, Kind: OperationRecord, Subject: op.ID, Body: body, At: op.Recorded})
}

// CloseBatch ends a batch: it collects what was done on the site and what its
// sensors said while the batch grew, issues the code, and stores both as the
// record that will be sealed. Operations count until now, because packing comes
// after the harvest; sensors count until the harvest. It writes everything or
// nothing, so a call that failed, with ErrNoEvidence or otherwise, can be
// repeated. It gives no code to what was harvested too early, *gate.Refused, or
// lacks a record that the catalog demands of its product, *IncompleteError. A batch
// that is closed already is farm.ErrConflict, an unknown one farm.ErrNotFound.
func (s *Service) CloseBatch(ctx context.Context, id string) (b Batch, err error) {
	err = steady(ctx, func() error {
		b, err = s.closeBatch(ctx, id)
		return err
	})
	if err != nil {
		return Batch{}, fmt.Errorf("close batch %s: %w", id, err)
	}
	s.added()
	b.Seen = 0
	return b, nil
}

func (s *Service) closeBatch(ctx context.Context, id string) (Batch, error) {
	b, err := s.Store.Batch(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	if b.Code != "" || !b.Closed.IsZero() {
		return Batch{}, fmt.Errorf("it is closed already: %w", farm.ErrConflict)
	}
	if b.Seen, err = s.Journal.Version(ctx, b.Site); err != nil {
		return Batch{}, err
	}
	b.Closed = s.now()
	// Asked again: what was recorded after the batch was opened counts as well.
	if err := refuse(s.PermitBatch(ctx, b, gate.Certificate, b.Closed)); err != nil {
		return Batch{}, err
	}
	public, err := s.publicRecord(ctx, b)
	if err != nil {
		return Batch{}, err
	}
	if b.Code, err = s.NewCode(); err != nil {
		return Batch{}, err
	}
	public.Code = b.Code
	personal, err := s.withhold(ctx, b.Tenant, &public)
	if err != nil {
		return Batch{}, err
	}
	body, err := marshal(public)
	if err != nil {
		return Batch{}, err
	}
	rec, err := s.newRecord(Record{Tenant: b.Tenant, Kind: BatchRecord, Subject: b.ID, Code: b.Code, Body: body, At: b.Closed, Personal: personal})
	if err != nil {
		return Batch{}, err
	}
	return b, s.Journal.CloseBatch(ctx, b, rec)
}

// withhold takes personal data out of a natural person's record.
func (s *Service) withhold(ctx context.Context, tenant string, public *PublicRecord) ([]Personal, error) {
	t, err := s.Store.Tenant(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", tenant, err)
	}
	if !NaturalPerson(t) {
		return nil, nil
	}
	public.Version = PublicVersion
	return public.withhold(s.random())
}

// ErasePersonal has the personal data of a natural person erased: what records
// commit to, and what stands in the tables of tenants and sites. That it was done,
// by whom and when, is a record itself. It returns how many texts of records are
// gone. A tenant that is no natural person is a *FieldError.
func (s *Service) ErasePersonal(ctx context.Context, from Eraser, tenant, by string) (int, error) {
	t, err := s.Store.Tenant(ctx, tenant)
	if err != nil {
		return 0, fmt.Errorf("erase personal data of %s: %w", tenant, err)
	}
	if !NaturalPerson(t) {
		return 0, fmt.Errorf("erase personal data of %s: %w", tenant, field("kind", "is %s: its name is no personal data", t.Kind))
	}
	rec, err := s.Erasure(tenant, false, by)
	if err != nil {
		return 0, fmt.Errorf("erase personal data of %s: %w", tenant, err)
	}
	n, err := from.ErasePersonal(ctx, tenant, rec)
	if err != nil {
		return 0, fmt.Errorf("erase personal data of %s: %w", tenant, err)
	}
	s.added()
	return n, nil
}

// EraseNamed has a text, such as the name of a buyer or a vet, erased wherever
// operations of a tenant commit to it. That it was done is a record itself, which
// does not name it. It returns how many texts are gone; farm.ErrNotFound where there
// are none, and nothing is written then.
func (s *Service) EraseNamed(ctx context.Context, from TextEraser, tenant, text, by string) (int, error) {
	rec, err := s.Erasure(tenant, false, by)
	if err != nil {
		return 0, fmt.Errorf("erase a name at %s: %w", tenant, err)
	}
	n, err := from.EraseText(ctx, tenant, text, rec)
	if err != nil {
		return 0, fmt.Errorf("erase a name at %s: %w", tenant, err)
	}
	s.added()
	return n, nil
}

// A TextEraser erases single texts of operations where they are kept.
type TextEraser interface {
	// EraseText erases a text beside a tenant's operations and stores the record that
	// says so; all or nothing. It returns how many are gone; farm.ErrNotFound for none.
	EraseText(ctx context.Context, tenant, text string, rec Record) (int, error)
}

// Erasure makes the record which says that the personal data of a tenant were
// erased, or those of one of its accounts, which it does not name.
func (s *Service) Erasure(tenant string, account bool, by string) (Record, error) {
	now := s.now()
	subject, err := s.newID(now)
	if err != nil {
		return Record{}, err
	}
	body, err := marshal(struct {
		Version int       `json:"v"`
		Tenant  string    `json:"tenant"`
		Account bool      `json:"account,omitempty"` // of one account, not of the tenant
		At      time.Time `json:"at"`
		By      string    `json:"by"`
	}{1, tenant, account, now, by})
	if err != nil {
		return Record{}, err
	}
	return s.newRecord(Record{Tenant: tenant, Kind: ErasureRecord, Subject: subject, Body: body, At: now})
}

// An Eraser erases personal data where they are kept.
type Eraser interface {
	// ErasePersonal erases a tenant's and stores the record that says so; all or
	// nothing. It returns how many texts of records are gone.
	ErasePersonal(ctx context.Context, tenant string, rec Record) (int, error)
}

func (s *Service) publicRecord(ctx context.Context, b Batch) (PublicRecord, error) {
	tenant, err := s.Store.Tenant(ctx, b.Tenant)
	if err != nil {
		return PublicRecord{}, fmt.Errorf("tenant %s: %w", b.Tenant, err)
	}
	grown, err := s.grown(ctx, b)
	if err != nil {
		return PublicRecord{}, err
	}
	site, err := s.Store.Site(ctx, grown.Site)
	if err != nil {
		return PublicRecord{}, fmt.Errorf("site %s: %w", grown.Site, err)
	}
	if site.Tenant != b.Tenant { // whoever it was bought from may be a person
		site.Name = farm.Text{}
	}
	product, err := s.product(ctx, b)
	if err != nil {
		return PublicRecord{}, err
	}
	// All of the site, because a correction may have moved an operation's time.
	end := b.Closed.Add(clockAhead)
	ops, err := s.Store.Operations(ctx, grown.Site, time.Unix(0, 0).UTC(), end)
	if err != nil {
		return PublicRecord{}, fmt.Errorf("operations of site %s: %w", grown.Site, err)
	}
	switch {
	case grown.blend:
		ops = nil
	case grown.kin != nil: // what came after the harvest are movements
		end = grown.Harvest.AddDate(0, 0, 1)
	}
	c := s.Catalogs.Current()
	demanded := demands(c, product)
	ops = ofBatch(ops, b.Began, end, lasting(ops, demanded, b.Began))
	if grown.kin == nil {
		err = complete(c, demanded, b.Site, ops)
	} else {
		err = s.completeOrigins(ctx, c, b, grown.origins)
	}
	if err != nil {
		return PublicRecord{}, err
	}
	if len(ops) > MaxOperations {
		return PublicRecord{}, fmt.Errorf("%d operations are too many, at most %d are allowed", len(ops), MaxOperations)
	}
	done, words, err := s.publicOperations(ctx, ops)
	if err != nil {
		return PublicRecord{}, err
	}
	overrides, err := s.publicOverrides(ctx, grown.Batch, ops)
	if err != nil {
		return PublicRecord{}, err
	}
	for _, o := range grown.origins {
		more, err := s.publicOverrides(ctx, o, nil)
		if err != nil {
			return PublicRecord{}, err
		}
		for _, m := range more {
			if !slices.ContainsFunc(overrides, func(o PublicOverride) bool { return o.ID == m.ID }) {
				overrides = append(overrides, m)
			}
		}
	}
	seen := PublicEvidence{Version: EvidenceVersion, From: b.Began.UTC(), To: b.Harvest.UTC(), Series: []Series{}}
	if !grown.blend {
		if seen, err = s.evidence(ctx, grown.Batch, product); err != nil {
			return PublicRecord{}, err
		}
	}
	prefecture, _ := farm.Prefecture(site.Region)
	return PublicRecord{
		Version: openVersion, Batch: b.ID, Product: product,
		Producer: Producer{Name: tenant.Name, CreditCode: tenant.CreditCode, Phone: tenant.Phone},
		Origin:   Origin{Region: site.Region, Prefecture: prefecture.Name, Town: site.Town, Kind: site.Kind, Site: site.Name},
		Lot:      b.Lot, Quantity: b.Quantity, Unit: b.Unit,
		Began: b.Began.UTC(), Harvest: b.Harvest.UTC(), Closed: b.Closed,
		Operations: done, Words: words, Overrides: overrides, Evidence: seen, Kin: grown.kin, Blend: grown.blend,
	}, nil
}

// product returns what a batch is of, with the GTIN of its operator.
func (s *Service) product(ctx context.Context, b Batch) (Product, error) {
	p, err := s.Store.Product(ctx, b.Product)
	if err != nil {
		return Product{}, fmt.Errorf("product %s: %w", b.Product, err)
	}
	if s.GTIN != nil {
		if p.GTIN, err = s.GTIN(ctx, b.Tenant, b.Product); err != nil {
			return Product{}, fmt.Errorf("GTIN of product %s: %w", b.Product, err)
		}
	}
	return p, nil
}

// site refuses a site of another tenant as if there were none.
func (s *Service) site(ctx context.Context, tenant, id string) (farm.Site, error) {
	site, err := s.Store.Site(ctx, id)
	if err == nil && site.Tenant != tenant {
		err = farm.ErrNotFound
	}
	if err != nil {
		return farm.Site{}, fmt.Errorf("site %s: %w", id, err)
	}
	return site, nil
}

// NewRecord gives a record its ID and salt, for a package that makes records of its
// own kind.
func (s *Service) NewRecord(r Record) (Record, error) { return s.newRecord(r) }

// newRecord gives a record its ID and salt.
func (s *Service) newRecord(r Record) (Record, error) {
	id, err := s.newID(r.At)
	if err != nil {
		return Record{}, err
	}
	r.ID, r.Index, r.Salt = id, -1, make([]byte, saltSize)
	if _, err := io.ReadFull(s.random(), r.Salt); err != nil {
		return Record{}, fmt.Errorf("make salt: %w", err)
	}
	return r, nil
}

func (s *Service) newID(at time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(at), s.random())
	if err != nil {
		return "", fmt.Errorf("make ID: %w", err)
	}
	return id.String(), nil
}

func (s *Service) random() io.Reader {
	if s.Random != nil {
		return s.Random
	}
	return rand.Reader
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return wireTime(s.Now())
	}
	return wireTime(time.Now())
}

func (s *Service) added() {
	if s.Added != nil {
		s.Added()
	}
}

// wireTime is the precision that databases and JavaScript agree on.
func wireTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
