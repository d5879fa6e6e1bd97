//go:build unix

package commands

import (
	"bytes"
	"context"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/docker/cli/cli/streams"
	xterm "golang.org/x/term"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/docker-ucp/docker-ucp/internal/backup"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// terminal is a CLI on a terminal, and the keyboard and screen of that terminal.
type terminal struct {
	*fakeCLI
	keyboard *os.File
	tty      *os.File

	mu     sync.Mutex
	screen bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, tty, err := pty.Open()
	assert.NilError(t, err)
	term := &terminal{keyboard: master, tty: tty}
	in := streams.NewIn(tty)
	term.fakeCLI = &fakeCLI{in: in, out: streams.NewOut(tty), err: streams.NewOut(tty)}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(term, master) // ends with an error when the terminal is closed: that is how a pty ends
	}()
	t.Cleanup(func() {
		term.press(t, "\n") // for a reader that was left behind, without which the terminal would not end
		assert.Check(t, tty.Close())
		<-shown
		assert.Check(t, master.Close())
	})
	return term
}

func (term *terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.Write(p)
}

func (term *terminal) shown() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.String()
}

// await waits until the screen has shown the words so many times.
func (term *terminal) await(t *testing.T, words string, times int) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if strings.Count(term.shown(), words) >= times {
			return poll.Success()
		}
		return poll.Continue("the screen shows %q", term.shown())
	}, poll.WithDelay(time.Millisecond))
}

func (term *terminal) press(t *testing.T, keys string) {
	t.Helper()
	_, err := term.keyboard.WriteString(keys)
	assert.NilError(t, err)
}

// typed presses a line's keys and the one that ends it, which for Ctrl-D is itself.
func (term *terminal) typed(t *testing.T, line string) {
	t.Helper()
	if line != "\x04" {
		line += "\n"
	}
	term.press(t, line)
}

// settings are the terminal's, the echo among them.
func (term *terminal) settings(t *testing.T) *xterm.State {
	t.Helper()
	state, err := xterm.GetState(int(term.tty.Fd()))
	assert.NilError(t, err)
	return state
}

// awaitChange waits until the echo is off: the reader switches it after the question.
func (term *terminal) awaitChange(t *testing.T, before *xterm.State) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if reflect.DeepEqual(term.settings(t), before) {
			return poll.Continue("the echo is still on")
		}
		return poll.Success()
	}, poll.WithDelay(time.Millisecond))
}

func TestAPassphraseIsAskedForTwiceAndNotShown(t *testing.T) {
	unsetPassphrase(t)
	const other = "correct horse cavalry"
	tests := map[string]struct {
		typed []string
		want  string // the error; empty for none
	}{
		"twice the same":           {[]string{goodPassphrase, goodPassphrase}, ""},
		"another at first":         {[]string{goodPassphrase, other, goodPassphrase, goodPassphrase}, ""},
		"a short one at first":     {[]string{"short", goodPassphrase, goodPassphrase}, ""},
		"the end of input":         {[]string{"\x04"}, "no passphrase was typed"},
		"the end, asked again":     {[]string{goodPassphrase, "\x04"}, "no passphrase was typed"},
		"never twice the same":     {[]string{goodPassphrase, other, goodPassphrase, other, goodPassphrase, other}, "the two passphrases differ"},
		"none that is long enough": {[]string{"short", "", "short"}, "the passphrase has 5 characters; a backup needs at least 12"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			terminal := newTerminal(t)
			before := terminal.settings(t)
			type answer struct {
				lock *seal.Lock
				err  error
			}
			answered := make(chan answer, 1)
			go func() {
				lock, err := new(lockOptions).read(t.Context(), terminal, &spoken{})
				answered <- answer{lock, err}
			}()
			for n, line := range test.typed {
				terminal.await(t, "Passphrase ", n+1)
				terminal.awaitChange(t, before)
				terminal.typed(t, line)
			}
			got := <-answered
			assert.Check(t, reflect.DeepEqual(terminal.settings(t), before), "the terminal is not what it was")
			assert.Check(t, !strings.Contains(terminal.shown(), "horse") && !strings.Contains(terminal.shown(), "short"))
			if test.want == "" {
				assert.NilError(t, got.err)
				assert.Equal(t, string(got.lock.Passphrase), goodPassphrase)
				return
			}
			assert.Error(t, got.err, test.want)
			assert.Equal(t, failure.KindOf(got.err), failure.Refused)
		})
	}
}

