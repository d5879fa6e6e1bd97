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
	const tries, atLeast = 100, 95
	for name, script := range map[string]string{
		"cp":  `cp -a "$0" "$1"`,
		"tar": `mkdir "$1" && tar -C "$0" -cf - . | tar -C "$1" -xf -`,
	} {
		t.Run(name, func(t *testing.T) {
			dir, s := newStore(t)
			stop := running(t, s)
			torn := 0
			for range tries {
				to := filepath.Join(t.TempDir(), "copy")
				assert.NilError(t, exec.CommandContext(t.Context(), "sh", "-c", script, dir, to).Run())
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
			assert.Assert(t, torn >= atLeast, "only %d of %d found torn", torn, tries)
		})
	}
}

func TestCopyOfAFrozenStoreIsCleanAtEveryStep(t *testing.T) {
	dir, s := newStore(t)
	step := 0
	s.step = func() {
		step++
		if step%7 != 0 { // every place within a record comes up, in another record each
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
		assert.NilError(t, os.RemoveAll(frozen))
	}
	for n := range uint64(16) {
		assert.NilError(t, s.write(n+1))
	}
	assert.NilError(t, s.Close())
}

func TestOneForeignFileIsFound(t *testing.T) {
	dir, s := newStore(t)
	for n := range uint64(200) {
		s.step = func() {}
		assert.NilError(t, s.write(n+1))
	}
	assert.NilError(t, s.Close())
	then := copyDir(t, dir)
	s, err := Open(dir)
	assert.NilError(t, err)
	s.step = func() {}
	for n := range uint64(200) {
		assert.NilError(t, s.write(n+201))
	}
	assert.NilError(t, s.Close())
	for _, name := range []string{"data/007.db", "index.db", "journal.db", "stopped"} {
		t.Run(name, func(t *testing.T) {
			mixed := copyDir(t, dir)
			_, err := Check(mixed)
			assert.NilError(t, err)
			old, err := os.ReadFile(filepath.Join(then, name))
			assert.NilError(t, err)
			assert.NilError(t, os.WriteFile(filepath.Join(mixed, name), old, 0o600))
			_, err = Check(mixed)
			assert.ErrorIs(t, err, ErrTorn)
			_, err = Open(mixed)
			assert.ErrorIs(t, err, ErrTorn)
		})
	}
}
