package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// serveDir, when set, makes the test binary run the store in that folder and print what it acknowledges.
const serveDir = "STANDIN_STORE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveDir); dir != "" {
		if err := serveStore(dir); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveStore(dir string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	go func() {
		for {
			fmt.Println(s.Acknowledged())
			time.Sleep(time.Millisecond)
		}
	}()
	return s.Run(context.Background())
}

// process is a store in a process of its own.
type process struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startProcess(t *testing.T, dir string) process {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), serveDir+"="+dir)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	assert.NilError(t, err)
	assert.NilError(t, command.Start())
	return process{command, bufio.NewScanner(stdout)}
}

// acknowledged reads until the store has said that it acknowledged n records or more.
func (p process) acknowledged(t *testing.T, n uint64) uint64 {
	t.Helper()
	for p.lines.Scan() {
		said, err := strconv.ParseUint(p.lines.Text(), 10, 64)
		assert.NilError(t, err)
		if said >= n {
			return said
		}
	}
	t.Fatal("the store has gone")
	return 0
}

// freeze stops the process and waits until the kernel says so.
func (p process) freeze(t *testing.T) {
	t.Helper()
	assert.NilError(t, p.Process.Signal(syscall.SIGSTOP))
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Process.Pid))
		assert.NilError(t, err)
		frozen := true
		for _, task := range tasks {
			stat, err := os.ReadFile(task)
			assert.NilError(t, err)
			frozen = frozen && strings.Contains(string(stat), ") T ")
		}
		if frozen {
			return
		}
	}
}

func TestCopyOfAFrozenProcessIsCleanAndLosesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	assert.NilError(t, Create(dir))
	p := startProcess(t, dir)
	inFlight := 0
	for round := range uint64(25) {
		said := p.acknowledged(t, 10*round)
		p.freeze(t)
		frozen := copyDir(t, dir)
		assert.NilError(t, p.Process.Signal(syscall.SIGCONT))
		report, err := Check(frozen)
		assert.NilError(t, err)
		assert.Assert(t, report.Acknowledged >= said)
		if report.InFlight {
			inFlight++
		}
		assert.NilError(t, os.RemoveAll(frozen))
	}
	t.Logf("%d of 25 copies had a record in flight", inFlight)
	assert.Assert(t, inFlight > 0)
	assert.NilError(t, p.Process.Kill())
	assert.ErrorContains(t, p.Wait(), "killed")
}

func TestKilledStoreComesBackWithAllItAcknowledged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	assert.NilError(t, Create(dir))
	said := uint64(0)
	for range 10 {
		p := startProcess(t, dir)
		said = p.acknowledged(t, said+5)
		assert.NilError(t, p.Process.Kill())
		assert.ErrorContains(t, p.Wait(), "killed")
		report, err := Check(dir)
		assert.NilError(t, err)
		assert.Assert(t, report.Acknowledged >= said)
	}
}
