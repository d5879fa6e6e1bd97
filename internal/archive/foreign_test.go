package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"gotest.tools/v3/assert"
)

func file(name, content string) member {
	return member{tar.Header{Name: name, Typeflag: tar.TypeReg}, []byte(content)}
}

func folderNamed(name string) member { return special(name, tar.TypeDir, "") }

func special(name string, kind byte, link string) member {
	return member{tar.Header{Name: name, Typeflag: kind, Linkname: link}, nil}
}

// vendors is a tar as the vendor's backup up to UCP 3.1 is described.
func vendors() []member {
	return []member{
		folderNamed("./ucp-kv/"), folderNamed("./ucp-kv/data/"), file("./ucp-kv/data/db", "database"),
		special("./ucp-kv/data/now", tar.TypeSymlink, "../data/db"),
		special("./ucp-kv/data/same", tar.TypeLink, "./ucp-kv/data/db"),
		special("./ucp-kv/data/fifo", tar.TypeFifo, ""),
		folderNamed("./ucp-node-certs/"), file("./ucp-node-certs/key.pem", "key"),
	}
}

// problems is what is wrong with a tar, whose source is fine.
func problems(t *testing.T, archive []byte) []Problem {
	t.Helper()
	s, err := Check(bytes.NewReader(archive), nil)
	assert.NilError(t, err)
	assert.Assert(t, s.Manifest == nil)
	return s.Problems
}

func TestTheVendorsArchivesAreReadToTheirEnd(t *testing.T) {
	for name, members := range map[string][]member{
		"up to 3.1": vendors(),
		"3.2 and later": {
			file("./ucp-kv.json", "[]"), folderNamed("./ucp-backup/1631549510183/"),
			file("./ucp-backup/1631549510183/etcd.backup.db", "db"), folderNamed("./ucp-client-root-ca/"),
		},
		"names without a dot":                  {folderNamed("ucp-kv/"), file("ucp-kv/x", "x"), special("ucp-kv/y", tar.TypeLink, "ucp-kv/x")},
		"a folder for all":                     {folderNamed("./"), folderNamed("./ucp-kv/"), file("./ucp-kv/x", "x")},
		"a folder after what is in it":         {file("./ucp-kv/x", "x"), folderNamed("./ucp-kv/")},
		"names in no order":                    {file("./b/x", ""), file("./a/x", ""), file("./b/y", ""), file("./a/y", "")},
		"a symlink to nothing":                 {special("./v/x", tar.TypeSymlink, "missing")},
		"a symlink to its volume":              {special("./v/a/b/x", tar.TypeSymlink, "../../"), special("./v/y", tar.TypeSymlink, ".")},
		"a symlink beside the volumes":         {special("./x", tar.TypeSymlink, "ucp-kv.json")},
		"a hard link to a hard link":           {file("v/a", "a"), special("v/b", tar.TypeLink, "v/a"), special("v/c", tar.TypeLink, "./v/b")},
		"a global header that says no names":   {{tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, nil}, file("./a", "")},
		"names that look like more":            {file("./v/..x", ""), file("./v/...", ""), file("./v/a\\b", ""), file("./v/C:", "")},
		"nothing at all between the end marks": {},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Check(bytes.NewReader(putTogether(t, members)), nil)
			assert.NilError(t, err)
			assert.NilError(t, s.Err())
			assert.Assert(t, s.Complete)
			assert.Assert(t, s.Manifest == nil)
			assert.Assert(t, !s.HeadersProven)
		})
	}
	s, err := Check(bytes.NewReader(putTogether(t, vendors())), nil)
	assert.NilError(t, err)
	assert.DeepEqual(t, [3]int64{s.Entries, s.Files, s.Bytes}, [3]int64{8, 2, 11})
}

func TestHostileEntriesAreProblemsAndThePassGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		members []member
		entry   string
		want    string
	}{
		"an absolute name":                    {[]member{file("/etc/passwd", "x")}, "/etc/passwd", "is absolute"},
		"a name that leads out":               {[]member{file("./ucp-kv/../../x", "x")}, "./ucp-kv/../../x", `".." is in it`},
		"a name that begins by leading out":   {[]member{file("../x", "x")}, "../x", `".." is in it`},
		"a name with an empty element":        {[]member{file("./ucp-kv//x", "x")}, "./ucp-kv//x", "no clean path"},
		"a name with two dots in front":       {[]member{file("././x", "x")}, "././x", "no clean path"},
		"no name":                             {[]member{file("", "x")}, "", "has no name"},
		"a name too long to be extracted":     {[]member{file(strings.Repeat("x/", 3000)+"x", "")}, strings.Repeat("x/", 2048) + "…", "6001 bytes"},
		"a file in place of the archive":      {[]member{special(".", tar.TypeSymlink, "x")}, ".", "own folder"},
		"an absolute symlink":                 {[]member{special("./v/x", tar.TypeSymlink, "/etc")}, "./v/x", "which is absolute"},
		"a symlink into another volume":       {[]member{special("./v/x", tar.TypeSymlink, "../w/x")}, "./v/x", "leads out of its volume"},
		"a symlink out and in again":          {[]member{special("./v/x", tar.TypeSymlink, "../v/x")}, "./v/x", "leads out of its volume"},
		"a symlink that leads out late":       {[]member{special("./v/x", tar.TypeSymlink, "a/../../x")}, "./v/x", "leads out of its volume"},
		"a symlink out of the archive":        {[]member{special("./x", tar.TypeSymlink, "../x")}, "./x", "leads out of its volume"},
		"a symlink to nothing":                {[]member{special("./v/x", tar.TypeSymlink, "")}, "./v/x", "a symlink to nothing"},
		"an absolute hard link":               {[]member{special("./v/x", tar.TypeLink, "/etc/passwd")}, "./v/x", "is absolute"},
		"a hard link that leads out":          {[]member{special("./v/x", tar.TypeLink, "./v/../../x")}, "./v/x", `".." is in it`},
		"a hard link to what comes later":     {[]member{special("./v/x", tar.TypeLink, "./v/y"), file("./v/y", "")}, "./v/x", "no file that came before"},
		"a hard link to itself":               {[]member{special("./v/x", tar.TypeLink, "./v/x")}, "./v/x", "no file that came before"},
		"a hard link to a folder":             {[]member{folderNamed("./v/d/"), special("./v/x", tar.TypeLink, "./v/d")}, "./v/x", "no file that came before"},
		"a hard link to a symlink":            {[]member{special("./v/d/y", tar.TypeSymlink, "../x"), special("./v/x", tar.TypeLink, "./v/d/y")}, "./v/x", "no file that came before"},
		"a file through a symlink":            {[]member{special("./v/l", tar.TypeSymlink, "d"), file("./v/l/x", "x")}, "./v/l/x", `leads through "v/l", which is no folder`},
		"a file through a symlink that leads": {[]member{file("./v/d/e/x", ""), special("./v/l", tar.TypeSymlink, "d"), file("./v/l/e/x", "x")}, "./v/l/e/x", `leads through "v/l"`},
		"a file in a file":                    {[]member{file("./v/f", ""), file("./v/f/x", "")}, "./v/f/x", "which is no folder"},
		"a symlink where files are already":   {[]member{file("./v/d/x", ""), special("./v/d", tar.TypeSymlink, "e")}, "./v/d", "stands where a folder was"},
		"a name twice":                        {[]member{file("./v/x", "1"), file("./v/x", "2")}, "./v/x", "comes twice"},
		"a name twice in two spellings":       {[]member{file("./v/x", "1"), file("v/x", "2")}, "v/x", "comes twice"},
		"a folder twice":                      {[]member{folderNamed("./v/"), folderNamed("./v/")}, "./v/", "comes twice"},
		"a device":                            {[]member{special("./v/sda", tar.TypeBlock, "")}, "./v/sda", "a device node"},
		"a terminal":                          {[]member{special("./v/tty", tar.TypeChar, "")}, "./v/tty", "a device node"},
		"an unknown kind":                     {[]member{special("./v/x", 'V', "")}, "./v/x", "of a kind ('V')"},
		"a manifest of ours in its midst":     {[]member{file(manifestName, "{}")}, manifestName, "its beginning is missing"},
		"checksums of ours without a dot":     {[]member{file("docker-ucp/SHA256SUMS", "")}, "docker-ucp/SHA256SUMS", "its beginning is missing"},
		"a manifest of ours that is a folder": {[]member{folderNamed("docker-ucp/manifest.json/")}, "docker-ucp/manifest.json/", "its beginning is missing"},
		"a report of ours that is a symlink":  {[]member{special("./docker-ucp/report.json", tar.TypeSymlink, "x")}, "./docker-ucp/report.json", "its beginning is missing"},
		"checksums that are a hard link":      {[]member{special("./docker-ucp/SHA256SUMS", tar.TypeLink, "./ucp-kv/data/db")}, "./docker-ucp/SHA256SUMS", "its beginning is missing"},
		"a file below a manifest of ours":     {[]member{file("docker-ucp/manifest.json/x", "")}, "docker-ucp/manifest.json/x", "its beginning is missing"},
		"our folder as a symlink":             {[]member{special("./docker-ucp", tar.TypeSymlink, "ucp-kv")}, "./docker-ucp", "its beginning is missing"},
		"a global header that renames": {[]member{{tar.Header{
			Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "/etc/passwd"},
		}, nil}}, "/etc/passwd", "a global header"},
	} {
		t.Run(name, func(t *testing.T) {
			members := append(append(vendors(), c.members...), file("./ucp-metrics-data/last", "last"))
			var seen recorder
			s, err := Check(bytes.NewReader(putTogether(t, members)), &seen)
			assert.NilError(t, err)
			assert.Equal(t, len(s.Problems), 1, "%v", s.Problems)
			assert.Equal(t, s.Problems[0].Entry, c.entry)
			assert.Assert(t, strings.Contains(s.Problems[0].Text, c.want), s.Problems[0].Text)
			assert.Assert(t, s.Complete)
			assert.Equal(t, seen.names[len(seen.names)-1], "./ucp-metrics-data/last")
			assert.Equal(t, len(seen.names), len(members)-1, "of the hostile entry nobody is told: %q", seen.names)
		})
	}
}

