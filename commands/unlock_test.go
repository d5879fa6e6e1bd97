package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/cli/cli/command"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// locked is the head of a message, and its session key.
func locked(t *testing.T, passphrase string, recipients ...string) (*seal.Message, seal.SessionKey) {
	t.Helper()
	session, err := seal.NewSessionKey()
	assert.NilError(t, err)
	lock := &seal.Lock{Passphrase: []byte(passphrase)}
	for _, name := range recipients {
		assert.NilError(t, addRecipients(lock, key(name)))
	}
	var packets []byte
	if passphrase != "" || len(recipients) > 0 {
		packets, err = lock.Packets(session)
		assert.NilError(t, err)
	}
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, packets, session, seal.Options{})
	assert.NilError(t, err)
	assert.NilError(t, w.Close())
	m, err := seal.ReadHead(&out)
	assert.NilError(t, err)
	return m, session
}

// unlock asks as the core does: again for as long as nothing fits.
func (u *unlocker) unlock(ctx context.Context, m *seal.Message) (seal.SessionKey, error) {
	var wrong error
	for attempt := 1; ; attempt++ {
		keys, err := u.keys(ctx, m, attempt)
		if err != nil {
			return seal.SessionKey{}, errors.Join(wrong, err)
		}
		session, err := m.Unlock(keys)
		if err == nil {
			return session, nil
		}
		wrong = err
	}
}

func unlockerOf(opts *unlockOptions, dockerCLI command.Cli, path string) *unlocker {
	u := newUnlocker(opts, dockerCLI, &spoken{}, path)
	u.openTerminal = func() (*os.File, error) { return nil, os.ErrNotExist }
	return u
}

// inFile is the flag of a passphrase in a file.
func inFile(t *testing.T, passphrase string) passphraseOptions {
	t.Helper()
	return passphraseOptions{file: write(t, filepath.Join(t.TempDir(), "key.txt"), passphrase+"\n")}
}

func inEnvironment(passphrase string) passphraseOptions {
	return passphraseOptions{environment: &passphrase}
}

const short = "short" // reading knows no rule for a passphrase's length

