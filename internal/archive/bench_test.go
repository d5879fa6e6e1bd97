package archive

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"gotest.tools/v3/assert"
)

// endless is a reader of any number of bytes that cost nothing.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(e.left, int64(len(p))))
	e.left -= int64(n)
	return n, nil
}

func BenchmarkWriteLargeFile(b *testing.B) {
	const size = 1 << 30
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		writeFiles(b, io.Discard, 1, size)
	}
}

func BenchmarkWriteSmallFiles(b *testing.B) {
	const count, size = 100_000, 2000
	b.SetBytes(count * size)
	b.ReportAllocs()
	for b.Loop() {
		writeFiles(b, io.Discard, count, size)
	}
}

func BenchmarkCheckLargeFile(b *testing.B) { benchCheck(b, 1, 256<<20) }

func BenchmarkCheckSmallFiles(b *testing.B) { benchCheck(b, 100_000, 2000) }

func benchCheck(b *testing.B, count int, size int64) {
	b.Helper()
	var archive bytes.Buffer
	writeFiles(b, &archive, count, size)
	b.SetBytes(int64(archive.Len()))
	b.ReportAllocs()
	for b.Loop() {
		assert.NilError(b, check(archive.Bytes()))
	}
}

func writeFiles(b *testing.B, dst io.Writer, count int, size int64) {
	b.Helper()
	w, err := NewWriter(dst, b.TempDir())
	assert.NilError(b, err)
	assert.NilError(b, w.WriteManifest(&Manifest{Volumes: []Volume{{Name: "v", Entries: int64(count) + 1, Bytes: int64(count) * size}}}))
	assert.NilError(b, w.WriteEntry(dir("./v/"), nil))
	for i := range count {
		if err := w.WriteEntry(regular(fmt.Sprintf("./v/%07d", i), size), &endless{size}); err != nil {
			b.Fatal(err)
		}
	}
	assert.NilError(b, w.WriteReport(&Report{}))
	assert.NilError(b, w.Close())
}
