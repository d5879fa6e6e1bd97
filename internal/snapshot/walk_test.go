//go:build linux

package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// volume makes a volume of files by name and content; a name that ends in "/"
// is a folder.
func volume(t testing.TB, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, "vol", name)
		if strings.HasSuffix(name, "/") {
			assert.NilError(t, os.MkdirAll(path, 0o755))
			continue
		}
		assert.NilError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NilError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return root
}

// visited walks a volume and returns its names and contents in order.
func visited(t *testing.T, source Source) (names []string, contents map[string]string) {
	t.Helper()
	contents = map[string]string{}
	assert.NilError(t, source.Walk(t.Context(), "vol", func(e *archive.Entry, content io.Reader) error {
		names = append(names, e.Name)
		if content == nil {
			return nil
		}
		data, err := io.ReadAll(content)
		contents[e.Name] = string(data)
		return err
	}))
	return names, contents
}

func TestNamesComeInByteOrderFoldersFirst(t *testing.T) {
	root := volume(t, map[string]string{"b": "", "a/z": "", "a/b/c": "", "a-": "", "B": "", "\xff": "", "a.d/x": ""})
	names, _ := visited(t, Live{Root: root})
	assert.DeepEqual(t, names, []string{
		"./vol/", "./vol/B", "./vol/a/", "./vol/a/b/", "./vol/a/b/c", "./vol/a/z",
		"./vol/a-", "./vol/a.d/", "./vol/a.d/x", "./vol/b", "./vol/\xff",
	})
}

func TestAFolderLargerThanItsWindowIsReadWhole(t *testing.T) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("%d-%s", i*7919%1000, strings.Repeat("n", i%100))] = ""
	}
	root := volume(t, files)
	want, _ := visited(t, Live{Root: root})
	assert.Equal(t, len(want), 1001)
	for _, window := range []int{1, 100, 4000, 1 << 20} {
		var got []string
		w := walker{window: window, take: func(e *archive.Entry, _ *file) error {
			got = append(got, e.Name)
			return nil
		}}
		assert.NilError(t, w.run(t.Context(), root, "vol"))
		assert.DeepEqual(t, got, want)
	}
}

func TestAWindowHoldsNoMoreThanItMay(t *testing.T) {
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("%0200d", i)] = ""
	}
	fd, err := unix.Open(filepath.Join(volume(t, files), "vol"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	assert.NilError(t, err)
	l, err := list(fd, nil, 10_000, make([]byte, 4096))
	assert.NilError(t, err)
	assert.NilError(t, unix.Close(fd))
	assert.Assert(t, l.more)
	assert.Assert(t, len(l.at) >= 20 && len(l.arena) <= 10_000, "%d names, %d bytes", len(l.at), len(l.arena))
	assert.Equal(t, string(l.name(0)), fmt.Sprintf("%0200d", 0))
}

func TestSurveyCountsWhatTheWalkBrings(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	tortureTree(t, root)
	totals, err := Survey(t.Context(), Live{Root: root}, "vol")
	assert.NilError(t, err)
	var entries, bytes int64
	assert.NilError(t, Live{Root: root}.Walk(t.Context(), "vol", func(e *archive.Entry, _ io.Reader) error {
		entries++
		bytes += e.Size
		for name := range e.Xattrs {
			assert.Assert(t, !strings.HasPrefix(name, "trusted."), "%s of %s", name, e.Name)
		}
		return nil
	}))
	assert.Equal(t, totals.Entries, entries)
	assert.Equal(t, totals.Bytes, bytes)
	assert.Equal(t, totals.Sockets, int64(1))
	assert.Assert(t, totals.AllocatedBytes > 0 && totals.AllocatedBytes < totals.Bytes/10, "%d of %d", totals.AllocatedBytes, totals.Bytes)
}

func TestHardLinksAreForgottenOnceAllAreSeen(t *testing.T) {
	root := volume(t, map[string]string{"a": "x", "other": "y"})
	top := filepath.Join(root, "vol")
	assert.NilError(t, os.Link(top+"/a", top+"/b"))
	assert.NilError(t, os.Link(top+"/a", top+"/c"))
	assert.NilError(t, os.Link(top+"/other", filepath.Join(root, "outside")))
	kinds := ""
	w := walker{take: func(e *archive.Entry, _ *file) error {
		kinds += string(rune(e.Type))
		if e.Type == tar.TypeLink {
			assert.Equal(t, e.Linkname, "./vol/a")
			assert.Equal(t, e.Size, int64(0))
		}
		return nil
	}}
	assert.NilError(t, w.run(t.Context(), root, "vol"))
	assert.Equal(t, kinds, "50110")
	assert.Equal(t, len(w.links), 1, "only the file with a name elsewhere is still waited for")
}

func TestVolumesAreNamesInTheRootAndNothingElse(t *testing.T) {
	root := volume(t, map[string]string{"x": ""})
	assert.NilError(t, os.Symlink("vol", filepath.Join(root, "link")))
	assert.NilError(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	for name, want := range map[string]error{
		"missing": unix.ENOENT, "link": unix.ENOTDIR, "file": unix.ENOTDIR,
		"": nil, ".": nil, "..": nil, "vol/x": nil, "../vol": nil, "vol\x00": nil,
	} {
		err := Live{Root: root}.Walk(t.Context(), name, func(*archive.Entry, io.Reader) error { return nil })
		if want != nil {
			assert.ErrorIs(t, err, want)
			assert.ErrorContains(t, err, "open "+name)
		} else {
			assert.ErrorContains(t, err, "no volume name", "%q", name)
		}
	}
	err := Live{Root: root + "/missing"}.Walk(t.Context(), "vol", nil)
	assert.ErrorContains(t, err, "open the folder of the volumes")
}

func TestAnErrorOfTheVisitorEndsTheWalk(t *testing.T) {
	root := volume(t, map[string]string{"a": "", "b": ""})
	cause := errors.New("no space left on device")
	seen := 0
	err := Live{Root: root}.Walk(t.Context(), "vol", func(*archive.Entry, io.Reader) error {
		if seen++; seen == 2 {
			return cause
		}
		return nil
	})
	assert.Equal(t, err, cause)
	assert.Equal(t, seen, 2)
}

func TestAWalkIsCancelledBetweenFiles(t *testing.T) {
	root := volume(t, map[string]string{"a": "", "b": ""})
	for kind, source := range sources(t, root, "vol") {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		err := source.Walk(ctx, "vol", func(*archive.Entry, io.Reader) error {
			if seen++; seen == 2 {
				cancel()
			}
			return nil
		})
		assert.ErrorIs(t, err, context.Canceled, kind)
		assert.Equal(t, seen, 2, kind)
	}
}

func TestAWalkIsCancelledInsideALargeFile(t *testing.T) {
	root := volume(t, map[string]string{"a": strings.Repeat("x", 1<<20)})
	for kind, source := range sources(t, root, "vol") {
		ctx, cancel := context.WithCancel(t.Context())
		err := source.Walk(ctx, "vol", func(_ *archive.Entry, content io.Reader) error {
			if content == nil {
				return nil
			}
			_, err := io.ReadFull(content, make([]byte, 1<<19))
			assert.NilError(t, err)
			cancel()
			_, err = content.Read(nil)
			assert.ErrorIs(t, err, context.Canceled, "asked with an empty buffer")
			_, err = io.Copy(io.Discard, content)
			return err
		})
		assert.ErrorIs(t, err, context.Canceled, kind)
	}
}
