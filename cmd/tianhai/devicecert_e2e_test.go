package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// oneSonde is oneFarm with a device.
const oneSonde = oneFarm + "devices: [{id: sonde, tenant: oysters, model: station, name: {zh: 探头}, site: raft-1}]\n"

// importSonde makes the farm and returns the device's secret and the farmer's password.
func importSonde(t *testing.T, dir, data string) (secret, password string) {
	t.Helper()
	file, creds := filepath.Join(dir, "farm.yaml"), filepath.Join(dir, "creds.csv")
	if err := os.WriteFile(file, []byte(oneSonde), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runTianhai(t, "import", file, "--data", data, "--credentials", creds)
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(creds)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "li" {
			password = f[1]
		}
	}
	return strings.Split(strings.Split(string(raw), "\n")[1], ",")[1], password
}

// serverCert writes a certificate of a server on this machine.
func serverCert(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, pool = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), x509.NewCertPool()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(cert)
	for file, raw := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: rawKey})} {
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, pool
}

// A certificate that the shell made lets its device in without a secret, until it is
// revoked; one that is made afterwards lets it in again.
func TestDeviceCertificate(t *testing.T) {
	dir := t.TempDir()
	data, ca := filepath.Join(dir, "data"), filepath.Join(dir, "ca")
	importSonde(t, dir, data)
	run := func(args ...string) {
		t.Helper()
		if out, err := runTianhai(t, args...); err != nil {
			t.Fatalf("tianhai %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("device", "ca", "--out", ca)
	certFile, keyFile, pool := serverCert(t, dir)
	config := filepath.Join(dir, "tianhai.yaml")
	yaml := fmt.Sprintf("mqtt: {tls_addr: '127.0.0.1:0', cert_file: %s, key_file: %s, client_ca_file: %s/ca.pem, client_cert: required}\n", certFile, keyFile, ca)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "serve", data, "--config", config)
	var addrs struct{ MQTTS string }
	raw, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err == nil {
		err = json.Unmarshal(raw, &addrs)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	issue := func() tls.Certificate {
		t.Helper()
		n++
		out := filepath.Join(dir, fmt.Sprint("sonde-", n))
		run("device", "cert", "sonde", "--ca", ca, "--out", out, "--data", data)
		cert, err := tls.LoadX509KeyPair(out+".pem", out+".key")
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	connect := func(certs ...tls.Certificate) paho.Client {
		t.Helper()
		c := paho.NewClient(paho.NewClientOptions().AddBroker(addrs.MQTTS).SetClientID("sonde").SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).
			SetTLSConfig(&tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: certs}))
		tok := c.Connect()
		if !tok.WaitTimeout(20 * time.Second) {
			t.Fatal("the server does not answer")
		}
		if tok.Error() != nil {
			return nil
		}
		t.Cleanup(func() { c.Disconnect(0) })
		return c
	}
	if connect() != nil {
		t.Error("let in without a certificate")
	}
	first := issue()
	c := connect(first)
	if c == nil {
		t.Fatal("not let in by its certificate")
	}
	run("device", "revoke", "sonde", "--data", data)
	waitFor(t, "the device to be cut off", 20*time.Second, func() bool { return !c.IsConnectionOpen() })
	if connect(first) != nil {
		t.Error("let in by a revoked certificate")
	}
	waitFor(t, "a new certificate to be good", 20*time.Second, func() bool { return connect(issue()) != nil })
	run("device", "suspend", "sonde", "--data", data)
	if connect(issue()) != nil {
		t.Error("let in while suspended")
	}
	if strings.Contains(s.log.String(), "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
}

// A device that only posts is online since it was heard, and when that was survives
// a restart.
func TestDeviceWithoutSession(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	secret, password := importSonde(t, dir, data)
	s := startServer(t, "serve", data)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.HTTP+"/api/v1/ingest", strings.NewReader(`{"t":21.5}`))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("sonde", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	var d struct {
		Online bool
		Seen   time.Time
		State  string
	}
	li := newBrowser(t, s.HTTP)
	li.login("li", password)
	waitFor(t, "it to be online", time.Minute, func() bool { li.getJSON("/api/v1/devices/sonde", &d); return d.Online && d.State == "active" })
	if err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, "serve", data)
	li = newBrowser(t, s.HTTP)
	li.login("li", password)
	li.getJSON("/api/v1/devices/sonde", &d)
	if time.Since(d.Seen) > 10*time.Minute {
		t.Errorf("after a restart it was seen last at %s", d.Seen)
	}
}
