package parcel_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"tianhai/trace/parcel"
)

// A province is a platform whose interface is its own: a token, the file in a PUT under
// its key, and a number in a header.
type province struct {
	base, token string
	client      *http.Client
}

func (p province) Deliver(ctx context.Context, d parcel.Delivery) (string, error) {
	body, err := d.Open()
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, p.base+"/packages/"+d.Key, body) // Do closes the body
	if err != nil {
		return "", err
	}
	req.ContentLength = d.Size
	req.Header.Set("Content-Type", d.Media)
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.client.Do(req)
	if err != nil {
		return "", err // may be tried again
	}
	defer func() { _ = resp.Body.Close() }() // it is not read
	switch resp.StatusCode {
	case http.StatusCreated, http.StatusOK: // OK: it was there already
		return resp.Header.Get("Receipt-Number"), nil
	case http.StatusUnprocessableEntity:
		return "", &parcel.RefusedError{Status: resp.StatusCode, Reason: "the operator is not registered with the province"}
	}
	return "", fmt.Errorf("the province answers %s", resp.Status)
}

func ExamplePlatform() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Receipt-Number", "GX-2026-0007")
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	var platform parcel.Platform = province{server.URL, "token", server.Client()}
	receipt, err := platform.Deliver(context.Background(), parcel.Delivery{
		Key: "9f86d081", Media: parcel.JSON.Media(), Open: func() (io.ReadCloser, error) { return http.NoBody, nil },
	})
	fmt.Println(receipt, err)
	// Output: GX-2026-0007 <nil>
}
