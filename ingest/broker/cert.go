package broker

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
)

// DeviceURN begins the URI, among a certificate's alternative names, that names a
// device.
const DeviceURN = "urn:tianhai:device:"

// certificate returns the one that the client showed, nil where there is none. TLS
// has verified it.
func certificate(conn net.Conn) *x509.Certificate {
	if l, ok := conn.(*line); ok {
		conn = l.Conn
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	shown := secure.ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return nil
	}
	return shown[0]
}

// certDevice returns the device that a certificate names: by the URI
// urn:tianhai:device:{device}, or else by its common name.
func certDevice(cert *x509.Certificate) string {
	for _, uri := range cert.URIs {
		if device, ok := strings.CutPrefix(uri.String(), DeviceURN); ok {
			return device
		}
	}
	return cert.Subject.CommonName
}
