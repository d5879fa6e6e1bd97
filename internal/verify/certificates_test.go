package verify

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

// judged is what the certificates of a set come to.
func judged(t testing.TB, all entries, era Era) (*level, []Certificate) {
	t.Helper()
	c, l := newCertificates(), &level{}
	feed(t, c.watch, all, 100)
	return l, c.judge(l, era, today())
}

func TestWhatUCPMakesIsSound(t *testing.T) {
	for _, era := range []Era{EraOurs, EraStopped} {
		l, found := judged(t, newSet(t).entries, era)
		assertFindings(t, l)
		assert.Equal(t, len(found), 2+7*2, "two roots; of seven volumes ca.pem and cert.pem")
	}
	s := newSet(t)
	for place := range s.entries {
		if volume, _, _ := strings.Cut(place, "/"); !slices.Contains([]string{clusterRoot, clientRoot, serverCerts}, volume) {
			delete(s.entries, place)
		}
	}
	l, found := judged(t, s.entries, EraOnline)
	assertFindings(t, l)
	assert.DeepEqual(t, found[0], Certificate{
		Entry: "./ucp-cluster-root-ca/cert.pem", Subject: "CN=UCP Cluster Root CA", Issuer: "CN=UCP Cluster Root CA",
		NotAfter: today().AddDate(1, 0, 0), CA: true,
	})
}

func TestEveryKindOfKeyIsRead(t *testing.T) {
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	long := newRSA(t, 2048)
	tests := map[string]func(s *set){
		"RSA in PKCS #8": func(s *set) { s.put("ucp-kv-certs", made(t, "kv", &s.cluster, long)) },
		"Ed25519":        func(s *set) { s.put("ucp-kv-certs", made(t, "kv", &s.cluster, newEd25519(t))) },
		"RSA in PKCS #1": func(s *set) {
			s.put("ucp-kv-certs", made(t, "kv", &s.cluster, long))
			s.entries["ucp-kv-certs/key.pem"] = encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(long))
		},
		"EC in SEC 1, with its parameters before it": func(s *set) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			assert.NilError(t, err)
			s.put("ucp-kv-certs", made(t, "kv", &s.cluster, key))
			der, err := x509.MarshalECPrivateKey(key)
			assert.NilError(t, err)
			s.entries["ucp-kv-certs/key.pem"] = append(encode("EC PARAMETERS", []byte{6, 1, 1}), encode("EC PRIVATE KEY", der)...)
		},
		"text before the block, and lines as on Windows": func(s *set) {
			key := slices.Concat([]byte("Bag Attributes\n"), s.entries["ucp-kv-certs/key.pem"], []byte("\n"))
			s.entries["ucp-kv-certs/key.pem"] = bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n"))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			change(s)
			l, _ := judged(t, s.entries, EraOurs)
			assertFindings(t, l)
		})
	}
}

