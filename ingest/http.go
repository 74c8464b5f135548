package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
)

// Limits of one HTTP request, beside MaxPayload for each frame.
const (
	MaxHTTPBody   = 8 << 20 // bytes, unpacked
	MaxHTTPFrames = 10_000  // lines of a batch
	httpRetry     = 5       // seconds that a sender is asked to wait
)

// An Authenticator says whether a device is who it says. It answers false for an
// unknown device.
type Authenticator interface {
	Authenticate(ctx context.Context, device string, secret []byte) bool
}

// HTTP takes frames by POST from devices that have no MQTT. The device's name
// and secret are the Basic credentials. The body is one payload, in the format
// of the device's model or of its Content-Type; with application/x-ndjson every
// line is a payload. Content-Encoding may be gzip.
//
// 204 goes out only after every frame of the request is kept. Anything else says
// in "kept" how many were; sending all of them again is harmless. 503 asks to
// try again after Retry-After.
type HTTP struct {
	Intake *Intake
	Door   *Door
	Logger *slog.Logger // nil discards
}

// ServeHTTP answers one request.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "method_not_allowed", "send frames by POST", 0)
		return
	}
	device, secret, ok := r.BasicAuth()
	err := ErrDenied
	if ok && len(device) <= MaxDevice {
		err = h.Door.Admit(r.Context(), device, r.RemoteAddr, []byte(secret))
	}
	switch {
	case errors.Is(err, ErrGuesses):
		w.Header().Set("Retry-After", strconv.Itoa(int(forgiveDevice.Seconds())))
		answer(w, http.StatusTooManyRequests, "too_many", "too many wrong secrets came before", 0)
		return
	case err != nil:
		w.Header().Set("WWW-Authenticate", `Basic realm="device", charset="UTF-8"`)
		answer(w, http.StatusUnauthorized, "unauthenticated", "the device's name and secret are wanted as Basic credentials", 0)
		return
	}
	body, err := unpack(w, r)
	if err != nil {
		refuse(w, err, 0)
		return
	}
	contentType, lines := frameType(r.Header.Get("Content-Type"))
	payloads := [][]byte{body}
	if lines {
		if payloads, err = splitLines(body); err != nil {
			refuse(w, err, 0)
			return
		}
	}
	h.Intake.Metrics.Received(len(payloads))
	for kept, payload := range payloads {
		if err := h.Intake.Accept(r.Context(), device, Topic(device, TopicUp), contentType, payload); err != nil {
			if h.Logger != nil {
				h.Logger.WarnContext(r.Context(), "frame by HTTP not taken", "device", device, "error", err)
			}
			if errors.Is(err, ErrRefused) {
				h.Intake.Metrics.Rejected(1)
			}
			refuse(w, err, kept)
			return
		}
	}
	h.Intake.Metrics.Acknowledged(len(payloads))
	w.WriteHeader(http.StatusNoContent)
}

// A bodyError says what is wrong with a request's body.
type bodyError struct {
	status int
	code   string
	reason string
}

func (e *bodyError) Error() string { return e.reason }

func unpack(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw := http.MaxBytesReader(w, r.Body, MaxHTTPBody)
	var from io.Reader = raw
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, &bodyError{http.StatusBadRequest, "bad_gzip", "the body is not gzip"}
		}
		from = z
	default:
		return nil, &bodyError{http.StatusUnsupportedMediaType, "unsupported_encoding", "Content-Encoding is neither gzip nor identity"}
	}
	body, err := io.ReadAll(io.LimitReader(from, MaxHTTPBody+1))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) || len(body) > MaxHTTPBody {
		return nil, &bodyError{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("more than %d bytes", MaxHTTPBody)}
	}
	if err != nil {
		return nil, &bodyError{http.StatusBadRequest, "bad_body", "the body ends too early or is damaged"}
	}
	return body, nil
}

// frameType returns the content type that counts for the frames, "" where the
// header says nothing about them, and whether the body holds one frame a line.
func frameType(header string) (contentType string, lines bool) {
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", false
	}
	switch media {
	case "application/x-ndjson":
		return "", true
	case "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain":
		return "", false // what programs send when nobody chose
	}
	return mime.FormatMediaType(media, params), false
}

func splitLines(body []byte) ([][]byte, error) {
	var lines [][]byte
	s := bufio.NewScanner(bytes.NewReader(body))
	s.Buffer(make([]byte, 0, 64<<10), MaxPayload+2)
	for s.Scan() {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		if len(lines) == MaxHTTPFrames {
			return nil, &bodyError{http.StatusRequestEntityTooLarge, "too_many", fmt.Sprintf("more than %d lines", MaxHTTPFrames)}
		}
		lines = append(lines, bytes.Clone(line))
	}
	if s.Err() != nil {
		return nil, &bodyError{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("line %d is longer than %d bytes", len(lines)+1, MaxPayload)}
	}
	return lines, nil
}

func refuse(w http.ResponseWriter, err error, kept int) {
	var bad *bodyError
	switch {
	case errors.As(err, &bad):
		answer(w, bad.status, bad.code, bad.reason, kept)
	case errors.Is(err, ErrRefused):
		answer(w, http.StatusBadRequest, "refused", fmt.Sprintf("frame %d is empty or larger than %d bytes", kept+1, MaxPayload), kept)
	default:
		w.Header().Set("Retry-After", strconv.Itoa(httpRetry))
		answer(w, http.StatusServiceUnavailable, "busy", "not taken; send again", kept)
	}
}

// answer writes a problem, RFC 9457.
func answer(w http.ResponseWriter, status int, code, detail string, kept int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // a sender who is gone sends again
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail, "kept": kept,
	})
}
