//go:build linux

package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func TestAFileThatChangesWhileItIsReadIsAnErrorWithItsName(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"it shrinks":          func(path string) error { return os.Truncate(path, 1000) },
		"it grows":            func(path string) error { return os.Truncate(path, 200_000) },
		"it is written again": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("y", 100_000)), 0o600) },
		"it grows and hides it": func(path string) error {
			return errors.Join(os.Truncate(path, 200_000), os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)))
		},
		"only its time moves": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			root := volume(t, map[string]string{"d/x": strings.Repeat("x", 100_000)})
			path := filepath.Join(root, "vol", "d", "x")
			assert.NilError(t, os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)))
			err := Live{Root: root}.Walk(t.Context(), "vol", func(_ *archive.Entry, content io.Reader) error {
				if content == nil {
					return nil
				}
				_, err := io.ReadFull(content, make([]byte, 500))
				assert.NilError(t, err)
				assert.NilError(t, change(path))
				_, err = io.Copy(io.Discard, content)
				return err
			})
			assert.ErrorIs(t, err, ErrChanged)
			assert.Error(t, err, "read vol/d/x: changed while it was read")
		})
	}
}

// meddle walks a volume of "a" and "b", and changes "b" once "a" is visited.
func meddle(t *testing.T, lenient bool, change func(path string)) (names []string, err error) {
	t.Helper()
	root := volume(t, map[string]string{"a": "", "b": "inside", "c/x": "", "../secret/x": "outside"})
	w := walker{open: true, attrs: true, lenient: lenient}
	w.take = func(e *archive.Entry, _ *file) error {
		names = append(names, e.Name)
		if e.Name == "./vol/a" {
			change(filepath.Join(root, "vol"))
		}
		return nil
	}
	err = w.run(t.Context(), root, "vol")
	return names, err
}

func TestWhatIsSwappedUnderneathLeadsNowhere(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, top string)
		file   string
	}{
		"a file becomes a symlink": {func(t *testing.T, top string) {
			assert.NilError(t, os.Remove(top+"/b"))
			assert.NilError(t, os.Symlink("../secret/x", top+"/b"))
		}, "vol/b"},
		"a folder becomes a symlink": {func(t *testing.T, top string) {
			assert.NilError(t, os.RemoveAll(top+"/c"))
			assert.NilError(t, os.Symlink("../secret", top+"/c"))
		}, "vol/c"},
		"a file becomes a folder": {func(t *testing.T, top string) {
			assert.NilError(t, os.Remove(top+"/b"))
			assert.NilError(t, os.Mkdir(top+"/b", 0o755))
		}, "vol/b"},
		"a file becomes a socket": {func(t *testing.T, top string) {
			assert.NilError(t, os.Remove(top+"/b"))
			t.Chdir(top)
			makeSocket(t, "b")
		}, "vol/b"},
		"a folder becomes a file": {func(t *testing.T, top string) {
			assert.NilError(t, os.RemoveAll(top+"/c"))
			assert.NilError(t, os.WriteFile(top+"/c", nil, 0o600))
		}, "vol/c"},
		"a file is gone": {func(t *testing.T, top string) {
			assert.NilError(t, os.Remove(top+"/b"))
		}, "vol/b"},
		"a folder is gone": {func(t *testing.T, top string) {
			assert.NilError(t, os.RemoveAll(top+"/c"))
		}, "vol/c"},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(top string) { c.change(t, top) }
			_, err := meddle(t, false, change)
			assert.ErrorIs(t, err, ErrChanged)
			assert.ErrorContains(t, err, c.file+":")
			names, err := meddle(t, true, change)
			assert.NilError(t, err, "a survey of a UCP that runs passes over it")
			assert.Assert(t, !strings.Contains(strings.Join(names, " "), c.file), "%q", names)
		})
	}
}
