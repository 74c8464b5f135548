package parcel

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Platform is where the interface of a platform is plugged in. Post is one that any
// HTTP server can be.
type Platform interface {
	// Deliver hands a package over and returns by what the platform acknowledges it.
	// The same Key again is the same package, which the platform has once. A
	// *RefusedError is final; after anything else the same may be tried again.
	Deliver(ctx context.Context, d Delivery) (receipt string, err error)
}

// A Delivery is a package on its way.
type Delivery struct {
	Key   string // SHA-256 of the file, in hex
	Media string // media type
	Size  int64  // bytes
	Open  func() (io.ReadCloser, error)
}

// FileDelivery is of a file that Compose wrote, .json or .xlsx.
func FileDelivery(name string) (Delivery, error) {
	d := Delivery{Media: Form(strings.TrimPrefix(filepath.Ext(name), ".")).Media(), Open: func() (io.ReadCloser, error) { return os.Open(name) }}
	file, err := os.Open(name)
	if err != nil {
		return d, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	sum := sha256.New()
	d.Size, err = io.Copy(sum, file)
	d.Key = hex.EncodeToString(sum.Sum(nil))
	return d, err
}

// A RefusedError is a platform's final no.
type RefusedError struct {
	Status int // of HTTP
	Reason string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the platform refuses it: %d %s", e.Status, e.Reason)
}

// maxReceipt is how much of an answer is read, in bytes.
const maxReceipt = 64 << 10

// Post delivers by HTTP POST. The request has the Key as Idempotency-Key, and as
// Tianhai-Signature "t=UNIX,v1=HEX": the HMAC-SHA256 with the secret over the time in
// seconds, a line feed and the Key. Any 2xx acknowledges; its body is the receipt.
type Post struct {
	URL    string
	Secret []byte
	Client *http.Client
}

// Deliver implements Platform.
func (p Post) Deliver(ctx context.Context, d Delivery) (string, error) {
	body, err := d.Open()
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, body)
	if err != nil {
		return "", errors.Join(err, body.Close())
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, p.Secret)
	fmt.Fprintf(mac, "%s\n%s", at, d.Key)
	req.ContentLength = d.Size
	req.Header.Set("Content-Type", d.Media)
	req.Header.Set("Idempotency-Key", d.Key)
	req.Header.Set("Tianhai-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := p.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // what it says was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxReceipt))
	text := strings.TrimSpace(string(answer))
	switch {
	case resp.StatusCode/100 == 2:
		return text, err
	case resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests:
		return "", &RefusedError{resp.StatusCode, text}
	}
	return "", fmt.Errorf("the platform answers %s", resp.Status)
}

// Pauses between attempts: they double.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
)

// Persist delivers until it succeeds, is refused or ctx is done; failed is told of every
// attempt in vain and of the pause that follows.
func Persist(ctx context.Context, p Platform, d Delivery, failed func(err error, pause time.Duration)) (receipt string, err error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		receipt, err = p.Deliver(ctx, d)
		if err == nil || errors.As(err, new(*RefusedError)) || ctx.Err() != nil {
			return receipt, err
		}
		failed(err, pause)
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(pause):
		}
	}
}
