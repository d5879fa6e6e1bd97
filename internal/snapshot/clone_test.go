//go:build linux

package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

// sizes are those around the border between the index and files of their own.
func sizes() map[string]string {
	return map[string]string{
		"0": "", "1": "x",
		"just inline": strings.Repeat("i", inlineSize), "just not": strings.Repeat("n", inlineSize+1),
		"large": strings.Repeat("large", 100_000), "d/e/f": "deep",
	}
}

func TestACloneReadsAsTheVolumeDid(t *testing.T) {
	for name, base := range fileSystems(t) {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(base, "volumes")
			fill(t, root, sizes())
			wantNames, want := visited(t, Live{Root: root})
			totals, err := Survey(t.Context(), Live{Root: root}, "vol")
			assert.NilError(t, err)

			var done int64
			dir := filepath.Join(base, "clone")
			c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, dir, func(n int64) { done = n })
			assert.NilError(t, err)
			assert.Equal(t, done, totals.Bytes)
			assert.NilError(t, os.RemoveAll(root))

			for range 2 { // it can be read more than once
				names, contents := visited(t, c)
				assert.DeepEqual(t, names, wantNames)
				assert.DeepEqual(t, contents, want)
			}
			got, ok := c.Totals("vol")
			assert.Assert(t, ok)
			assert.Equal(t, got.Entries, totals.Entries)
			assert.Equal(t, got.Bytes, totals.Bytes)
			assert.NilError(t, c.Remove())
			assert.NilError(t, c.Remove())
			_, err = os.Stat(dir)
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// fill makes the volume "vol" in root.
func fill(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, "vol", name)
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

func TestACloneOfSharedBlocksTakesNoRoom(t *testing.T) {
	root := reflinkRoot(t)
	fill(t, root, map[string]string{"large": strings.Repeat("large", 10<<20)})
	assert.NilError(t, Flush(t.Context(), Live{Root: root}, []string{"vol"}))
	before := freeBytes(t, root)
	c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, filepath.Join(root, "clone"), nil)
	assert.NilError(t, err)
	used := before - freeBytes(t, root)
	assert.Assert(t, used < 1<<20, "%d bytes", used)
	assert.NilError(t, c.Remove())
}

func freeBytes(t *testing.T, path string) int64 {
	t.Helper()
	var stat unix.Statfs_t
	unix.Sync()
	assert.NilError(t, unix.Statfs(path, &stat))
	return int64(stat.Bfree) * stat.Bsize
}

func TestACloneHoldsSeveralVolumesInAnyOrder(t *testing.T) {
	root := volume(t, map[string]string{"x": "first", "../two/y": "second"})
	c, err := Clone(t.Context(), Live{Root: root}, []string{"two", "vol"}, filepath.Join(root, "clone"), nil)
	assert.NilError(t, err)
	_, contents := visited(t, c)
	assert.DeepEqual(t, contents, map[string]string{"./vol/x": "first"})
	_, ok := c.Totals("two")
	assert.Assert(t, ok)
	_, ok = c.Totals("three")
	assert.Assert(t, !ok)
	assert.ErrorContains(t, c.Walk(t.Context(), "three", nil), "not in the clone")
	assert.NilError(t, c.Remove())
	assert.ErrorContains(t, c.Walk(t.Context(), "two", nil), "not in the clone")
}

func TestACloneIsForRootAlone(t *testing.T) {
	root := volume(t, map[string]string{"large": strings.Repeat("x", 100_000)})
	assert.NilError(t, os.Chmod(filepath.Join(root, "vol", "large"), 0o4777))
	dir := filepath.Join(root, "clone")
	c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, dir, nil)
	assert.NilError(t, err)
	for path, mode := range map[string]os.FileMode{dir: 0o700, dir + "/index": 0o600, dir + "/1": 0o600} {
		info, err := os.Stat(path)
		assert.NilError(t, err)
		assert.Equal(t, info.Mode()&0o7777, mode, path)
	}
	assert.NilError(t, c.Remove())
}

