package verify

import (
	"archive/tar"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// today is the day on which the made-up archives are verified.
func today() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (p pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

func (p pair) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	assert.NilError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// made makes a certificate that by, or else itself, has signed. The key is of EC unless another is given.
func made(t testing.TB, name string, by *pair, key crypto.Signer, changes ...func(*x509.Certificate)) pair {
	t.Helper()
	if key == nil {
		var err error
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		assert.NilError(t, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(today().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: today().AddDate(-1, 0, 0), NotAfter: today().AddDate(1, 0, 0), BasicConstraintsValid: true,
	}
	if by == nil {
		asCA(template)
	}
	for _, change := range changes {
		change(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	assert.NilError(t, err)
	cert, err := x509.ParseCertificate(der)
	assert.NilError(t, err)
	return pair{cert, key}
}

func asCA(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

// validUntil and validFrom count days from today.
func validUntil(days int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotAfter = today().Add(time.Duration(days) * 24 * time.Hour) }
}

func validFrom(days int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore = today().Add(time.Duration(days) * 24 * time.Hour) }
}

// entries are an archive's files by place; a place that ends in "/" is a folder.
type entries map[string][]byte

// set is a whole set of certificate volumes as UCP makes them, and what signed them.
type set struct {
	entries
	t               testing.TB
	cluster, client pair
}

func newSet(t testing.TB) *set {
	t.Helper()
	s := &set{entries: entries{}, t: t, cluster: made(t, "UCP Cluster Root CA", nil, nil), client: made(t, "UCP Client Root CA", nil, nil)}
	s.put(clusterRoot, s.cluster)
	s.put(clientRoot, s.client)
	for _, volume := range certificateVolumes()[2:] {
		by := &s.cluster
		if volume == serverCerts {
			by = &s.client
		}
		s.put(volume, made(t, volume, by, nil))
		s.entries[volume+"/ca.pem"] = by.certPEM()
	}
	s.entries[serverCerts+"/client_ca.pem"] = nil
	return s
}

// put lays a certificate and its key into a volume.
func (s *set) put(volume string, p pair) {
	s.t.Helper()
	s.entries[volume+"/cert.pem"], s.entries[volume+"/key.pem"] = p.certPEM(), p.keyPEM(s.t)
}

// feed shows entries to a watcher as a pass does, contents in pieces of some bytes.
func feed(t testing.TB, watch func(*tar.Header) io.WriteCloser, all entries, piece int) {
	t.Helper()
	for _, place := range slices.Sorted(maps.Keys(all)) {
		h := &tar.Header{Name: "./" + place, Typeflag: tar.TypeReg, Size: int64(len(all[place]))}
		if strings.HasSuffix(place, "/") {
			h.Typeflag = tar.TypeDir
		}
		pour(t, watch(h), all[place], piece)
	}
}

func pour(t testing.TB, w io.WriteCloser, content []byte, piece int) {
	t.Helper()
	if w == nil {
		return
	}
	for chunk := range slices.Chunk(content, piece) {
		n, err := w.Write(chunk)
		assert.NilError(t, err)
		assert.Equal(t, n, len(chunk))
	}
	assert.NilError(t, w.Close())
}

// assertFindings wants these findings and no others, each as "severity entry: part of its text".
func assertFindings(t testing.TB, l *level, want ...string) {
	t.Helper()
	var got []string
	for i, f := range l.findings {
		line := fmt.Sprintf("%s %s: %s", f.Severity, f.Entry, f.Text)
		if i < len(want) {
			head, text, _ := strings.Cut(want[i], ": ")
			if strings.HasPrefix(line, head+": ") && strings.Contains(f.Text, text) {
				line = want[i]
			}
		}
		got = append(got, line)
	}
	assert.DeepEqual(t, got, want)
	count := func(s Severity) (n int) {
		for _, f := range l.findings {
			if f.Severity == s {
				n++
			}
		}
		return n
	}
	assert.Equal(t, l.faults, count(Fault), "faults decide the verdict")
	assert.Equal(t, l.warnings, count(Warning))
}

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	assert.NilError(t, err)
	return key
}

func newEd25519(t testing.TB) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	assert.NilError(t, err)
	return key
}
