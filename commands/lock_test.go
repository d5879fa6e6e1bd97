package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/streams"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// fakeCLI has streams and nothing else: any other call panics.
type fakeCLI struct {
	command.Cli
	in       *streams.In
	out, err *streams.Out
}

func (c *fakeCLI) In() *streams.In   { return c.in }
func (c *fakeCLI) Out() *streams.Out { return c.out }
func (c *fakeCLI) Err() *streams.Out { return c.err }

// piped is a CLI without a terminal.
func piped(input string, err io.Writer) *fakeCLI {
	return &fakeCLI{in: streams.NewIn(io.NopCloser(strings.NewReader(input))), out: streams.NewOut(io.Discard), err: streams.NewOut(err)}
}

// brokenOut is a stream whose reader has left.
type brokenOut struct{}

func (brokenOut) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// spoken keeps what is said.
type spoken struct{ said, warned []string }

func (s *spoken) Say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

func (s *spoken) Warn(format string, args ...any) {
	s.warned = append(s.warned, fmt.Sprintf(format, args...))
}

const goodPassphrase = "correct horse battery"

func TestThePassphraseComesFromWhereTheOperatorPutIt(t *testing.T) {
	tests := map[string]struct {
		file   string // content; empty for no file
		env    string
		flags  lockOptions
		want   string
		refuse string
	}{
		"a file with a line feed":             {file: goodPassphrase + "\n", want: goodPassphrase},
		"a file without":                      {file: goodPassphrase, want: goodPassphrase},
		"a file from Windows":                 {file: goodPassphrase + "\r\n", want: goodPassphrase},
		"the first line of several":           {file: goodPassphrase + "\nsecond\n", want: goodPassphrase},
		"spaces are part of it":               {file: "  spaces in it  \n", want: "  spaces in it  "},
		"an empty file":                       {file: "\n", refuse: "the passphrase has 0 characters; a backup needs at least 12"},
		"a short one in a file":               {file: "short\n", refuse: "the passphrase has 5 characters; a backup needs at least 12"},
		"twelve characters of several bytes":  {file: "äöüäöüäöüäöü", want: "äöüäöüäöüäöü"},
		"eleven characters of several bytes":  {file: "äöüäöüäöüäö", refuse: "the passphrase has 11 characters; a backup needs at least 12"},
		"the environment":                     {env: goodPassphrase, want: goodPassphrase},
		"a short one in the environment":      {env: "short", refuse: "the passphrase has 5 characters; a backup needs at least 12"},
		"a file before the environment":       {file: goodPassphrase, env: "another passphrase", want: goodPassphrase},
		"the command line":                    {flags: lockOptions{phrase: passphraseOptions{named: true, value: goodPassphrase}}, want: goodPassphrase},
		"the command line before environment": {flags: lockOptions{phrase: passphraseOptions{named: true, value: goodPassphrase}}, env: "another passphrase", want: goodPassphrase},
		"an empty one on the command line":    {flags: lockOptions{phrase: passphraseOptions{named: true}}, env: goodPassphrase, refuse: "the passphrase has 0 characters; a backup needs at least 12"},
		"nowhere":                             {refuse: "no passphrase given"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv(passphraseVariable, test.env)
			} else {
				unsetPassphrase(t)
			}
			if test.file != "" {
				test.flags.phrase.file = write(t, filepath.Join(t.TempDir(), "key.txt"), test.file)
			}
			var stderr bytes.Buffer
			talk := &spoken{}
			assert.NilError(t, test.flags.phrase.take())
			_, set := os.LookupEnv(passphraseVariable)
			assert.Check(t, !set, "what is started from here would inherit the passphrase")
			lock, err := test.flags.read(t.Context(), piped(goodPassphrase+"\n", &stderr), talk)
			assert.Equal(t, stderr.String(), "", "asked where nobody can answer")
			assert.Equal(t, len(talk.warned) == 1, test.flags.phrase.named, "only a passphrase in sight of all is warned of: %q", talk.warned)
			if test.refuse != "" {
				assert.Error(t, err, test.refuse)
				assert.Equal(t, failure.KindOf(err), failure.Refused)
				assert.Check(t, len(failure.Hints(err)) == 1)
				return
			}
			assert.NilError(t, err)
			assert.Equal(t, string(lock.Passphrase), test.want)
			assert.Equal(t, len(lock.Recipients), 0)
		})
	}
}

func unsetPassphrase(t *testing.T) {
	t.Helper()
	t.Setenv(passphraseVariable, "") // restores it afterwards
	assert.NilError(t, os.Unsetenv(passphraseVariable))
}

func TestAnEmptyPassphraseInTheEnvironmentIsNoneThatWasGivenAndNotNoneOnPurpose(t *testing.T) {
	t.Setenv(passphraseVariable, "")
	var options lockOptions
	assert.NilError(t, options.phrase.take())
	lock, err := options.read(t.Context(), piped("", io.Discard), &spoken{})
	assert.Error(t, err, "no passphrase given")
	assert.Equal(t, failure.KindOf(err), failure.Refused)
	_, set := os.LookupEnv(passphraseVariable)
	assert.Check(t, !set)
	assert.Check(t, lock == nil || len(lock.Passphrase) == 0)
}

