package output

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

const nobody = 65534

// as runs do as another user, on a thread that ends with it.
func as(t *testing.T, user int, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread keeps the user and dies with this goroutine
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user))
		if errno != 0 {
			done <- errno
			return
		}
		do()
		done <- nil
	}()
	assert.NilError(t, <-done)
}

// reachable opens the way to a test's folder to everybody.
func reachable(t *testing.T) string {
	t.Helper()
	folder := tempDir(t)
	for dir := folder; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		assert.NilError(t, os.Chmod(dir, 0o755))
	}
	return folder
}

func refusal(t *testing.T, path string) (err error) {
	t.Helper()
	as(t, nobody, func() {
		var f *File
		if f, err = Create(path); err == nil {
			err = f.Discard()
			err = fmt.Errorf("it was created, then: %w", err)
		}
	})
	assert.Equal(t, failure.KindOf(err), failure.Refused, "%v", err)
	return err
}

func TestAFolderThatTheCallerMayNotWriteIsRefused(t *testing.T) {
	folder := reachable(t)
	assert.ErrorContains(t, refusal(t, filepath.Join(folder, "ucp.tar")), "permission denied")
	assert.NilError(t, os.Chmod(folder, 0o700))
	assert.ErrorContains(t, refusal(t, filepath.Join(folder, "ucp.tar")), "permission denied")
}

func TestWhatTheRenameInAStickyFolderWouldRefuseIsRefusedFirst(t *testing.T) {
	folder := reachable(t)
	assert.NilError(t, os.Chmod(folder, 0o777|os.ModeSticky))
	path := filepath.Join(folder, "ucp.tar")
	assert.NilError(t, os.WriteFile(path, []byte("of root"), 0o666))
	assert.ErrorContains(t, refusal(t, path), "it belongs to someone else")
	assert.NilError(t, os.Chown(path, nobody, nobody))
	as(t, nobody, func() {
		f, err := Create(path)
		assert.Check(t, err)
		assert.Check(t, f.Commit())
	})
}

func TestAStalePartOfAnotherUserIsRefusedWithTheWordToType(t *testing.T) {
	folder := reachable(t)
	assert.NilError(t, os.Chmod(folder, 0o777|os.ModeSticky))
	path := filepath.Join(folder, "ucp.tar")
	for _, mode := range []os.FileMode{0o600, 0o666} {
		assert.NilError(t, os.WriteFile(path+".part", nil, 0o600))
		assert.NilError(t, os.Chmod(path+".part", mode))
		err := refusal(t, path)
		assert.DeepEqual(t, failure.Hints(err), []string{"as its owner or as root: rm " + path + ".part"})
	}
}

func TestTheModeIs0600WhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o277, 0o777} {
		func() {
			folder := tempDir(t)
			defer syscall.Umask(syscall.Umask(umask))
			f := create(t, filepath.Join(folder, "ucp.tar"))
			for _, name := range []string{f.part, f.path} {
				info, err := os.Stat(name)
				assert.NilError(t, err)
				assert.Equal(t, info.Mode(), os.FileMode(0o600))
				if name == f.part {
					assert.NilError(t, f.Commit())
				}
			}
		}()
	}
}

func TestANamedPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(tempDir(t), "ucp.tar")
	assert.NilError(t, unix.Mkfifo(path, 0o600))
	_, err := Create(path)
	assert.ErrorContains(t, err, "it is not a regular file")
	assert.NilError(t, os.Rename(path, path+".part"))
	_, err = Create(path)
	assert.ErrorContains(t, err, "something that is not a file")
}

// A limit on the size of files fails a write at an exact byte, as a full disk does. It holds for a whole process, so
// the test runs again in one of its own.
func TestAWriteThatFailsLeavesNothing(t *testing.T) {
	const limit = 10_000
	if path := os.Getenv("OUTPUT_TEST_LIMITED"); path != "" {
		writeBeyond(t, path, limit)
		return
	}
	folder := tempDir(t)
	path := filepath.Join(folder, "ucp.tar")
	assert.NilError(t, os.WriteFile(path, []byte("old"), 0o600))
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), "OUTPUT_TEST_LIMITED="+path)
	out, err := again.CombinedOutput()
	assert.NilError(t, err, "%s", out)
	assert.Equal(t, content(t, path), "old")
	assert.DeepEqual(t, names(t, folder), []string{"ucp.tar"})
}

func writeBeyond(t *testing.T, path string, limit uint64) {
	t.Helper()
	assert.NilError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}))
	f := create(t, path)
	n, err := f.Write(make([]byte, limit+1))
	assert.Equal(t, n, int(limit))
	assert.Error(t, err, "write "+path+".part: file too large")
	assert.ErrorContains(t, f.Commit(), "an earlier write failed")
}

func TestARunInAnotherProcessHoldsTheFileAndItsDeathFreesIt(t *testing.T) {
	if path := os.Getenv("OUTPUT_TEST_HOLD"); path != "" {
		f, err := Create(path)
		assert.NilError(t, err)
		fmt.Println("held", f.Part())
		_, err = os.Stdin.Read(make([]byte, 1)) // until it is killed
		t.Fatal("not killed", err)
	}
	path := filepath.Join(tempDir(t), "ucp.tar")
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), "OUTPUT_TEST_HOLD="+path)
	_, err := other.StdinPipe() // Wait closes it
	assert.NilError(t, err)
	stdout, err := other.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, other.Start())
	_, err = stdout.Read(make([]byte, 64))
	assert.NilError(t, err)

	_, err = Create(path)
	assert.ErrorIs(t, err, ErrInUse)
	assert.NilError(t, other.Process.Kill())
	assert.ErrorContains(t, other.Wait(), "killed")
	f := create(t, path)
	write(t, f, "next")
	assert.NilError(t, f.Commit())
}

func TestFreeMeasuresTheFileSystemThatTheFileWillBeOn(t *testing.T) {
	folder := filepath.Join(tempDir(t), "small")
	assert.NilError(t, os.Mkdir(folder, 0o700))
	const room = 1 << 20
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("needs the right to mount: ", err)
	}
	t.Cleanup(func() { assert.Check(t, unix.Unmount(folder, unix.MNT_DETACH)) })
	for _, path := range []string{folder, filepath.Join(folder, "ucp.tar")} {
		free, err := Free(path)
		assert.NilError(t, err)
		assert.Equal(t, free, int64(room))
	}
	f := create(t, filepath.Join(folder, "ucp.tar"))
	_, err := f.Write(make([]byte, 2*room))
	assert.ErrorIs(t, err, unix.ENOSPC)
	assert.ErrorIs(t, f.Commit(), unix.ENOSPC)
	assert.DeepEqual(t, names(t, folder), []string{})
}
