package archive

import (
	"bytes"
	"testing"

	"gotest.tools/v3/assert"
)

// FuzzCheck feeds strangers' bytes to Check: it must not panic, and what it
// accepts must be what its manifest says.
func FuzzCheck(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(putTogether(f, takeApart(f, whole)))
	f.Fuzz(func(t *testing.T, archive []byte) {
		s, err := Check(bytes.NewReader(archive), nil)
		assert.NilError(t, err, "the source never fails")
		if s.Err() != nil || s.Manifest == nil {
			return
		}
		var entries int64
		for _, v := range s.Manifest.Volumes {
			entries += v.Entries
		}
		assert.Assert(t, s.Entries >= entries+3, "manifest, report and sums come on top")
		_, err = ReadManifest(bytes.NewReader(archive))
		assert.NilError(t, err)
	})
}
