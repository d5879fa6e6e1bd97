// Package pki makes the certificates of a stand-in UCP and tells whether a folder of them is as it was made: files,
// owners, modes, chain, and key.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a root CA with its key.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Pair is a certificate and its key, as PEM.
type Pair struct{ Cert, Key, Public []byte }

// NewAuthority makes an EC P-256 root, as UCP does.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(20, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return &Authority{Cert: cert, Key: key}, nil
}

// PEM is the authority's own certificate and key.
func (a *Authority) PEM() (Pair, error) { return encode(a.Cert, a.Key) }

// Leaf describes a certificate to issue.
type Leaf struct {
	Name  string   // common name
	Unit  string   // organizational unit
	Hosts []string // addresses and names it serves; none for a client
	RSA   bool     // RSA 3072, as UCP's web server has, instead of EC P-256
}

// Issue makes a key and a certificate for it that serves as a client's, and as a server's for its hosts.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	key, err := newKey(leaf.RSA)
	if err != nil {
		return Pair{}, fmt.Errorf("make key of %s: %w", leaf.Name, err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: leaf.Name, OrganizationalUnit: []string{leaf.Unit}},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().AddDate(1, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, host := range leaf.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if len(leaf.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	cert, err := sign(template, a.Cert, key.Public(), a.Key)
	if err != nil {
		return Pair{}, fmt.Errorf("issue certificate of %s: %w", leaf.Name, err)
	}
	return encode(cert, key)
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func encode(cert *x509.Certificate, key crypto.Signer) (Pair, error) {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Pair{}, err
	}
	block, err := keyBlock(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Cert:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		Key:    pem.EncodeToMemory(block),
		Public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}, nil
}

func keyBlock(key crypto.Signer) (*pem.Block, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, err
	default:
		return nil, fmt.Errorf("key of type %T has no PEM form here", key)
	}
}
