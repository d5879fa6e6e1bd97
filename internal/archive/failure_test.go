package archive

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"gotest.tools/v3/assert"
)

func TestAnErrorOfContentIsNotNamedTwice(t *testing.T) {
	w, err := NewWriter(io.Discard, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(sampleManifest()))
	assert.NilError(t, w.WriteEntry(dir("./ucp-kv/"), nil))
	cause := errors.New("read ucp-kv/x: input/output error")
	content := io.MultiReader(text("abc"), iotest.ErrReader(cause))
	err = w.WriteEntry(regular("./ucp-kv/x", 10), content)
	assert.ErrorIs(t, err, cause)
	assert.Error(t, err, "write the archive: read ucp-kv/x: input/output error")
	assert.ErrorIs(t, w.Close(), cause)
}

// failing takes n bytes and then no more.
type failing struct{ n int }

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		return f.n, errFull
	}
	f.n -= len(p)
	return len(p), nil
}

func TestAWriteErrorAtAnyByteIsReported(t *testing.T) {
	size := len(sample(t))
	for n := 0; n < size; n += 97 {
		w, err := NewWriter(&failing{n: n}, t.TempDir())
		assert.NilError(t, err)
		err = writeSample(w)
		if err == nil {
			err = w.Close()
		}
		assert.ErrorIs(t, err, errFull, "byte %d", n)
		assert.NilError(t, w.Discard())
	}
}

func TestAHoleOfATerabyteHearsOfACancel(t *testing.T) {
	w, err := NewWriter(io.Discard, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(&Manifest{Volumes: []Volume{{Name: "ucp-kv", Entries: 2, Bytes: 1 << 40}}}))
	assert.NilError(t, w.WriteEntry(dir("./ucp-kv/"), nil))
	hole := regular("./ucp-kv/x", 1<<40)
	hole.Extents = []Extent{}
	assert.ErrorIs(t, w.WriteEntry(hole, iotest.ErrReader(context.Canceled)), context.Canceled)
	assert.NilError(t, w.Discard())
}