func TestAnArchiveOpensWithWhatWasGiven(t *testing.T) {
	rsa, curve, protected := key("rsa.secret.pgp"), key("curve25519.secret.pgp"), key("protected.secret.pgp")
	tests := map[string]struct {
		passphrase string // of the archive
		recipients []string
		opts       unlockOptions
		want       string // the error; empty for none
		hint       string // a part of it
	}{
		"a passphrase in a file":                                        {short, nil, unlockOptions{phrase: inFile(t, short)}, "", ""},
		"a passphrase in the environment":                               {short, nil, unlockOptions{phrase: inEnvironment(short)}, "", ""},
		"a passphrase in sight":                                         {short, nil, unlockOptions{phrase: passphraseOptions{named: true, value: short}}, "", ""},
		"a flag goes before the environment":                            {short, nil, unlockOptions{phrase: passphraseOptions{named: true, value: short, environment: new(string)}}, "", ""},
		"a wrong one":                                                   {short, nil, unlockOptions{phrase: inFile(t, "another")}, "wrong passphrase, or the message is damaged", "/key.txt; without --passphrase-file you are asked for it on the terminal"},
		"a wrong one in the environment":                                {short, nil, unlockOptions{phrase: inEnvironment("another")}, "wrong passphrase, or the message is damaged", "the passphrase came from the environment variable UCP_PASSPHRASE; for another: --passphrase-file FILE"},
		"a wrong one in sight":                                          {short, nil, unlockOptions{phrase: passphraseOptions{named: true, value: "another"}}, "wrong passphrase, or the message is damaged", "the passphrase came from --passphrase; for another: --passphrase-file FILE"},
		"an empty one in sight":                                         {short, nil, unlockOptions{phrase: passphraseOptions{named: true}}, "the passphrase that was given is empty", "the passphrase came from --passphrase; for another: --passphrase-file FILE"},
		"an empty one":                                                  {short, nil, unlockOptions{phrase: inFile(t, "")}, "the passphrase that was given is empty", "the passphrase came from the first line of "},
		"nothing":                                                       {short, nil, unlockOptions{}, "the archive is locked with a passphrase, and none was given", "--passphrase-file FILE"},
		"a private key":                                                 {"", []string{"rsa.pgp"}, unlockOptions{identities: []string{rsa}}, "", ""},
		"one of two private keys":                                       {"", []string{"curve25519.pgp"}, unlockOptions{identities: []string{rsa, curve}}, "", ""},
		"a private key of another":                                      {"", []string{"rsa.pgp"}, unlockOptions{identities: []string{curve}}, "none of the private keys opens the message", "it opens with a private key: gpg --export-secret-keys "},
		"no private key":                                                {"", []string{"rsa.pgp"}, unlockOptions{}, "the archive is locked for a private key, and none was given", "\nor with one on a card: gpg --show-session-key --decrypt ucp.tar 2> FILE > /dev/null; then: --session-key-file FILE"},
		"no private key of two":                                         {"", []string{"rsa.pgp", "curve25519.pgp"}, unlockOptions{}, "the archive is locked for 2 private keys, and none was given", " > FILE; then: --identity FILE"},
		"a passphrase where it takes a key":                             {"", []string{"rsa.pgp"}, unlockOptions{phrase: inFile(t, short)}, "the archive is locked for a private key, and none was given", "--identity FILE"},
		"a key where it takes a passphrase":                             {short, nil, unlockOptions{identities: []string{rsa}}, "the message is locked with a passphrase, and none was given", "--passphrase-file FILE"},
		"a key for a message for both":                                  {short, []string{"rsa.pgp"}, unlockOptions{identities: []string{rsa}}, "", ""},
		"a passphrase for a message for both":                           {short, []string{"rsa.pgp"}, unlockOptions{phrase: inEnvironment(short)}, "", ""},
		"the wrong key and the right passphrase":                        {short, []string{"rsa.pgp"}, unlockOptions{identities: []string{curve}, phrase: inFile(t, short)}, "", ""},
		"the wrong passphrase and the right key":                        {short, []string{"rsa.pgp"}, unlockOptions{identities: []string{rsa}, phrase: inFile(t, "another")}, "", ""},
		"a private key with a passphrase":                               {"", []string{"protected.pgp"}, unlockOptions{identities: []string{protected}, phrase: inFile(t, "the key is locked")}, "", ""},
		"a private key with a passphrase, by variable":                  {"", []string{"protected.pgp"}, unlockOptions{identities: []string{protected}, phrase: inEnvironment("the key is locked")}, "", ""},
		"a private key with a wrong passphrase":                         {"", []string{"protected.pgp"}, unlockOptions{identities: []string{protected}, phrase: inFile(t, short)}, "wrong passphrase for the private key", "the passphrase came from the first line of "},
		"a private key and no passphrase for it":                        {"", []string{"protected.pgp"}, unlockOptions{identities: []string{protected}}, "has a passphrase of its own, and none was given", "--passphrase-file FILE"},
		"a private key of another and the archive, with one passphrase": {"the key is locked", []string{"rsa.pgp"}, unlockOptions{identities: []string{protected}, phrase: inFile(t, "the key is locked")}, "", ""},
		"a private key that nobody needs stays shut":                    {short, nil, unlockOptions{identities: []string{protected}, phrase: inFile(t, short)}, "", ""},
		"nothing for a message without locks":                           {"", nil, unlockOptions{}, "it takes its session key to open it", "it opens with its session key: --session-key-file FILE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, session := locked(t, test.passphrase, test.recipients...)
			got, err := unlockerOf(&test.opts, piped("", brokenOut{}), "ucp.tar").unlock(t.Context(), m)
			if test.want == "" {
				assert.NilError(t, err)
				assert.Check(t, got.Equal(session))
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, failure.KindOf(err), failure.Locked)
			hint := strings.Join(failure.Hints(err), "\n")
			assert.Check(t, cmp.Contains(hint, test.hint))
			for _, id := range m.ForKeys() {
				if !strings.Contains(hint, "--export-secret-keys ") {
					continue
				}
				assert.Equal(t, strings.Count(err.Error()+hint, fmt.Sprintf("%016X", id)), 1, "the key is named once: %s\n%s", err, hint)
			}
			if test.opts.phrase.environment != nil {
				assert.Check(t, !strings.Contains(hint, "or "+passphraseVariable), "it has just failed")
			}
		})
	}
}

