package scenarios

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"gotest.tools/v3/assert"
)

// running is a command under way, in a process group of its own.
type running struct {
	command  *exec.Cmd
	said     *lockedText
	printed  *lockedText // on standard output, unless that goes elsewhere
	terminal *os.File    // what types into its terminal, if it has one
	began    time.Time
	ended    chan struct{}
	err      error // of waiting for it
}

// run starts a command.
func run(t *testing.T, command *exec.Cmd) *running {
	t.Helper()
	r := &running{command: command, said: &lockedText{}, printed: &lockedText{}, began: time.Now(), ended: make(chan struct{})}
	command.Stderr = r.said
	if command.Stdout == nil {
		command.Stdout = r.printed
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	assert.NilError(t, command.Start())
	go r.wait()
	t.Cleanup(r.abandon)
	return r
}

// runOnTerminal starts a command that a terminal controls, with its standard output there too unless it has one.
func runOnTerminal(t *testing.T, command *exec.Cmd) *running {
	t.Helper()
	r := &running{command: command, said: &lockedText{}, printed: &lockedText{}, began: time.Now(), ended: make(chan struct{})}
	master, terminal, err := pty.Open()
	assert.NilError(t, err)
	r.terminal = master
	command.Stdin, command.Stderr = terminal, terminal
	if command.Stdout == nil {
		command.Stdout = terminal
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	assert.NilError(t, command.Start())
	assert.NilError(t, terminal.Close())
	go func() {
		_, _ = io.Copy(r.said, master) // ends with an error when nobody has the terminal any more
		r.wait()
	}()
	t.Cleanup(r.abandon)
	return r
}

func (r *running) wait() {
	r.err = r.command.Wait()
	close(r.ended)
}

// abandon makes sure that nothing of a failed test goes on.
func (r *running) abandon() {
	_ = syscall.Kill(-r.command.Process.Pid, syscall.SIGKILL) // mostly gone
	<-r.ended
	if r.terminal != nil {
		_ = r.terminal.Close()
	}
}

// signal goes to the command and all that it has started.
func (r *running) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	assert.NilError(t, syscall.Kill(-r.command.Process.Pid, signal))
}

// typing is what a person types.
func (r *running) typing(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(r.terminal, text)
	assert.NilError(t, err)
}

// end waits for the command's end.
func (r *running) end(t *testing.T, limit time.Duration) answer {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(limit):
		t.Fatalf("the command did not end within %s:\n%s", limit, r.said)
	}
	var exit *exec.ExitError
	if r.err != nil && !errors.As(r.err, &exit) {
		t.Fatal(r.err)
	}
	a := answer{
		stdout: r.printed.String(), stderr: strings.ReplaceAll(r.said.String(), "\r\n", "\n"),
		code: r.command.ProcessState.ExitCode(), took: time.Since(r.began),
	}
	t.Logf("%s: exit status %d after %s\n%s", strings.Join(r.command.Args, " "), a.code, a.took.Round(10*time.Millisecond), a.stderr)
	return a
}

// lastWords is what a command says of its end: the line that begins with its name, and what follows.
func (a answer) lastWords() string {
	if at := strings.LastIndex("\n"+a.stderr, "\ndocker ucp "); at >= 0 {
		return strings.TrimSpace(a.stderr[at:])
	}
	return ""
}
