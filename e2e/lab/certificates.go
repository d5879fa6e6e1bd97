package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// TLS returns the engine's address and the folder with ca.pem, cert.pem and key.pem of a client that it admits.
func (n *Node) TLS() (host, certDir string) {
	return "tcp://" + n.reach(tlsPort), filepath.Join(n.lab.Dir, "tls")
}

func (n *Node) serverFile(name string) string { return filepath.Join(n.Dir, "tls", name) }

// authority signs the lab's certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// makeCertificates makes one authority, a client's certificate and one for every engine.
func (l *Lab) makeCertificates() error {
	ca, err := newAuthority("lab " + l.state.ID)
	if err != nil {
		return err
	}
	client := x509.Certificate{
		Subject:     pkix.Name{CommonName: "admin"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if err := ca.issue(filepath.Join(l.Dir, "tls"), client); err != nil {
		return err
	}
	for _, node := range l.Nodes {
		server := x509.Certificate{
			Subject:     pkix.Name{CommonName: node.Name},
			DNSNames:    []string{node.Name, "localhost"},
			IPAddresses: []net.IP{net.ParseIP(node.Address), net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if err := ca.issue(filepath.Join(node.Dir, "tls"), server); err != nil {
			return err
		}
	}
	return nil
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := dated(x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key, encode("CERTIFICATE", der)}, err
}

// issue writes a certificate, its key and the authority's own certificate into a folder.
func (a *authority) issue(dir string, wanted x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	wanted.KeyUsage = x509.KeyUsageDigitalSignature
	template, err := dated(wanted)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "ca.pem"), a.pem, 0o644),
		os.WriteFile(filepath.Join(dir, "cert.pem"), encode("CERTIFICATE", der), 0o644),
		os.WriteFile(filepath.Join(dir, "key.pem"), encode("EC PRIVATE KEY", secret), 0o600),
	)
}

// dated gives a certificate a number and the length of a long test run, begun an hour ago for clocks that differ.
func dated(c x509.Certificate) (*x509.Certificate, error) {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = number
	c.NotBefore = time.Now().Add(-time.Hour)
	c.NotAfter = time.Now().AddDate(0, 1, 0)
	return &c, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
