//go:build linux

package snapshot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// opened returns a file as a walk would.
func opened(t *testing.T, path string) *file {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, unix.Close(fd)) })
	f := &file{fd: fd}
	assert.NilError(t, unix.Fstat(fd, &f.stat))
	return f
}

// bindMount makes a folder of a file system a mount of its own, as a container
// has each volume.
func bindMount(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	assert.NilError(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { assert.NilError(t, unix.Unmount(to, 0)) })
	return to
}

// TestBlocksAreSharedAcrossMountsByCopyToo holds the way that is left on
// kernels before 5.18, on whatever kernel this is.
func TestBlocksAreSharedAcrossMountsByCopyToo(t *testing.T) {
	root := reflinkRoot(t)
	fill(t, root, map[string]string{"large": strings.Repeat("x", 3<<20)})
	spool := filepath.Join(root, "spool")
	assert.NilError(t, os.Mkdir(spool, 0o700))
	f := opened(t, filepath.Join(bindMount(t, filepath.Join(root, "vol")), "large"))
	dst, err := os.Create(filepath.Join(bindMount(t, spool), "1"))
	assert.NilError(t, err)
	assert.Assert(t, sharesByCopy(int(dst.Fd()), f))
	assert.NilError(t, copyRange(t.Context(), int(dst.Fd()), f, wholeOf(f)))
	shared, err := sharedAt(int(dst.Fd()), 2<<20)
	assert.NilError(t, err)
	assert.Assert(t, shared)
	assert.NilError(t, dst.Close())

	elsewhere, err := os.Create(filepath.Join(t.TempDir(), "1"))
	assert.NilError(t, err)
	assert.Assert(t, !sharesByCopy(int(elsewhere.Fd()), f))
	assert.NilError(t, elsewhere.Close())
}

func TestACopyThatSharesNothingIsNotTakenForAClone(t *testing.T) {
	root := volume(t, map[string]string{"large": strings.Repeat("x", 1<<20)})
	if Clonable(root, "vol", root) == nil {
		t.Skip("needs a file system that shares no blocks")
	}
	dst, err := os.Create(filepath.Join(root, "copy"))
	assert.NilError(t, err)
	assert.Assert(t, !sharesByCopy(int(dst.Fd()), opened(t, filepath.Join(root, "vol", "large"))))
	assert.NilError(t, dst.Close())
}

func TestWhatCannotBeSharedIsCopiedWithItsHoles(t *testing.T) {
	for name, copied := range map[string]func(*testing.T, int, *file) error{
		"in the kernel": func(t *testing.T, dst int, f *file) error { return share(t.Context(), dst, f) },
		"by hand": func(t *testing.T, dst int, f *file) error {
			regions, err := extents(f.fd, &f.stat)
			assert.NilError(t, err)
			for _, x := range regions {
				assert.NilError(t, copyByHand(t.Context(), dst, f, x))
			}
			return unix.Ftruncate(dst, f.stat.Size)
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := volume(t, map[string]string{"sparse": strings.Repeat("begin", 100_000)})
			path := filepath.Join(root, "vol", "sparse")
			source, err := os.OpenFile(path, os.O_RDWR, 0)
			assert.NilError(t, err)
			_, err = source.WriteAt([]byte("middle"), 10<<20)
			assert.NilError(t, err)
			assert.NilError(t, errors.Join(source.Truncate(20<<20), source.Close()))

			dst, err := os.Create(filepath.Join(root, "copy"))
			assert.NilError(t, err)
			assert.NilError(t, copied(t, int(dst.Fd()), opened(t, path)))
			assert.NilError(t, dst.Close())
			assert.Equal(t, contentOf(t, filepath.Join(root, "copy")), contentOf(t, path))
		})
	}
}

func TestACopyIsCancelled(t *testing.T) {
	root := volume(t, map[string]string{"x": strings.Repeat("x", 100_000)})
	f := opened(t, filepath.Join(root, "vol", "x"))
	dst, err := os.Create(filepath.Join(root, "copy"))
	assert.NilError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	whole := wholeOf(f)
	assert.ErrorIs(t, copyRange(ctx, int(dst.Fd()), f, whole), context.Canceled)
	assert.ErrorIs(t, copyByHand(ctx, int(dst.Fd()), f, whole), context.Canceled)
	assert.NilError(t, os.Truncate(filepath.Join(root, "vol", "x"), 10))
	assert.ErrorIs(t, copyRange(t.Context(), int(dst.Fd()), f, whole), ErrChanged)
	assert.ErrorIs(t, copyByHand(t.Context(), int(dst.Fd()), f, whole), ErrChanged)
	assert.NilError(t, dst.Close())
}
