package etcd

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"testing"

	"gotest.tools/v3/assert"
)

const fixtureMember, fixtureCluster = 0x9e737febb6b99eee, 0xc8730d66636ff140

// unzipped is a file of testdata without its gzip.
func unzipped(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	assert.NilError(t, err)
	defer func() { assert.NilError(t, f.Close()) }()
	r, err := gzip.NewReader(f)
	assert.NilError(t, err)
	b, err := io.ReadAll(r)
	assert.NilError(t, err)
	return b
}

// dataFolder is the files of a real etcd's data folder, by their names within it.
func dataFolder(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(unzipped(t, "data.tar.gz"))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		assert.NilError(t, err)
		if h.Typeflag == tar.TypeReg {
			b, err := io.ReadAll(r)
			assert.NilError(t, err)
			files[h.Name] = b
		}
	}
}

// check is CheckDatabase on bytes.
func check(b []byte) (*Database, error) { return CheckDatabase(bytes.NewReader(b), int64(len(b))) }
