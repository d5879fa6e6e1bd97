package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"

	"gotest.tools/v3/assert"
)

// ends runs work and fails when it leaves a goroutine behind: a bubble with one
// that waits for ever is a deadlock.
func ends(t *testing.T, work func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, work)
}

// limitedWriter fails once it has taken so many bytes.
type limitedWriter struct {
	left int
	err  error // nil: takes less than it is given, and says nothing
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return len(p), nil
	}
	n := w.left
	w.left = 0
	return n, w.err
}

func TestWriterStopsAtAnErrorBelowAndKeepsIt(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	packets := quickLock(t, key)
	full := errors.New("no room")
	for _, compress := range []Compression{None, Zlib} {
		for _, test := range []struct{ fail, want error }{{full, full}, {nil, io.ErrShortWrite}} {
			for _, size := range []int{0, 10, len(packets), len(packets) + 1, chunkSize, 3 * chunkSize, 20 * chunkSize, 40*chunkSize - 1} {
				t.Run(fmt.Sprintf("compression %d, %q after %d bytes", compress, test.want, size), func(t *testing.T) {
					ends(t, func(t *testing.T) {
						w, err := NewWriter(&limitedWriter{size, test.fail}, packets, key, Options{Compress: compress})
						if err == nil {
							err = useUp(t, w, test.want)
						}
						assert.ErrorIs(t, err, test.want)
					})
				})
			}
		}
	}
}

// useUp writes until there is an error, and then sees that it stays.
func useUp(t *testing.T, w *Writer, want error) (err error) {
	t.Helper()
	data := randomBytes(t, 1<<20)
	for range 11 {
		if _, err = w.Write(data); err != nil {
			break
		}
	}
	closed := w.Close()
	assert.ErrorIs(t, closed, want)
	_, again := w.Write(data)
	assert.ErrorIs(t, again, want)
	assert.ErrorIs(t, w.Close(), want)
	w.Abort()
	return errors.Join(err, closed)
}

func TestWriterGivenUpLeavesNoGoroutineAndNoWholeMessage(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	for _, compress := range []Compression{None, Zlib} {
		for _, size := range []int{0, 1, chunkSize, 3*chunkSize + 5, 3 << 20} {
			ends(t, func(t *testing.T) {
				var out bytes.Buffer
				w, err := NewWriter(&out, nil, key, Options{Compress: compress})
				assert.NilError(t, err)
				_, err = w.Write(randomBytes(t, size))
				assert.NilError(t, err)
				w.Abort()
				w.Abort()
				_, err = w.Write([]byte("more"))
				assert.ErrorIs(t, err, errClosed)
				assert.ErrorIs(t, w.Close(), errClosed)
				_, err = opened(out.Bytes(), Keys{SessionKey: key})
				assert.ErrorIs(t, err, ErrDamaged)
			})
		}
	}
}

func TestWriterEndsOnce(t *testing.T) {
	key, err := NewSessionKey()
	assert.NilError(t, err)
	for _, compress := range []Compression{None, Zlib} {
		var out bytes.Buffer
		w, err := NewWriter(&out, nil, key, Options{Compress: compress})
		assert.NilError(t, err)
		assert.NilError(t, w.Close())
		size := out.Len()
		assert.NilError(t, w.Close())
		w.Abort()
		_, err = w.Write([]byte("more"))
		assert.ErrorIs(t, err, errClosed)
		assert.Equal(t, out.Len(), size)
	}
	_, err = NewWriter(io.Discard, nil, key, Options{Compress: 7})
	assert.ErrorContains(t, err, "compression 7 is not known")
}

// allocated is how many bytes and how many times work asks for memory.
func allocated(work func()) (size, times uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

func TestMemoryDoesNotGrowWithTheData(t *testing.T) {
	const limit = 32 << 20
	key, err := NewSessionKey()
	assert.NilError(t, err)
	data := bytes.Repeat([]byte("some text that repeats itself, and so on; "), 1<<20/42)
	for _, compress := range []Compression{None, Zlib} {
		seal := func(n int, to io.Writer) func() {
			return func() {
				w, err := NewWriter(to, nil, key, Options{Compress: compress})
				assert.NilError(t, err)
				for range n {
					_, err := w.Write(data)
					assert.NilError(t, err)
				}
				assert.NilError(t, w.Close())
			}
		}
		_, few := allocated(seal(4, io.Discard))
		size, many := allocated(seal(100, io.Discard))
		assert.Assert(t, size < limit, "sealing 100 MiB took %d bytes in all, compression %d", size, compress)
		assert.Assert(t, many < few+100, "4 MiB took %d allocations, 100 MiB %d, compression %d", few, many, compress)

		open := func(message []byte) func() {
			return func() {
				r, err := Open(bytes.NewReader(message), Keys{SessionKey: key})
				assert.NilError(t, err)
				_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, data)
				assert.NilError(t, err)
				assert.NilError(t, r.Close())
			}
		}
		var small, large bytes.Buffer
		seal(4, &small)()
		seal(100, &large)()
		_, few = allocated(open(small.Bytes()))
		size, many = allocated(open(large.Bytes()))
		assert.Assert(t, size < limit, "opening 100 MiB took %d bytes in all, compression %d", size, compress)
		if compress == None { // inflating makes a table for each block
			assert.Assert(t, many < few+100, "4 MiB took %d allocations, 100 MiB %d", few, many)
		}
	}
}
