package verify

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

const (
	memberFolder = "ucp-kv/datav3/member/"
	lastLog      = memberFolder + "wal/0000000000000007-00000000000002d4.wal"
	middleLog    = memberFolder + "wal/0000000000000005-0000000000000202.wal"
)

// changed verifies a plain archive of the vendor's after a change to its files,
// and returns the level UCP.
func changed(t *testing.T, change func(files map[string][]byte)) (*Result, Level) {
	t.Helper()
	files := volumesOf(t)
	change(files)
	r, err := verified(t, vendors(t, walk(files)))
	assert.Equal(t, r.Levels[1].Verdict, Sound)
	assert.Equal(t, failure.KindOf(err) == failure.Damaged, r.Levels[2].Verdict == Unsound)
	return r, r.Levels[2]
}

func TestDamageOfEtcdIsFoundWithoutChecksums(t *testing.T) {
	tests := map[string]struct {
		change func(files map[string][]byte)
		entry  string
		text   string
	}{
		"a page of the database": {
			func(files map[string][]byte) { overwritePage(files[memberFolder+"snap/db"]) },
			"./" + memberFolder + "snap/db", "page",
		},
		"a database cut short": {
			func(files map[string][]byte) { files[memberFolder+"snap/db"] = files[memberFolder+"snap/db"][:100_000] },
			"./" + memberFolder + "snap/db", "ends after 100000",
		},
		"an empty database": {
			func(files map[string][]byte) { files[memberFolder+"snap/db"] = nil },
			"./" + memberFolder + "snap/db", "empty",
		},
		"another file": {
			func(files map[string][]byte) { files[memberFolder+"snap/db"] = make([]byte, 1<<20) },
			"./" + memberFolder + "snap/db", "not a bbolt database",
		},
		"no database": {
			func(files map[string][]byte) { delete(files, memberFolder+"snap/db") },
			"./ucp-kv/datav3/member", "no etcd database",
		},
		"nothing of etcd": {
			func(files map[string][]byte) { moveFolder(files, "ucp-kv/deep/below") },
			"", "no etcd database",
		},
		"a byte of the log": {
			func(files map[string][]byte) { flip(files[middleLog], 9000) },
			"./" + middleLog, "",
		},
		"a file of the log missing": {
			func(files map[string][]byte) { delete(files, middleLog) },
			"./" + memberFolder + "wal", "missing",
		},
		"the log's newest files missing": {
			func(files map[string][]byte) {
				delete(files, lastLog)
				delete(files, memberFolder+"wal/0000000000000006-000000000000025f.wal")
			},
			"./ucp-kv/datav3/member", "not of one moment",
		},
		"no log": {removeLog, "./" + memberFolder + "wal", "etcd does not start without one"},
		"every raft snapshot": {
			func(files map[string][]byte) {
				for name, content := range files {
					if strings.HasSuffix(name, ".snap") {
						flip(content, 100)
					}
				}
			},
			"./" + memberFolder + "snap/0000000000000002-00000000000002f3.snap", "",
		},
		"a raft snapshot of another name": {
			func(files map[string][]byte) {
				for name, content := range files {
					if strings.HasSuffix(name, ".snap") {
						delete(files, name)
						files[strings.Replace(name, "0002-", "0003-", 1)] = content
					}
				}
			},
			"./" + memberFolder + "snap/0000000000000003-00000000000002f3.snap", "its name for another",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, level := changed(t, test.change)
			assert.Equal(t, level.Verdict, Unsound)
			assert.Assert(t, slices.ContainsFunc(level.Findings, func(f Finding) bool {
				return f.Severity == Fault && f.Entry == test.entry && strings.Contains(f.Text, test.text)
			}), "%v", level.Findings)
			assert.Assert(t, r.Etcd == nil || test.entry != "./"+memberFolder+"snap/db")
		})
	}
}

// overwritePage writes over the page that the tree of a database begins with.
func overwritePage(db []byte) {
	size := uint64(binary.LittleEndian.Uint32(db[24:]))
	newest := db[16:]
	if second := db[size+16:]; binary.LittleEndian.Uint64(second[48:]) > binary.LittleEndian.Uint64(newest[48:]) {
		newest = second
	}
	root := binary.LittleEndian.Uint64(newest[16:])
	clear(db[root*size : (root+1)*size])
}

func removeLog(files map[string][]byte) {
	for name := range files {
		if strings.HasPrefix(name, memberFolder+"wal/") {
			delete(files, name)
		}
	}
}

