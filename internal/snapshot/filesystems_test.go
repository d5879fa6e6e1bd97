//go:build linux

package snapshot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// fileSystems returns a folder on each kind of file system that can be had
// here, by name. "here" is whatever temporary files are on.
func fileSystems(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"here": t.TempDir()}
	for _, kind := range []string{"xfs", "btrfs"} {
		if root := loopMount(t, kind); root != "" {
			found[kind] = root
		}
	}
	return found
}

// reflinkRoot returns a folder on a file system that shares blocks.
func reflinkRoot(t *testing.T) string {
	t.Helper()
	root := loopMount(t, "xfs")
	if root == "" {
		t.Skip("needs root, mkfs.xfs and a loop device, for a file system that shares blocks")
	}
	return root
}

// loopMount makes a file system in a file and mounts it, or says in the log why
// it cannot.
func loopMount(t *testing.T, kind string) string {
	t.Helper()
	mkfs, err := exec.LookPath("mkfs." + kind)
	if err != nil || os.Geteuid() != 0 {
		t.Logf("no %s: it needs root and mkfs.%[1]s", kind)
		return ""
	}
	dir := t.TempDir()
	image, root := filepath.Join(dir, "image"), filepath.Join(dir, "root")
	assert.NilError(t, os.WriteFile(image, nil, 0o600))
	assert.NilError(t, os.Truncate(image, 512<<20))
	assert.NilError(t, os.Mkdir(root, 0o755))
	run(t, dir, mkfs, "-q", image)
	mount := exec.CommandContext(t.Context(), "mount", "-o", "loop", image, root)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Logf("no %s: %s", kind, out)
		return ""
	}
	t.Cleanup(func() {
		err := unix.Unmount(root, 0)
		if errors.Is(err, unix.EBUSY) { // a test may have ended inside
			err = unix.Unmount(root, unix.MNT_DETACH)
		}
		assert.NilError(t, err)
	})
	return root
}
