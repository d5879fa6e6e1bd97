package verify

import (
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
	dataFolder = "ucp-kv/datav3/member/"
	lastLog    = dataFolder + "wal/0000000000000007-00000000000002d4.wal"
	middleLog  = dataFolder + "wal/0000000000000005-0000000000000202.wal"
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
			func(files map[string][]byte) { overwritePage(files[dataFolder+"snap/db"]) },
			"./" + dataFolder + "snap/db", "page",
		},
		"a database cut short": {
			func(files map[string][]byte) { files[dataFolder+"snap/db"] = files[dataFolder+"snap/db"][:100_000] },
			"./" + dataFolder + "snap/db", "ends after 100000",
		},
		"an empty database": {
			func(files map[string][]byte) { files[dataFolder+"snap/db"] = nil },
			"./" + dataFolder + "snap/db", "empty",
		},
		"another file": {
			func(files map[string][]byte) { files[dataFolder+"snap/db"] = make([]byte, 1<<20) },
			"./" + dataFolder + "snap/db", "not a bbolt database",
		},
		"no database": {
			func(files map[string][]byte) { delete(files, dataFolder+"snap/db") },
			"", "no etcd database",
		},
		"nothing of etcd": {
			func(files map[string][]byte) { delete(files, dataFolder+"snap/db"); removeLog(files) },
			"", "no etcd database",
		},
		"a byte of the log": {
			func(files map[string][]byte) { flip(files[middleLog], 9000) },
			"./" + middleLog, "",
		},
		"a file of the log missing": {
			func(files map[string][]byte) { delete(files, middleLog) },
			"./" + dataFolder + "wal", "missing",
		},
		"the log's newest files missing": {
			func(files map[string][]byte) {
				delete(files, lastLog)
				delete(files, dataFolder+"wal/0000000000000006-000000000000025f.wal")
			},
			"./ucp-kv/datav3/member", "not of one moment",
		},
		"no log": {removeLog, "./" + dataFolder + "wal", "etcd does not start without one"},
		"every raft snapshot": {
			func(files map[string][]byte) {
				for name, content := range files {
					if strings.HasSuffix(name, ".snap") {
						flip(content, 100)
					}
				}
			},
			"./" + dataFolder + "snap/0000000000000002-00000000000002f3.snap", "",
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
			"./" + dataFolder + "snap/0000000000000003-00000000000002f3.snap", "its name for another",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, level := changed(t, test.change)
			assert.Equal(t, level.Verdict, Unsound)
			assert.Assert(t, slices.ContainsFunc(level.Findings, func(f Finding) bool {
				return f.Severity == Fault && f.Entry == test.entry && strings.Contains(f.Text, test.text)
			}), "%v", level.Findings)
			assert.Assert(t, r.Etcd == nil || test.entry != "./"+dataFolder+"snap/db")
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
		if strings.HasPrefix(name, dataFolder+"wal/") {
			delete(files, name)
		}
	}
}

func TestATornEndOfTheLogIsAWarning(t *testing.T) {
	_, level := changed(t, func(files map[string][]byte) {
		log := files[lastLog]
		end := (len(bytes.TrimRight(log, "\x00")) + 7) &^ 7
		binary.LittleEndian.PutUint64(log[end:], 600) // a record's length, and nothing of the record
	})
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	assert.Equal(t, mentions(t, &level, Warning, "not written to its end"), "./"+lastLog)
}

func TestTheLogOfEtcd2IsAWarning(t *testing.T) {
	_, level := changed(t, func(files map[string][]byte) {
		for name, content := range files {
			if rest, found := strings.CutPrefix(name, "ucp-kv/datav3/"); found {
				delete(files, name)
				files["ucp-kv/"+rest] = content
			}
		}
		delete(files, "ucp-kv/member/snap/db")
	})
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	mentions(t, &level, Warning, "as etcd 2 of UCP 1 kept it")
}

func TestEtcdGoesOnFromAnOlderSnapshot(t *testing.T) {
	newest := dataFolder + "snap/0000000000000002-00000000000002f3.snap"
	_, level := changed(t, func(files map[string][]byte) { flip(files[newest], 100) })
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	assert.Equal(t, mentions(t, &level, Warning, "an older one"), "./"+newest)
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
