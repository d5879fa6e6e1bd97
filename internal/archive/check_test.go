package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gotest.tools/v3/assert"
)

// check says in one error what is wrong with an archive or with reading it.
func check(archive []byte) error {
	s, err := Check(bytes.NewReader(archive), nil)
	return errors.Join(err, s.Err())
}

// member is one entry of an archive that a test takes apart.
type member struct {
	header  tar.Header
	content []byte
}

// takeApart leaves out the digest of the headers, which would be right for no
// archive that was put together anew.
func takeApart(t testing.TB, archive []byte) []member {
	t.Helper()
	var members []member
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		assert.NilError(t, err)
		content, err := io.ReadAll(r)
		assert.NilError(t, err)
		h.PAXRecords = nil
		switch h.Name {
		case reportName:
			content = headersDigest.ReplaceAll(content, []byte(`"headers_sha256": ""`))
		case sumsName:
			content = listOf(members)
		}
		members = append(members, member{*h, content})
	}
}

var headersDigest = regexp.MustCompile(`"headers_sha256": "[0-9a-f]{64}"`)

// listOf is the list of checksums of an archive's members.
func listOf(members []member) []byte {
	var list []byte
	for _, m := range members {
		if m.header.Typeflag == tar.TypeReg {
			digest := sha256.Sum256(m.content)
			list = appendSumLine(list, digest[:], m.header.Name)
		}
	}
	return list
}

func putTogether(t testing.TB, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		m.header.Size = int64(len(m.content))
		assert.NilError(t, w.WriteHeader(&m.header))
		_, err := w.Write(m.content)
		assert.NilError(t, err)
	}
	assert.NilError(t, w.Close())
	return out.Bytes()
}

// The members of the sample archive.
const (
	atManifest = iota
	atConfig
	atContainer
	atRoot
	atFolder
	atFile
	atSparse
	atLink
	atSecond
	atReport
	atSums
)

func TestAnArchivePutTogetherAgainIsSound(t *testing.T) {
	s, err := Check(bytes.NewReader(putTogether(t, takeApart(t, sample(t)))), nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Assert(t, s.Manifest != nil)
	assert.Assert(t, !s.HeadersProven, "as an archive of a release that had no digest of headers")
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	rename := func(at int, name string) func([]member) []member {
		return func(m []member) []member { m[at].header.Name = name; return m }
	}
	drop := func(at int) func([]member) []member {
		return func(m []member) []member { return slices.Delete(m, at, at+1) }
	}
	swap := func(a, b int) func([]member) []member {
		return func(m []member) []member { m[a], m[b] = m[b], m[a]; return m }
	}
	repeat := func(at int) func([]member) []member {
		return func(m []member) []member { return slices.Insert(m, at, m[at]) }
	}
	edit := func(at int, from, to string) func([]member) []member {
		return func(m []member) []member {
			m[at].content = bytes.Replace(m[at].content, []byte(from), []byte(to), 1)
			return m
		}
	}
	kind := func(at int, kind byte, link string) func([]member) []member {
		return func(m []member) []member {
			m[at].header.Typeflag, m[at].header.Linkname, m[at].content = kind, link, nil
			return m
		}
	}
	for name, c := range map[string]struct {
		change func([]member) []member
		want   string
	}{
		"the manifest is missing":             {drop(atManifest), "its beginning is missing"},
		"the manifest is not first":           {swap(atManifest, atConfig), "put together anew"},
		"the manifest is a symlink":           {kind(atManifest, tar.TypeSymlink, "/etc/passwd"), "the first entry is not"},
		"the manifest comes twice":            {repeat(atManifest), "not where it belongs"},
		"the manifest is no JSON":             {edit(atManifest, "{", "["), "read the manifest"},
		"a volume of the manifest is missing": {drop(atSecond), `./ucp-node-certs/: a volume of the manifest, is missing`},
		"a container comes twice":             {repeat(atContainer), "comes twice"},
		"a container is absolute":             {rename(atContainer, "/ucp-kv.json"), "does not begin"},
		"a container is a symlink":            {kind(atContainer, tar.TypeSymlink, "/x"), "no regular file"},
		"a container is a folder":             {kind(atContainer, tar.TypeDir, ""), "no regular file"},
		"a volume is not in the manifest":     {rename(atSecond, "./stranger/"), "in no volume of the manifest"},
		"a file comes twice":                  {repeat(atFile), "each named once"},
		"a file leads out":                    {rename(atFile, "./ucp-kv/data/../../../etc/passwd"), "no clean path"},
		"a folder is a symlink": {func(m []member) []member {
			return kind(atFolder, tar.TypeSymlink, "/etc")(rename(atFolder, "./ucp-kv/data")(m))
		}, "not in the archive"},
		"files are out of order":        {swap(atFile, atSparse), "comes after"},
		"a file is missing":             {drop(atFile), "the manifest says"},
		"a file has grown":              {edit(atFile, "world", "worlds"), "the manifest says"},
		"a file has shrunk":             {edit(atFile, "world", ""), "the manifest says"},
		"a file has other content":      {edit(atFile, "world", "w0rld"), `"./ucp-kv/data/a\nb": its content is not what line 4 of SHA256SUMS says`},
		"a container has other content": {edit(atContainer, "[", "{"), `./ucp-kv.json: its content is not what line 3 of SHA256SUMS says`},
		"a link leads out":              {kind(atLink, tar.TypeLink, "/etc/passwd"), "does not begin"},
		"a volume follows the report":   {swap(atSecond, atReport), "is missing"},
		"the report is missing":         {drop(atReport), "not where it belongs"},
		"the report is no JSON":         {edit(atReport, "{", "["), "read the report"},
		"the report is a symlink":       {kind(atReport, tar.TypeSymlink, "x"), "no regular file"},
		"the sums are missing":          {drop(atSums), "not complete"},
		"the sums are a symlink":        {kind(atSums, tar.TypeSymlink, "x"), "no regular file"},
		"the sums come twice":           {repeat(atSums), "must be last"},
		"a sum is wrong":                {edit(atSums, "./docker-ucp/report.json", "./docker-ucp/report.jsom"), "line 6 names ./docker-ucp/report.jsom"},
		"a line of the sums is missing": {edit(atSums, "\n", ""), "line 1 names ./docker-ucp/manifest.json"},
		"the sums go on":                {func(m []member) []member { m[atSums].content = append(m[atSums].content, "more\n"...); return m }, "has 7 lines, the archive 6 files"},
		"the sums go on without a line": {func(m []member) []member { m[atSums].content = append(m[atSums].content, "more"...); return m }, "has 6 lines"},
		"the sums are empty":            {func(m []member) []member { m[atSums].content = nil; return m }, "has 0 lines"},
		"something follows the sums":    {func(m []member) []member { return append(m, m[atContainer]) }, "must be last"},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := putTogether(t, c.change(takeApart(t, sample(t))))
			s, err := Check(bytes.NewReader(damaged), nil)
			assert.NilError(t, err, "the source is fine")
			assert.ErrorContains(t, s.Err(), c.want)
			assert.ErrorContains(t, s.Err(), "check the archive: ")
		})
	}
}

