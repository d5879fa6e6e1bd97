package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// readBack parses a rendered header with the standard library.
func readBack(t *testing.T, e *Entry) *tar.Header {
	t.Helper()
	var h header
	rendered, err := h.render(e)
	assert.NilError(t, err)
	assert.Equal(t, len(rendered)%blockSize, 0)
	got, err := tar.NewReader(bytes.NewReader(rendered)).Next()
	assert.NilError(t, err)
	return got
}

func TestHeadersSayWhatTheEntrySays(t *testing.T) {
	long := "./v/" + strings.Repeat("long/", 2000)
	for name, e := range map[string]Entry{
		"a plain file":                       {Name: "./v/x", Type: tar.TypeReg, Mode: 0o644, Size: 7},
		"a name of exactly 100 bytes":        {Name: "./v/" + strings.Repeat("n", 96), Type: tar.TypeReg},
		"a name of 101 bytes":                {Name: "./v/" + strings.Repeat("n", 97), Type: tar.TypeReg},
		"a folder with a long name":          {Name: long, Type: tar.TypeDir, Mode: 0o1777},
		"a name that is no UTF-8":            {Name: "./v/\xff\xfe", Type: tar.TypeReg},
		"a name with a line feed":            {Name: "./v/a\nb", Type: tar.TypeReg},
		"a UTF-8 name":                       {Name: "./v/ü", Type: tar.TypeReg},
		"a long symlink":                     {Name: "./v/x", Type: tar.TypeSymlink, Linkname: long},
		"a symlink of any bytes":             {Name: "./v/x", Type: tar.TypeSymlink, Linkname: "/\xff"},
		"a hard link":                        {Name: "./v/x", Type: tar.TypeLink, Linkname: "./v/a"},
		"the largest octal size":             {Name: "./v/x", Type: tar.TypeReg, Size: 8<<30 - 1},
		"8 GiB":                              {Name: "./v/x", Type: tar.TypeReg, Size: 8 << 30},
		"an exbibyte":                        {Name: "./v/x", Type: tar.TypeReg, Size: 1 << 60},
		"the largest octal owner":            {Name: "./v/x", Type: tar.TypeReg, UID: 1<<21 - 1, GID: 1<<21 - 1},
		"owners beyond octal":                {Name: "./v/x", Type: tar.TypeReg, UID: 1 << 21, GID: 1<<31 - 2},
		"setuid, setgid and sticky":          {Name: "./v/x", Type: tar.TypeReg, Mode: 0o7777},
		"a device":                           {Name: "./v/x", Type: tar.TypeBlock, DevMajor: 4095, DevMinor: 1048575},
		"a fifo":                             {Name: "./v/x", Type: tar.TypeFifo, Mode: 0o600},
		"attributes of any bytes":            {Name: "./v/x", Type: tar.TypeReg, Xattrs: map[string]string{"user.a": "\x00=\n", "user.b": ""}},
		"a sparse file":                      {Name: "./v/\xffx", Type: tar.TypeReg, Size: 100, Extents: []Extent{{10, 0}}},
		"a sparse file of a sparse petabyte": {Name: long + "x", Type: tar.TypeReg, Size: 1 << 50, Extents: []Extent{{0, 9 << 30}}},
	} {
		t.Run(name, func(t *testing.T) {
			e.ModTime = created
			got := readBack(t, &e)
			assert.Equal(t, got.Name, e.Name)
			assert.Equal(t, got.Typeflag, e.Type)
			assert.Equal(t, got.Linkname, e.Linkname)
			assert.Equal(t, got.Size, e.Size)
			assert.Equal(t, got.Mode, int64(e.Mode))
			assert.Equal(t, [2]int{got.Uid, got.Gid}, [2]int{e.UID, e.GID})
			assert.Equal(t, [2]int64{got.Devmajor, got.Devminor}, [2]int64{e.DevMajor, e.DevMinor})
			assert.Assert(t, got.ModTime.Equal(e.ModTime), "%v", got.ModTime)
			assert.Equal(t, got.Uname+got.Gname, "")
			for key, value := range e.Xattrs {
				assert.Equal(t, got.PAXRecords["SCHILY.xattr."+key], value)
			}
		})
	}
}

