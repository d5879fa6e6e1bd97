package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

var created = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)

func sampleManifest() *Manifest {
	return &Manifest{
		Tool: Tool{Name: "docker-ucp", Version: "1.0.0"}, Created: created,
		UCP: UCP{InstanceID: "id", Version: "3.1.4", Era: "classic"},
		Volumes: []Volume{
			{Name: "ucp-kv", Driver: "local", Entries: 5, Bytes: 2011},
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

func text(s string) io.Reader { return strings.NewReader(s) }

// sampleEntries are the calls that write the archive which most tests change
// or damage, without the manifest before and the report after them.
func sampleEntries() []func(*Writer) error {
	sparse := regular("./ucp-kv/data/s", 2000)
	sparse.Extents = []Extent{{1000, 4}}
	link := &Entry{Name: "./ucp-kv/data/z", Type: tar.TypeLink, Linkname: "./ucp-kv/data/a\nb"}
	return []func(*Writer) error{
		func(w *Writer) error { return w.WriteFile("./docker-ucp/configs/x.json", []byte("{}")) },
		func(w *Writer) error { return w.WriteFile("./ucp-kv.json", []byte("[]")) },
		func(w *Writer) error { return w.WriteEntry(dir("./ucp-kv/"), nil) },
		func(w *Writer) error { return w.WriteEntry(dir("./ucp-kv/data/"), nil) },
		func(w *Writer) error { return w.WriteEntry(regular("./ucp-kv/data/a\nb", 11), text("hello world")) },
		func(w *Writer) error { return w.WriteEntry(sparse, text("data")) },
		func(w *Writer) error { return w.WriteEntry(link, nil) },
		func(w *Writer) error { return w.WriteEntry(dir("./ucp-node-certs/"), nil) },
	}
}

func writeSample(w *Writer) error {
	if err := w.WriteManifest(sampleManifest()); err != nil {
		return err
	}
	for _, call := range sampleEntries() {
		if err := call(w); err != nil {
			return err
		}
	}
	return w.WriteReport(&Report{QuiescedAt: created, ResumedAt: created.Add(time.Second), DowntimeMS: 1000})
}

// sample is a sound archive.
func sample(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, writeSample(w))
	assert.NilError(t, w.Close())
	return out.Bytes()
}

func TestWhatWriterWritesIsSound(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, writeSample(w))
	assert.NilError(t, w.Close())

	s, err := Check(bytes.NewReader(out.Bytes()), nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Assert(t, s.Complete)
	assert.Assert(t, s.HeadersProven)
	assert.Equal(t, s.Entries, w.Entries())
	assert.Equal(t, s.Entries, int64(11))
	assert.Equal(t, s.Files, int64(6))
	assert.Equal(t, s.Report.DowntimeMS, int64(1000))
	assert.Equal(t, s.Manifest.FormatVersion, Version)
	assert.Equal(t, s.Manifest.UCP.Version, "3.1.4")
}

func TestTheManifestIsFirstAndTheChecksumsAreLast(t *testing.T) {
	var names []string
	r := tar.NewReader(bytes.NewReader(sample(t)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		assert.NilError(t, err)
		names = append(names, h.Name)
	}
	assert.DeepEqual(t, names, []string{
		"./docker-ucp/manifest.json", "./docker-ucp/configs/x.json", "./ucp-kv.json",
		"./ucp-kv/", "./ucp-kv/data/", "./ucp-kv/data/a\nb", "./ucp-kv/data/s", "./ucp-kv/data/z", "./ucp-node-certs/",
		"./docker-ucp/report.json", "./docker-ucp/SHA256SUMS",
	})
}

func TestTheSameContentMakesTheSameArchive(t *testing.T) {
	assert.Assert(t, bytes.Equal(sample(t), sample(t)))
}

// TestWriterRefusesWhatCheckWouldRefuse calls a fresh writer after the manifest
// and the entries so far.
func TestWriterRefusesWhatCheckWouldRefuse(t *testing.T) {
	entry := func(e *Entry) func(*Writer) error {
		return func(w *Writer) error { return w.WriteEntry(e, text("")) }
	}
	file := func(name string) func(*Writer) error {
		return func(w *Writer) error { return w.WriteFile(name, nil) }
	}
	short := regular("./ucp-kv/data/s", 10)
	short.Extents = []Extent{{5, 6}}
	crossed := regular("./ucp-kv/data/s", 10)
	crossed.Extents = []Extent{{5, 1}, {4, 1}}
	for name, c := range map[string]struct {
		after int // calls of the sample before
		call  func(*Writer) error
		want  string
	}{
		"a second manifest":            {0, func(w *Writer) error { return w.WriteManifest(sampleManifest()) }, "second manifest"},
		"a file twice":                 {1, file("./docker-ucp/configs/x.json"), "comes twice"},
		"a file outside our folder":    {0, file("./other/x.json"), "no folder of ours"},
		"a file named like the report": {0, file(reportName), "not where it belongs"},
		"a file named like the sums":   {0, file(sumsName), "not where it belongs"},
		"a file named like a volume":   {0, file("./ucp-kv"), "a volume of that name"},
		"a file in a volume":           {0, file("./ucp-kv/x"), "no folder of ours"},
		"a file after a volume":        {3, file("./x.json"), "not where it belongs"},
		"an absolute name":             {0, file("/x.json"), "does not begin"},
		"a name that leads out":        {0, file("./docker-ucp/../x"), "no clean path"},
		"a name with an empty element": {0, file("./docker-ucp//x"), "no clean path"},
		"a name with a zero byte":      {0, file("./docker-ucp/\x00"), "zero byte"},
		"an unknown volume":            {2, entry(dir("./other/")), "not the next volume"},
		"volumes out of order":         {2, entry(dir("./ucp-node-certs/")), "not the next volume"},
		"a volume without its root":    {2, entry(regular("./ucp-kv/x", 0)), "before the root"},
		"a root that is a symlink":     {2, entry(&Entry{Name: "./ucp-kv", Type: tar.TypeSymlink}), "is no folder"},
		"a volume twice":               {3, entry(dir("./ucp-kv/")), "entries"},
		"a name twice":                 {5, entry(regular("./ucp-kv/data/a\nb", 0)), "comes after"},
		"names out of order":           {6, entry(regular("./ucp-kv/data/b", 0)), "comes after"},
		"a file of a folder left":      {6, entry(regular("./ucp-kv/a", 0)), "comes after"},
		"a file in no folder":          {3, entry(regular("./ucp-kv/missing/x", 0)), "not in the archive"},
		"a file below a file":          {5, entry(regular("./ucp-kv/data/a\nb/x", 0)), "not in the archive"},
		"an entry that leads out":      {4, entry(regular("./ucp-kv/data/../../x", 0)), "no clean path"},
		"a link to a later file":       {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: tar.TypeLink, Linkname: "./ucp-kv/data/b"}), "no earlier file"},
		"a link to itself":             {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: tar.TypeLink, Linkname: "./ucp-kv/data/a"}), "no earlier file"},
		"a link into another volume":   {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: tar.TypeLink, Linkname: "./docker-ucp/a"}), "no earlier file"},
		"a link that leads out":        {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: tar.TypeLink, Linkname: "./ucp-kv/../x"}), "no clean path"},
		"an unknown kind":              {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: 'S'}), "unknown kind"},
		"a folder with content":        {4, entry(&Entry{Name: "./ucp-kv/data/a/", Type: tar.TypeDir, Size: 1}), "only a regular file"},
		"a negative size":              {4, entry(regular("./ucp-kv/data/a", -1)), "negative"},
		"a negative owner":             {4, entry(&Entry{Name: "./ucp-kv/data/a", Type: tar.TypeReg, UID: -1}), "no possible number"},
		"a region beyond the end":      {5, entry(short), "beyond the end"},
		"regions out of order":         {5, entry(crossed), "out of order"},
		"a volume that lacks entries":  {7, entry(dir("./ucp-node-certs/")), "the manifest says"},
		"a report with a volume to go": {7, func(w *Writer) error { return w.WriteReport(&Report{}) }, "is missing"},
		"checksums without a report":   {8, (*Writer).Close, "not where it belongs"},
		"more content than the size":   {4, func(w *Writer) error { return w.WriteEntry(regular("./ucp-kv/data/a", 3), text("abcd")) }, "after its end"},
		"less content than the size":   {4, func(w *Writer) error { return w.WriteEntry(regular("./ucp-kv/data/a", 3), text("ab")) }, "ends before"},
		"no content for a size":        {4, func(w *Writer) error { return w.WriteEntry(regular("./ucp-kv/data/a", 3), nil) }, "no content"},
		"content that goes nowhere on": {4, func(w *Writer) error { return w.WriteEntry(regular("./ucp-kv/data/a", 0), stuck{}) }, "multiple Read calls"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := NewWriter(io.Discard, t.TempDir())
			assert.NilError(t, err)
			assert.NilError(t, w.WriteManifest(sampleManifest()))
			for i, call := range sampleEntries() {
				if i >= c.after || name == "a volume that lacks entries" && i == 6 {
					break
				}
				assert.NilError(t, call(w))
			}
			err = c.call(w)
			assert.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, "write the archive: ")
			assert.ErrorContains(t, w.WriteReport(&Report{}), c.want, "the first error stays")
			assert.ErrorContains(t, w.Close(), c.want, "an archive that failed is never closed well")
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestWriterRefusesAnythingBeforeTheManifest(t *testing.T) {
	for name, call := range map[string]func(*Writer) error{
		"a file":    func(w *Writer) error { return w.WriteFile("./x.json", nil) },
		"an entry":  func(w *Writer) error { return w.WriteEntry(dir("./ucp-kv/"), nil) },
		"a report":  func(w *Writer) error { return w.WriteReport(&Report{}) },
		"checksums": (*Writer).Close,
	} {
		t.Run(name, func(t *testing.T) {
			w, err := NewWriter(io.Discard, t.TempDir())
			assert.NilError(t, err)
			assert.ErrorContains(t, call(w), "before the manifest")
			assert.ErrorContains(t, w.Close(), "before the manifest")
		})
	}
}

