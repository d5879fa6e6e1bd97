//go:build unix

package commands

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/docker/cli/cli/streams"
	xterm "golang.org/x/term"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// tooLong ends a wait for somebody who was not expected to have to type.
const tooLong = 20 * time.Second

type unlocked struct {
	session seal.SessionKey
	err     error
}

// answer types a line whenever the question has been put, and the echo is off; before are the terminal's settings of
// when nobody had asked yet.
func (term *terminal) answer(t *testing.T, before *xterm.State, question string, lines ...string) {
	t.Helper()
	for n, line := range lines {
		term.await(t, question, n+1)
		term.awaitChange(t, before)
		term.typed(t, line)
	}
}

func TestAPassphraseThatOpensAnArchiveIsAskedForOnTheTerminal(t *testing.T) {
	const question = "Passphrase for ucp.tar: "
	tests := map[string]struct {
		typed []string
		want  string // the error; empty for none
		hint  string // how it begins
	}{
		"right at once":       {[]string{short}, "", ""},
		"right at last":       {[]string{"one", "two", short}, "", ""},
		"three times wrong":   {[]string{"one", "two", "three"}, "wrong passphrase, or the message is damaged", "check the passphrase with: gpg --decrypt ucp.tar > /dev/null\n"},
		"nothing":             {[]string{""}, "no passphrase was typed", "it opens with a passphrase: --passphrase-file FILE, or UCP_PASSPHRASE\n"},
		"wrong, then nothing": {[]string{"one", ""}, "no passphrase was typed", "check the passphrase with: gpg --decrypt ucp.tar > /dev/null\n"},
		"the end of input":    {[]string{"\x04"}, "no passphrase was typed", "it opens with a passphrase: --passphrase-file FILE, or UCP_PASSPHRASE\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, session := locked(t, short, "rsa.pgp")
			terminal := newTerminal(t)
			before := terminal.settings(t)
			ctx, cancel := context.WithTimeout(t.Context(), tooLong)
			defer cancel()
			done := make(chan unlocked, 1)
			go func() {
				got, err := unlockerOf(&unlockOptions{}, terminal, "ucp.tar").unlock(ctx, m)
				done <- unlocked{got, err}
			}()
			terminal.answer(t, before, question, test.typed...)
			got := <-done
			assert.Check(t, reflect.DeepEqual(terminal.settings(t), before), "the terminal is not what it was")
			assert.Check(t, !strings.Contains(terminal.shown(), short), "the passphrase is shown")
			assert.Equal(t, strings.Count(terminal.shown(), "wrong passphrase; try again"), len(test.typed)-1)
			if test.want == "" {
				assert.NilError(t, got.err)
				assert.Check(t, got.session.Equal(session))
				return
			}
			assert.ErrorContains(t, got.err, test.want)
			assert.Equal(t, failure.KindOf(got.err), failure.Locked)
			assert.Equal(t, strings.Count(terminal.shown(), question), len(test.typed))
			assert.Check(t, strings.HasPrefix(failure.Hints(got.err)[0], test.hint), "%q", failure.Hints(got.err))
		})
	}
}

func TestNobodyIsAskedForAPassphraseThatCouldNotHelp(t *testing.T) {
	tests := map[string]struct {
		passphrase string // of the archive
		recipients []string
		opts       unlockOptions
	}{
		"the archive is for a key":        {"", []string{"rsa.pgp"}, unlockOptions{}},
		"a passphrase was given":          {short, nil, unlockOptions{phrase: inEnvironment("another")}},
		"a private key was given":         {short, nil, unlockOptions{identities: []string{key("rsa.secret.pgp")}}},
		"the archive takes a session key": {"", nil, unlockOptions{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, _ := locked(t, test.passphrase, test.recipients...)
			terminal := newTerminal(t)
			terminal.err = streams.NewOut(brokenOut{})
			_, err := unlockerOf(&test.opts, terminal, "ucp.tar").unlock(t.Context(), m)
			assert.Equal(t, failure.KindOf(err), failure.Locked, "%v", err)
			assert.Equal(t, terminal.shown(), "")
		})
	}
}

