package verify

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestWhatIsNoBackupIsSaidInItsOwnWords(t *testing.T) {
	r, err := verified(t, vendors(t, []node{{"home/", nil}, {"home/x", []byte("x")}}))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.ErrorContains(t, err, "the archive is sound, but it is no backup of UCP: none of")
	assert.Equal(t, r.Era, EraNone)

	files := volumesOf(t)
	for name := range files {
		if strings.HasPrefix(name, "ucp-kv/") {
			delete(files, name)
		}
	}
	leaveOut := func(m *archive.Manifest) { m.ExcludedVolumes = []string{"ucp-kv", "ucp-metrics-data"} }
	r, err = verified(t, ours(t, "", recordsOf(), walk(files), leaveOut))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.ErrorContains(t, err, "the archive is sound, but the backup of UCP 3.1.4 in it is not complete: ./ucp-kv: left out on purpose")
	assert.Equal(t, mentions(t, &r.Levels[2], Note, "left out on purpose"), "./ucp-metrics-data")
}

func TestEveryEntryIsListed(t *testing.T) {
	_, _, dumps := whole(t)
	var list bytes.Buffer
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(dumps), Now: written(), List: &list})
	assert.NilError(t, err)
	assert.Equal(t, int64(strings.Count(list.String(), "\n")), r.Entries)
	assert.Assert(t, strings.Contains(list.String(), " ./ucp-backup/1631549510183/etcd.backup.db\n"))

	full := errors.New("no space left on device")
	_, err = Run(t.Context(), mute(), Options{Source: bytes.NewReader(dumps), Now: written(), List: writerFunc(func([]byte) (int, error) { return 0, full })})
	assert.ErrorIs(t, err, full)
}

func TestAWrongFileIsSaidToBeOne(t *testing.T) {
	tests := map[string]struct{ data, words string }{
		"xz":          {"\xfd7zXZ\x00\x00\x04", "it is packed with xz: xz -dc FILE | docker ucp verify -"},
		"zip":         {"PK\x03\x04\x14\x00", "it is a zip file"},
		"a key":       {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "it is an OpenPGP key"},
		"a password":  {"root:x:0:0:root:/root:/bin/bash\n", "it looks like text"},
		"random data": {"\x01\x02\x03\x04\x05", "it is nothing that is known here"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := verified(t, []byte(test.data))
			assert.Error(t, err, "standard input: this is no backup: no tar, and no OpenPGP message: "+test.words)
			assert.Equal(t, failure.KindOf(err), failure.Damaged)
			assert.Equal(t, len(failure.Hints(err)), 0)
			assert.Equal(t, r.Levels[0].Summary, "no OpenPGP message")
		})
	}
}

func TestWhatMustNotBeExtractedIsListedAndNamed(t *testing.T) {
	nodes := walk(volumesOf(t))
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	assert.NilError(t, w.WriteHeader(&tar.Header{Name: "./ucp-kv/../../etc/passwd", Typeflag: tar.TypeReg, Mode: 0o600}))
	assert.NilError(t, w.Flush())
	data := append(out.Bytes(), vendors(t, nodes)...)
	var list bytes.Buffer
	r, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(data), Now: written(), List: &list})
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	assert.ErrorContains(t, err, "the archive is whole, but not safe to extract: ./ucp-kv/../../etc/passwd: ")
	assert.DeepEqual(t, verdicts(r), [3]Verdict{NotSealed, Unsound, Sound})
	assert.Assert(t, strings.Contains(list.String(), " ./ucp-kv/../../etc/passwd\n"))
	assert.Equal(t, int64(strings.Count(list.String(), "\n")), r.Entries)
}

func TestWhatIsOddInAVolumeIsKeptAndNoted(t *testing.T) {
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(&archive.Manifest{Volumes: []archive.Volume{{Name: "ucp-kv", Entries: 3}}}))
	assert.NilError(t, w.WriteEntry(&archive.Entry{Name: "./ucp-kv/", Type: tar.TypeDir}, nil))
	assert.NilError(t, w.WriteEntry(&archive.Entry{Name: "./ucp-kv/link", Type: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil))
	assert.NilError(t, w.WriteEntry(&archive.Entry{Name: "./ucp-kv/null", Type: tar.TypeChar, DevMajor: 1, DevMinor: 3}, nil))
	assert.NilError(t, w.WriteReport(&archive.Report{}))
	assert.NilError(t, w.Close())
	r, _ := verified(t, out.Bytes())
	level := &r.Levels[1]
	assert.Equal(t, level.Verdict, Sound)
	assert.Equal(t, mentions(t, level, Note, "which is absolute; it was so in the volume"), "./ucp-kv/link")
	assert.Equal(t, mentions(t, level, Note, "a device node; it was so"), "./ucp-kv/null")
}

func TestVolumesInAFolderAreRecognised(t *testing.T) {
	_, err := verified(t, vendors(t, []node{{"old/", nil}, {"old/ucp-kv/", nil}, {"old/ucp-kv/x", []byte("x")}}))
	assert.ErrorContains(t, err, `its volumes are in the folder "old", and belong at the top`)
}