func TestAClosedWriterRefusesMore(t *testing.T) {
	w, err := NewWriter(io.Discard, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, writeSample(w))
	assert.NilError(t, w.Close())
	assert.NilError(t, w.Discard())
	assert.ErrorIs(t, w.WriteFile("./x.json", nil), errDiscarded)
	assert.ErrorIs(t, w.Close(), errDiscarded)
}

func TestTheScratchFileHasNoName(t *testing.T) {
	scratch := t.TempDir()
	w, err := NewWriter(io.Discard, scratch)
	assert.NilError(t, err)
	left, err := os.ReadDir(scratch)
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
	assert.NilError(t, w.Discard())
	_, err = NewWriter(io.Discard, scratch+"/missing")
	assert.ErrorContains(t, err, "make room for the checksums")
}

func TestManyChecksumsSpillIntoTheScratchFile(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(&Manifest{}))
	for i := range 2 * smallSize / sumLineMin {
		name := "./docker-ucp/" + strings.Repeat("x", 1+i%200) + string(rune('a'+i%26)) + strings.Repeat("y", i/200)
		assert.NilError(t, w.WriteFile(name, nil))
	}
	assert.NilError(t, w.WriteReport(&Report{}))
	assert.NilError(t, w.Close())
	s, err := Check(&out, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Equal(t, s.Files, int64(2*smallSize/sumLineMin+2))
}

// sumLineMin is the length of the shortest line of SHA256SUMS.
const sumLineMin = 64 + 2 + 1
