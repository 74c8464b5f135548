package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"tianhai/cmd/internal/store"
	"tianhai/ingest/broker"
)

// The files of an authority, in a directory of its own.
const (
	caCertFile = "ca.pem"
	caKeyFile  = "ca.key"
)

const caDays = 3650

type deviceCACommand struct {
	Out string `required:"" help:"New directory for ca.pem, which mqtt.client_ca_file names, and ca.key, which belongs somewhere safe." placeholder:"DIR"`
}

// Run makes an authority that signs certificates of devices and nothing else.
func (c *deviceCACommand) Run() error {
	if err := os.Mkdir(c.Out, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Tianhai devices"}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(0, 0, caDays),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	raw, err := sign(cert, cert, key, key)
	if err != nil {
		return err
	}
	return errors.Join(writeKey(filepath.Join(c.Out, caKeyFile), key), writePEM(filepath.Join(c.Out, caCertFile), "CERTIFICATE", raw))
}

type deviceCertCommand struct {
	configFlags
	Device string `arg:"" help:"Name of the device."`
	CA     string `required:"" help:"Directory of the authority." placeholder:"DIR"`
	Out    string `required:"" help:"Where the new files go: OUT.pem and OUT.key." placeholder:"OUT"`
	Days   int    `default:"730" help:"How long the certificate is good."`
}

// Run makes a certificate for a registered device.
func (c *deviceCertCommand) Run(ctx context.Context) error {
	if c.Days < 1 || c.Days > caDays {
		return fmt.Errorf("--days: %d is not within 1 and %d", c.Days, caDays)
	}
	return c.withStore(ctx, func(db *store.Store) error {
		if _, err := db.Device(ctx, c.Device); err != nil {
			return err
		}
		ca, caKey, err := readCA(c.CA)
		if err != nil {
			return err
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		name, err := url.Parse(broker.DeviceURN + c.Device)
		if err != nil {
			return err
		}
		raw, err := sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: c.Device}, URIs: []*url.URL{name}, NotBefore: time.Now(), NotAfter: time.Now().AddDate(0, 0, c.Days),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, ca, key, caKey)
		if err != nil {
			return err
		}
		return errors.Join(writeKey(c.Out+".key", key), writePEM(c.Out+".pem", "CERTIFICATE", raw))
	})
}

func sign(cert, ca *x509.Certificate, key, caKey *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	cert.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
}

func readCA(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	raw, err := readPEM(filepath.Join(dir, caCertFile))
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", caCertFile, err)
	}
	if raw, err = readPEM(filepath.Join(dir, caKeyFile)); err != nil {
		return nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", caKeyFile, err)
	}
	return cert, key, nil
}

func readPEM(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s is not in PEM form", file)
	}
	return block.Bytes, nil
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "EC PRIVATE KEY", raw)
}

func writePEM(file, kind string, raw []byte) error {
	out, err := newFile(file)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(out, &pem.Block{Type: kind, Bytes: raw}), out.Sync(), out.Close())
}