func TestADamagedFileIsNamed(t *testing.T) {
	const key, cert, ca = "ucp-kv-certs/key.pem", "ucp-kv-certs/cert.pem", "ucp-kv-certs/ca.pem"
	tests := map[string]struct {
		change func(s *set)
		want   []string
	}{
		"a key is missing":         {func(s *set) { delete(s.entries, key) }, []string{"fault ./" + key + ": is missing"}},
		"a certificate is missing": {func(s *set) { delete(s.entries, cert) }, []string{"fault ./" + cert + ": is missing"}},
		"the CAs are missing":      {func(s *set) { delete(s.entries, ca) }, []string{"fault ./" + ca + ": is missing"}},
		"a root's key is missing":  {func(s *set) { delete(s.entries, clientRoot+"/key.pem") }, []string{"fault ./ucp-client-root-ca/key.pem: is missing"}},
		"a key is empty":           {func(s *set) { s.entries[key] = nil }, []string{"fault ./" + key + ": is empty"}},
		"a key breaks off":         {func(s *set) { s.entries[key] = s.entries[key][:150] }, []string{"fault ./" + key + ": its PEM block is damaged, or breaks off"}},
		"a key is in binary": {func(s *set) {
			block, _ := pem.Decode(s.entries[key])
			s.entries[key] = block.Bytes
		}, []string{"fault ./" + key + ": looks like DER"}},
		"a key is zeros": {func(s *set) { s.entries[key] = make([]byte, 227) }, []string{"fault ./" + key + ": is no PEM file"}},
		"a key is garbage in PEM": {func(s *set) {
			s.entries[key] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("garbage")})
		}, []string{"fault ./" + key + ": cannot be read as PKCS #8"}},
		"a key's file is that of a certificate": {func(s *set) { s.entries[key] = s.entries[cert] }, []string{`fault ./` + key + `: a PEM block "CERTIFICATE"`}},
		"a key is there twice":                  {func(s *set) { s.entries[key] = slices.Concat(s.entries[key], s.entries[key]) }, []string{"fault ./" + key + ": more than one"}},
		"a key is encrypted": {func(s *set) {
			s.entries[key] = pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
		}, []string{"fault ./" + key + ": is encrypted"}},
		"a key is another's":       {func(s *set) { s.entries[key] = s.entries["ucp-node-certs/key.pem"] }, []string{"fault ./" + key + ": does not belong to the certificate in cert.pem beside it (CN=ucp-kv-certs)"}},
		"a key is as long as none": {func(s *set) { s.entries[key] = bytes.Repeat([]byte("-----BEGIN A-----\n"), 1000) }, []string{"fault ./" + key + ": no private key is as long"}},
		"a certificate is a key":   {func(s *set) { s.entries[cert] = s.entries[key] }, []string{`fault ./` + cert + `: a PEM block "PRIVATE KEY"`}},
		"a certificate is garbage in PEM": {func(s *set) {
			s.entries[cert] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("garbage")})
		}, []string{"fault ./" + cert + ": certificate 1 of 1 cannot be read"}},
		"one block of a bundle is damaged": {func(s *set) {
			first := bytes.Replace(s.entries[ca], []byte("-----END"), []byte("----:END"), 1)
			s.entries[ca] = slices.Concat(first, s.client.certPEM())
		}, []string{"fault ./" + ca + ": 1 of its 2 PEM blocks are damaged"}},
		"a file is huge": {func(s *set) { s.entries[ca] = make([]byte, maxPEM+1) }, []string{"fault ./" + ca + ": has 262145 bytes"}},
		"a certificate has a negative serial number": {func(s *set) {
			p := made(s.t, "kv", &s.cluster, nil)
			p.cert.Raw[bytes.Index(p.cert.Raw, p.cert.SerialNumber.Bytes())] |= 0x80
			s.put("ucp-kv-certs", p)
		}, []string{"warning ./" + cert + ": its serial number is negative"}},
		"client_ca.pem is garbage": {func(s *set) { s.entries[serverCerts+"/client_ca.pem"] = []byte("x") }, []string{"fault ./ucp-controller-server-certs/client_ca.pem: is no PEM file"}},
		"a folder stands in for a key": {func(s *set) {
			delete(s.entries, key)
			s.entries[key+"/"] = nil
		}, []string{"fault ./" + key + "/: is no file"}},
		"another file is garbage": {func(s *set) { s.entries["ucp-kv-certs/old/x.pem"] = []byte("x") }, []string{"warning ./ucp-kv-certs/old/x.pem: UCP has no file of this name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			test.change(s)
			l, _ := judged(t, s.entries, EraOurs)
			assertFindings(t, l, test.want...)
		})
	}
}

func TestTheFileThatTheErasRuleAsksForIsLeftToTheRule(t *testing.T) {
	for era, place := range map[Era]string{EraOnline: "ucp-controller-server-certs/key.pem", EraStopped: "ucp-node-certs/key.pem"} {
		s := newSet(t)
		delete(s.entries, place)
		l, _ := judged(t, s.entries, era)
		assertFindings(t, l)
		l, _ = judged(t, s.entries, EraOurs)
		assertFindings(t, l, "fault ./"+place+": is missing")
	}
}