func TestACloneThatFailsLeavesNothing(t *testing.T) {
	files := sizes()
	t.Run("a volume is missing", func(t *testing.T) {
		root := volume(t, files)
		_, err := Clone(t.Context(), Live{Root: root}, []string{"vol", "missing"}, root+"/clone", nil)
		assert.ErrorIs(t, err, unix.ENOENT)
		assertOnly(t, root, "vol")
	})
	t.Run("a volume is named twice", func(t *testing.T) {
		root := volume(t, files)
		_, err := Clone(t.Context(), Live{Root: root}, []string{"vol", "vol"}, root+"/clone", nil)
		assert.ErrorContains(t, err, "named twice")
		assertOnly(t, root, "vol")
	})
	t.Run("it is cancelled", func(t *testing.T) {
		root := volume(t, files)
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		_, err := Clone(ctx, Live{Root: root}, []string{"vol"}, root+"/clone", func(int64) {
			if steps++; steps == 7 {
				cancel()
			}
		})
		assert.ErrorIs(t, err, context.Canceled)
		assertOnly(t, root, "vol")
	})
	t.Run("an older clone is in its place", func(t *testing.T) {
		root := volume(t, files)
		c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, root+"/clone", nil)
		assert.NilError(t, err)
		_, err = Clone(t.Context(), Live{Root: root}, []string{"vol"}, root+"/clone", nil)
		assert.ErrorIs(t, err, os.ErrExist)
		visited(t, c) // which is unharmed
		_, err = os.Stat(root + "/clone/index")
		assert.NilError(t, err)
		assert.NilError(t, c.Remove())
	})
	t.Run("its folder has no parent", func(t *testing.T) {
		root := volume(t, files)
		_, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, root+"/a/b", nil)
		assert.ErrorContains(t, err, "make a folder for the clone")
	})
}

func assertOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	left, err := os.ReadDir(dir)
	assert.NilError(t, err)
	for _, entry := range left {
		got = append(got, entry.Name())
	}
	assert.DeepEqual(t, got, want)
}

func TestRemoveKeepsAFolderThatWasThere(t *testing.T) {
	root := volume(t, sizes())
	dir := filepath.Join(root, "spool")
	assert.NilError(t, os.Mkdir(dir, 0o700))
	assert.NilError(t, os.WriteFile(dir+"/other", nil, 0o600))
	c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, dir, nil)
	assert.NilError(t, err)
	assert.NilError(t, c.Remove())
	assertOnly(t, dir, "other")
}

func TestADamagedCloneIsAnError(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"the index is cut off":          func(dir string) error { return os.Truncate(dir+"/index", 100) },
		"a file's content has changed":  func(dir string) error { return os.Truncate(dir+"/1", 5) },
		"a file's content has vanished": func(dir string) error { return os.Remove(dir + "/2") },
	} {
		t.Run(name, func(t *testing.T) {
			root := volume(t, sizes())
			c, err := Clone(t.Context(), Live{Root: root}, []string{"vol"}, root+"/clone", nil)
			assert.NilError(t, err)
			assert.NilError(t, damage(root+"/clone"))
			err = c.Walk(t.Context(), "vol", discard)
			assert.ErrorContains(t, err, "clone")
			assert.NilError(t, c.Remove())
		})
	}
}

func TestACloneRefusesAFileThatChangesUnderIt(t *testing.T) {
	root := volume(t, map[string]string{"large": strings.Repeat("x", 100_000)})
	path := filepath.Join(root, "vol", "large")
	f, err := os.Open(path)
	assert.NilError(t, err)
	opened := file{fd: int(f.Fd())}
	assert.NilError(t, unix.Fstat(opened.fd, &opened.stat))
	assert.NilError(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
	c, err := newClone(root + "/clone")
	assert.NilError(t, err)
	entry := entryOf("./vol/large", 100_000)
	assert.ErrorIs(t, c.large(t.Context(), &entry, &opened), ErrChanged)
	entry.Size++
	assert.ErrorIs(t, c.large(t.Context(), &entry, &opened), ErrChanged)
	assert.NilError(t, f.Close())
	assert.NilError(t, c.Remove())
	assertOnly(t, root, "vol")
}
