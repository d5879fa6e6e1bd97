package verify

import (
	"bytes"
	"os"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// FuzzVerify feeds strangers' bytes to all levels: no panic, an answer, and no
// file left or written anywhere.
func FuzzVerify(f *testing.F) {
	small := []node{{"ucp-kv/", nil}, {"ucp-kv/datav3/", nil}, {"ucp-kv/datav3/x", []byte("x")}, {"ucp-node-certs/", nil}, {"ucp-node-certs/key.pem", []byte("x")}}
	dumps := []node{{"ucp-kv.json", inspectOf("3.2.5")}, {"ucp-backup/1/", nil}, {"ucp-backup/1/auth-store.tar.gz", authStore(f)}}
	key, err := seal.NewSessionKey()
	assert.NilError(f, err)
	var sealed bytes.Buffer
	w, err := seal.NewWriter(&sealed, nil, key, seal.Options{})
	assert.NilError(f, err)
	_, err = w.Write(vendors(f, dumps))
	assert.NilError(f, err)
	assert.NilError(f, w.Close())
	for _, data := range [][]byte{ours(f, "", recordsOf(), small, nil), vendors(f, small), vendors(f, dumps), gzipped(f, vendors(f, small)), sealed.Bytes()} {
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	temporary, here := f.TempDir(), f.TempDir()
	f.Setenv("TMPDIR", temporary)
	f.Fuzz(func(t *testing.T, data []byte) {
		t.Chdir(here)
		began := time.Now()
		own, err := seal.ParseSessionKey(key.Reveal()) // verify wipes what it is given
		assert.NilError(t, err)
		result, err := Run(t.Context(), mute(), Options{Source: bytes.NewReader(data), Now: written(), Keys: giving(seal.Keys{SessionKey: own})})
		assert.Assert(t, result != nil || err != nil)
		assert.Assert(t, result == nil || (result.Verdict == Unsound) == (err != nil), "%v", err)
		assert.Assert(t, time.Since(began) < time.Minute)
		for _, dir := range []string{temporary, here} {
			left, err := os.ReadDir(dir)
			assert.NilError(t, err)
			assert.Equal(t, len(left), 0)
		}
	})
}

func TestAnythingGetsAnAnswer(t *testing.T) {
	for _, data := range [][]byte{nil, {0}, []byte("hello"), make([]byte, 10240), bytes.Repeat([]byte{0xff}, 10240)} {
		result, err := verified(t, data)
		assert.ErrorContains(t, err, "standard input")
		assert.Equal(t, result.Verdict, Unsound)
	}
}
