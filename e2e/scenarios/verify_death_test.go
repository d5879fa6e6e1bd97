package scenarios

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"
)

// leavesNothing ends verify while it holds etcd's database back, and looks for what it left.
func (a *archives) leavesNothing(t *testing.T) {
	offset, size := a.find(t, a.stopped, "./ucp-kv/datav3/member/snap/db")
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		code   int
	}{{"interrupted", syscall.SIGINT, 130}, {"terminated", syscall.SIGTERM, 130}, {"killed", syscall.SIGKILL, -1}} {
		t.Run(c.name, func(t *testing.T) {
			temporary := t.TempDir()
			command := a.command(t.Context(), offline(temporary), "ucp", "verify", "-")
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			feed, err := command.StdinPipe()
			assert.NilError(t, err)
			assert.NilError(t, command.Start())
			half := io.NewSectionReader(open(t, a.stopped), 0, offset+size/2)
			_, err = io.Copy(feed, half)
			assert.NilError(t, err)
			poll.WaitOn(t, func(poll.LogT) poll.Result { // or the test would show nothing
				if holdsFileIn(command.Process.Pid, temporary) {
					return poll.Success()
				}
				return poll.Continue("no temporary file yet")
			}, poll.WithTimeout(10*time.Second))
			assert.NilError(t, syscall.Kill(-command.Process.Pid, c.signal))
			var exit *exec.ExitError
			assert.Assert(t, errors.As(command.Wait(), &exit))
			assert.Equal(t, exit.ExitCode(), c.code)
			assert.DeepEqual(t, files(t, temporary), []string{})
		})
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, file.Close()) })
	return file
}

// holdsFileIn says whether a process of the group has a file of the folder open, with or without a name.
func holdsFileIn(group int, dir string) bool {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return false
	}
	for _, link := range links {
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil {
			continue
		}
		if of, err := syscall.Getpgid(pid); err != nil || of != group {
			continue
		}
		if file, err := os.Readlink(link); err == nil && strings.HasPrefix(file, dir+"/") {
			return true
		}
	}
	return false
}
