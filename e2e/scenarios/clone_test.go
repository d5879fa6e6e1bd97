package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

func TestWhereTheFileSystemCanCloneUCPIsBackBeforeTheArchiveIsSealed(t *testing.T) {
	for _, fs := range []string{"xfs", "btrfs"} {
		t.Run(fs, func(t *testing.T) {
			s := newStage(t, lab.Options{FS: fs}, standin.Options{DataBytes: 64 << 20, SmallFiles: 500})
			before, keys := s.look(t), s.keys(t)
			archive := output(t)
			a := s.backup(t, "--clone", "always", "--format", "json", archive)
			var result struct {
				Cloned bool `json:"cloned"`
			}
			assert.NilError(t, json.Unmarshal([]byte(a.stdout), &result))
			assert.Assert(t, result.Cloned)
			dir := s.unseal(t, archive)
			s.sound(t, dir, keys)
			s.sameTree(t, dir)
			s.unchanged(t, before)

			s.backup(t, "--clone", "never", archive)
			s.sound(t, s.unseal(t, archive), keys)
		})
	}
}

func TestNoRoomForTheSpoolIsRefused(t *testing.T) {
	s := newStage(t, lab.Options{FS: "xfs"}, standin.Options{DataBytes: 64 << 20})
	before := s.look(t)
	s.fillDisk(t)
	a := s.docker(t, "ucp", "backup", "--passphrase-file", s.pass, "-")
	assert.Equal(t, a.code, 5, a.stderr)
	mentions(t, a.stderr, "no room on the manager", "--spool-volume")
	s.unchanged(t, before)
}

// fillDisk leaves 64 MiB on the engine's disk: enough for the agent's image, too little for the archive.
func (s *stage) fillDisk(t *testing.T) {
	t.Helper()
	file, err := os.Create(filepath.Join(s.node.Data(), "filler"))
	assert.NilError(t, err)
	defer func() { assert.NilError(t, file.Close()) }()
	var stat syscall.Statfs_t
	assert.NilError(t, syscall.Fstatfs(int(file.Fd()), &stat))
	assert.NilError(t, syscall.Fallocate(int(file.Fd()), 0, 0, int64(stat.Bavail)*stat.Bsize-64<<20))
}
