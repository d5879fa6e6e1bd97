package standin

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

func TestVendorArchivesHaveTheirPublishedShapes(t *testing.T) {
	f := deploy(t, lab.Installed, Options{LogSegment: 16 << 10, SnapshotCount: 10})
	assert.NilError(t, f.PutKeys(t.Context(), 500))
	t.Run("up to 3.1", f.testVendorStopped)
	t.Run("from 3.2", f.testVendorOnline)
	assert.NilError(t, f.Healthy(t.Context()))
}

func (f fixture) testVendorStopped(t *testing.T) {
	ctx := t.Context()
	before, err := f.Containers(ctx)
	assert.NilError(t, err)
	keys, err := f.Keys(ctx)
	assert.NilError(t, err)
	file := filepath.Join(t.TempDir(), "ucp.tar")
	assert.NilError(t, f.VendorStopped(ctx, f.node.Root(), file))
	after, err := f.Containers(ctx)
	assert.NilError(t, err)
	for i := range before {
		assert.Equal(t, after[i].ID+after[i].Status, before[i].ID+before[i].Status, before[i].Name)
	}

	list := listTar(t, file)
	assert.Assert(t, len(list) > 100, "%d entries", len(list))
	assert.Assert(t, slices.Contains(list, "./ucp-node-certs/key.pem"))
	dir := extract(t, file)
	found, err := f.CheckTree(ctx, dir)
	assert.NilError(t, err)
	assert.Equal(t, found.Digest, keys.Digest)
	assert.Assert(t, slices.Contains(list, "./ucp-metrics-inventory/inventory.json"))

	segments, err := filepath.Glob(filepath.Join(dir, "ucp-kv", "datav3", "member", "wal", "*.wal"))
	assert.NilError(t, err)
	snapshots, err := filepath.Glob(filepath.Join(dir, "ucp-kv", "datav3", "member", "snap", "*.snap"))
	assert.NilError(t, err)
	assert.Assert(t, len(segments) > 1 && len(snapshots) > 0, "%v %v", segments, snapshots)
}

func (f fixture) testVendorOnline(t *testing.T) {
	ctx := t.Context()
	before, err := f.Containers(ctx)
	assert.NilError(t, err)
	file := filepath.Join(t.TempDir(), "ucp.tar")
	assert.NilError(t, f.VendorOnline(ctx, f.node.Root(), file))
	after, err := f.Containers(ctx)
	assert.NilError(t, err)
	assert.DeepEqual(t, after, before) // nothing was stopped

	list := listTar(t, file)
	assert.Equal(t, len(list), 27)
	assert.Equal(t, list[26], "./ucp-controller-server-certs/key.pem")
	assert.Equal(t, list[17], "./ucp-client-root-ca/cert.pem")
	node, task, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(list[12], "./ucp-manager-agent."), ".json"), ".")
	assert.Assert(t, len(node) == 25 && len(task) == 25, list[12])

	dir := extract(t, file)
	for _, volume := range []string{"ucp-client-root-ca", "ucp-cluster-root-ca", "ucp-controller-server-certs"} {
		assert.NilError(t, CheckCertsDir(filepath.Join(dir, volume)))
	}
	snapshot, err := filepath.Glob(filepath.Join(dir, "ucp-backup", "*", "etcd.backup.db"))
	assert.NilError(t, err)
	assert.Equal(t, len(snapshot), 1)
	info, err := os.Stat(snapshot[0])
	assert.NilError(t, err)
	assert.Equal(t, info.Size()%512, int64(32)) // the digest that etcd puts at its end
}

func listTar(t *testing.T, file string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "tar", "--list", "--file", file).Output()
	assert.NilError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func extract(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "tar", "--extract", "--numeric-owner", "--preserve-permissions", "--file", file, "--directory", dir).CombinedOutput()
	assert.NilError(t, err, "%s", out)
	return dir
}
