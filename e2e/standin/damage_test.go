package standin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	clientv3 "go.etcd.io/etcd/client/v3"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/standin/store"
)

// A good backup is one that is taken by hand here; then each of the mistakes that a backup can make must be noticed.
func TestStandinTellsAGoodBackupFromABadOne(t *testing.T) {
	f := deploy(t, lab.Installed, Options{})
	assert.NilError(t, f.PutKeys(t.Context(), 250))
	good := f.testGoodBackup(t)
	t.Run("a store copied while it writes", func(t *testing.T) { f.testTornStore(t, good) })
	t.Run("a store older than what was known of it", func(t *testing.T) { f.testOldStore(t, good) })
	t.Run("a paused store", f.testPausedStore)
	t.Run("certificates of another owner, mode, key or issuer", func(t *testing.T) { f.testCertificates(t, good) })
	t.Run("an etcd with a damaged file", func(t *testing.T) { f.testDamagedKV(t, good) })
	t.Run("a certificate of the wrong owner, on the node", f.testWrongOwner)
	t.Run("a lost key", f.testLostKey)
}

// copyVolume copies a volume as root does, and returns the copy.
func copyVolume(t *testing.T, from, into, name string) string {
	t.Helper()
	to := filepath.Join(into, name)
	out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput()
	assert.NilError(t, err, "%s", out)
	return to
}

func (f fixture) testGoodBackup(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	keys, err := f.Keys(ctx)
	assert.NilError(t, err)
	known, err := f.Store(ctx)
	assert.NilError(t, err)
	dir := t.TempDir()
	resume, err := f.Rest(ctx)
	assert.NilError(t, err)
	for _, name := range layout.Volumes {
		copyVolume(t, f.volume(name), dir, name)
	}
	assert.NilError(t, resume(ctx))

	found, err := f.CheckTree(ctx, dir)
	assert.NilError(t, err)
	assert.Equal(t, found.Digest, keys.Digest)
	assert.Equal(t, len(found.Values), len(keys.Values))
	report, err := CheckStoreDir(filepath.Join(dir, "ucp-auth-store-data"))
	assert.NilError(t, err)
	assert.Assert(t, report.Stopped && report.Acknowledged >= known.Acknowledged)
	now, err := f.Store(ctx)
	assert.NilError(t, err)
	assert.Equal(t, now.Opened, report.Acknowledged)
	return dir
}

func (f fixture) testTornStore(t *testing.T, good string) {
	t.Helper()
	ctx := t.Context()
	torn := copyVolume(t, f.volume("ucp-auth-store-data"), t.TempDir(), "torn")
	_, err := CheckStoreDir(torn)
	assert.ErrorIs(t, err, store.ErrTorn)

	f.replaceStore(t, torn)
	assert.ErrorContains(t, f.Ping(ctx), "500")
	eventually(t, func(ctx context.Context) error { return f.said(ctx, "ucp-auth-store", store.ErrTorn.Error()) })
	assert.ErrorContains(t, f.Ping(ctx), "500")
	// A store of before, and no witness yet of what came after: as after a restore.
	assert.NilError(t, os.Remove(filepath.Join(f.volume("ucp-auth-worker-data"), layout.WitnessFile)))
	f.replaceStore(t, filepath.Join(good, "ucp-auth-store-data"))
	eventually(t, f.Healthy)
}

// replaceStore puts a copy in the place of the auth store's volume, as a restore does.
func (f fixture) replaceStore(t *testing.T, from string) {
	t.Helper()
	ctx := t.Context()
	assert.NilError(t, f.PauseAgent(ctx, true))
	assert.NilError(t, f.engine.ContainerStop(ctx, "ucp-auth-store", container.StopOptions{}))
	volume := f.volume("ucp-auth-store-data")
	assert.NilError(t, os.RemoveAll(filepath.Join(volume, "store")))
	copyVolume(t, filepath.Join(from, "store"), volume, "store")
	assert.NilError(t, f.engine.ContainerStart(ctx, "ucp-auth-store", container.StartOptions{}))
	assert.NilError(t, f.PauseAgent(ctx, false))
}

func (f fixture) testOldStore(t *testing.T, good string) {
	t.Helper()
	dir := copyVolume(t, good, t.TempDir(), "tree")
	witness := filepath.Join(dir, "ucp-auth-worker-data", layout.WitnessFile)
	assert.NilError(t, os.WriteFile(witness, []byte(`{"Acknowledged":999999999}`), 0o600))
	_, err := f.CheckTree(t.Context(), dir)
	assert.ErrorContains(t, err, "ucp-auth-store-data is older than ucp-auth-worker-data")
}

func (f fixture) testPausedStore(t *testing.T) {
	ctx := t.Context()
	for range 5 {
		assert.NilError(t, f.engine.ContainerPause(ctx, "ucp-auth-store"))
		copied := copyVolume(t, f.volume("ucp-auth-store-data"), t.TempDir(), "paused")
		assert.NilError(t, f.engine.ContainerUnpause(ctx, "ucp-auth-store"))
		report, err := CheckStoreDir(copied)
		assert.NilError(t, err)
		assert.Assert(t, !report.Stopped)
	}
}

