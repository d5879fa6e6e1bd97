package archive

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

var created = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)

// small is the archive that most tests write or damage.
func sampleManifest() *Manifest {
	return &Manifest{
		Tool: Tool{Name: "docker-ucp", Version: "1.0.0"}, Created: created,
		UCP: UCP{InstanceID: "id", Version: "3.1.4", Era: "classic"},
		Volumes: []Volume{
			{Name: "ucp-kv", Driver: "local", Entries: 4, Bytes: 11},
			{Name: "ucp-node-certs", Driver: "local", Entries: 1},
		},
	}
}

func dir(name string) *Entry {
	return &Entry{Name: name, Type: tar.TypeDir, Mode: 0o755, ModTime: created}
}

func regular(name string, size int64) *Entry {
	return &Entry{Name: name, Type: tar.TypeReg, Mode: 0o600, ModTime: created, Size: size}
}

func writeSample(t *testing.T, w *Writer) {
	t.Helper()
	assert.NilError(t, w.WriteManifest(sampleManifest()))
	assert.NilError(t, w.WriteFile("./docker-ucp/configs/x.json", []byte("{}")))
	assert.NilError(t, w.WriteFile("./ucp-kv.json", []byte("[]")))
	assert.NilError(t, w.WriteEntry(dir("./ucp-kv/"), nil))
	assert.NilError(t, w.WriteEntry(dir("./ucp-kv/data/"), nil))
	assert.NilError(t, w.WriteEntry(regular("./ucp-kv/data/a\nb", 11), strings.NewReader("hello world")))
	assert.NilError(t, w.WriteEntry(&Entry{Name: "./ucp-kv/data/c", Type: tar.TypeLink, Linkname: "./ucp-kv/data/a\nb"}, nil))
	assert.NilError(t, w.WriteEntry(dir("./ucp-node-certs/"), nil))
	assert.NilError(t, w.WriteReport(&Report{QuiescedAt: created, ResumedAt: created.Add(time.Second), DowntimeMS: 1000}))
}

func TestWhatWriterWritesIsSound(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	writeSample(t, w)
	assert.NilError(t, w.Close())

	s, err := Check(bytes.NewReader(out.Bytes()))
	assert.NilError(t, err)
	assert.Equal(t, s.Entries, w.Entries())
	assert.Equal(t, s.Entries, int64(10))
	assert.Equal(t, s.Files, int64(5))
	assert.Equal(t, s.Report.DowntimeMS, int64(1000))
	assert.Equal(t, s.Manifest.UCP.Version, "3.1.4")
}