func TestALinkIsFollowedInsideTheVolumes(t *testing.T) {
	tests := map[string]struct {
		kind byte
		to   string
		want []string
	}{
		"a symlink":              {tar.TypeSymlink, "keys/real.pem", nil},
		"over a folder's link":   {tar.TypeSymlink, "now/real.pem", nil},
		"to a file of any name":  {tar.TypeSymlink, "keys/tls.key", nil},
		"a hard link":            {tar.TypeLink, "./ucp-kv-certs/keys/real.pem", nil},
		"out of the volume":      {tar.TypeSymlink, "/etc/ssl/key.pem", []string{"fault ./ucp-kv-certs/key.pem: is a link to /etc/ssl/key.pem, where this archive has no file"}},
		"to nothing":             {tar.TypeSymlink, "nowhere", []string{"fault ./ucp-kv-certs/key.pem: is a link to ucp-kv-certs/nowhere, where this archive has no file"}},
		"to nothing, a hard one": {tar.TypeLink, "./ucp-kv-certs/nowhere", []string{"fault ./ucp-kv-certs/key.pem: is a link to ucp-kv-certs/nowhere"}},
		"to a folder":            {tar.TypeSymlink, "keys.pem", []string{"fault ./ucp-kv-certs/key.pem: is no file"}},
		"to itself, in a circle": {tar.TypeSymlink, "key.pem", []string{"fault ./ucp-kv-certs/key.pem: where this archive has no file"}},
		"over folders in circle": {tar.TypeSymlink, "ring/x", []string{"fault ./ucp-kv-certs/key.pem: where this archive has no file"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, c, l := newSet(t), newCertificates(), &level{}
			s.entries["ucp-kv-certs/keys/real.pem"] = s.entries["ucp-kv-certs/key.pem"]
			s.entries["ucp-kv-certs/keys/tls.key"], s.entries["ucp-kv-certs/keys.pem/"] = s.entries["ucp-kv-certs/key.pem"], nil
			delete(s.entries, "ucp-kv-certs/key.pem")
			feed(t, c.watch, s.entries, 100)
			for from, to := range map[string]string{"now": "keys", "ring": "ring"} {
				assert.Assert(t, c.watch(&tar.Header{Name: "./ucp-kv-certs/" + from, Typeflag: tar.TypeSymlink, Linkname: to}) == nil)
			}
			assert.Assert(t, c.watch(&tar.Header{Name: "./ucp-kv-certs/key.pem", Typeflag: test.kind, Linkname: test.to}) == nil)
			c.judge(l, EraOurs, today())
			assertFindings(t, l, test.want...)
		})
	}
}

func TestADanglingRootIsAFaultAndSoIsEveryKey(t *testing.T) {
	for _, place := range []string{clusterRoot + "/cert.pem", clientRoot + "/key.pem", serverCerts + "/key.pem", "ucp-node-certs/key.pem"} {
		for _, era := range []Era{EraOurs, EraStopped, EraOnline} {
			s, c, l := newSet(t), newCertificates(), &level{}
			delete(s.entries, place)
			feed(t, c.watch, s.entries, 100)
			assert.Assert(t, c.watch(&tar.Header{Name: "./" + place, Typeflag: tar.TypeSymlink, Linkname: "nowhere"}) == nil)
			c.judge(l, era, today())
			if era == EraOnline && place == "ucp-node-certs/key.pem" {
				assertFindings(t, l, "warning ./"+place+": is a link to ")
				continue
			}
			assertFindings(t, l, "fault ./"+place+": is a link to ")
		}
	}
}

