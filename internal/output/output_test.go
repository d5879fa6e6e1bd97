package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func create(t *testing.T, path string) *File {
	t.Helper()
	f, err := Create(path)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, f.Discard()) })
	return f
}

func write(t *testing.T, f *File, text string) {
	t.Helper()
	_, err := f.Write([]byte(text))
	assert.NilError(t, err)
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	assert.NilError(t, err)
	return string(b)
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	assert.NilError(t, err)
	found := []string{}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// tempDir is a folder without links on the way to it, as darwin's has them.
func tempDir(t *testing.T) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	assert.NilError(t, err)
	return folder
}

func TestNothingIsVisibleBeforeCommitAndNothingButTheFileAfter(t *testing.T) {
	folder := tempDir(t)
	path := filepath.Join(folder, "ucp.tar")
	f := create(t, path)
	assert.Equal(t, f.Path(), path)
	assert.Equal(t, f.Part(), path+".part")
	write(t, f, "whole")
	assert.DeepEqual(t, names(t, folder), []string{"ucp.tar.part"})
	assert.NilError(t, f.Commit())
	assert.DeepEqual(t, names(t, folder), []string{"ucp.tar"})
	assert.Equal(t, content(t, path), "whole")
	assert.NilError(t, f.Discard())
	assert.Equal(t, content(t, path), "whole")
	assert.ErrorIs(t, f.Commit(), os.ErrClosed)
}

func TestAnOldFileStaysUntilAWholeOneReplacesIt(t *testing.T) {
	folder := tempDir(t)
	path := filepath.Join(folder, "ucp.tar")
	assert.NilError(t, os.WriteFile(path, []byte("old"), 0o644))

	f := create(t, path)
	write(t, f, "half")
	assert.Equal(t, content(t, path), "old")
	assert.NilError(t, f.Discard())
	assert.NilError(t, f.Discard())
	assert.Equal(t, content(t, path), "old")
	assert.DeepEqual(t, names(t, folder), []string{"ucp.tar"})
	assert.ErrorIs(t, f.Commit(), os.ErrClosed)

	f = create(t, path)
	write(t, f, "new")
	assert.NilError(t, f.Commit())
	assert.Equal(t, content(t, path), "new")
}

func TestAFailedCommitLeavesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(f *File) error
		want   string
	}{
		"the disk refuses the last bytes": {func(f *File) error { return f.file.Close() }, "sync "},
		"a folder took the name":          {func(f *File) error { return os.Mkdir(f.path, 0o700) }, "rename "},
		"the part is gone":                {func(f *File) error { return os.Remove(f.part) }, "no such file"},
		"the folder is gone":              {func(f *File) error { return os.RemoveAll(filepath.Dir(f.part)) }, "no such file"},
		"the folder was moved away": {func(f *File) error {
			return os.Rename(filepath.Dir(f.part), filepath.Dir(f.part)+".old")
		}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(tempDir(t), "backup")
			assert.NilError(t, os.Mkdir(folder, 0o700))
			f := create(t, filepath.Join(folder, "ucp.tar"))
			write(t, f, "whole")
			assert.NilError(t, tc.damage(f))
			err := f.Commit()
			assert.ErrorContains(t, err, tc.want)
			assert.Check(t, !strings.Contains(err.Error(), "\n"), err)
			for _, place := range []string{folder, folder + ".old"} {
				if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
					continue
				}
				assert.Check(t, !slices.Contains(names(t, place), "ucp.tar.part"))
				info, err := os.Stat(filepath.Join(place, "ucp.tar"))
				assert.Check(t, err != nil || info.IsDir())
			}
		})
	}
}

func TestAPartThatSomebodyExchangedIsNeitherPublishedNorRemoved(t *testing.T) {
	path := filepath.Join(tempDir(t), "ucp.tar")
	f := create(t, path)
	write(t, f, "ours")
	assert.NilError(t, os.Remove(f.part))
	assert.NilError(t, os.WriteFile(f.part, []byte("theirs"), 0o600))
	assert.ErrorContains(t, f.Commit(), "another file has taken its place")
	assert.Equal(t, content(t, f.part), "theirs")
}

func TestRehashReadsWhatIsOnDiskAndDisturbsNoWriter(t *testing.T) {
	for _, size := range []int{0, 1, rehashChunk - 1, rehashChunk, rehashChunk + 1} {
		f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
		data := strings.Repeat("x", size)
		write(t, f, data)
		var counted int64
		digest, got, err := f.Rehash(t.Context(), tee(func(n int64) { counted += n }))
		assert.NilError(t, err)
		want := sha256.Sum256([]byte(data))
		assert.Equal(t, digest, hex.EncodeToString(want[:]))
		assert.Equal(t, got, int64(size))
		assert.Equal(t, counted, got)
		write(t, f, "end")
		assert.NilError(t, f.Commit())
		assert.Equal(t, content(t, f.path), data+"end")
	}
}

func TestRehashSeesWhatAnotherWriterPutIntoThePart(t *testing.T) {
	f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
	assert.NilError(t, os.WriteFile(f.Part(), []byte("from the agent"), 0))
	digest, _, err := f.Rehash(t.Context(), io.Discard)
	assert.NilError(t, err)
	want := sha256.Sum256([]byte("from the agent"))
	assert.Equal(t, digest, hex.EncodeToString(want[:]))
	assert.NilError(t, f.Commit())
}

func TestRehashStopsWhenItIsCancelledOrCannotRead(t *testing.T) {
	f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
	write(t, f, strings.Repeat("x", 3*rehashChunk))
	ctx, cancel := context.WithCancel(t.Context())
	_, size, err := f.Rehash(ctx, tee(func(int64) { cancel() }))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, size, int64(rehashChunk))
	assert.NilError(t, f.file.Close())
	_, _, err = f.Rehash(t.Context(), io.Discard)
	assert.ErrorIs(t, err, os.ErrClosed)
}

func TestFreeMeasuresAFolderOrWhereAFileWillBe(t *testing.T) {
	folder := tempDir(t)
	for _, path := range []string{folder, filepath.Join(folder, "ucp.tar")} {
		free, err := Free(path)
		assert.NilError(t, err)
		assert.Check(t, free > 0)
	}
	_, err := Free(filepath.Join(folder, "missing", "ucp.tar"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestATerminalIsRefused(t *testing.T) {
	assert.NilError(t, RefuseTerminal(false))
	err := RefuseTerminal(true)
	assert.Equal(t, failure.KindOf(err), failure.Refused)
}

func TestResetBeginsAgainFromNothing(t *testing.T) {
	f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
	write(t, f, "a first attempt that broke off")
	assert.NilError(t, f.Reset())
	write(t, f, "whole")
	assert.NilError(t, f.Commit())
	assert.Equal(t, content(t, f.path), "whole")
	assert.ErrorIs(t, f.Reset(), os.ErrClosed)
}

// tee tells how much is written to it.
type tee func(n int64)

func (t tee) Write(p []byte) (int, error) {
	t(int64(len(p)))
	return len(p), nil
}
