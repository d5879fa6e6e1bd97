package scenarios

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// The lowest count that GnuPG takes at its word; it stretches a passphrase but little.
var quickly = []string{"--s2k-count", "1088"}

// gpgSeal seals a file with GnuPG for the passphrase.
func (s *stage) gpgSeal(t *testing.T, file string, args ...string) string {
	t.Helper()
	to := output(t)
	base := []string{"--homedir", gnupgHome(t), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-file", s.pass, "--output", to}
	args = append(append(append(base, quickly...), args...), "--symmetric", file)
	out, err := exec.CommandContext(t.Context(), "gpg", args...).CombinedOutput()
	assert.NilError(t, err, string(out))
	return to
}

// gzipped packs a file with gzip.
func gzipped(t *testing.T, file string) string {
	t.Helper()
	to := output(t)
	out, err := exec.CommandContext(t.Context(), "bash", "-c", `gzip -1 < "$1" > "$2"`, "gzip", file, to).CombinedOutput()
	assert.NilError(t, err, string(out))
	return to
}

func (a *archives) vendorForms(t *testing.T) {
	seal := func(file string, args ...string) string { return a.gpgSeal(t, file, args...) }
	const openpgp, gzip = "openpgp", "gzip"
	for _, c := range []struct {
		name, file string
		era        string
		wrapped    []string
	}{
		{"plain", a.online, eraOnline, []string{}},
		{"AES-256", seal(a.online, "--cipher-algo", "AES256", "--compress-algo", "none"), eraOnline, []string{openpgp}},
		{"AES-128, zip", seal(a.online, "--cipher-algo", "AES128", "--compress-algo", "zip"), eraOnline, []string{openpgp}},
		{"CAST5, zlib", seal(a.online, "--cipher-algo", "CAST5", "--compress-algo", "zlib"), eraOnline, []string{openpgp}},
		{"3DES, bzip2", seal(a.online, "--cipher-algo", "3DES", "--compress-algo", "bzip2"), eraOnline, []string{openpgp}},
		{"armored", seal(a.online, "--armor"), eraOnline, []string{openpgp}},
		{"gzip around plain", gzipped(t, a.online), eraOnline, []string{gzip}},
		{"gzip around sealed", gzipped(t, seal(a.online, "--compress-algo", "none")), eraOnline, []string{gzip, openpgp}},
		{"sealed around gzip", seal(gzipped(t, a.online)), eraOnline, []string{openpgp, gzip}},
		{"up to 3.1, plain", a.stopped, eraStopped, []string{}},
		{"up to 3.1, AES-256", seal(a.stopped, "--cipher-algo", "AES256", "--compress-algo", "none"), eraStopped, []string{openpgp}},
		{"up to 3.1, zlib", seal(a.stopped, "--cipher-algo", "AES128", "--compress-algo", "zlib"), eraStopped, []string{openpgp}},
		{"up to 3.1, gzip around plain", gzipped(t, a.stopped), eraStopped, []string{gzip}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, done := a.unlocked(t, c.file)
			good(t, v, done, c.era)
			assert.DeepEqual(t, v.Wrapped, c.wrapped)
			mentions(t, strings.Join(v.findings("note"), "\n"), "no checksums")
			if c.era == eraOnline {
				assert.Equal(t, v.Entries, int64(27))
				assert.Equal(t, v.Version, "3.4.5")
			}
		})
	}
	t.Run("without modification detection", func(t *testing.T) {
		v, done := a.unlocked(t, seal(a.online, "--rfc2440", "--cipher-algo", "CAST5", "--compress-algo", "none"))
		bad(t, v, done, "no modification detection", "--ignore-mdc-error")
		assert.Equal(t, v.Era, eraOnline)
	})
}

// endsSoon puts a server certificate into an archive whose last day is near, issued by the CA that is there.
func (a *archives) endsSoon(t *testing.T) {
	const server, ca = "./ucp-controller-server-certs/", "./ucp-client-root-ca/"
	pair := issue(t, a.content(t, a.online, ca+"cert.pem"), a.content(t, a.online, ca+"key.pem"), 10*24*time.Hour)
	replaced := a.rewrite(t, a.online, func(h *tar.Header, content []byte) ([]byte, bool) {
		if replacement, found := pair[strings.TrimPrefix(h.Name, server)]; found && strings.HasPrefix(h.Name, server) {
			return replacement, true
		}
		return content, true
	})
	v, done := a.verify(t, replaced)
	assert.Equal(t, done.code, 0, done.stderr)
	assert.Equal(t, v.Verdict, "warnings")
	mentions(t, strings.Join(v.findings("warning"), "\n"), server+"cert.pem")
}

// issue makes the files of a server certificate that is good for so long.
func issue(t *testing.T, caCert, caKey []byte, lifetime time.Duration) map[string][]byte {
	t.Helper()
	certBlock, _ := pem.Decode(caCert)
	parent, err := x509.ParseCertificate(certBlock.Bytes)
	assert.NilError(t, err)
	keyBlock, _ := pem.Decode(caKey)
	signer, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	assert.NilError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	assert.NilError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "ends soon"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	assert.NilError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	assert.NilError(t, err)
	return map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}
}

func (a *archives) noBackup(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/letter.txt", "dear diary")
	letters := output(t)
	out, err := exec.CommandContext(t.Context(), "tar", "--create", "--file", letters, "--directory", dir, "./letter.txt").CombinedOutput()
	assert.NilError(t, err, string(out))
	v, done := a.verify(t, letters)
	bad(t, v, done)
	assert.Equal(t, v.Era, eraNone)
	assert.Equal(t, v.level(t, "tar").Verdict, sound)
	mentions(t, done.stderr, "no backup of UCP")

	noise := make([]byte, 100_000)
	_, err = rand.Read(noise)
	assert.NilError(t, err)
	for name, content := range map[string][]byte{
		"nothing": nil, "text": []byte("dear diary\n"), "noise": noise, "zeros": make([]byte, 100_000),
		"half a block": []byte(strings.Repeat("x", 256)), "a web page": bytes.Repeat([]byte("<p>404 not found</p>\n"), 100),
	} {
		t.Run(name, func(t *testing.T) {
			file := output(t)
			assert.NilError(t, os.WriteFile(file, content, 0o600))
			v, done := a.verify(t, file)
			assert.Equal(t, done.code, 3, done.stderr)
			assert.Equal(t, v.Verdict, unsound)
		})
	}
	t.Run("a folder", func(t *testing.T) {
		_, done := a.verify(t, dir)
		assert.Equal(t, done.code, 1, done.stderr)
		mentions(t, done.stderr, "folder")
	})
	t.Run("a file that is not there", func(t *testing.T) {
		_, done := a.verify(t, "/nowhere/ucp.tar")
		assert.Equal(t, done.code, 1, done.stderr)
		mentions(t, done.stderr, "/nowhere/ucp.tar", "no such file")
	})
}
