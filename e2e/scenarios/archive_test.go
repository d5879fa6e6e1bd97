package scenarios

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"
)

func backupIsWhole(t *testing.T, s *stage) {
	keys := s.keys(t)
	archive := output(t)
	a := s.backup(t, archive)
	mentions(t, a.stderr, "was down for", "SHA-256", s.ucp.InstanceID, "back up the swarm first")
	assert.Equal(t, a.stdout, "")

	info, err := os.Stat(archive)
	assert.NilError(t, err)
	assert.Equal(t, info.Mode(), os.FileMode(0o600))
	assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{"ucp.tar"})

	verified := s.docker(t, "ucp", "verify", "--passphrase-file", s.pass, archive)
	assert.Equal(t, verified.code, 0, verified.stderr)
	mentions(t, verified.stdout, "the backup of UCP 3.1.4 is sound")
	dir := s.unseal(t, archive)
	s.sound(t, dir, keys)
	for _, v := range s.look(t).volumes {
		if strings.HasPrefix(v, "ucp-") {
			_, err := os.Stat(filepath.Join(dir, v))
			assert.NilError(t, err)
		}
	}
	for _, name := range []string{"ucp-kv.json", "docker-ucp/configs/com.docker.ucp.config-2.json", "docker-ucp/configs/com.docker.license-1.json", "docker-ucp/services/ucp-agent.json", "docker-ucp/report.json"} {
		_, err := os.Stat(filepath.Join(dir, name))
		assert.NilError(t, err)
	}
	s.sameTree(t, dir)
}

// sameTree compares a volume that nobody writes to with its copy in the archive: every attribute that stat and getfattr
// show.
func (s *stage) sameTree(t *testing.T, dir string) {
	t.Helper()
	const script = `cd "$1" && find . -mindepth 1 ! -type s -printf '%p %y %m %U %G %T@ %n %l\n' | sort &&
		find . -mindepth 1 ! -type s -print0 | sort -z | xargs -0 getfattr --no-dereference --absolute-names --dump --match=- 2>/dev/null`
	for _, name := range []string{"ucp-metrics-inventory", "ucp-client-root-ca", "ucp-controller-server-certs"} {
		live := s.mountpoint(t, name)
		want, err := exec.CommandContext(t.Context(), "bash", "-c", script, "list", live).CombinedOutput()
		assert.NilError(t, err, string(want))
		got, err := exec.CommandContext(t.Context(), "bash", "-c", script, "list", filepath.Join(dir, name)).CombinedOutput()
		assert.NilError(t, err, string(got))
		assert.Equal(t, string(got), string(want))
		assert.Assert(t, len(want) > 0)
	}
}

func (s *stage) mountpoint(t *testing.T, name string) string {
	t.Helper()
	v, err := s.engine.VolumeInspect(t.Context(), name)
	assert.NilError(t, err)
	return filepath.Join(s.node.Root(), v.Mountpoint)
}

func backupBelongsToItsUser(t *testing.T, s *stage) {
	const nobody = 65534
	keys := s.keys(t)
	dir := t.TempDir()
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		assert.NilError(t, os.Chmod(p, 0o755))
	}
	assert.NilError(t, os.Chown(dir, nobody, nobody))
	assert.NilError(t, os.Chmod(s.node.Socket, 0o666))
	defer func() { assert.NilError(t, os.Chmod(s.node.Socket, 0o660)) }()
	archive := filepath.Join(dir, "ucp.tar")
	command := s.command(t.Context(), []string{"DOCKER_HOST=" + s.node.Host(), "UCP_PASSPHRASE=" + passphrase}, "ucp", "backup", archive)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	s.readable(t)
	a := finish(t, command)
	assert.Equal(t, a.code, 0, a.stderr)

	info, err := os.Stat(archive)
	assert.NilError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	assert.Assert(t, ok)
	assert.Equal(t, stat.Uid, uint32(nobody))
	assert.Equal(t, info.Mode(), os.FileMode(0o600))
	mentions(t, a.stderr, "check: done") // it went straight into the file
	s.sound(t, s.unseal(t, archive), keys)
}

// readable lets another user run the plugin.
func (s *stage) readable(t *testing.T) {
	t.Helper()
	for p := s.config; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		assert.NilError(t, os.Chmod(p, 0o755))
	}
}

func backupPlain(t *testing.T, s *stage) {
	keys := s.keys(t)
	archive := output(t)
	a := s.docker(t, "ucp", "backup", "--no-passphrase", archive)
	assert.Equal(t, a.code, 0, a.stderr)
	mentions(t, a.stderr, "not sealed")
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "tar", "--extract", "--preserve-permissions", "--numeric-owner", "--xattrs", "--xattrs-include=*",
		"--file", archive, "--directory", dir).CombinedOutput()
	assert.NilError(t, err, string(out))
	s.sound(t, dir, keys)
}

func backupCompressed(t *testing.T, s *stage) {
	archive := output(t)
	keys := s.keys(t)
	s.backup(t, "--compress", "zlib", archive)
	s.sound(t, s.unseal(t, archive), keys)
}

func backupWithoutVolume(t *testing.T, s *stage) {
	archive := output(t)
	a := s.backup(t, "--exclude-volume", "ucp-metrics-data", "--format", "json", archive)
	var result struct {
		Excluded []string `json:"excluded_volumes"`
		File     string
	}
	assert.NilError(t, json.Unmarshal([]byte(a.stdout), &result))
	assert.DeepEqual(t, result.Excluded, []string{"ucp-metrics-data"})
	assert.Equal(t, result.File, archive)
	dir := s.unseal(t, archive)
	assert.Assert(t, !slices.Contains(files(t, dir), "ucp-metrics-data"))
	manifest, err := os.ReadFile(filepath.Join(dir, "docker-ucp", "manifest.json"))
	assert.NilError(t, err)
	mentions(t, string(manifest), `"ucp-metrics-data"`)
}
