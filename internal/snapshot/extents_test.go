//go:build linux

package snapshot

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func TestRoomThatWasNeverWrittenIsAHole(t *testing.T) {
	root := volume(t, map[string]string{"wal": "header"})
	f, err := os.OpenFile(filepath.Join(root, "vol", "wal"), os.O_RDWR, 0)
	assert.NilError(t, err)
	if err := unix.Fallocate(int(f.Fd()), 0, 0, 64<<20); err != nil {
		t.Skipf("needs a file system that allocates ahead: %s", err)
	}
	assert.NilError(t, errors.Join(f.Sync(), f.Close()))
	assert.NilError(t, Live{Root: root}.Walk(t.Context(), "vol", func(e *archive.Entry, _ io.Reader) error {
		if e.Name == "./vol/wal" {
			assert.Equal(t, e.Size, int64(64<<20))
			assert.Assert(t, e.Stored() <= 64<<10, "%d bytes", e.Stored())
		}
		return nil
	}))
}

func TestAFileOfManyHolesKeepsToTheLimit(t *testing.T) {
	root := volume(t, map[string]string{"x": ""})
	path := filepath.Join(root, "vol", "x")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	assert.NilError(t, err)
	const step, count = 16 << 10, archive.MaxExtents + 1000
	for i := range int64(count) {
		_, err := f.WriteAt([]byte{byte(i), byte(i >> 8)}, i*step)
		assert.NilError(t, err)
	}
	assert.NilError(t, f.Close())
	want, err := os.ReadFile(path)
	assert.NilError(t, err)
	assert.NilError(t, Live{Root: root}.Walk(t.Context(), "vol", func(e *archive.Entry, content io.Reader) error {
		if content == nil {
			return nil
		}
		if e.Extents == nil {
			t.Skip("needs a file system with holes")
		}
		assert.Assert(t, len(e.Extents) <= archive.MaxExtents, "%d", len(e.Extents))
		assert.Assert(t, len(e.Extents) > archive.MaxExtents/8, "%d", len(e.Extents))
		got := make([]byte, e.Size)
		for _, x := range e.Extents {
			_, err := io.ReadFull(content, got[x.Offset:x.Offset+x.Length])
			assert.NilError(t, err)
		}
		assert.Assert(t, bytes.Equal(got, want))
		return nil
	}))
}

func TestRegionsHaveOneFormEach(t *testing.T) {
	assert.DeepEqual(t, bounded(nil, 100), []archive.Extent{{Offset: 100}})
	assert.Assert(t, bounded([]archive.Extent{{Offset: 0, Length: 100}}, 100) == nil)
	part := []archive.Extent{{Offset: 0, Length: 99}}
	assert.DeepEqual(t, bounded(part, 100), part)
}

func TestThinningFillsTheSmallerHalfOfTheHoles(t *testing.T) {
	x := func(offset, length int64) archive.Extent { return archive.Extent{Offset: offset, Length: length} }
	// holes of 10, 90, 20, 80, 30
	found := []archive.Extent{x(0, 10), x(20, 10), x(120, 10), x(150, 10), x(240, 10), x(280, 10)}
	assert.DeepEqual(t, thinned(found), []archive.Extent{x(0, 30), x(120, 40), x(240, 10), x(280, 10)})
	// holes that are all alike
	found = []archive.Extent{x(0, 1), x(2, 1), x(4, 1), x(6, 1), x(8, 1)}
	assert.DeepEqual(t, thinned(found), []archive.Extent{x(0, 5), x(6, 1), x(8, 1)})
}

func TestAFileSystemWithoutAttributesHasNone(t *testing.T) {
	w := walker{attrs: true, names: make([]byte, 10)}
	err := w.readAttributes(func([]byte) (int, error) { return -1, unix.ENOTSUP }, nil)
	assert.NilError(t, err)
	assert.Assert(t, w.entry.Xattrs == nil)
	err = w.readAttributes(func([]byte) (int, error) { return -1, unix.EIO }, nil)
	assert.ErrorIs(t, err, unix.EIO)
	gone := func(string, []byte) (int, error) { return -1, unix.ENODATA }
	err = w.readAttributes(func(p []byte) (int, error) { return copy(p, "user.a\x00"), nil }, gone)
	assert.ErrorIs(t, err, ErrChanged)
}
