package verify

import (
	"bytes"
	"os"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// FuzzVerify feeds strangers' bytes to all levels: no panic, an answer, and no
// file left or written anywhere.
func FuzzVerify(f *testing.F) {
	for _, s := range specimens(f) {
		if len(s.data) < 256<<10 {
			f.Add(s.data)
			f.Add(s.data[:len(s.data)/2])
		}
	}
	temporary, here := f.TempDir(), f.TempDir()
	f.Setenv("TMPDIR", temporary)
	f.Chdir(here)
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		result, err := verified(t, data)
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
