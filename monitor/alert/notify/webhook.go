package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tianhai/i18n"
	"tianhai/monitor/alert"
)

const (
	webhookTimeout = 10 * time.Second
	// answerLimit is how much of an answer is read, so that the connection can
	// be used again; none of it is kept.
	answerLimit = 64 << 10
)

// A WebhookConfig says where notices go.
type WebhookConfig struct {
	URL Secret // http or https; many services put a key into it
	// Key signs every message where given: its bytes, or where it begins with
	// "whsec_" what follows, decoded from base64.
	Key     Secret
	Header  map[string]Secret
	Catalog *i18n.Catalog
	Sites   Sites         // nil: sites are called by their ID
	Client  *http.Client  // nil: one with usual settings; redirects are refused with any
	Timeout time.Duration // of one attempt; 0 means 10 s
	Now     func() time.Time
}

// A Webhook posts notices as JSON to a URL.
//
// The body holds the notice's id, the alert, and title and text in every
// language. Header webhook-id repeats the id, which is the same at every attempt:
// receivers drop what they have seen. With a key, webhook-timestamp and
// webhook-signature let them check who sent it.
//
// Source: Standard Webhooks 1.0.0, "Webhook metadata" and "Signature scheme".
type Webhook struct {
	cfg    WebhookConfig
	key    []byte // empty: messages are not signed
	writer writer
	client *http.Client
}

// NewWebhook returns a notifier, or an error where the URL is none. The error
// does not repeat it.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	u, err := url.Parse(string(cfg.URL))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("webhook url is not of the form https://host/path")
	}
	if cfg.Catalog == nil {
		return nil, errors.New("webhook has no catalog")
	}
	key := []byte(cfg.Key)
	if encoded, ok := strings.CutPrefix(string(cfg.Key), "whsec_"); ok {
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("webhook key begins with whsec_ and does not go on in base64")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = webhookTimeout
	}
	client := http.Client{}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	// Whoever may answer for the URL must not send the notices elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Webhook{cfg: cfg, key: key, writer: writer{cfg.Catalog, cfg.Sites}, client: &client}, nil
}

// message is the body of a webhook.
type message struct {
	ID    string            `json:"id"`
	Type  string            `json:"type"` // "alert.firing", "alert.resolved"
	Alert alert.Alert       `json:"alert"`
	Title map[string]string `json:"title"` // by language
	Text  map[string]string `json:"text"`
}

// Notify posts one notice. It is delivered when the answer is 2xx. Timeouts,
// network errors, 408, 429 and 5xx are worth another attempt; any other answer,
// a redirect among them, is not.
func (w *Webhook) Notify(ctx context.Context, n alert.Notice) (retry bool, err error) {
	site := w.writer.siteName(ctx, n.Alert.Site)
	m := message{ID: n.ID, Type: "alert." + string(n.Alert.State), Alert: n.Alert, Title: map[string]string{}, Text: map[string]string{}}
	for _, lang := range w.cfg.Catalog.Languages() {
		m.Title[lang], m.Text[lang] = w.writer.words(lang, n, site)
	}
	return w.Send(ctx, n.ID, m)
}

// Send posts any message as JSON, signed as a notice is, under an ID by which the
// receiver may drop repeats. What it returns is as of Notify.
func (w *Webhook) Send(ctx context.Context, id string, message any) (retry bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.cfg.Timeout, fmt.Errorf("no answer within %v", w.cfg.Timeout))
	defer cancel()
	req, err := w.request(ctx, id, message)
	if err != nil {
		return false, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return true, fmt.Errorf("post webhook: %w", w.redact(ctx, err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerLimit)
	switch c := resp.StatusCode; {
	case 200 <= c && c < 300:
		return false, nil
	case 300 <= c && c < 400:
		return false, fmt.Errorf("post webhook: redirect refused, status %d", c)
	default:
		return c >= 500 || c == http.StatusTooManyRequests || c == http.StatusRequestTimeout, fmt.Errorf("post webhook: status %d", c)
	}
}

func (w *Webhook) request(ctx context.Context, id string, message any) (*http.Request, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(w.cfg.URL), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("make webhook request: bad url")
	}
	for k, v := range w.cfg.Header {
		req.Header.Set(k, string(v))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Tianhai")
	req.Header.Set("Webhook-Id", id)
	if len(w.key) > 0 {
		at := strconv.FormatInt(w.cfg.Now().Unix(), 10)
		req.Header.Set("Webhook-Timestamp", at)
		req.Header.Set("Webhook-Signature", "v1,"+sign(w.key, id, at, body))
	}
	return req, nil
}

// sign returns the base64 of HMAC-SHA256 over "{id}.{timestamp}.{body}"; the
// timestamp is in Unix seconds.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// redact takes the URL out of a client's error, and says which limit was met.
func (w *Webhook) redact(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("host not found: %s", e.Err)
	}
	if strings.Contains(err.Error(), string(w.cfg.URL)) {
		return errors.New("the request failed")
	}
	return err
}