func TestACancelAtThePromptGivesTheTerminalItsEchoBack(t *testing.T) {
	terminal := newTerminal(t)
	before := terminal.settings(t)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := promptTwice(ctx, terminal)
		answered <- err
	}()
	terminal.await(t, "Passphrase ", 1)
	terminal.awaitChange(t, before)
	cancel()
	err := <-answered
	assert.Error(t, err, "cancelled before anything was touched")
	assert.Equal(t, failure.KindOf(err), failure.Cancelled)
	assert.Check(t, reflect.DeepEqual(terminal.settings(t), before), "the echo is off in the operator's shell")
}

func TestOnlyAYesIsAYes(t *testing.T) {
	tests := map[string]bool{
		"y\n": true, "yes\n": true, "Y\n": true, " YES \n": true,
		"n\n": false, "no\n": false, "\n": false, "yess\n": false, "ye\n": false, "\x04": false, "maybe y\n": false,
	}
	for answer, yes := range tests {
		t.Run(strings.TrimSpace(answer), func(t *testing.T) {
			terminal := newTerminal(t)
			terminal.press(t, answer)
			err := confirm(t.Context(), terminal, "Proceed? (y/n): ")
			terminal.await(t, "Proceed? (y/n): ", 1)
			if yes {
				assert.NilError(t, err)
				return
			}
			assert.Error(t, err, "not confirmed; nothing was touched")
			assert.Equal(t, failure.KindOf(err), failure.Cancelled)
		})
	}
}

func TestACancelAtTheQuestionIsACancel(t *testing.T) {
	terminal := newTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- confirm(ctx, terminal, "Proceed? ") }()
	terminal.await(t, "Proceed? ", 1)
	cancel()
	err := <-answered
	assert.Error(t, err, "cancelled before anything was touched")
	assert.Equal(t, failure.KindOf(err), failure.Cancelled)
}

func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	var stderr bytes.Buffer
	err := confirm(t.Context(), piped("y\n", &stderr), "Proceed? ")
	assert.Error(t, err, "nobody can be asked: standard input is no terminal")
	assert.DeepEqual(t, failure.Hints(err), []string{"answer beforehand with: --yes"})
	assert.Equal(t, failure.KindOf(err), failure.Refused)
	assert.Equal(t, stderr.String(), "")
}

func TestAQuestionThatCannotBeAskedIsAnError(t *testing.T) {
	terminal := newTerminal(t)
	terminal.err = streams.NewOut(brokenOut{})
	assert.ErrorContains(t, confirm(t.Context(), terminal, "Proceed? "), "ask: broken pipe")
	_, err := promptTwice(t.Context(), terminal)
	assert.ErrorContains(t, err, "ask for a passphrase: broken pipe")
}

func TestThePlanIsShownAndAskedForWhenItShould(t *testing.T) {
	plan := &backup.Plan{ID: "UCP:ONE", Node: "manager1", Warnings: []string{"it is late"}}
	tests := map[string]struct {
		opts     backupOptions
		terminal bool
		asked    bool
	}{
		"on a terminal, the instance taken as found":      {backupOptions{}, true, true},
		"on a terminal, to freeze":                        {backupOptions{quiesce: "pause"}, true, true},
		"on a terminal, the instance named":               {backupOptions{id: "UCP:ONE"}, true, false},
		"on a terminal, named, and wanting to be asked":   {backupOptions{id: "UCP:ONE", interactive: true}, true, true},
		"on a terminal, answered beforehand":              {backupOptions{yes: true}, true, false},
		"wanting to be asked, and answered beforehand":    {backupOptions{interactive: true, yes: true}, true, false},
		"without a terminal":                              {backupOptions{}, false, false},
		"without a terminal, answered beforehand":         {backupOptions{interactive: true, yes: true}, false, false},
		"without a terminal, and wanting to be asked all": {backupOptions{interactive: true}, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			talk := &spoken{}
			var stderr bytes.Buffer
			var err error
			if test.terminal {
				terminal := newTerminal(t)
				terminal.err = streams.NewOut(&stderr)
				terminal.press(t, "y\n")
				assert.Equal(t, test.opts.asks(terminal), test.asked, "whoever is asked can be told what to type")
				err = test.opts.approval(terminal, talk)(t.Context(), plan)
				assert.NilError(t, err)
				assert.Equal(t, strings.Contains(stderr.String(), "will be frozen for a while."), test.asked && test.opts.quiesce == "pause")
				assert.Equal(t, strings.Contains(stderr.String(), "will be stopped and started again."), test.asked && test.opts.quiesce == "")
			} else {
				err = test.opts.approval(piped("y\n", &stderr), talk)(t.Context(), plan)
				assert.Equal(t, failure.KindOf(err) == failure.Refused, test.asked)
			}
			assert.Equal(t, strings.Contains(stderr.String(), "instance UCP:ONE, on manager1"), test.asked)
			assert.Equal(t, len(talk.said) == 0, test.asked)
			assert.DeepEqual(t, talk.warned, []string{"it is late"})
		})
	}
}
