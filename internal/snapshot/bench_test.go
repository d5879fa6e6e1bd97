//go:build linux

package snapshot

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// BenchmarkSmallFiles archives 100,000 small files; its GNU tar case is the
// yardstick, side by side.
func BenchmarkSmallFiles(b *testing.B) {
	root := b.TempDir()
	content := make([]byte, 2000)
	for d := range 100 {
		dir := filepath.Join(root, "vol", fmt.Sprintf("dir%02d", d))
		assert.NilError(b, os.MkdirAll(dir, 0o755))
		for f := range 1000 {
			assert.NilError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%04d.pem", f)), content, 0o600))
		}
	}
	b.Run("archive", func(b *testing.B) { benchArchive(b, Live{Root: root}, root) })
	b.Run("clone", func(b *testing.B) {
		for b.Loop() {
			c, err := Clone(b.Context(), Live{Root: root}, []string{"vol"}, filepath.Join(root, "clone"), nil)
			assert.NilError(b, err)
			b.StopTimer()
			assert.NilError(b, c.Remove())
			b.StartTimer()
		}
	})
	b.Run("archive of the clone", func(b *testing.B) {
		c, err := Clone(b.Context(), Live{Root: root}, []string{"vol"}, filepath.Join(root, "clone"), nil)
		assert.NilError(b, err)
		benchArchive(b, c, root)
		assert.NilError(b, c.Remove())
	})
	benchTar(b, root)
}

// BenchmarkLargeFile archives one file of 1 GiB from the page cache.
func BenchmarkLargeFile(b *testing.B) {
	root := b.TempDir()
	assert.NilError(b, os.MkdirAll(filepath.Join(root, "vol"), 0o755))
	file, err := os.Create(filepath.Join(root, "vol", "db"))
	assert.NilError(b, err)
	_, err = io.CopyN(file, rand.NewChaCha8([32]byte{}), 1<<30)
	assert.NilError(b, err)
	assert.NilError(b, file.Close())
	b.SetBytes(1 << 30)
	b.Run("archive", func(b *testing.B) {
		b.SetBytes(1 << 30)
		benchArchive(b, Live{Root: root}, root)
	})
	benchTar(b, root)
}

func benchArchive(b *testing.B, source Source, root string) {
	b.Helper()
	b.ReportAllocs()
	totals, err := Survey(b.Context(), Live{Root: root}, "vol")
	assert.NilError(b, err)
	m := &archive.Manifest{Volumes: []archive.Volume{{Name: "vol", Entries: totals.Entries, Bytes: totals.Bytes}}}
	for b.Loop() {
		w, err := archive.NewWriter(io.Discard, root)
		assert.NilError(b, err)
		assert.NilError(b, w.WriteManifest(m))
		assert.NilError(b, source.Walk(b.Context(), "vol", w.WriteEntry))
		assert.NilError(b, w.WriteReport(&archive.Report{}))
		assert.NilError(b, w.Close())
	}
}

func benchTar(b *testing.B, root string) {
	b.Helper()
	b.Run("GNU tar", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "sh", "-c", "tar --format=posix -c -C "+root+" vol | cat >/dev/null")
			assert.NilError(b, cmd.Run())
		}
	})
}
