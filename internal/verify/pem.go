package verify

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The bounds of what is computed with: as crypto/tls takes no longer RSA keys, and a key file holds no more than a key of
// that length. Longer ones, which a stranger can make up, cost minutes.
const (
	maxRSABits = 8192
	maxKeyFile = 16 << 10
)

// errOddCertificate is a certificate that others read and the standard library refuses.
var errOddCertificate = errors.New("its serial number is negative, which is not read here: neither its key nor its chain is looked at")

// decodePEM returns the blocks of a file, and an error unless every block that begins in it is whole.
func decodePEM(content []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	begun := bytes.Count(content, []byte("\n-----BEGIN "))
	if bytes.HasPrefix(content, []byte("-----BEGIN ")) {
		begun++
	}
	switch {
	case len(content) == 0:
		return nil, errors.New("is empty")
	case begun == 0 && content[0] == 0x30: // an ASN.1 sequence, which certificates and keys are
		return nil, errors.New("is no PEM file; it looks like DER, the same in binary")
	case begun == 0:
		return nil, errors.New("is no PEM file")
	case len(blocks) == 0 && begun == 1:
		return nil, errors.New("its PEM block is damaged, or breaks off")
	case len(blocks) < begun:
		return nil, fmt.Errorf("%d of its %d PEM blocks are damaged, or break off", begun-len(blocks), begun)
	}
	return blocks, nil
}

// wipe overwrites what was decoded.
func wipe(blocks []*pem.Block) {
	for _, block := range blocks {
		clear(block.Bytes)
	}
}

// readCertificates returns the certificates of a PEM file. When only errOddCertificate is wrong, those that could be read
// are returned beside it.
func readCertificates(content []byte) ([]*x509.Certificate, error) {
	blocks, err := decodePEM(content)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	var odd error
	for n, block := range blocks {
		if block.Type != "CERTIFICATE" {
			wipe(blocks) // it may be a key
			return nil, fmt.Errorf("holds a PEM block %q where a CERTIFICATE is expected", printable(block.Type, 40))
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil && strings.Contains(err.Error(), "negative serial number"):
			odd = errOddCertificate
		case err != nil:
			return nil, fmt.Errorf("certificate %d of %d cannot be read: %s", n+1, len(blocks), printable(err.Error(), 200))
		default:
			found = append(found, certificate)
		}
	}
	return found, odd
}

// readKey returns the public half of the one private key of a PEM file. No error of it quotes what is in the file but the
// type of a block.
func readKey(content []byte) (crypto.PublicKey, error) {
	if len(content) > maxKeyFile {
		return nil, fmt.Errorf("has %d bytes; no private key is as long", len(content))
	}
	blocks, err := decodePEM(content)
	if err != nil {
		return nil, err
	}
	defer wipe(blocks)
	var public crypto.PublicKey
	for _, block := range blocks {
		switch {
		case block.Type == "EC PARAMETERS": // openssl ecparam -genkey puts them first; the key names its curve itself
			continue
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("its private key is encrypted, and UCP has no passphrase for it")
		case block.Type != "PRIVATE KEY" && block.Type != "RSA PRIVATE KEY" && block.Type != "EC PRIVATE KEY":
			return nil, fmt.Errorf("holds a PEM block %q where a private key is expected", printable(block.Type, 40))
		case public != nil:
			return nil, errors.New("holds more than one private key")
		}
		if public = publicHalf(block.Bytes); public == nil {
			return nil, errors.New("its private key cannot be read as PKCS #8, PKCS #1 or SEC 1")
		}
	}
	if public == nil {
		return nil, errors.New("holds no private key")
	}
	return public, nil
}

// publicHalf goes by the content and not by the name of the block, as crypto/tls does: tools mix the names up.
func publicHalf(der []byte) crypto.PublicKey {
	var private any
	var err error
	if private, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if private, err = x509.ParsePKCS1PrivateKey(der); err != nil {
			if private, err = x509.ParseECPrivateKey(der); err != nil {
				return nil
			}
		}
	}
	if key, ok := private.(crypto.Signer); ok {
		return key.Public()
	}
	return nil
}

// belongs tells whether a certificate is about this public key.
func belongs(public crypto.PublicKey, certificate *x509.Certificate) bool {
	key, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(certificate.PublicKey)
}

// rsaBits is the length of an RSA key, and zero for every other.
func rsaBits(public crypto.PublicKey) int {
	if key, ok := public.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}