func TestAPrivateKeysOwnPassphraseIsAskedForOnTheTerminal(t *testing.T) {
	const question, right = `Passphrase for the private key "protected <protected@example.com>"`, "the key is locked"
	tests := map[string]struct {
		phrase passphraseOptions
		typed  []string
		want   string
	}{
		"nothing was given":           {passphraseOptions{}, []string{right}, ""},
		"right at last":               {passphraseOptions{}, []string{"one", "two", right}, ""},
		"what was given does not fit": {inEnvironment("another"), []string{right}, ""},
		"three times wrong":           {passphraseOptions{}, []string{"one", "two", "three"}, "wrong passphrase for the private key"},
		"nothing":                     {passphraseOptions{}, []string{""}, "no passphrase was typed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, session := locked(t, "", "protected.pgp")
			terminal := newTerminal(t)
			before := terminal.settings(t)
			ctx, cancel := context.WithTimeout(t.Context(), tooLong)
			defer cancel()
			done := make(chan unlocked, 1)
			go func() {
				opts := &unlockOptions{identities: []string{key("protected.secret.pgp")}, phrase: test.phrase}
				got, err := unlockerOf(opts, terminal, "ucp.tar").unlock(ctx, m)
				done <- unlocked{got, err}
			}()
			terminal.answer(t, before, question, test.typed...)
			got := <-done
			assert.Check(t, !strings.Contains(terminal.shown(), right), "the passphrase is shown")
			if test.want == "" {
				assert.NilError(t, got.err)
				assert.Check(t, got.session.Equal(session))
				return
			}
			assert.ErrorContains(t, got.err, test.want)
			assert.Equal(t, failure.KindOf(got.err), failure.Locked)
			assert.Equal(t, strings.Count(terminal.shown(), question), len(test.typed))
		})
	}
}

func TestACancelWhileAPassphraseIsAskedForIsACancel(t *testing.T) {
	for name, opts := range map[string]*unlockOptions{
		"of the archive":   {},
		"of a private key": {identities: []string{key("protected.secret.pgp")}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := locked(t, short, "protected.pgp")
			terminal := newTerminal(t)
			before := terminal.settings(t)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := unlockerOf(opts, terminal, "ucp.tar").unlock(ctx, m)
				done <- err
			}()
			terminal.await(t, "Passphrase for ", 1)
			terminal.awaitChange(t, before)
			cancel()
			err := <-done
			assert.Equal(t, failure.KindOf(err), failure.Cancelled)
			assert.Check(t, cmp.Contains(err.Error(), "cancelled"))
			assert.Check(t, !strings.Contains(err.Error(), untouched), "verify touches nothing at all")
			assert.Check(t, reflect.DeepEqual(terminal.settings(t), before), "the echo is off in the operator's shell")
		})
	}
}

// The archive itself is on standard input, so the question goes to the terminal behind it.
func TestAnArchiveFromAPipeIsOpenedOnTheControllingTerminal(t *testing.T) {
	if os.Getenv("UCP_TEST_ON_TERMINAL") != "" {
		m, session := locked(t, short)
		u := newUnlocker(&unlockOptions{}, piped("no passphrase\n", io.Discard), &spoken{}, "")
		got, err := u.unlock(t.Context(), m)
		assert.NilError(t, err)
		assert.Check(t, got.Equal(session))
		return
	}
	master, tty, err := pty.Open()
	assert.NilError(t, err)
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	self.Env = append(os.Environ(), "UCP_TEST_ON_TERMINAL=1")
	self.ExtraFiles = []*os.File{tty}
	self.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	var output strings.Builder
	self.Stdout, self.Stderr = &output, &output
	term := &terminal{keyboard: master, tty: tty}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(term, master) // ends with an error when the terminal is closed: that is how a pty ends
	}()
	before := term.settings(t)
	assert.NilError(t, self.Start())
	for n, line := range []string{"wrong", short} {
		term.await(t, "Passphrase for standard input: ", n+1)
		term.awaitChange(t, before)
		term.press(t, line+"\n")
	}
	assert.NilError(t, self.Wait(), "%s", &output)
	assert.Check(t, cmp.Contains(term.shown(), "wrong passphrase; try again"))
	assert.Check(t, !strings.Contains(output.String(), "Passphrase"), "asked elsewhere")
	assert.NilError(t, tty.Close())
	<-shown
	assert.NilError(t, master.Close())
}

func TestWithoutATerminalAPipeIsNotOpened(t *testing.T) {
	m, _ := locked(t, short)
	var asked strings.Builder
	_, err := unlockerOf(&unlockOptions{}, piped(short+"\n", &asked), "").unlock(t.Context(), m)
	assert.Error(t, err, "the archive is locked with a passphrase, and none was given")
	assert.Equal(t, failure.KindOf(err), failure.Locked)
	assert.Equal(t, asked.String(), "")
}
