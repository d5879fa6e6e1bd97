//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/poll"
)

// session is docker ucp backup on a terminal, at the question for the passphrase: FILE.part is there by then.
type session struct {
	cmd    *exec.Cmd
	folder string
	master *os.File
	tty    *os.File
	before *term.State

	mu     sync.Mutex
	screen bytes.Buffer
}

func startSession(t *testing.T, args ...string) *session {
	t.Helper()
	needDocker(t)
	s := &session{folder: t.TempDir()}
	config, err := pluginConfig(t.TempDir())
	assert.NilError(t, err)
	socket := filepath.Join(t.TempDir(), "e.sock")
	serve(t, socket, "manager")
	s.master, s.tty, err = pty.Open()
	assert.NilError(t, err)
	s.before, err = term.GetState(int(s.tty.Fd()))
	assert.NilError(t, err)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(s, s.master) // ends with an error: that is how a terminal ends
	}()
	t.Cleanup(func() {
		assert.Check(t, s.tty.Close())
		<-shown
		assert.Check(t, s.master.Close())
	})

	s.cmd = exec.CommandContext(t.Context(), args[0], append(args[1:], filepath.Join(s.folder, "ucp.tar"))...)
	s.cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config, "DOCKER_HOST=unix://"+socket)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	assert.NilError(t, s.cmd.Start())
	s.await(t, "Passphrase for the backup")
	poll.WaitOn(t, func(poll.LogT) poll.Result { // the reader switches the echo off after the question
		if state, err := term.GetState(int(s.tty.Fd())); err != nil || reflect.DeepEqual(state, s.before) {
			return poll.Continue("the echo is still on")
		}
		return poll.Success()
	}, poll.WithDelay(time.Millisecond))
	assert.Check(t, s.has(t, "ucp.tar.part"))
	return s
}

func (s *session) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.Write(p)
}

func (s *session) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

func (s *session) await(t *testing.T, words string) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if strings.Contains(s.shown(), words) {
			return poll.Success()
		}
		return poll.Continue("the screen shows %q", s.shown())
	}, poll.WithDelay(time.Millisecond))
}

func (s *session) has(t *testing.T, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(s.folder, name))
	return err == nil
}

// assertGone waits until nothing of the run is left: the docker CLI may end before its plugin has cleaned up.
func (s *session) assertGone(t *testing.T) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if s.has(t, "ucp.tar.part") {
			return poll.Continue("FILE.part is still there")
		}
		return poll.Success()
	}, poll.WithDelay(time.Millisecond))
	assert.Check(t, !s.has(t, "ucp.tar"))
}

func TestCtrlCAtThePassphraseLeavesNothingAndTheTerminalAsItWas(t *testing.T) {
	s := startSession(t, "docker", "ucp", "backup", "--id", "UCP:ONE")
	_, err := s.master.WriteString("correct hor\x03")
	assert.NilError(t, err)
	assert.ErrorContains(t, s.cmd.Wait(), "exit status 130")
	s.await(t, "docker ucp backup: cancelled before anything was touched")
	assert.Check(t, !strings.Contains(s.shown(), "correct"))
	after, err := term.GetState(int(s.tty.Fd()))
	assert.NilError(t, err)
	assert.Check(t, reflect.DeepEqual(after, s.before), "the echo is off in the operator's shell")
	s.assertGone(t)
}

func TestASignalAtThePassphraseLeavesNothing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("these tests run under nohup, and so does the plugin that they start")
			}
			s := startSession(t, "docker", "ucp", "backup", "--id", "UCP:ONE")
			assert.NilError(t, syscall.Kill(-s.cmd.Process.Pid, sig)) // to all of the session, as a closed terminal does
			assert.Check(t, s.cmd.Wait() != nil)
			s.assertGone(t)
		})
	}
}

func TestNohupKeepsARunThatLosesItsTerminal(t *testing.T) {
	s := startSession(t, "sh", "-c", `trap "" HUP; exec docker ucp backup --id UCP:ONE "$0"`) // all that nohup is
	assert.NilError(t, syscall.Kill(-s.cmd.Process.Pid, syscall.SIGHUP))
	_, err := s.master.WriteString("short\nshort\nshort\n") // it may be asked again
	assert.NilError(t, err)
	assert.ErrorContains(t, s.cmd.Wait(), "exit status 5")
	s.await(t, "the passphrase has 5 characters")
	s.assertGone(t)
}

func TestAReaderThatLeavesDoesNotKeepTheRunFromCleaningUp(t *testing.T) {
	program, err := exec.LookPath("docker-ucp")
	assert.NilError(t, err)
	folder := t.TempDir()
	socket := filepath.Join(t.TempDir(), "e.sock")
	serve(t, socket, "manager")
	reader, writer, err := os.Pipe()
	assert.NilError(t, err)
	assert.NilError(t, reader.Close())
	// The warning about --passphrase is written while FILE.part is there.
	cmd := exec.CommandContext(t.Context(), program, "backup", "--passphrase", "short", filepath.Join(folder, "ucp.tar"))
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir(), "DOCKER_HOST=unix://"+socket)
	cmd.Stderr = writer
	assert.Check(t, cmp.ErrorContains(cmd.Run(), "exit status 5"))
	assert.NilError(t, writer.Close())
	left, err := os.ReadDir(folder)
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0, "left: %v", left)
}

func TestATerminalIsRefusedAsTheOutput(t *testing.T) {
	needDocker(t)
	config, err := pluginConfig(t.TempDir())
	assert.NilError(t, err)
	master, tty, err := pty.Open()
	assert.NilError(t, err)
	defer func() { assert.Check(t, master.Close()) }()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "docker", "ucp", "backup", "--no-passphrase")
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config, "DOCKER_HOST=unix:///nowhere.sock")
	cmd.Stdout, cmd.Stderr = tty, &stderr
	assert.Check(t, cmp.ErrorContains(cmd.Run(), "exit status 5"))
	assert.NilError(t, tty.Close())
	assert.Equal(t, stderr.String(), "docker ucp backup: write the archive to standard output: it is a terminal\n"+
		"name a file, or redirect the output: > ucp.tar\n")
}
