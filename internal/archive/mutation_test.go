package archive

import (
	"archive/tar"
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// rich is a plain archive with all that its format can say.
func rich(t testing.TB) []byte {
	t.Helper()
	when := time.Date(2019, 3, 4, 5, 6, 7, 123456789, time.UTC)
	ends := regular("./v/sparse that ends with a hole", 1<<20)
	ends.Extents = []Extent{{4096, 700}, {90_000, 1}}
	begins := regular("./v/sparse with many regions", 100_000)
	for i := range int64(200) {
		begins.Extents = append(begins.Extents, Extent{100 + i*400, 13})
	}
	hole := regular("./v/sparse without data", 1<<16)
	hole.Extents = []Extent{}
	attributes := regular("./v/attributes", 3)
	attributes.Xattrs = map[string]string{"user.a=b": "\x00\n", "security.selinux": "system_u", "user.long": strings.Repeat("x", 3000)}
	long := "./v/" + strings.Repeat("n", 250)
	entries := []*Entry{
		dir("./v/"),
		{Name: "./v/1900", Type: tar.TypeReg, Mode: 0o4755, UID: 3 << 20, GID: 5 << 20, ModTime: time.Unix(-1<<31, 5), Size: 513},
		{Name: "./v/\xff bytes", Type: tar.TypeReg, ModTime: when, Size: 512},
	}
	entries = append(entries[:2], attributes,
		&Entry{Name: "./v/disk", Type: tar.TypeBlock, ModTime: when, DevMajor: 8, DevMinor: 1},
		&Entry{Name: "./v/fifo", Type: tar.TypeFifo, Mode: 0o600, ModTime: when},
		&Entry{Name: "./v/link", Type: tar.TypeSymlink, ModTime: when, Linkname: strings.Repeat("../", 40)},
		dir(long+"/"), &Entry{Name: long + "/x", Type: tar.TypeReg, ModTime: when, Size: 70_000},
		&Entry{Name: "./v/o", Type: tar.TypeLink, ModTime: when, Linkname: long + "/x"},
		ends, begins, hole, &Entry{Name: "./v/\xff bytes", Type: tar.TypeReg, ModTime: when, Size: 512})
	m := &Manifest{Created: created, Volumes: []Volume{{Name: "v", Entries: int64(len(entries))}}}
	for _, e := range entries {
		m.Volumes[0].Bytes += e.Size
	}
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(m))
	assert.NilError(t, w.WriteFile("./ucp-kv.json", []byte(`[{"Id": "1"}]`)))
	for _, e := range entries {
		assert.NilError(t, w.WriteEntry(e, bytes.NewReader(bytes.Repeat([]byte("content\x00"), 10_000)[:e.Stored()])))
	}
	assert.NilError(t, w.WriteReport(&Report{QuiescedAt: when, ResumedAt: when}))
	assert.NilError(t, w.Close())
	return out.Bytes()
}

// assertFound fails if a change of an archive is not found, by Check or by the
// source that it reads from.
func assertFound(t testing.TB, changed []byte, format string, args ...any) {
	t.Helper()
	if check(changed) == nil {
		t.Errorf("not found: "+format, args...)
	}
}

// assertChangesAreFound makes single-byte changes and truncations at places
// that the seed chooses.
func assertChangesAreFound(t testing.TB, whole []byte, changes, truncations int, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	changed := bytes.Clone(whole)
	for range changes {
		at, delta := random.IntN(len(whole)), byte(1+random.IntN(255))
		changed[at] ^= delta
		assertFound(t, changed, "byte %d of %d, changed from %#x to %#x, seed %d", at, len(whole), whole[at], changed[at], seed)
		changed[at] = whole[at]
	}
	for range truncations {
		n := random.IntN(len(whole))
		assertFound(t, whole[:n], "cut off at byte %d of %d, seed %d", n, len(whole), seed)
	}
}

func TestARichArchiveIsProven(t *testing.T) {
	s, err := Check(bytes.NewReader(rich(t)), nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Assert(t, s.HeadersProven)
}

func TestEachChangeOfARichArchiveIsFound(t *testing.T) {
	assertChangesAreFound(t, rich(t), 2000, 500, 1)
}

// TestEachByteOfASmallArchiveCounts changes all of them, one after the other.
func TestEachByteOfASmallArchiveCounts(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(&Manifest{Created: created, Volumes: []Volume{{Name: "v", Entries: 2, Bytes: 1000}}}))
	assert.NilError(t, w.WriteEntry(&Entry{Name: "./v/", Type: tar.TypeDir, ModTime: created.Truncate(time.Second)}, nil))
	sparse := regular("./v/s", 1000)
	sparse.Extents = []Extent{{100, 3}}
	assert.NilError(t, w.WriteEntry(sparse, text("abc")))
	assert.NilError(t, w.WriteReport(&Report{}))
	assert.NilError(t, w.Close())
	whole := out.Bytes()
	random := rand.New(rand.NewPCG(2, 0))
	changed := bytes.Clone(whole)
	for at := range whole {
		for _, delta := range []byte{1 << (at % 8), byte(1 + random.IntN(255))} {
			changed[at] ^= delta
			assertFound(t, changed, "byte %d of %d, changed from %#x to %#x", at, len(whole), whole[at], changed[at])
			changed[at] = whole[at]
		}
	}
}

// TestHeadersOfAnEarlierReleaseAreNotProven changes what such an archive has no
// digest of.
func TestHeadersOfAnEarlierReleaseAreNotProven(t *testing.T) {
	members := takeApart(t, sample(t))
	members[atFile].header.Uid = 1000
	s, err := Check(bytes.NewReader(putTogether(t, members)), nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Assert(t, !s.HeadersProven)
}

func TestAChangedHeaderIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		entry  string
		change func(*ustar)
		want   string
	}{
		"an owner of a volume's file":  {"./ucp-kv/", func(u *ustar) { octal(u[108:116], 1000) }, "the headers are not those"},
		"a time of the manifest":       {manifestName, func(u *ustar) { octal(u[136:148], 1) }, "the headers are not those"},
		"the mode of the report":       {reportName, func(u *ustar) { octal(u[100:108], 0o644) }, reportName + ": its header"},
		"the mode of the checksums":    {sumsName, func(u *ustar) { octal(u[100:108], 0o644) }, sumsName + ": its header"},
		"an owner's name of the first": {manifestName, func(u *ustar) { copy(u[265:], "x") }, "the headers are not those"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := sample(t)
			at := bytes.Index(changed, append([]byte(c.entry), 0))
			assert.Equal(t, at%blockSize, 0)
			block := (*ustar)(changed[at:])
			c.change(block)
			copy(changed[at:], block.seal(nil))
			s, err := Check(bytes.NewReader(changed), nil)
			assert.NilError(t, err)
			assert.ErrorContains(t, s.Err(), c.want)
			assert.Equal(t, len(s.Problems), 1)
			assert.Assert(t, s.Complete)
			assert.Assert(t, !s.HeadersProven)
		})
	}
}