func TestAVolumeThatNoRestorePutsBackBringsNoFault(t *testing.T) {
	s := newSet(t)
	for place := range s.entries {
		if strings.HasPrefix(place, "ucp-kv-certs/") || strings.HasPrefix(place, "ucp-node-certs/") {
			delete(s.entries, place)
		}
	}
	s.entries["ucp-kv-certs/"], s.entries["ucp-node-certs/cert.pem"] = nil, []byte("x")
	l, _ := judged(t, s.entries, EraOnline)
	assertFindings(t, l, "warning ./ucp-node-certs/cert.pem: is no PEM file")
	l, _ = judged(t, s.entries, EraStopped)
	assert.Equal(t, l.faults, 5, "%v", l.findings)
	for _, place := range []string{"cert.pem", "key.pem"} {
		s := newSet(t)
		delete(s.entries, clusterRoot+"/"+place)
		l, _ := judged(t, s.entries, EraOnline)
		assertFindings(t, l, "fault ./"+clusterRoot+"/"+place+": is missing")
	}
}

func TestKeysAreOverwrittenOnceJudged(t *testing.T) {
	s, c := newSet(t), newCertificates()
	feed(t, c.watch, s.entries, 100)
	kept := c.files["ucp-kv-certs/key.pem"].content
	assert.Assert(t, bytes.Equal(kept, s.entries["ucp-kv-certs/key.pem"]))
	c.judge(&level{}, EraOurs, today())
	assert.Assert(t, bytes.Equal(kept, make([]byte, len(kept))))
	assert.Equal(t, len(c.files), 0)
}

func TestOnlyCertificateVolumesAreWatched(t *testing.T) {
	c := newCertificates()
	for _, name := range []string{"./ucp-kv/cert.pem", "./cert.pem", "./ucp-kv-certs", "./x/ucp-kv-certs/cert.pem"} {
		assert.Assert(t, c.watch(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1}) == nil, name)
	}
	assert.Assert(t, c.watch(&tar.Header{Name: "ucp-kv-certs/cert.pem", Typeflag: tar.TypeReg, Size: 1}) != nil, "without ./ in front")
}

func TestOtherFilesCannotCrowdOutUCPs(t *testing.T) {
	s, c, l := newSet(t), newCertificates(), &level{}
	held := 0
	for n := range 1000 {
		h := &tar.Header{Name: fmt.Sprintf("./ucp-kv-certs/%d.pem", n), Typeflag: tar.TypeReg, Size: maxPEM}
		if f, ok := c.watch(h).(*pemFile); ok {
			held += cap(f.content)
		}
	}
	assert.Assert(t, held <= maxOtherPEM, "%d bytes are held", held)
	assert.Assert(t, c.watch(&tar.Header{Name: "./ucp-kv-certs/client_ca.pem", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", 1<<20)}) == nil)
	assert.Equal(t, c.files["ucp-kv-certs/client_ca.pem"].link, "ucp-kv-certs")
	feed(t, c.watch, s.entries, 100)
	c.judge(l, EraOurs, today())
	assertFindings(t, l, "warning ./ucp-kv-certs/client_ca.pem: is a link", "warning : 996 more PEM files of the certificate volumes were not looked at")
}

func TestNoFindingQuotesAKey(t *testing.T) {
	secret := strings.Repeat("MHcCAQEEIJq0", 4) // as a key begins
	for name, content := range map[string]string{
		"a key that cannot be read":        "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"no PEM at all":                    secret,
		"a block's name, which is cut off": "-----BEGIN NAME " + secret + "-----\nAAAA\n-----END NAME " + secret + "-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			s.entries["ucp-kv-certs/key.pem"], s.entries["ucp-kv-certs/cert.pem"], s.entries["ucp-kv-certs/x.pem"] = []byte(content), []byte(content), []byte(content)
			l, _ := judged(t, s.entries, EraOurs)
			assert.Equal(t, l.faults, 2)
			for _, f := range l.findings {
				assert.Assert(t, !strings.Contains(f.Text, secret), f.Text)
			}
		})
	}
}

func TestWhatIsNoBackupOfUCPIsNotJudged(t *testing.T) {
	s := newSet(t)
	delete(s.entries, "ucp-kv-certs/key.pem")
	l, found := judged(t, s.entries, EraNone)
	assertFindings(t, l)
	assert.Equal(t, len(found), 0)
}
