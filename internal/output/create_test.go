package output

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestASecondRunOnTheSameFileIsRefused(t *testing.T) {
	folder := tempDir(t)
	path := filepath.Join(folder, "ucp.tar")
	f := create(t, path)
	write(t, f, "first")
	_, err := Create(path)
	assert.ErrorIs(t, err, ErrInUse)
	assert.Equal(t, failure.KindOf(err), failure.Refused)
	assert.ErrorContains(t, err, path+".part")
	assert.Equal(t, content(t, f.Part()), "first")
	assert.NilError(t, f.Commit())

	create(t, path) // free again
}

func TestWhatAKilledRunLeftIsTakenOverUnderANewInode(t *testing.T) {
	folder := tempDir(t)
	path := filepath.Join(folder, "ucp.tar")
	assert.NilError(t, os.WriteFile(path+".part", []byte("stale"), 0o666))
	survivor, err := os.OpenFile(path+".part", os.O_WRONLY, 0)
	assert.NilError(t, err)
	defer func() { assert.Check(t, survivor.Close()) }()

	f := create(t, path)
	assert.Equal(t, content(t, f.Part()), "")
	write(t, f, "fresh")
	_, err = survivor.WriteString("from a writer that outlived its run")
	assert.NilError(t, err)
	assert.NilError(t, f.Commit())
	assert.Equal(t, content(t, path), "fresh")
}

func TestOfManyRunsAtOnceExactlyOneWins(t *testing.T) {
	for range 50 {
		path := filepath.Join(tempDir(t), "ucp.tar")
		assert.NilError(t, os.WriteFile(path+".part", []byte("stale"), 0o600))
		results, won := make(chan *File), []*File{}
		for range 8 {
			go func() {
				f, err := Create(path)
				if err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, errMoved) {
					t.Error(err)
				}
				results <- f
			}()
		}
		for range 8 {
			if f := <-results; f != nil {
				won = append(won, f)
			}
		}
		assert.Equal(t, len(won), 1)
		assert.NilError(t, won[0].Commit())
	}
}

func TestLinksOnTheWayAreResolvedAndTheFileItselfIsNot(t *testing.T) {
	folder := tempDir(t)
	target := filepath.Join(folder, "real folder")
	assert.NilError(t, os.Mkdir(target, 0o700))
	assert.NilError(t, os.Symlink(target, filepath.Join(folder, "link")))
	f := create(t, filepath.Join(folder, "link", "ucp.tar"))
	assert.Equal(t, f.Part(), filepath.Join(target, "ucp.tar.part"))

	for _, aim := range []string{filepath.Join(target, "ucp.tar"), "nowhere", folder} {
		link := filepath.Join(folder, "latest.tar")
		assert.NilError(t, os.Symlink(aim, link))
		_, err := Create(link)
		assert.ErrorContains(t, err, "it is a symbolic link")
		assert.Equal(t, failure.KindOf(err), failure.Refused)
		assert.NilError(t, os.Remove(link))
	}
}

func TestCreateRefusesWhatCommitCouldNotDo(t *testing.T) {
	folder := tempDir(t)
	odd := filepath.Join(folder, "it's here")
	assert.NilError(t, os.Mkdir(odd, 0o700))
	assert.NilError(t, os.WriteFile(filepath.Join(folder, "file"), nil, 0o600))
	assert.NilError(t, os.Mkdir(filepath.Join(folder, "b.tar.part"), 0o700))
	assert.NilError(t, os.Symlink("/etc/passwd", filepath.Join(folder, "c.tar.part")))
	for name, tc := range map[string]struct{ path, want, hint string }{
		"no name":                        {"", "no name given", "name a file"},
		"a folder":                       {folder, "it is a folder", "ucp.tar"},
		"a folder that is not there yet": {folder + "/new/", "this names a folder", "ucp.tar"},
		"a missing folder":               {odd + "/a/b/ucp.tar", "the folder " + odd + "/a/b does not exist", `mkdir -p '` + folder + `/it'\''s here/a/b'`},
		"a folder that is a file":        {folder + "/file/ucp.tar", "not a directory", "choose a folder"},
		"a name too long":                {folder + "/" + strings.Repeat("x", 255), "file name too long", ""},
		"a folder in place of the part":  {folder + "/b.tar", "something that is not a file has this name", "rm "},
		"a link in place of the part":    {folder + "/c.tar", "something that is not a file has this name", "rm "},
		"a device":                       {os.DevNull, "it is not a regular file", "standard output"},
	} {
		t.Run(name, func(t *testing.T) {
			before := names(t, folder)
			_, err := Create(tc.path)
			assert.ErrorContains(t, err, tc.want)
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.Check(t, cmp.Contains(strings.Join(failure.Hints(err), "\n"), tc.hint))
			assert.Check(t, !strings.Contains(err.Error(), "\n"))
			assert.DeepEqual(t, names(t, folder), before)
		})
	}
}

func TestARunThatLooksTooLateDoesNotRemoveTheNextOnesPart(t *testing.T) {
	path := filepath.Join(tempDir(t), "ucp.tar")
	assert.NilError(t, os.WriteFile(path+".part", []byte("stale"), 0o600))
	slow, err := os.OpenFile(path+".part", os.O_RDWR, 0)
	assert.NilError(t, err)
	defer func() { assert.Check(t, slow.Close()) }()

	f := create(t, path)
	write(t, f, "of the quick one")
	assert.ErrorIs(t, f.removeStale(slow), errMoved)
	assert.Equal(t, content(t, f.Part()), "of the quick one")
}
