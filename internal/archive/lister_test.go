package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// listed is the list that Lister prints of an archive.
func listed(t *testing.T, archive []byte) string {
	t.Helper()
	var out bytes.Buffer
	l := NewLister(&out)
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		assert.NilError(t, err)
		assert.NilError(t, l.Entry(h))
	}
}

// ofEachKind is an archive with what tar may have to print, in an order that
// makes the columns grow.
func ofEachKind(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range []tar.Header{
		{Name: "./v/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "./v/no execution/", Typeflag: tar.TypeDir, Mode: 0o7000},
		{Name: "./v/all", Typeflag: tar.TypeReg, Mode: 0o7777},
		{Name: "./v/none", Typeflag: tar.TypeReg},
		{Name: "./v/plain", Typeflag: tar.TypeReg, Mode: 0o642, Uid: 65534, Gid: 65534, Uname: "nobody", Gname: "nogroup"},
		{Name: "./v/no group", Typeflag: tar.TypeReg, Mode: 0o604, Gid: 7, Uname: "root"},
		{Name: "./v/link", Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "a\nb \xff"},
		{Name: "./v/hard", Typeflag: tar.TypeLink, Linkname: "./v/p\\lain"},
		{Name: "./v/fifo", Typeflag: tar.TypeFifo, Mode: 0o600},
		{Name: "./v/tty", Typeflag: tar.TypeChar, Mode: 0o620, Devmajor: 4, Devminor: 300},
		{Name: "./v/disk", Typeflag: tar.TypeBlock, Mode: 0o660, Devmajor: 259, Devminor: 70000, Uid: 3_000_000, Gid: 4_000_000},
		{Name: "./v/after the column has grown", Typeflag: tar.TypeReg},
		{Name: "./v/\a\b\f\n\r\t\v\\\x01\x1b[31m\x7f\"'?*\xff\xc3", Typeflag: tar.TypeReg},
		{Name: "./v/ü”é\u00a0😀\u0301\ufffd", Typeflag: tar.TypeReg, Uname: "jürgen"},
		{Name: "./v/1950", Typeflag: tar.TypeReg, ModTime: time.Unix(-631152000, 0)},
		{Name: "./v/12000", Typeflag: tar.TypeReg, ModTime: time.Unix(316517932800, 0)},
		{Name: "./v/after the year 9999", Typeflag: tar.TypeReg},
	} {
		if h.ModTime.IsZero() {
			h.ModTime = created
		}
		assert.NilError(t, w.WriteHeader(&h))
	}
	assert.NilError(t, w.Flush())
	big := regular("./v/big", 9<<30)
	big.Extents = []Extent{}
	var render header
	rendered, err := render.render(big)
	assert.NilError(t, err)
	out.Write(rendered)
	return append(out.Bytes(), make([]byte, 2*blockSize)...)
}

func TestLinesAreThoseThatTarPrints(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	for name, archive := range map[string][]byte{"entries of each kind": ofEachKind(t), "an archive of ours": sample(t)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.tar")
			assert.NilError(t, os.WriteFile(path, archive, 0o600))
			cmd := exec.CommandContext(t.Context(), "tar", "--list", "--verbose", "--file", path)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			want, err := cmd.Output()
			assert.NilError(t, err)
			assert.Assert(t, strings.Count(string(want), "\n") > 10)
			assert.Equal(t, listed(t, archive), string(want))
		})
	}
}

func TestNothingListedDrivesATerminal(t *testing.T) {
	var out bytes.Buffer
	h := &tar.Header{Name: "./\x1b[2J\u202egnp", Uname: "\x1b]0;x", Typeflag: tar.TypeReg, ModTime: created}
	assert.NilError(t, NewLister(&out).Entry(h))
	line := out.String()
	assert.Assert(t, strings.HasSuffix(line, ` ./\033[2J\342\200\256gnp`+"\n"), "%q", line)
	assert.Assert(t, strings.Contains(line, ` \033]0;x/0 `), "%q", line)
}

func TestAListThatCannotBeWrittenIsAnError(t *testing.T) {
	assert.ErrorIs(t, NewLister(&failing{}).Entry(&tar.Header{}), errFull)
}
