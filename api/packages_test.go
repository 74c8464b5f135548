package api_test

import (
	"context"
	"os"
	"time"

	"tianhai/api"
	"tianhai/farm"
	"tianhai/trace/parcel"
)

const packageID = "01JZ00000000000000000000PK"

func aPackage() parcel.Package {
	return parcel.Package{
		ID: packageID, Operator: "oyster", Region: "450512", Name: farm.Text{Zh: "蚝业"}, Period: parcel.Month(noon), Account: "manager", State: parcel.Done, Created: noon, Ended: noon,
		Expires: noon.Add(parcel.Keep), Done: 3, Total: 3, Tally: parcel.Tally{Records: 3}, Files: []parcel.File{{Form: parcel.JSON, Size: 2, SHA256: "44"}},
	}
}

func (w *world) Package(_ context.Context, id string) (parcel.Package, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return parcel.Package{}, err
	}
	if id != packageID {
		return parcel.Package{}, farm.ErrNotFound
	}
	return aPackage(), nil
}

func (w *world) ListPackages(_ context.Context, q api.PackageQuery) ([]parcel.Package, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	p := aPackage()
	if !w.within(q.Scope, p.Operator, p.Region) || !q.After.At.IsZero() && !p.Created.Before(q.After.At) {
		return nil, nil
	}
	return []parcel.Package{p}, nil
}

func (w *world) PackageOperators(_ context.Context, q api.PackageOperatorQuery) ([]farm.Tenant, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return nil, err
	}
	if !w.within(q.Scope, "oyster", "450512") || q.After >= "oyster" {
		return nil, nil
	}
	return []farm.Tenant{{ID: "oyster", Region: "450512", Name: farm.Text{Zh: "蚝业"}}}, nil
}

func (w *world) PreviewPackage(context.Context, string, parcel.Period) (map[string]int, error) {
	defer w.mu.Unlock()
	return map[string]int{"operation": 3}, w.enter()
}

func (w *world) OrderPackage(_ context.Context, p parcel.Package) (parcel.Package, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return parcel.Package{}, err
	}
	w.wrote++
	p.State, p.Created = parcel.Waiting, noon.Add(time.Second)
	return p, nil
}

func (w *world) CancelPackage(_ context.Context, _ string) error {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return err
	}
	w.wrote++
	return nil
}

func (w *world) OpenPackageFile(context.Context, string, parcel.Form) (*os.File, parcel.File, error) {
	f, err := os.Open("../trace/parcel/package-v2.schema.json") // some JSON
	return f, parcel.File{Form: parcel.JSON, SHA256: "44"}, err
}

func (w *world) Where() string { return "platform.example" }

func (w *world) HandOver(_ context.Context, _ string, f parcel.Form, account string) (parcel.Package, error) {
	defer w.mu.Unlock()
	if err := w.enter(); err != nil {
		return parcel.Package{}, err
	}
	w.wrote++
	p := aPackage()
	p.Handover = &parcel.Handover{Form: f, Platform: "platform.example", Account: account, State: parcel.Sending, Asked: noon, Due: noon}
	return p, nil
}