func TestTimesKeepEachNanosecond(t *testing.T) {
	for _, when := range []time.Time{
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, 999999999), time.Unix(0, 100000000),
		time.Unix(-1, 0), time.Unix(-1, 1), time.Unix(-1, 999999999), time.Unix(-5, 250), time.Unix(-1<<33, 10),
		time.Unix(1<<33-1, 0), time.Unix(1<<33, 0), time.Unix(1<<40, 5),
	} {
		t.Run(fmt.Sprint(when.Unix(), ".", when.Nanosecond()), func(t *testing.T) {
			got := readBack(t, &Entry{Name: "./v/x", Type: tar.TypeReg, ModTime: when})
			assert.Assert(t, got.ModTime.Equal(when), "%v is not %v", got.ModTime, when)
		})
	}
}

func TestAPlainHeaderNeedsOneBlock(t *testing.T) {
	var h header
	rendered, err := h.render(&Entry{Name: "./v/x", Type: tar.TypeReg, ModTime: time.Unix(1e9, 0)})
	assert.NilError(t, err)
	assert.Equal(t, len(rendered), blockSize)
}

func TestLengthsOfRecordsCountTheirOwnDigits(t *testing.T) {
	for n := range 2000 {
		r := records{}
		r.add("k", strings.Repeat("v", n))
		var size int
		_, err := fmt.Sscan(string(r.text), &size)
		assert.NilError(t, err)
		assert.Equal(t, size, len(r.text))
	}
}

func TestNamesOfAttributesAreEscapedAsGNUTarDoes(t *testing.T) {
	assert.Equal(t, escapeKeyword("user.plain"), "user.plain")
	assert.Equal(t, escapeKeyword("user.a=b%c"), "user.a%3Db%25c")
}

func TestAttributesTooLongForReadersAreRefused(t *testing.T) {
	var h header
	_, err := h.render(&Entry{Name: "./v/x", Type: tar.TypeReg, Xattrs: map[string]string{"user.x": strings.Repeat("x", maxExtended)}})
	assert.ErrorIs(t, err, tar.ErrFieldTooLong)
}

func TestTheLargestMapOfRegionsIsReadByGo(t *testing.T) {
	const far = 1 << 60 // so that each number is as long as can be
	e := regular("./v/x", far+MaxExtents*(1<<40))
	for i := range int64(MaxExtents) {
		e.Extents = append(e.Extents, Extent{Offset: far + i<<40})
	}
	assert.NilError(t, e.validate())
	got := readBack(t, e)
	assert.Equal(t, got.Size, e.Size)
}

func TestSparseEntriesReadAsTheirExpandedContent(t *testing.T) {
	for name, x := range map[string][]Extent{
		"nothing but a hole":       {},
		"a hole at the end":        {{0, 5}},
		"a hole at the beginning":  {{1995, 5}},
		"a hole in the middle":     {{0, 3}, {1998, 2}},
		"regions that touch":       {{10, 2}, {12, 3}},
		"one region is everything": {{0, 2000}},
	} {
		t.Run(name, func(t *testing.T) {
			e := regular("./v/x", 2000)
			e.Extents = x
			want := make([]byte, e.Size)
			var content []byte
			for i, region := range x {
				for at := range region.Length {
					want[region.Offset+at] = byte('a' + i)
					content = append(content, byte('a'+i))
				}
			}
			var h header
			rendered, err := h.render(e)
			assert.NilError(t, err)
			r := tar.NewReader(bytes.NewReader(padded(append(bytes.Clone(rendered), content...))))
			got, err := r.Next()
			assert.NilError(t, err)
			assert.Equal(t, got.Size, e.Size)
			read, err := io.ReadAll(r)
			assert.NilError(t, err)
			assert.DeepEqual(t, read, want)
		})
	}
}