func TestAWrongSessionKeyIsNotRecommendedAgain(t *testing.T) {
	m, _ := locked(t, short, "rsa.pgp")
	_, other := locked(t, short)
	file := write(t, filepath.Join(t.TempDir(), "session"), string(other.Reveal()))
	_, err := unlockerOf(&unlockOptions{sessionKey: file}, piped("", io.Discard), "ucp.tar").unlock(t.Context(), m)
	assert.DeepEqual(t, failure.Hints(err), []string{"the session key came from " + file + "; " + showSessionKey})
}

func TestAHintNamesSomeOfManyKeys(t *testing.T) {
	assert.Equal(t, names([]uint64{0, 0x1234}), "NAME 0000000000001234")
	assert.Equal(t, len(strings.Fields(names(make([]uint64, 1000)))), namedKeys)
}

func TestAHintTellsOfAKeyThatIsNotNamed(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "internal", "seal", "testdata", "messages", "gpg2-curve25519-hidden.pgp"))
	assert.NilError(t, err)
	m, err := seal.ReadHead(bytes.NewReader(content))
	assert.NilError(t, err)
	assert.Equal(t, unlockerOf(&unlockOptions{}, piped("", io.Discard), "it's.tar").whatOpens(m, false),
		"it opens with a private key: gpg --export-secret-keys NAME > FILE; then: --identity FILE\n"+
			`or with one on a card: gpg --show-session-key --decrypt 'it'\''s.tar' 2> FILE > /dev/null; then: --session-key-file FILE`)
}

func TestTheSessionKeyIsReadAsGPGPrintsIt(t *testing.T) {
	m, session := locked(t, short)
	text := string(session.Reveal())
	other, err := seal.NewSessionKey()
	assert.NilError(t, err)
	tests := map[string]struct {
		content string
		want    string // the error; empty for none
	}{
		"alone":                     {text, ""},
		"alone with a line feed":    {text + "\n", ""},
		"alone, from Windows":       {text + "\r\n", ""},
		"alone in capitals":         {strings.ToUpper(text), ""},
		"gpg's line":                {"gpg: session key: '" + text + "'\n", ""},
		"gpg's line in German":      {"gpg: Sitzungsschlüssel: `" + text + "'\n", ""},
		"all of gpg's lines":        {"gpg: AES256.CFB encrypted data\ngpg: encrypted with rsa3072 key, ID FB79CF72EC7930BC991A6D4C2553E71523265CD7, created 2024-01-01\ngpg: session key: '" + text + "'\n", ""},
		"gpg's status lines":        {"[GNUPG:] ENC_TO 2553E71523265CD7 1 0\n[GNUPG:] SESSION_KEY " + text + "\n", ""},
		"the same one twice":        {"[GNUPG:] SESSION_KEY " + text + "\ngpg: session key: '" + strings.ToUpper(text) + "'\n", ""},
		"two":                       {text + "\n" + string(other.Reveal()), "holds several, which differ"},
		"none":                      {"gpg: decryption failed: No secret key at 2024-01-01 12:34:56\n", "holds none"},
		"nothing":                   {"", "holds none"},
		"of a length that is wrong": {text[:len(text)-2], "cipher 9 takes 32 bytes, not 31"},
		"of a cipher that is none":  {"99" + text[1:], "cipher 99 is not known"},
		"that of another archive":   {string(other.Reveal()), "the session key is not that of the message"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := &unlockOptions{sessionKey: write(t, filepath.Join(t.TempDir(), "session"), test.content)}
			got, err := unlockerOf(opts, piped("", io.Discard), "ucp.tar").unlock(t.Context(), m)
			if test.want == "" {
				assert.NilError(t, err)
				assert.Check(t, got.Equal(session))
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.Check(t, len(failure.Hints(err)) > 0)
			assert.Check(t, !strings.Contains(err.Error(), text[2:20]), "the error shows the key")
		})
	}
}

