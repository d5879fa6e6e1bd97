package output

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestAnAdoptedPartBecomesTheFile(t *testing.T) {
	path := filepath.Join(tempDir(t), "ucp.tar")
	assert.NilError(t, os.WriteFile(path+".part", []byte("whole"), 0o600))
	assert.NilError(t, os.WriteFile(path, []byte("old"), 0o600))
	f, err := Adopt(path)
	assert.NilError(t, err)
	resolved, err := Resolve(path)
	assert.NilError(t, err)
	assert.Equal(t, f.Path(), resolved)
	assert.NilError(t, f.Commit())
	assert.NilError(t, f.Leave())
	assert.Equal(t, content(t, path), "whole")
	_, err = os.Lstat(path + ".part")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAnAdoptedPartThatIsLeftStays(t *testing.T) {
	path := filepath.Join(tempDir(t), "ucp.tar")
	assert.NilError(t, os.WriteFile(path+".part", []byte("another"), 0o600))
	f, err := Adopt(path)
	assert.NilError(t, err)
	assert.NilError(t, f.Leave())
	assert.NilError(t, f.Discard())
	assert.Equal(t, content(t, path+".part"), "another")
	again, err := Adopt(path) // and is free
	assert.NilError(t, err)
	assert.NilError(t, again.Leave())
}

func TestOnlyAPartThatNobodyWritesIsAdopted(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, path string)
		is      error
		refused bool
	}{
		"not one that is not there": {prepare: func(*testing.T, string) {}, is: fs.ErrNotExist},
		"not one that another run writes": {
			prepare: func(t *testing.T, path string) { t.Helper(); create(t, path) }, is: ErrInUse, refused: true,
		},
		"not a folder": {
			prepare: func(t *testing.T, path string) { t.Helper(); assert.NilError(t, os.Mkdir(path+".part", 0o700)) }, refused: true,
		},
		"not a link": {
			prepare: func(t *testing.T, path string) {
				t.Helper()
				assert.NilError(t, os.Symlink("/etc/hostname", path+".part"))
			}, refused: true,
		},
		"not beside a folder of the name": {
			prepare: func(t *testing.T, path string) {
				t.Helper()
				assert.NilError(t, os.Mkdir(path, 0o700))
				assert.NilError(t, os.WriteFile(path+".part", nil, 0o600))
			}, refused: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tempDir(t), "ucp.tar")
			test.prepare(t, path)
			_, err := Adopt(path)
			assert.Assert(t, err != nil)
			if test.is != nil {
				assert.ErrorIs(t, err, test.is)
			}
			assert.Equal(t, failure.KindOf(err) == failure.Refused, test.refused, "%v", err)
		})
	}
}