// TestWhatFollowsASymlinkThatWasReplacedIsAProblem replaces a folder that files
// have been found in already.
func TestWhatFollowsASymlinkThatWasReplacedIsAProblem(t *testing.T) {
	found := problems(t, putTogether(t, []member{
		folderNamed("./v/d/"), file("./v/d/x", ""), special("./v/d", tar.TypeSymlink, "e"), file("./v/d/y", ""),
	}))
	assert.Equal(t, len(found), 2, "%v", found)
	assert.Equal(t, found[0].Text, "comes twice")
	assert.Equal(t, found[1].Entry, "./v/d/y")
}

func TestContentOfWhatIsNoFileIsAProblem(t *testing.T) {
	archive := putTogether(t, []member{special("./v/l", tar.TypeSymlink, "x"), folderNamed("./v/d/")})
	for at, name := range []string{"./v/l", "./v/d/"} {
		changed := bytes.Clone(archive)
		block := (*ustar)(changed[at*blockSize:])
		octal(block[124:136], 512)
		copy(changed[at*blockSize:], block.seal(nil))
		assert.DeepEqual(t, problems(t, changed), []Problem{{Entry: name, Text: "claims 512 bytes of content, and is no regular file", Unsafe: true}})
	}
}

func TestACutOffTarIsAProblem(t *testing.T) {
	whole := putTogether(t, vendors())
	end := len(whole) - 2*blockSize
	for n := range len(whole) {
		found := problems(t, whole[:n])
		assert.Equal(t, len(found), 1, "byte %d: %v", n, found)
		if n == 0 {
			assert.Equal(t, found[0].Text, "it is empty")
			continue
		}
		assert.Assert(t, strings.Contains(found[0].Text, fmt.Sprintf("cut off at byte %d", n)), "byte %d: %v", n, found)
	}
	assert.Equal(t, len(problems(t, whole)), 0)

	// Zeros of the last file are no end of the tar.
	zeros := putTogether(t, []member{file("./v/x", string(make([]byte, 4096)))})
	assert.Equal(t, len(problems(t, zeros)), 0)
	assert.Equal(t, len(problems(t, zeros[:len(zeros)-2*blockSize])), 1)
	assert.Equal(t, end%blockSize, 0)
}

func TestWhatIsNoTarIsSaidToBeNone(t *testing.T) {
	assert.DeepEqual(t, problems(t, bytes.Repeat([]byte("no tar"), 1000)), []Problem{{Text: "it is no tar"}})
	assert.Equal(t, len(problems(t, []byte("short"))), 1)
}

