package verify

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestATornEndOfTheLogIsAWarning(t *testing.T) {
	_, level := changed(t, func(files map[string][]byte) {
		log := files[lastLog]
		end := (len(bytes.TrimRight(log, "\x00")) + 7) &^ 7
		binary.LittleEndian.PutUint64(log[end:], 600) // a record's length, and nothing of the record
	})
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	assert.Equal(t, mentions(t, &level, Warning, "not written to its end"), "./"+lastLog)
}

func moveFolder(files map[string][]byte, to string) {
	for name, content := range files {
		if rest, found := strings.CutPrefix(name, "ucp-kv/datav3/"); found {
			delete(files, name)
			files[to+"/"+rest] = content
		}
	}
}

func TestTheLogOfEtcd2IsAWarning(t *testing.T) {
	_, level := changed(t, func(files map[string][]byte) {
		moveFolder(files, "ucp-kv")
		delete(files, "ucp-kv/member/snap/db")
	})
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	mentions(t, &level, Warning, "as etcd 2 of UCP 1 kept it")
}

func TestEtcdSomewhereElseIsAWarning(t *testing.T) {
	r, level := changed(t, func(files map[string][]byte) { moveFolder(files, "ucp-kv/other") })
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	assert.Equal(t, mentions(t, &level, Warning, "looks for it in ./ucp-kv/datav3/member"), "./ucp-kv/other/member")
	assert.Equal(t, r.Etcd.Revision, int64(754))
}

func TestACopyOfEtcdsDataIsNotMixedIn(t *testing.T) {
	r, level := changed(t, func(files map[string][]byte) {
		for name, content := range etcdFolder(t) {
			if rest, found := strings.CutPrefix(name, "ucp-kv/datav3/"); found && !strings.HasSuffix(name, ".wal") {
				files["ucp-kv/datav3.old/"+rest] = flip(content, 5000)
			}
		}
	})
	assert.Equal(t, level.Verdict, Sound)
	assert.Equal(t, mentions(t, &level, Note, "another copy"), "./ucp-kv/datav3.old/member")
	assert.Equal(t, r.Etcd.Entry, "./"+memberFolder+"snap/db")

	_, level = changed(t, func(files map[string][]byte) {
		for name, content := range etcdFolder(t) {
			if rest, found := strings.CutPrefix(name, memberFolder+"wal/"); found {
				delete(files, name)
				files["ucp-kv/elsewhere/member/wal/"+rest] = content
			}
		}
	})
	assert.Equal(t, mentions(t, &level, Fault, "etcd does not start without one"), "./"+memberFolder+"wal")
}

func TestEtcdGoesOnFromAnOlderSnapshot(t *testing.T) {
	newest := memberFolder + "snap/0000000000000002-00000000000002f3.snap"
	_, level := changed(t, func(files map[string][]byte) { flip(files[newest], 100) })
	assert.Equal(t, level.Verdict, SoundWithWarnings)
	assert.Equal(t, mentions(t, &level, Warning, "an older one"), "./"+newest)
}
