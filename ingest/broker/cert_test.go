package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"tianhai/ingest/broker"
)

// An authority signs certificates of devices.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var der []byte
	a.key, der = a.sign(a.cert)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) sign(c *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, der
}

// issue makes a certificate with a common name and a URI, each where it is not
// empty, that was good until a time.
func (a authority) issue(name, uri string, until time.Time) tls.Certificate {
	a.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			a.t.Fatal(err)
		}
		c.URIs = []*url.URL{u}
	}
	key, der := a.sign(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// certs says yes to certificates of the devices in it that are younger.
type certs map[string]time.Time

func (c certs) AuthenticateCert(_ context.Context, device string, issued time.Time) bool {
	after, known := c[device]
	return known && issued.After(after)
}

// A certificate lets in the device that it names, and nobody else.
func TestClientCertificates(t *testing.T) {
	var log syncBuffer
	server, pool := selfSigned(t)
	ours, theirs := newAuthority(t), newAuthority(t)
	now := time.Now()
	y := newFarmyard()
	listen := func(ask tls.ClientAuthType) *broker.Broker {
		return open(t, y, broker.Options{
			TLSAddr: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: ours.pool(), ClientAuth: ask},
			Certs: certs{"a": {}, "b": {}, "revoked": now}, Logger: newLog(&log),
		})
	}
	optional, required := listen(tls.VerifyClientCertIfGiven), listen(tls.RequireAndVerifyClientCert)
	good := now.Add(time.Hour)
	tests := map[string]struct {
		cert               *tls.Certificate
		id, user, password string
		optional, required bool
	}{
		"its own":                      {ptr(ours.issue("a", "", good)), "a", "a", "", true, true},
		"its own, no user name":        {ptr(ours.issue("a", "", good)), "a", "", "", true, true},
		"by its URI":                   {ptr(ours.issue("sensor 17", "urn:tianhai:device:a", good)), "a", "a", "", true, true},
		"URI before common name":       {ptr(ours.issue("a", "urn:tianhai:device:b", good)), "a", "a", "", false, false},
		"a URI of another kind":        {ptr(ours.issue("a", "https://example.cn/b", good)), "a", "a", "", true, true},
		"somebody else's":              {ptr(ours.issue("b", "", good)), "a", "a", "", false, false},
		"somebody else's, with secret": {ptr(ours.issue("b", "", good)), "a", "a", secretOf("a"), false, false},
		"another's client id":          {ptr(ours.issue("a", "", good)), "b", "a", "", false, false},
		"expired":                      {ptr(ours.issue("a", "", now.Add(-time.Minute))), "a", "a", "", false, false},
		"expired, with secret":         {ptr(ours.issue("a", "", now.Add(-time.Minute))), "a", "a", secretOf("a"), false, false},
		"of another authority":         {ptr(theirs.issue("a", "", good)), "a", "a", "", false, false},
		"revoked":                      {ptr(ours.issue("revoked", "", good)), "revoked", "revoked", "", false, false},
		"of an unknown device":         {ptr(ours.issue("nobody", "", good)), "nobody", "nobody", "", false, false},
		"of a name with a wildcard":    {ptr(ours.issue("+", "", good)), "+", "+", "", false, false},
		"none, and the secret":         {nil, "a", "a", secretOf("a"), true, false},
		"none, and no secret":          {nil, "a", "a", "", false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for b, want := range map[*broker.Broker]bool{optional: tt.optional, required: tt.required} {
				secure := &tls.Config{RootCAs: pool, ServerName: "localhost"}
				if tt.cert != nil {
					// Whatever the server says about authorities, this one is sent.
					secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }
				}
				opt := paho.NewClientOptions().AddBroker("ssl://" + b.TLSAddr().String()).SetClientID(tt.id).SetUsername(tt.user).SetPassword(tt.password).
					SetTLSConfig(secure).SetConnectTimeout(10 * time.Second).SetAutoReconnect(false)
				c, err := connect(t, opt)
				if got := err == nil; got != want {
					t.Errorf("required %t: let in %t, want %t (%v)", b == required, got, want, err)
				}
				if err == nil {
					if err := wait(t, c.Publish("th/"+tt.id+"/up", 1, false, "{}")); err != nil {
						t.Errorf("publish: %v", err)
					}
				}
			}
		})
	}
	for _, says := range []string{"certificate has expired", "unknown authority", "certificate is another device's", "certificate was revoked", "didn't provide a certificate"} {
		if !strings.Contains(log.String(), says) {
			t.Errorf("the log does not say %q", says)
		}
	}
}

func ptr[T any](v T) *T { return &v }