func TestWhatFollowsTheEndIsFound(t *testing.T) {
	first := putTogether(t, vendors())
	padded := append(bytes.Clone(first), make([]byte, 20*blockSize)...)
	for name, c := range map[string]struct {
		follows []byte
		second  int64
		want    string
	}{
		"a second archive":            {putTogether(t, vendors()), 0, "UCP 3.2.0 to 3.2.3 appended"},
		"an archive of ours":          {sample(t), 0, "a second archive begins"},
		"a single letter":             {[]byte("x"), 0, "data follows the end of the tar"},
		"text":                        {bytes.Repeat([]byte("text "), 1000), 0, "data follows the end of the tar"},
		"a letter within a block":     {append(make([]byte, 700), 'x'), 700, "data follows the end of the tar"},
		"the beginning of an archive": {first[:blockSize-1], 0, "data follows the end of the tar"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Check(iotest.HalfReader(bytes.NewReader(append(bytes.Clone(padded), c.follows...))), nil)
			assert.NilError(t, err)
			assert.Equal(t, len(s.Problems), 1)
			assert.ErrorContains(t, s.Err(), c.want)
			assert.Assert(t, s.Complete)
			assert.Equal(t, s.Second, int64(len(padded))+c.second)
		})
	}
	assert.Equal(t, len(problems(t, padded)), 0, "GNU tar fills up to 10 KiB")
	assert.Equal(t, len(problems(t, padded[:len(padded)-7])), 0, "the end marks are there")
}

func TestASourcesErrorIsNoProblemOfAForeignTar(t *testing.T) {
	whole := putTogether(t, vendors())
	for _, cause := range []error{errors.New("connection reset by peer"), io.ErrUnexpectedEOF, fmt.Errorf("gzip: %w", io.EOF)} {
		for n := 0; n <= len(whole); n += 61 {
			s, err := Check(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause)), nil)
			assert.ErrorIs(t, err, cause, "byte %d", n)
			assert.Equal(t, len(s.Problems), 0, "byte %d: %v", n, s.Problems)
		}
	}
}

// sparseTar is a tar of one sparse file for each size, all of them holes.
func sparseTar(t *testing.T, sizes ...int64) []byte {
	t.Helper()
	var out []byte
	for i, size := range sizes {
		e := regular(fmt.Sprintf("./v/%d", i), size)
		e.Extents = []Extent{}
		var h header
		rendered, err := h.render(e)
		assert.NilError(t, err)
		out = append(out, rendered...)
	}
	return append(out, make([]byte, 2*blockSize)...)
}

func TestMoreHolesThanCanBeExpandedAreAProblem(t *testing.T) {
	found := problems(t, sparseTar(t, 1<<20, maxSparse, 1<<62, 1<<20))
	assert.Equal(t, len(found), 2, "%v", found)
	assert.DeepEqual(t, [2]string{found[0].Entry, found[1].Entry}, [2]string{"./v/1", "./v/2"})
}

func TestACheckOfAForeignHoleHearsOfACancel(t *testing.T) {
	_, err := Check(cancelled{bytes.NewReader(sparseTar(t, maxSparse))}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWhatTarWritesIsRead(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.Output()
		assert.NilError(t, err, "%q", args)
		return out
	}
	run("sh", "-c", "mkdir -p ucp-kv/d && cd ucp-kv && echo x > d/x && ln d/x y && ln -s d/x z && truncate -s 3M s && echo e >> s")
	for _, format := range []string{"v7", "oldgnu", "gnu", "ustar", "pax"} {
		for _, sparse := range [][]string{nil, {"--sparse"}, {"--sparse", "--sparse-version=0.0"}, {"--sparse", "--sparse-version=0.1"}} {
			if sparse != nil && (format == "v7" || format == "ustar") {
				continue
			}
			archive := run(append(append([]string{"tar", "--create", "--format", format}, sparse...), ".")...)
			var seen recorder
			s, err := Check(bytes.NewReader(archive), &seen)
			assert.NilError(t, err)
			assert.NilError(t, s.Err(), "%s %q", format, sparse)
			assert.Equal(t, s.Entries, int64(7), "%s %q", format, sparse)
			assert.Equal(t, s.Bytes, int64(3<<20+4), "%s %q", format, sparse)
		}
	}
}
