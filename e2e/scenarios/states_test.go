package scenarios

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"
)

// backupLeavesStoppedAlone stops a container while the stand-in's reconciler holds still, as an operator would.
func backupLeavesStoppedAlone(t *testing.T, s *stage) {
	assert.NilError(t, s.ucp.PauseAgent(t.Context(), true))
	defer func() { assert.NilError(t, s.ucp.PauseAgent(t.Context(), false)) }()
	s.stop(t, "ucp-metrics")
	before := s.look(t)
	s.backup(t, output(t))
	assert.DeepEqual(t, s.look(t).containers, before.containers)
	assert.Equal(t, s.docker(t, "start", "ucp-metrics").code, 0)
}

func dryRun(t *testing.T, s *stage) {
	states, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	archive := output(t)
	a := s.docker(t, "ucp", "backup", "--dry-run", archive)
	assert.Equal(t, a.code, 0, a.stderr)
	mentions(t, a.stdout, "ucp-kv", "ucp-auth-store-data", "ucp-reconcile (exited)", "room", archive)
	assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{})
	after, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	assert.DeepEqual(t, after, states) // the same starts: nothing was stopped in between
}

func backupWithOwnSpool(t *testing.T, s *stage) {
	const name = "operators-own"
	_, err := s.engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: name})
	assert.NilError(t, err)
	defer func() { assert.NilError(t, s.engine.VolumeRemove(t.Context(), name, false)) }()
	root := s.mountpoint(t, name)
	write(t, filepath.Join(root, "theirs"), "keep me")
	a := s.backup(t, "--spool-volume", name, "-")
	assert.Assert(t, len(a.stdout) > 64<<20)
	assert.DeepEqual(t, files(t, root), []string{"theirs"})
	s.backup(t, "--spool-volume", name, output(t))
	assert.DeepEqual(t, files(t, root), []string{"theirs"})
	content, err := os.ReadFile(filepath.Join(root, "theirs"))
	assert.NilError(t, err)
	assert.Equal(t, string(content), "keep me")
}