func TestNoPassphraseOnPurposeReadsNone(t *testing.T) {
	t.Setenv(passphraseVariable, goodPassphrase)
	lock, err := (&lockOptions{noPassphrase: true}).read(t.Context(), piped("", io.Discard), &spoken{})
	assert.NilError(t, err)
	assert.Check(t, lock == nil)
}

func TestOnlyAnArchiveThatIsMadeNeedsAKey(t *testing.T) {
	for name, test := range map[string]struct {
		opts  backupOptions
		asked bool
	}{
		"a backup":                  {backupOptions{}, true},
		"a dry run":                 {backupOptions{dryRun: true}, false},
		"one that is fetched":       {backupOptions{resume: true}, false},
		"a backup despite the rest": {backupOptions{force: true, fixShm: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(passphraseVariable, goodPassphrase)
			assert.NilError(t, test.opts.lock.phrase.take())
			lock := test.opts.locked(piped("", io.Discard), &spoken{})
			assert.Equal(t, lock != nil, test.asked)
			_, set := os.LookupEnv(passphraseVariable)
			assert.Check(t, !set, "it is not for what is started from here, needed or not")
		})
	}
}

func TestAKeyFileThatCannotBeUsedIsRefused(t *testing.T) {
	folder := t.TempDir()
	tests := map[string]struct {
		options lockOptions
		want    string
		hint    string
	}{
		"no passphrase file":           {lockOptions{phrase: passphraseOptions{file: filepath.Join(folder, "none")}}, "no such file", "name a file that you can read: --passphrase-file FILE"},
		"a folder as passphrase file":  {lockOptions{phrase: passphraseOptions{file: folder}}, "is a directory", "name a file that you can read: --passphrase-file FILE"},
		"no recipient's file":          {lockOptions{recipients: []string{filepath.Join(folder, "none")}}, "no such file", exportKey},
		"a recipient's file of no key": {lockOptions{recipients: []string{write(t, filepath.Join(folder, "text"), "hello")}}, "holds no OpenPGP key", exportKey},
		"a private key":                {lockOptions{recipients: []string{key("curve25519.secret.pgp")}}, "private key", exportKey},
		"a recipient's key cut short":  {lockOptions{recipients: []string{cutShort(t, folder)}}, " holds no OpenPGP key, or is damaged", exportKey},
		"an expired key":               {lockOptions{recipients: []string{key("expired.pgp")}}, "expired", exportKey},
		"a good key and a bad one":     {lockOptions{recipients: []string{key("rsa.pgp"), key("revoked.pgp")}}, "revoked", exportKey},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.options.read(t.Context(), piped("", io.Discard), &spoken{})
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
		})
	}
}

func key(name string) string {
	return filepath.Join("..", "internal", "seal", "testdata", "keys", name)
}

func TestRecipientsNeedNoPassphraseAndMayHaveOne(t *testing.T) {
	t.Setenv(passphraseVariable, goodPassphrase)
	both := []string{key("rsa.pgp"), key("curve25519.pgp")}
	lock, err := (&lockOptions{recipients: both}).read(t.Context(), piped("", io.Discard), &spoken{})
	assert.NilError(t, err)
	assert.Equal(t, len(lock.Recipients), 2)
	assert.Equal(t, len(lock.Passphrase), 0, "the environment may be that of another command")

	file := write(t, filepath.Join(t.TempDir(), "key.txt"), goodPassphrase)
	lock, err = (&lockOptions{recipients: both, phrase: passphraseOptions{file: file}}).read(t.Context(), piped("", io.Discard), &spoken{})
	assert.NilError(t, err)
	session, err := seal.NewSessionKey()
	assert.NilError(t, err)
	_, err = lock.Packets(session)
	assert.NilError(t, err)
	assert.Equal(t, string(lock.Passphrase), goodPassphrase)
}

func TestAFileWithoutAnEndIsNotReadForever(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip(err)
	}
	_, err := readPassphrase("/dev/zero")
	assert.Error(t, err, "read the passphrase: the first line of /dev/zero has more than 65536 bytes")
	assert.Equal(t, failure.KindOf(err), failure.Refused)
}

func TestThePassphraseStandsInNoError(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "key.txt"), "hunter2hunt")
	for _, options := range []lockOptions{{phrase: passphraseOptions{file: file}}, {phrase: passphraseOptions{named: true, value: "hunter2hunt"}}} {
		talk := &spoken{}
		_, err := options.read(t.Context(), piped("", io.Discard), talk)
		assert.Check(t, err != nil && !strings.Contains(err.Error()+strings.Join(talk.warned, ""), "hunter2"))
	}
	o := execute(t, "backup", "-D", "--passphrase", goodPassphrase, filepath.Join(t.TempDir(), "ucp.tar"))
	assert.Check(t, !cmp.Contains(o.stderr.String()+o.err.Error(), goodPassphrase)().Success())
}

func cutShort(t *testing.T, folder string) string {
	t.Helper()
	content, err := os.ReadFile(key("rsa.pgp"))
	assert.NilError(t, err)
	return write(t, filepath.Join(folder, "cut"), string(content[:300]))
}
