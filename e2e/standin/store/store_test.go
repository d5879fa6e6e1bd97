package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func newStore(t *testing.T) (string, *Store) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	assert.NilError(t, Create(dir))
	s, err := Open(dir)
	assert.NilError(t, err)
	return dir, s
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	assert.NilError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// running starts the store's writer and returns the function that stops it.
func running(t *testing.T, s *Store) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestStoppedStoreIsClean(t *testing.T) {
	dir, s := newStore(t)
	stop := running(t, s)
	for s.Acknowledged() < 50 {
		s.step()
	}
	assert.NilError(t, stop())
	assert.NilError(t, s.Close())
	report, err := Check(copyDir(t, dir))
	assert.NilError(t, err)
	assert.Equal(t, report, Report{Acknowledged: s.Acknowledged(), Stopped: true})
}

func TestLiveCopyIsTorn(t *testing.T) {
	const tries = 100
	copies := map[string]func(t *testing.T, from, to string) error{
		"read and written file by file": func(_ *testing.T, from, to string) error { return os.CopyFS(to, os.DirFS(from)) },
		"cp -a": func(_ *testing.T, from, to string) error {
			return exec.Command("cp", "-a", from, to).Run()
		},
		"tar": func(_ *testing.T, from, to string) error {
			if err := os.Mkdir(to, 0o700); err != nil {
				return err
			}
			return exec.Command("sh", "-c", `tar -C "$0" -cf - . | tar -C "$1" -xf -`, from, to).Run()
		},
	}
	for name, copyLive := range copies {
		t.Run(name, func(t *testing.T) {
			dir, s := newStore(t)
			stop := running(t, s)
			torn := 0
			for range tries {
				to := filepath.Join(t.TempDir(), "copy")
				assert.NilError(t, copyLive(t, dir, to))
				if _, err := Check(to); errors.Is(err, ErrTorn) {
					torn++
				} else {
					assert.NilError(t, err)
				}
				assert.NilError(t, os.RemoveAll(to))
			}
			assert.NilError(t, stop())
			assert.NilError(t, s.Close())
			t.Logf("%d of %d copies found torn", torn, tries)
			assert.Assert(t, torn >= 95, "only %d of %d found torn", torn, tries)
		})
	}
}

func TestCopyOfAFrozenStoreIsCleanAtEveryStep(t *testing.T) {
	dir, s := newStore(t)
	step := 0
	s.step = func() {
		if step++; step%7 != 0 { // every place within a record comes up, in another record each
			return
		}
		frozen := copyDir(t, dir)
		report, err := Check(frozen)
		assert.NilError(t, err)
		assert.Equal(t, report, Report{Acknowledged: s.Acknowledged(), InFlight: true})
		again, err := Open(frozen)
		assert.NilError(t, err)
		assert.Equal(t, again.Opened(), s.Acknowledged()+1)
		assert.NilError(t, again.Close())
		report, err = Check(frozen)
		assert.NilError(t, err)
		assert.Equal(t, report, Report{Acknowledged: s.Acknowledged() + 1, Stopped: true})
	}
	for n := range uint64(40) {
		assert.NilError(t, s.write(n+1))
	}
	assert.NilError(t, s.Close())
}
