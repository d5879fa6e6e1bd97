package scenarios

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func backupToStdout(t *testing.T, s *stage) {
	keys := s.keys(t)
	a := s.backup(t, "-")
	archive := write(t, output(t), a.stdout)
	s.sound(t, s.unseal(t, archive), keys)
}

func (s *stage) overTLS() []string {
	host, certificates := s.node.TLS()
	return []string{"DOCKER_HOST=" + host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certificates}
}

func backupThroughTLS(t *testing.T, s *stage) {
	keys := s.keys(t)
	archive := output(t)
	a := s.dockerWith(t, s.overTLS(), "ucp", "backup", "--passphrase-file", s.pass, archive)
	assert.Equal(t, a.code, 0, a.stderr)
	mentions(t, a.stderr, "fetch: done")
	s.sound(t, s.unseal(t, archive), keys)

	host, certificates := s.node.TLS()
	made := s.docker(t, "context", "create", "manager", "--docker",
		"host="+host+",ca="+certificates+"/ca.pem,cert="+certificates+"/cert.pem,key="+certificates+"/key.pem")
	assert.Equal(t, made.code, 0, made.stderr)
	named := output(t)
	a = s.dockerWith(t, nil, "--context", "manager", "ucp", "backup", "--passphrase-file", s.pass, named)
	assert.Equal(t, a.code, 0, a.stderr)
	s.sound(t, s.unseal(t, named), keys)
	assert.Equal(t, s.docker(t, "context", "rm", "manager").code, 0)
}

func backupThroughSSH(t *testing.T, s *stage) {
	keys := s.keys(t)
	host, variables, err := s.node.SSH()
	assert.NilError(t, err)
	archive := output(t)
	a := s.dockerWith(t, append(variables, "DOCKER_HOST="+host), "ucp", "backup", "--passphrase-file", s.pass, archive)
	assert.Equal(t, a.code, 0, a.stderr)
	mentions(t, a.stderr, "fetch: done")
	s.sound(t, s.unseal(t, archive), keys)
}

// backupIntoHiddenFolder writes into a folder that the engine sees as another one.
func backupIntoHiddenFolder(t *testing.T, s *stage) {
	keys := s.keys(t)
	dir := t.TempDir()
	assert.NilError(t, s.node.Hide(t.Context(), dir))
	archive := filepath.Join(dir, "ucp.tar")
	a := s.backup(t, archive)
	mentions(t, a.stderr, "fetch: done")
	assert.DeepEqual(t, files(t, dir), []string{"ucp.tar"})
	s.sound(t, s.unseal(t, archive), keys)
}

func backupOverSlowWire(t *testing.T, s *stage) {
	const slow = 8 << 20 // bytes a second: fetching the archive takes many times as long as sealing it
	assert.NilError(t, s.node.RateLimit(t.Context(), slow))
	defer func() { assert.NilError(t, s.node.RateLimit(t.Context(), 0)) }()
	a := s.dockerWith(t, s.overTLS(), "ucp", "backup", "--passphrase-file", s.pass, "--format", "json", output(t))
	assert.Equal(t, a.code, 0, a.stderr)
	var result struct {
		Size     int64 `json:"size"`
		Downtime int64 `json:"downtime_ms"`
	}
	assert.NilError(t, json.Unmarshal([]byte(a.stdout), &result))
	wire := result.Size * 1000 / slow
	assert.Assert(t, a.took.Milliseconds() > wire/2, "the wire was not slow: %s", a.took)
	assert.Assert(t, result.Downtime < wire, "UCP was down for %d ms, the wire took %d ms", result.Downtime, wire)
}

func backupWithOldAPI(t *testing.T, s *stage) {
	archive := output(t)
	variables := []string{"DOCKER_HOST=" + s.node.Host(), "DOCKER_API_VERSION=1.30"}
	a := s.dockerWith(t, variables, "ucp", "backup", "--passphrase-file", s.pass, archive)
	assert.Equal(t, a.code, 0, a.stderr)
	content, err := os.ReadFile(archive)
	assert.NilError(t, err)
	assert.Assert(t, !bytes.HasPrefix(content, []byte("docker-ucp probe")))
	s.unseal(t, archive)
}
