package pki

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func installed(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("certificates belong to nobody, and only root gives files away")
	}
	dir := t.TempDir()
	for _, v := range Volumes {
		assert.NilError(t, os.Mkdir(filepath.Join(dir, v.Name), 0o700))
	}
	_, err := Install(dir, []string{"192.0.2.1", "n1"})
	assert.NilError(t, err)
	return dir
}

func TestInstalledCertificatesAreInOrder(t *testing.T) {
	dir := installed(t)
	for _, v := range Volumes {
		assert.NilError(t, v.Check(filepath.Join(dir, v.Name)))
	}
	assert.NilError(t, CheckRoots(dir))
}

func TestARootOfAnotherInstallationIsFound(t *testing.T) {
	dir, other := installed(t), installed(t)
	root, err := os.ReadFile(filepath.Join(other, ClusterRoot, "cert.pem"))
	assert.NilError(t, err)
	assert.NilError(t, os.WriteFile(filepath.Join(dir, ClusterRoot, "cert.pem"), root, 0o644))
	assert.ErrorContains(t, CheckRoots(dir), "ucp-kv-certs/ca.pem is not ucp-cluster-root-ca/cert.pem")
	v, err := ByName(ClusterRoot)
	assert.NilError(t, err)
	assert.ErrorContains(t, v.Check(filepath.Join(dir, ClusterRoot)), "private key does not match")
}
