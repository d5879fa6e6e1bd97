package scenarios

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"testing"

	"gotest.tools/v3/assert"
)

// find returns where the content of an entry begins in a plain tar, and how long it is.
func (a *archives) find(t *testing.T, file, name string) (offset, size int64) {
	t.Helper()
	f := open(t, file)
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		assert.NilError(t, err, "no entry %s in %s", name, file)
		if h.Name == name {
			offset, err = f.Seek(0, io.SeekCurrent) // the reader takes no byte before it is asked for it
			assert.NilError(t, err)
			return offset, h.Size
		}
	}
}

// change returns a copy of a plain tar in which an entry's content was changed in its place, and nothing else.
func (a *archives) change(t *testing.T, file, name string, change func(content []byte)) string {
	t.Helper()
	changed := copyFile(t, file)
	offset, size := a.find(t, file, name)
	f, err := os.OpenFile(changed, os.O_RDWR, 0)
	assert.NilError(t, err)
	content := make([]byte, size)
	_, err = f.ReadAt(content, offset)
	assert.NilError(t, err)
	change(content)
	_, err = f.WriteAt(content, offset)
	assert.NilError(t, err)
	assert.NilError(t, f.Close())
	return changed
}

// content reads an entry of a plain tar.
func (a *archives) content(t *testing.T, file, name string) []byte {
	t.Helper()
	offset, size := a.find(t, file, name)
	content := make([]byte, size)
	_, err := open(t, file).ReadAt(content, offset)
	assert.NilError(t, err)
	return content
}

// rewrite returns a copy of a plain tar whose entries went through edit, which may leave one out by returning false.
func (a *archives) rewrite(t *testing.T, file string, edit func(h *tar.Header, content []byte) (changed []byte, keep bool), more ...*tar.Header) string {
	t.Helper()
	to := output(t)
	out, err := os.Create(to)
	assert.NilError(t, err)
	w := tar.NewWriter(out)
	for r := tar.NewReader(open(t, file)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		assert.NilError(t, err)
		content, err := io.ReadAll(r)
		assert.NilError(t, err)
		content, keep := edit(h, content)
		if !keep {
			continue
		}
		h.Size = int64(len(content))
		assert.NilError(t, w.WriteHeader(h))
		_, err = w.Write(content)
		assert.NilError(t, err)
	}
	for _, h := range more {
		assert.NilError(t, w.WriteHeader(h))
	}
	assert.NilError(t, w.Close())
	assert.NilError(t, out.Close())
	return to
}

// asItIs is an edit that changes nothing.
func asItIs(_ *tar.Header, content []byte) ([]byte, bool) { return content, true }
