package verify

import (
	"bytes"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func FuzzCertificates(f *testing.F) {
	s := newSet(f)
	for _, seed := range [][]byte{s.entries["ucp-kv-certs/cert.pem"], s.entries["ucp-kv-certs/key.pem"], []byte("-----BEGIN CERTIFICATE-----\n"), {0x30}, nil} {
		f.Add(seed, seed, seed)
	}
	f.Add(s.entries["ucp-kv-certs/ca.pem"], s.entries["ucp-kv-certs/cert.pem"], s.entries["ucp-kv-certs/key.pem"])
	f.Fuzz(func(t *testing.T, ca, cert, key []byte) {
		all := entries{
			"ucp-kv-certs/ca.pem": ca, "ucp-kv-certs/cert.pem": cert, "ucp-kv-certs/key.pem": key, "ucp-kv-certs/x.pem": key,
			clusterRoot + "/cert.pem": ca, clusterRoot + "/key.pem": key,
		}
		l, found := judged(t, all, EraOurs)
		assert.Assert(t, len(found) <= maxCertificates)
		for _, finding := range l.findings {
			assert.Assert(t, len(finding.Text) < 1000, finding.Text)
			assert.Equal(t, printable(finding.Text, 2000), finding.Text)
		}
		if len(key) > 100 && bytes.HasPrefix(key, []byte("-----BEGIN PRIVATE KEY-----\n")) {
			for _, finding := range l.findings {
				assert.Assert(t, !bytes.Contains([]byte(finding.Text), key[40:80]), finding.Text)
			}
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"Config":{"Labels":{"com.docker.ucp.version":"3.1.4"}}}`), "./ucp-kv.json")
	f.Add([]byte(`{"Spec":{"Name":"com.docker.license-1","Data":"e30="}}`), "./docker-ucp/configs/com.docker.license-1.json")
	f.Add(bytes.Repeat([]byte("["), 20000), "./ucp-kv.json")
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		r, l := newRecords(), &level{}
		feed(t, r.watch, entries{archive.Path(name): content}, 1000)
		version, instance := r.judge(l, EraOnline, nil)
		assert.Assert(t, len(version) <= 4*maxIdentity+4 && len(instance) <= 4*maxIdentity+4)
		for _, finding := range l.findings {
			assert.Equal(t, printable(finding.Text, 2000), finding.Text)
		}
	})
}