// moveFolder puts etcd's data somewhere else.
func TestADumpOfTheVendorsIsNoDataOfOurs(t *testing.T) {
	files := volumesOf(t)
	moveFolder(files, "ucp-kv/deep/below")
	files["ucp-backup/1/etcd.backup.db"] = unpacked(t, filepath.Join("..", "etcd", "testdata", "snapshot.db.gz"))
	r, err := verified(t, ours(t, "", recordsOf(), walk(files), nil))
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
	mentions(t, &r.Levels[2], Fault, "no etcd database")
}

func TestADumpThatIsALinkIsNoDump(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, n := range online(t) {
		h := &tar.Header{Name: "./" + n.name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(n.content))}
		switch {
		case strings.HasSuffix(n.name, "/"):
			h.Typeflag = tar.TypeDir
		case strings.HasPrefix(n.name, "ucp-backup/"):
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, "./ucp-kv.json", 0
		}
		assert.NilError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write(n.content)
			assert.NilError(t, err)
		}
	}
	assert.NilError(t, w.Close())
	_, err := verified(t, out.Bytes())
	assert.Equal(t, failure.KindOf(err), failure.Damaged)
}

func TestHolesOfADatabaseTakeNoRoom(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := newSpool()
	assert.NilError(t, err)
	assert.NilError(t, s.put([]byte("head"), 0))
	assert.NilError(t, s.put(make([]byte, 1<<20), 4))
	assert.NilError(t, s.put([]byte("tail"), 4+1<<20))
	assert.NilError(t, s.put(make([]byte, 64<<20), 8+1<<20))
	content := make([]byte, 12+1<<20)
	_, err = s.file.ReadAt(content, 0)
	assert.NilError(t, err)
	assert.DeepEqual(t, bytes.Trim(content, "\x00"), append(append([]byte("head"), make([]byte, 1<<20)...), "tail"...))
	info, err := s.file.Stat()
	assert.NilError(t, err)
	assert.Equal(t, info.Size(), int64(8+65<<20))
	assert.Assert(t, allocated(info) < 4<<20)
	assert.NilError(t, s.close())
}

func TestTheDumpsAreReadToTheirEnd(t *testing.T) {
	tests := map[string]struct {
		change func(dump []byte) []byte
		file   string
		text   string
	}{
		"a wrong hash":           {func(b []byte) []byte { return flip(b, -1) }, "etcd.backup.db", "SHA-256"},
		"no hash":                {func(b []byte) []byte { return b[:len(b)-32] }, "etcd.backup.db", "raw copy"},
		"a page of the snapshot": {func(b []byte) []byte { overwritePage(b); return b }, "etcd.backup.db", "page"},
		"gzip's checksum":        {func(b []byte) []byte { return flip(b, -6) }, "auth-store.tar.gz", "gzip"},
		"a dump cut short":       {func(b []byte) []byte { return b[:len(b)/2] }, "auth-store.tar.gz", "auth store"},
		"no table":               {func([]byte) []byte { return gzipped(t, make([]byte, 1024)) }, "auth-store.tar.gz", "no table"},
		"no gzip":                {func([]byte) []byte { return make([]byte, 70_000) }, "auth-store.tar.gz", "gzip"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			nodes := online(t)
			for i := range nodes {
				if strings.HasSuffix(nodes[i].name, test.file) {
					nodes[i].content = test.change(nodes[i].content)
				}
			}
			r, err := verified(t, vendors(t, nodes))
			assert.Equal(t, failure.KindOf(err), failure.Damaged)
			assert.Equal(t, mentions(t, &r.Levels[2], Fault, test.text), "./ucp-backup/1631549510183/"+test.file)
		})
	}
}

func TestTheTemporaryFileIsNotThereWhileItIsUsed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := newSpool()
	assert.NilError(t, err)
	left, err := os.ReadDir(dir)
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0, "nothing dies with a name")
	assert.NilError(t, s.close())
}

func TestNoRoomForADatabaseIsNoDamage(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	own, _, _ := whole(t)
	r, err := verified(t, own)
	assert.Assert(t, r == nil)
	assert.Equal(t, failure.KindOf(err), failure.Failed)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.DeepEqual(t, failure.Hints(err), []string{"name a folder with room, such as: TMPDIR=/var/tmp"})
}

func TestNoKeyIsKeptOnAnyWayOut(t *testing.T) {
	w := newWatcher(nil)
	all := newSet(t).entries
	feed(t, w.certificates.watch, all, 100)
	f := w.certificates.files["ucp-kv-certs/key.pem"]
	content := f.content
	assert.DeepEqual(t, content, all["ucp-kv-certs/key.pem"])
	assert.NilError(t, w.close())
	assert.DeepEqual(t, content, make([]byte, len(content)))
}
