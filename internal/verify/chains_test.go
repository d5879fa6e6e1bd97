package verify

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAChainLeadsToAKnownCA(t *testing.T) {
	const kv, server = "ucp-kv-certs", serverCerts
	tests := map[string]struct {
		change func(t *testing.T, s *set)
		want   []string
	}{
		"over an intermediate in cert.pem": {func(t *testing.T, s *set) {
			middle := made(t, "middle", &s.cluster, nil, asCA)
			leaf := made(t, "kv", &middle, nil)
			s.put(kv, leaf)
			s.entries[kv+"/cert.pem"] = slices.Concat(leaf.certPEM(), middle.certPEM())
		}, nil},
		"with a bundle in ca.pem": {func(_ *testing.T, s *set) {
			s.entries[kv+"/ca.pem"] = slices.Concat(s.client.certPEM(), s.cluster.certPEM())
		}, nil},
		"an operator's own server certificate, and his CA beside it": {func(t *testing.T, s *set) {
			own := made(t, "Example CA", nil, nil)
			s.put(server, made(t, "ucp.example.com", &own, nil))
			s.entries[server+"/ca.pem"] = own.certPEM()
		}, nil},
		"an operator's own server certificate, without his CA": {func(t *testing.T, s *set) {
			own := made(t, "Example CA", nil, nil)
			s.put(server, made(t, "ucp.example.com", &own, nil))
		}, []string{"warning ./ucp-controller-server-certs/cert.pem: was issued by CN=Example CA, which is not in this archive"}},
		"a component's certificate of an unknown CA": {func(t *testing.T, s *set) {
			own := made(t, "Example CA", nil, nil)
			s.put(kv, made(t, "kv", &own, nil))
		}, []string{"fault ./ucp-kv-certs/cert.pem: was issued by CN=Example CA, which is neither"}},
		"a component's certificate of a known CA that is none of UCP's": {func(t *testing.T, s *set) {
			own := made(t, "Example CA", nil, nil)
			s.put(kv, made(t, "kv", &own, nil))
			s.entries[kv+"/ca.pem"] = own.certPEM()
		}, []string{"warning ./ucp-kv-certs/cert.pem: is neither of UCP's root CAs"}},
		"the wrong one of UCP's CAs beside it": {func(_ *testing.T, s *set) {
			s.entries[kv+"/ca.pem"] = s.client.certPEM()
		}, []string{"warning ./ucp-kv-certs/cert.pem: was issued by one of UCP's root CAs, which is not in the ca.pem beside it"}},
		"another CA of the same name": {func(t *testing.T, s *set) {
			twin := made(t, "UCP Cluster Root CA", nil, nil)
			s.put(kv, made(t, "kv", &twin, nil))
		}, []string{"fault ./ucp-kv-certs/cert.pem: says that CN=UCP Cluster Root CA issued it, and what has that name in this archive did not"}},
		"an issuer that is no CA": {func(t *testing.T, s *set) {
			none := made(t, "kv", &s.cluster, nil)
			leaf := made(t, "leaf", &none, nil)
			s.put(kv, leaf)
			s.entries[kv+"/cert.pem"] = slices.Concat(leaf.certPEM(), none.certPEM())
		}, []string{"fault ./ucp-kv-certs/cert.pem: says that CN=kv issued it"}},
		"SHA-1, rightly signed": {func(t *testing.T, s *set) {
			s.put(kv, signedSHA1(t, s, &s.cluster))
		}, []string{"warning ./ucp-kv-certs/cert.pem: signed with SHA1-RSA by CN=old"}},
		"SHA-1, wrongly signed": {func(t *testing.T, s *set) {
			p := signedSHA1(t, s, &s.cluster)
			p.cert.Raw[len(p.cert.Raw)-1] ^= 1
			s.put(kv, p)
		}, []string{"fault ./ucp-kv-certs/cert.pem: says that CN=old issued it"}},
		"a CA with a key too short to be checked": {func(t *testing.T, s *set) {
			t.Setenv("GODEBUG", "rsa1024min=0")
			short := made(t, "short", nil, newRSA(t, 512))
			s.put(kv, made(t, "kv", &short, nil))
			s.entries[kv+"/ca.pem"] = short.certPEM()
			t.Setenv("GODEBUG", "")
		}, []string{"warning ./ucp-kv-certs/cert.pem: signed with SHA256-RSA by CN=short: its chain is not trusted any more, or cannot be checked"}},
		"a certificate for clients alone": {func(t *testing.T, s *set) {
			s.put(kv, made(t, "kv", &s.cluster, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
		}, nil},
		"no CA to ask, which is said once": {func(t *testing.T, s *set) {
			own := made(t, "Example CA", nil, nil)
			s.put(kv, made(t, "kv", &own, nil))
			delete(s.entries, kv+"/ca.pem")
		}, []string{"fault ./ucp-kv-certs/ca.pem: is missing"}},
		"a root that may not sign": {func(t *testing.T, s *set) {
			s.put(clientRoot, made(t, "x", nil, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }))
			delete(s.entries, server+"/cert.pem")
		}, []string{"fault ./ucp-client-root-ca/cert.pem: is not the certificate of a CA", "fault ./ucp-controller-server-certs/cert.pem: is missing"}},
		"a CA that is younger than the certificate": {func(t *testing.T, s *set) {
			renewed := made(t, "UCP Cluster Root CA", nil, s.cluster.key, validFrom(-1), validUntil(3650))
			s.put(clusterRoot, renewed)
			for _, volume := range certificateVolumes()[3:] {
				s.entries[volume+"/ca.pem"] = renewed.certPEM()
			}
		}, nil},
		"a CA that was made after the certificate had expired": {func(t *testing.T, s *set) {
			s.put(kv, made(t, "kv", &s.cluster, nil, validUntil(-10)))
			renewed := made(t, "UCP Cluster Root CA", nil, s.cluster.key, validFrom(-1))
			s.put(clusterRoot, renewed)
			s.entries[kv+"/ca.pem"] = renewed.certPEM()
		}, []string{"warning ./ucp-kv-certs/cert.pem: was never valid at the same time", "warning ./ucp-kv-certs/cert.pem: expired on"}},
		"a CA that may not have CAs under it": {func(t *testing.T, s *set) {
			strict := made(t, "strict", nil, nil, func(c *x509.Certificate) { c.MaxPathLenZero = true })
			middle := made(t, "middle", &strict, nil, asCA)
			leaf := made(t, "kv", &middle, nil)
			s.put(kv, leaf)
			s.entries[kv+"/cert.pem"] = slices.Concat(leaf.certPEM(), middle.certPEM())
			s.entries[kv+"/ca.pem"] = strict.certPEM()
		}, []string{"warning ./ucp-kv-certs/cert.pem: refused all the same: x509: too many intermediates"}},
		"a root that is no CA": {func(t *testing.T, s *set) {
			s.put(clientRoot, made(t, "x", nil, nil, func(c *x509.Certificate) { c.IsCA = false }))
		}, []string{"fault ./ucp-client-root-ca/cert.pem: is not the certificate of a CA"}},
		"a root that another issued": {func(t *testing.T, s *set) {
			s.put(clientRoot, made(t, "x", &s.cluster, nil, asCA))
		}, []string{"fault ./ucp-client-root-ca/cert.pem: is no root: it was issued by another (CN=UCP Cluster Root CA)"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			test.change(t, s)
			l, _ := judged(t, s.entries, EraOurs)
			assertFindings(t, l, test.want...)
		})
	}
}

func TestTheRootCAsAreNotExchanged(t *testing.T) {
	s := newSet(t)
	s.put(clusterRoot, s.client)
	s.put(clientRoot, s.cluster)
	l, _ := judged(t, s.entries, EraStopped)
	var want []string
	for _, volume := range certificateVolumes()[2:] {
		text := ": was issued by the client root CA, where UCP has the cluster root CA issue it"
		if volume == serverCerts {
			text = ": was issued by the cluster root CA, where UCP has the client root CA issue it"
		}
		want = append(want, "warning ./"+volume+"/cert.pem"+text)
	}
	assertFindings(t, l, want...)

	s = newSet(t) // one CA for both
	for _, volume := range certificateVolumes() {
		if s.put(volume, made(t, volume, &s.cluster, nil)); s.entries[volume+"/ca.pem"] != nil {
			s.entries[volume+"/ca.pem"] = s.cluster.certPEM()
		}
	}
	s.put(clusterRoot, s.cluster)
	s.put(clientRoot, s.cluster)
	l, _ = judged(t, s.entries, EraStopped)
	assertFindings(t, l)
}

// signedSHA1 has an old CA, which the cluster's root has issued, sign with SHA-1.
func signedSHA1(t *testing.T, s *set, by *pair) pair {
	t.Helper()
	old := made(t, "old", by, newRSA(t, 1024), asCA)
	leaf := made(t, "kv", &old, nil, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	s.entries["ucp-kv-certs/ca.pem"] = slices.Concat(old.certPEM(), s.cluster.certPEM())
	return leaf
}

func TestAByteChangedInASignedCertificateIsFound(t *testing.T) {
	s := newSet(t)
	damaged := slices.Clone(s.cluster.cert.Raw)
	damaged[len(damaged)-1] ^= 1
	s.cluster.cert = &x509.Certificate{Raw: damaged}
	s.put(clusterRoot, s.cluster)
	l, _ := judged(t, s.entries, EraOurs)
	assertFindings(t, l, "fault ./ucp-cluster-root-ca/cert.pem: its signature is wrong (CN=UCP Cluster Root CA)")
}

func TestExpiryIsSaidOnceAndIsNoFault(t *testing.T) {
	tests := map[string]struct {
		validity func(*x509.Certificate)
		want     []string
	}{
		"31 days left":  {validUntil(31), nil},
		"30 days left":  {validUntil(30), []string{"warning ./ucp-kv-certs/cert.pem: CN=kv expires on 2026-02-14, in 30 days: renew it, and back up again"}},
		"25 days left":  {validUntil(25), []string{"warning ./ucp-kv-certs/cert.pem: CN=kv expires on 2026-02-09, in 25 days: renew it, and back up again"}},
		"expired":       {validUntil(-1), []string{"warning ./ucp-kv-certs/cert.pem: CN=kv expired on 2026-01-14: the backup is none the worse for its age, but after a restore this certificate must be renewed"}},
		"not valid yet": {validFrom(1), []string{"warning ./ucp-kv-certs/cert.pem: CN=kv is not valid before 2026-01-16"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSet(t)
			s.put("ucp-kv-certs", made(t, "kv", &s.cluster, nil, test.validity))
			l, _ := judged(t, s.entries, EraOurs)
			assertFindings(t, l, test.want...)
			assert.Equal(t, l.faults, 0)
		})
	}
}

func TestARootThatExpiresIsSaidOnceThoughItStandsInEveryVolume(t *testing.T) {
	s := newSet(t)
	aged := made(t, "UCP Cluster Root CA", nil, s.cluster.key, validUntil(-400), validFrom(-4000))
	s.put(clusterRoot, aged)
	for _, volume := range certificateVolumes()[3:] {
		s.put(volume, made(t, volume, &aged, nil, validUntil(-500), validFrom(-600)))
		s.entries[volume+"/ca.pem"] = aged.certPEM()
	}
	l, _ := judged(t, s.entries, EraOurs)
	assert.Equal(t, l.faults, 0)
	assert.Equal(t, len(l.findings), 7, "the root's, and one of each of the six: %v", l.findings)
}

// onlyPublic is a key that nobody has the private half of.
type onlyPublic struct {
	crypto.Signer
	public crypto.PublicKey
}

func (k onlyPublic) Public() crypto.PublicKey { return k.public }

func TestAHugeKeyInACertificateIsNotComputedWith(t *testing.T) {
	s := newSet(t)
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), maxRSABits, 1), E: 65537}
	s.entries["ucp-kv-certs/cert.pem"] = made(t, "kv", &s.cluster, onlyPublic{public: huge}).certPEM()
	delete(s.entries, "ucp-kv-certs/key.pem")
	l, _ := judged(t, s.entries, EraOurs)
	assertFindings(t, l, "fault ./ucp-kv-certs/key.pem: is missing", "warning ./ucp-kv-certs/cert.pem: there is an RSA key of 8193 bits in the chain")
}