func TestATruncatedArchiveIsNeverSound(t *testing.T) {
	whole := sample(t)
	for n := 0; n < len(whole); n++ {
		if n < len(whole)-4096 {
			n += 12 // the end is where each byte is of interest
		}
		assert.Assert(t, check(whole[:n]) != nil, "%d of %d bytes", n, len(whole))
	}
}

func TestADamagedByteOfContentIsNeverSound(t *testing.T) {
	whole := sample(t)
	for _, word := range []string{"hello world", "data\x00", "3.1.4", "downtime_ms\": 1000", "./docker-ucp/report.json\n"} {
		at := bytes.LastIndex(whole, []byte(word))
		assert.Assert(t, at >= 0, word)
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		assert.Assert(t, check(damaged) != nil, word)
	}
}

func TestPaddingBehindTheArchiveIsFineAndDataIsNot(t *testing.T) {
	whole := sample(t)
	assert.NilError(t, check(append(bytes.Clone(whole), make([]byte, 9<<10)...)))
	s, err := Check(bytes.NewReader(append(bytes.Clone(whole), whole...)), nil)
	assert.NilError(t, err)
	assert.ErrorContains(t, s.Err(), "two archives, one after the other")
	assert.Equal(t, s.Second, int64(len(whole)))
	assert.Assert(t, s.Complete, "the first is")
	s, err = Check(bytes.NewReader(append(bytes.Clone(whole), "\x00\x00x"...)), nil)
	assert.NilError(t, err)
	assert.ErrorContains(t, s.Err(), "data follows the end of the tar")
	assert.Equal(t, s.Second, int64(len(whole)+2))
}

func TestReadManifestReadsNothingElse(t *testing.T) {
	whole := sample(t)
	m, err := ReadManifest(iotest.OneByteReader(bytes.NewReader(whole[:4096])))
	assert.NilError(t, err)
	assert.Equal(t, m.Volumes[0].Name, "ucp-kv")
	_, err = ReadManifest(strings.NewReader(""))
	assert.Error(t, err, "read the archive: it is empty")
	_, err = ReadManifest(strings.NewReader(strings.Repeat("no tar", 1000)))
	assert.ErrorIs(t, err, tar.ErrHeader)
}

func TestAManifestIsReadWithinBounds(t *testing.T) {
	members := takeApart(t, sample(t))
	members[atManifest].content = bytes.Repeat([]byte(" "), maxManifest+1)
	_, err := ReadManifest(bytes.NewReader(putTogether(t, members)))
	assert.ErrorContains(t, err, "more than")
}

// cancelled is a reader that was cancelled after its data had been read.
type cancelled struct{ *bytes.Reader }

func (c cancelled) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, context.Canceled
	}
	return c.Reader.Read(p)
}

// claiming is an archive of one sparse file that claims size bytes.
func claiming(t *testing.T, manifest, size int64) []byte {
	t.Helper()
	hole := regular("./v/x", size)
	hole.Extents = []Extent{}
	var h header
	out := putTogether(t, []member{
		{tar.Header{Name: manifestName, Typeflag: tar.TypeReg}, fmt.Appendf(nil,
			`{"format_version": 1, "volumes": [{"name": "v", "entries": 2, "bytes": %d}]}`, manifest)},
		{tar.Header{Name: "./v/", Typeflag: tar.TypeDir}, nil},
	})
	rendered, err := h.render(hole)
	assert.NilError(t, err)
	return append(out[:len(out)-2*blockSize], rendered...)
}

func TestAClaimOfExabytesCostsNothing(t *testing.T) {
	assert.ErrorContains(t, check(claiming(t, 1000, 1<<59)), "more than the 2 entries and 1000 bytes that the manifest says")
}

func TestACheckOfALongHoleHearsOfACancel(t *testing.T) {
	_, err := Check(cancelled{bytes.NewReader(claiming(t, 1<<59, 1<<59))}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}
