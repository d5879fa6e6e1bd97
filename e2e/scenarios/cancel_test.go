package scenarios

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"
)

// underway is a backup that has got as far as a line of its talk.
type underway struct {
	command *exec.Cmd
	talk    bytes.Buffer // what it said; read it after end
	reader  *bufio.Reader
}

// startBackup starts a backup in a process group of its own and returns when its talk holds the word.
func (s *stage) startBackup(t *testing.T, variables []string, word string, args ...string) *underway {
	t.Helper()
	args = append([]string{"ucp", "backup", "--passphrase-file", s.pass, "--progress", "plain"}, args...)
	u := &underway{command: s.command(t.Context(), variables, args...)}
	u.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := u.command.StderrPipe()
	assert.NilError(t, err)
	assert.NilError(t, u.command.Start())
	u.reader = bufio.NewReader(io.TeeReader(stderr, &u.talk))
	for {
		line, err := u.reader.ReadString('\n')
		assert.NilError(t, err, u.talk.String())
		if strings.Contains(line, word) {
			return u
		}
	}
}

func (u *underway) signalGroup(t *testing.T, signal syscall.Signal) {
	t.Helper()
	assert.NilError(t, syscall.Kill(-u.command.Process.Pid, signal))
}

// end waits for the command's end and returns its exit status.
func (u *underway) end(t *testing.T) int {
	t.Helper()
	_, err := io.Copy(io.Discard, u.reader)
	assert.NilError(t, err)
	var exit *exec.ExitError
	if err := u.command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Log(u.talk.String())
	return u.command.ProcessState.ExitCode()
}

func cancelled(t *testing.T, s *stage) {
	for _, word := range []string{"bringing", "stop: done", "capture: started"} {
		archive := output(t)
		write(t, archive, "yesterday's archive")
		u := s.startBackup(t, s.local(), word, archive)
		u.signalGroup(t, syscall.SIGINT)
		assert.Equal(t, u.end(t), 130)
		mentions(t, u.talk.String(), "cancelled; UCP runs as before")
		assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{"ucp.tar"})
		content, err := os.ReadFile(archive)
		assert.NilError(t, err)
		assert.Equal(t, string(content), "yesterday's archive")
	}
}

func terminated(t *testing.T, s *stage) {
	archive := output(t)
	u := s.startBackup(t, s.local(), "bringing", archive)
	assert.NilError(t, u.command.Process.Signal(syscall.SIGTERM)) // the docker CLI alone, as a supervisor would
	assert.Equal(t, u.end(t), 130)
	assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{})
}

func (s *stage) local() []string { return []string{"DOCKER_HOST=" + s.node.Host()} }

func killedPlugin(t *testing.T, s *stage) {
	before, keys := s.look(t), s.keys(t)
	archive := output(t)
	u := s.startBackup(t, s.local(), "bringing", archive)
	u.signalGroup(t, syscall.SIGKILL)
	assert.Equal(t, u.end(t), -1)
	poll.WaitOn(t, func(poll.LogT) poll.Result { // the agent goes on alone
		state, err := s.engine.ContainerInspect(t.Context(), "docker-ucp-agent")
		if err != nil {
			return poll.Error(err)
		}
		if state.State.Running {
			return poll.Continue("the agent works")
		}
		return poll.Success()
	}, poll.WithTimeout(time.Minute))
	after := s.look(t)
	for name, status := range before.containers {
		assert.Equal(t, after.containers[name], status, name)
	}
	assert.DeepEqual(t, after.tasks, before.tasks)
	a := s.docker(t, "ucp", "backup", "--resume", archive)
	assert.Equal(t, a.code, 0, a.stderr)
	s.sound(t, s.unseal(t, archive), keys)
	assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{"ucp.tar"})
}

func secondBackup(t *testing.T, s *stage) {
	assert.NilError(t, s.node.RateLimit(t.Context(), 8<<20))
	defer func() { assert.NilError(t, s.node.RateLimit(t.Context(), 0)) }()
	keys := s.keys(t)
	archive := output(t)
	first := s.startBackup(t, s.overTLS(), "fetch: started", archive)
	second := s.docker(t, "ucp", "backup", "--passphrase-file", s.pass, output(t))
	assert.Equal(t, second.code, 5, second.stderr)
	mentions(t, second.stderr, "another backup is running", "started by")
	assert.Equal(t, first.end(t), 0)
	s.sound(t, s.unseal(t, archive), keys)
}
