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

func TestThinningJoinsTheSmallestHolesFirst(t *testing.T) {
	var found []archive.Extent
	at := int64(0)
	for i := range archive.MaxExtents {
		found = append(found, archive.Extent{Offset: at, Length: 4096})
		at += 4096 + 4096
		if i%4 == 3 {
			at += 1 << 20
		}
	}
	fewer, merge := thinned(found, 0)
	assert.Equal(t, len(fewer), archive.MaxExtents/4)
	assert.Equal(t, merge, int64(4096))
	assert.DeepEqual(t, fewer[0], archive.Extent{Offset: 0, Length: 7 * 4096})
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