func (f fixture) testCertificates(t *testing.T, good string) {
	t.Helper()
	const volume = "ucp-controller-server-certs"
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"owner": {func(dir string) error { return os.Chown(filepath.Join(dir, "cert.pem"), 0, 0) }, "owner 0:0, must be 65534:65534"},
		"mode":  {func(dir string) error { return os.Chmod(filepath.Join(dir, "key.pem"), 0o644) }, "mode -rw-r--r--, must be -rw-------"},
		"lost":  {func(dir string) error { return os.Remove(filepath.Join(dir, "client_ca.pem")) }, "client_ca.pem: no such file"},
		"another key": {func(dir string) error {
			return overwrite(filepath.Join(dir, "key.pem"), filepath.Join(good, "ucp-node-certs", "key.pem"))
		}, "private key"},
		"another issuer": {func(dir string) error {
			return overwrite(filepath.Join(dir, "ca.pem"), filepath.Join(good, "ucp-cluster-root-ca", "cert.pem"))
		}, "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyVolume(t, filepath.Join(good, volume), t.TempDir(), volume)
			assert.NilError(t, CheckCertsDir(dir))
			assert.NilError(t, c.damage(dir))
			assert.ErrorContains(t, CheckCertsDir(dir), c.want)
		})
	}
}

// overwrite changes what is in a file and nothing else about it.
func overwrite(path, with string) error {
	b, err := os.ReadFile(with)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func (f fixture) testDamagedKV(t *testing.T, good string) {
	t.Helper()
	const database, log = "datav3/member/snap/db", "datav3/member/wal"
	assert.NilError(t, f.PutKeys(t.Context(), 250))
	assert.NilError(t, f.engine.ContainerPause(t.Context(), "ucp-kv"))
	later := copyVolume(t, f.volume("ucp-kv"), t.TempDir(), "later")
	assert.NilError(t, f.engine.ContainerUnpause(t.Context(), "ucp-kv"))
	_, err := f.CheckKVDir(t.Context(), later)
	assert.NilError(t, err)
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"no log":         {func(dir string) error { return os.RemoveAll(filepath.Join(dir, log)) }, "log: there is none"},
		"damaged roots":  {func(dir string) error { return flip(filepath.Join(dir, database), 0, 2*4096) }, "database: "},
		"damaged pages":  {func(dir string) error { return flip(filepath.Join(dir, database), 2*4096, 6*4096) }, ""},
		"a cut database": {func(dir string) error { return os.Truncate(filepath.Join(dir, database), 8192) }, "bytes long, must be"},
		"damaged log":    {func(dir string) error { return flipLog(filepath.Join(dir, log)) }, "crc mismatch"},
		"a later database": {func(dir string) error {
			return overwrite(filepath.Join(dir, database), filepath.Join(later, database))
		}, "they are of different times"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyVolume(t, filepath.Join(good, "ucp-kv"), t.TempDir(), "ucp-kv")
			_, err := f.CheckKVDir(t.Context(), dir)
			assert.NilError(t, err)
			assert.NilError(t, c.damage(dir))
			_, err = f.CheckKVDir(t.Context(), dir)
			assert.ErrorContains(t, err, c.want)
			t.Log(err)
		})
	}
}

// flipLog damages the first segment of the log, in the middle of what was written.
func flipLog(dir string) error {
	segments, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("no segments in %s: %w", dir, err)
	}
	return flip(segments[0], 2000, 2010)
}

// flip inverts the bytes of a file between two offsets.
func flip(path string, from, to int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) < to {
		return fmt.Errorf("%s is only %d bytes long", path, len(b))
	}
	for i := range b[from:to] {
		b[from+i] ^= 0xff
	}
	return os.WriteFile(path, b, 0o600)
}

func (f fixture) testWrongOwner(t *testing.T) {
	ctx := t.Context()
	key := filepath.Join(f.volume("ucp-controller-server-certs"), "key.pem")
	assert.NilError(t, os.Chown(key, 0, 0))
	assert.ErrorContains(t, f.Ping(ctx), "owner 0:0")
	assert.NilError(t, os.Chown(key, layout.Nobody, layout.Nobody))
	assert.NilError(t, f.Ping(ctx))

	// etcd runs as nobody and does not come up without its key.
	key = filepath.Join(f.volume("ucp-kv-certs"), "key.pem")
	assert.NilError(t, os.Chown(key, 0, 0))
	assert.NilError(t, f.engine.ContainerRestart(ctx, "ucp-kv", container.StopOptions{}))
	assert.ErrorContains(t, f.Ping(ctx), "500")
	assert.NilError(t, os.Chown(key, layout.Nobody, layout.Nobody))
	eventually(t, f.Healthy)
}

func (f fixture) testLostKey(t *testing.T) {
	ctx := t.Context()
	config, err := f.bundleTLS()
	assert.NilError(t, err)
	kv, err := clientv3.New(clientv3.Config{Endpoints: []string{fmt.Sprintf("https://%s:%d", f.Address, layout.PortKV)}, TLS: config, Context: ctx})
	assert.NilError(t, err)
	defer func() { assert.NilError(t, ignoreCancel(kv.Close())) }()
	_, err = kv.Delete(ctx, "/docker/config/0100")
	assert.NilError(t, err)

	const want = "key-value store contradicts its seal"
	assert.ErrorContains(t, f.Ping(ctx), want)
	_, err = f.Keys(ctx)
	assert.ErrorContains(t, err, want)
	assert.NilError(t, f.PauseAgent(ctx, true))
	assert.NilError(t, f.engine.ContainerStop(ctx, "ucp-kv", container.StopOptions{}))
	_, err = f.CheckKVDir(ctx, f.volume("ucp-kv"))
	assert.ErrorContains(t, err, want)
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