func TestAFileOfKeysThatCannotBeUsedIsRefused(t *testing.T) {
	m, _ := locked(t, "", "rsa.pgp")
	folder := t.TempDir()
	none := filepath.Join(folder, "none")
	text := write(t, filepath.Join(folder, "text"), "hello")
	sealed := write(t, filepath.Join(folder, "sealed"), string(emptyBackup(t, &seal.Lock{Passphrase: []byte(short)})))
	binary := write(t, filepath.Join(folder, "binary"), "\x99\x01\x0d\x63 is of no version")
	content, err := os.ReadFile(key("rsa.secret.pgp"))
	assert.NilError(t, err)
	cut := write(t, filepath.Join(folder, "cut"), string(content[:300]))
	tests := map[string]struct {
		opts unlockOptions
		want string
		hint string
	}{
		"no passphrase file":    {unlockOptions{phrase: passphraseOptions{file: none}}, "read the passphrase: open ", "name a file that you can read: --passphrase-file FILE"},
		"no private key's file": {unlockOptions{identities: []string{none}}, "read the private key: open ", exportIdentity},
		"no session key's file": {unlockOptions{sessionKey: none}, "read the session key: open ", "name a file that you can read: --session-key-file FILE"},
		"a session key on -":    {unlockOptions{sessionKey: "-"}, "read the session key: open ", "for standard input: --session-key-file /dev/stdin"},
		"a passphrase on -":     {unlockOptions{phrase: passphraseOptions{file: "-"}, identities: []string{none}}, "read the passphrase: open ", "for standard input: --passphrase-file /dev/stdin"},
		"a private key on -":    {unlockOptions{identities: []string{"-"}}, "read the private key: open ", "for standard input: --identity /dev/stdin"},
		"a message":             {unlockOptions{identities: []string{sealed}}, sealed + " holds no OpenPGP key, or is damaged", exportIdentity},
		"a key cut short":       {unlockOptions{identities: []string{cut}}, cut + " holds no OpenPGP key, or is damaged", exportIdentity},
		"a binary of no kind":   {unlockOptions{identities: []string{binary}}, binary + " holds no OpenPGP key", exportIdentity},
		"a text":                {unlockOptions{identities: []string{text}}, "holds no OpenPGP key", exportIdentity},
		"a public key":          {unlockOptions{identities: []string{key("rsa.pgp")}}, "holds the public part alone", exportIdentity},
		"a folder":              {unlockOptions{identities: []string{folder}}, "is a directory", exportIdentity},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := unlockerOf(&test.opts, piped("", io.Discard), "ucp.tar").unlock(t.Context(), m)
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
		})
	}
}

func TestAPassphraseInSightIsWarnedOf(t *testing.T) {
	m, _ := locked(t, short)
	talk := &spoken{}
	u := newUnlocker(&unlockOptions{phrase: passphraseOptions{named: true, value: short}}, piped("", io.Discard), talk, "ucp.tar")
	_, err := u.unlock(t.Context(), m)
	assert.NilError(t, err)
	assert.Equal(t, len(talk.warned), 1)
	assert.Check(t, cmp.Contains(talk.warned[0], "prefer --passphrase-file"))
}

// The core wipes what it was given.
func TestWhatIsGivenIsACopy(t *testing.T) {
	m, _ := locked(t, short)
	for _, opts := range []unlockOptions{{phrase: inEnvironment(short)}, {phrase: passphraseOptions{named: true, value: short}}} {
		u := unlockerOf(&opts, piped("", io.Discard), "ucp.tar")
		for range 2 {
			keys, err := u.keys(t.Context(), m, 1)
			assert.NilError(t, err)
			assert.Equal(t, string(keys.Passphrase), short)
			clear(keys.Passphrase)
		}
	}
}
