package main

import (
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

const reference = "../reference"

func TestTheReferenceIsCurrent(t *testing.T) {
	fresh := t.TempDir()
	assert.NilError(t, os.CopyFS(fresh, os.DirFS(reference)))
	assert.NilError(t, generate(fresh))
	assert.DeepEqual(t, names(t, reference), names(t, fresh))
	for _, page := range names(t, fresh) {
		want, err := os.ReadFile(filepath.Join(fresh, page))
		assert.NilError(t, err)
		got, err := os.ReadFile(filepath.Join(reference, page))
		assert.NilError(t, err)
		assert.Equal(t, string(got), string(want), "%s is not current: make docs", page)
	}
}

func TestNoPageIsLeftOfACommandThatIsGone(t *testing.T) {
	fresh := t.TempDir()
	assert.NilError(t, generate(fresh))
	assert.DeepEqual(t, names(t, reference), names(t, fresh))
}

func names(t *testing.T, folder string) (names []string) {
	t.Helper()
	pages, err := os.ReadDir(folder)
	assert.NilError(t, err)
	for _, page := range pages {
		names = append(names, page.Name())
	}
	return names
}

func TestWhatIsWrittenByHandIsKept(t *testing.T) {
	folder := t.TempDir()
	assert.NilError(t, generate(folder))
	page := filepath.Join(folder, "ucp_backup.md")
	generated, err := os.ReadFile(page)
	assert.NilError(t, err)
	const byHand = "\n## From a cron job\n\nSeal for a key whose private half is elsewhere.\n"
	assert.NilError(t, os.WriteFile(page, append(generated, byHand...), 0o600))
	assert.NilError(t, generate(folder))
	again, err := os.ReadFile(page)
	assert.NilError(t, err)
	assert.Equal(t, string(again), string(generated)+byHand)
}

func TestAFolderThatCannotBeWrittenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	assert.NilError(t, os.WriteFile(file, nil, 0o600))
	assert.ErrorContains(t, generate(filepath.Join(file, "reference")), "not a directory")
}
