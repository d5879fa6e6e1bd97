package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// listener notes what it is told of and takes all content.
type listener struct {
	headers []*tar.Header
	open    int
}

func (l *listener) Entry(h *tar.Header) (io.WriteCloser, error) {
	l.headers = append(l.headers, h)
	l.open++
	return l, nil
}

func (l *listener) Write(p []byte) (int, error) { return len(p), nil }

func (l *listener) Close() error {
	l.open--
	return nil
}

// FuzzCheck feeds strangers' bytes to Check: it must not panic, what it accepts
// of ours must be what its manifest says, and of no archive may it show an
// entry that leads anywhere else, or the same one twice.
func FuzzCheck(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(rich(f))
	f.Add(whole[:len(whole)/2])
	f.Add(putTogether(f, takeApart(f, whole)))
	foreign := putTogether(f, append(vendors(), special("./v/l", tar.TypeSymlink, "../x"), file("./v/l/x", "x"), special("./v/h", tar.TypeLink, "/x")))
	f.Add(foreign)
	f.Add(append(bytes.Clone(foreign), foreign...))
	f.Fuzz(func(t *testing.T, archive []byte) {
		seen := &listener{}
		s, err := Check(bytes.NewReader(archive), seen)
		assert.NilError(t, err, "neither the source nor who looks on ever fails")
		assert.Assert(t, s.Err() != nil || s.Complete)
		assert.Assert(t, !s.Complete || seen.open == 0, "each content is closed")
		names := map[string]bool{}
		for _, h := range seen.headers {
			name := Path(h.Name)
			assert.Assert(t, name == "" || filepath.IsLocal(name), "%q", h.Name)
			assert.Assert(t, !names[name], "%q twice", h.Name)
			names[name] = true
		}
		if s.Err() != nil || s.Manifest == nil {
			return
		}
		var entries int64
		for _, v := range s.Manifest.Volumes {
			entries += v.Entries
		}
		assert.Assert(t, s.Entries >= entries+3, "manifest, report and sums come on top")
		assert.Equal(t, s.Entries, int64(len(seen.headers)))
		_, err = ReadManifest(bytes.NewReader(archive))
		assert.NilError(t, err)
	})
}

// FuzzList lists whatever archive/tar takes: a line for each entry, and nothing
// in it that a terminal would obey.
func FuzzList(f *testing.F) {
	f.Add("./v/x\n", "\x1b[2J", "root", int64(0o4755), int64(1<<40), byte(tar.TypeReg))
	f.Add("\xff\u202e", "../x", "\x00", int64(-1), int64(-1), byte(tar.TypeSymlink))
	f.Fuzz(func(t *testing.T, name, link, owner string, mode, number int64, kind byte) {
		var out bytes.Buffer
		assert.NilError(t, NewLister(&out).Entry(&tar.Header{
			Name: name, Linkname: link, Uname: owner, Mode: mode, Size: number, Devmajor: number, Devminor: number, Typeflag: kind,
		}))
		line := out.Bytes()
		assert.Equal(t, bytes.IndexByte(line, '\n'), len(line)-1, "%q", line)
		for _, r := range string(line[:len(line)-1]) {
			assert.Assert(t, r >= ' ' && r != 0x7f && r != '\u202e' && (r < 0x80 || r > 0x9f), "%q", line)
		}
	})
}
