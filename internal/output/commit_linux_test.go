package output

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestAFailedCommitOrLeaveKeepsThePart(t *testing.T) {
	for name, fail := range map[string]func(f *File) error{
		"where a folder took the name": func(f *File) error { return os.Mkdir(f.path, 0o700) },
		"where it cannot be synced":    func(f *File) error { return f.file.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
			write(t, f, "whole")
			assert.NilError(t, fail(f))
			err := f.CommitOrLeave()
			assert.Assert(t, err != nil)
			assert.Check(t, !errors.Is(err, ErrInPlace))
			assert.NilError(t, f.Discard())
			assert.Equal(t, content(t, f.part), "whole")
		})
	}
}

func TestAFileOfWhichOnlyTheFolderCannotBeSyncedIsInPlace(t *testing.T) {
	for name, commit := range map[string]func(f *File) error{"Commit": (*File).Commit, "CommitOrLeave": (*File).CommitOrLeave} {
		t.Run(name, func(t *testing.T) {
			f := create(t, filepath.Join(tempDir(t), "ucp.tar"))
			f.syncFolder = func(*os.Root) error { return os.ErrPermission }
			write(t, f, "whole")
			err := commit(f)
			assert.ErrorIs(t, err, ErrInPlace)
			assert.ErrorIs(t, err, os.ErrPermission)
			assert.Check(t, strings.HasPrefix(err.Error(), f.path+" is in place, but it may not survive a power cut: sync its folder: "), err)
			assert.Equal(t, content(t, f.path), "whole")
		})
	}
}
