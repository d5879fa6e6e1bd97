package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// standardInput is the name of what has none.
const standardInput = "standard input"

// promptTries is how often a wrong secret may be typed, as gpg has it.
const promptTries = 3

// unlockOptions say what may open an archive.
type unlockOptions struct {
	phrase     passphraseOptions
	identities []string
	sessionKey string // the name of its file
}

func (o *unlockOptions) addFlags(flags *pflag.FlagSet) {
	o.phrase.addFlags(flags)
	flags.StringArrayVar(&o.identities, "identity", nil, "File with an OpenPGP private key, as gpg --export-secret-keys writes it (repeatable)")
	flags.StringVar(&o.sessionKey, "session-key-file", "", "File with the archive's session key, as gpg --show-session-key prints it")
}

// check refuses flags that do not go together.
func (o *unlockOptions) check(cmd *cobra.Command) error {
	if err := o.phrase.check(cmd); err != nil {
		return err
	}
	for _, name := range []string{"passphrase-file", "session-key-file"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return usage(cmd, "--"+name+" needs the name of a file")
		}
	}
	if o.sessionKey != "" && (o.phrase.byFlag() || len(o.identities) > 0) {
		return usage(cmd, "--session-key-file opens the archive alone; it goes with no other key")
	}
	return nil
}

// unlocker offers keys for one archive: what was given first, and what is typed where nothing was.
type unlocker struct {
	opts      *unlockOptions
	dockerCLI command.Cli
	talk      talker
	archive   string // as the question calls it
	piped     bool   // the archive comes on standard input, so nobody can type there
	// openTerminal opens the terminal that the command was started from, whatever its standard input is.
	openTerminal func() (*os.File, error)
}

func newUnlocker(opts *unlockOptions, dockerCLI command.Cli, talk talker, path string) *unlocker {
	u := &unlocker{opts: opts, dockerCLI: dockerCLI, talk: talk, archive: path, openTerminal: openTerminal}
	if path == "" {
		u.archive, u.piped = standardInput, true
	}
	return u
}

// keys is asked once an archive has turned out to be sealed, with attempt counting from 1, and again when nothing that
// it gave has opened the message. Without anything more to offer it returns an error of the kind Locked.
func (u *unlocker) keys(ctx context.Context, m *seal.Message, attempt int) (seal.Keys, error) {
	given := u.opts.phrase.given() || u.opts.sessionKey != "" || len(u.opts.identities) > 0
	switch {
	case given && attempt == 1:
		return u.given(ctx, m)
	case given, !m.ForPassphrase(), attempt > promptTries:
		return seal.Keys{}, u.locked(m, !given && attempt > 1)
	}
	passphrase, err := u.ask(ctx, attempt, "Passphrase for "+shown(u.archive)+": ")
	switch {
	case errors.Is(err, errNoTerminal):
		return seal.Keys{}, u.locked(m, false)
	case errors.Is(err, errNothingTyped):
		return seal.Keys{}, failure.Lock(err, u.whatOpens(m, attempt > 1))
	}
	return seal.Keys{Passphrase: passphrase}, err
}

// given reads what flags and the environment name. A session key is enough; private keys are read only for a message
// that is locked for some, since one may have a passphrase of its own.
func (u *unlocker) given(ctx context.Context, m *seal.Message) (keys seal.Keys, err error) {
	if u.opts.sessionKey != "" {
		keys.SessionKey, err = readSessionKey(u.opts.sessionKey)
		return keys, err
	}
	if keys.Passphrase, err = u.opts.phrase.read(u.talk); err != nil {
		return seal.Keys{}, err
	}
	if len(u.opts.identities) == 0 {
		switch {
		case !m.ForPassphrase():
			clear(keys.Passphrase)
			return seal.Keys{}, u.locked(m, false)
		case len(keys.Passphrase) == 0:
			return seal.Keys{}, failure.Lock(errors.New("the passphrase that was given is empty"), u.whatOpens(m, false))
		}
	}
	for _, path := range u.opts.identities {
		if len(m.ForKeys()) == 0 {
			break
		}
		identities, err := u.readIdentities(ctx, path, keys.Passphrase)
		if err != nil {
			clear(keys.Passphrase)
			return seal.Keys{}, err
		}
		keys.Identities = append(keys.Identities, identities...)
	}
	return keys, nil
}

// locked says that there is nothing more to offer, and what would open the archive.
func (u *unlocker) locked(m *seal.Message, typed bool) error {
	_, err := m.Unlock(seal.Keys{}) // which says why a message without locks cannot be opened
	switch n := len(m.ForKeys()); {
	case m.ForPassphrase():
		err = errors.New("the archive is locked with a passphrase, and none was given")
	case n == 1:
		err = errors.New("the archive is locked for a private key, and none was given")
	case n > 1:
		err = fmt.Errorf("the archive is locked for %d private keys, and none was given", n)
	}
	return failure.Lock(err, u.whatOpens(m, typed))
}

var (
	// errNoTerminal means that nobody can be asked.
	errNoTerminal = errors.New("no terminal")
	// errNothingTyped means that somebody was asked and does not want to answer.
	errNothingTyped = errors.New("no passphrase was typed")
)

// ask lets somebody type a passphrase on the terminal, wherever that is.
func (u *unlocker) ask(ctx context.Context, attempt int, question string) (_ []byte, err error) {
	board := standardKeyboard(u.dockerCLI)
	switch {
	case u.piped:
		tty, err := u.openTerminal()
		if err != nil {
			return nil, errNoTerminal // a script has none, and what it should do stands in the hint
		}
		defer func() { err = errors.Join(err, tty.Close()) }()
		board = keyboard{fd: int(tty.Fd()), screen: tty}
	case !u.dockerCLI.In().IsTerminal():
		return nil, errNoTerminal
	}
	board.cancelled = "cancelled"
	if attempt > 1 {
		if _, err := io.WriteString(board.screen, "wrong passphrase; try again\n"); err != nil {
			return nil, fmt.Errorf("ask for a passphrase: %w", err)
		}
	}
	typed, err := board.promptSecret(ctx, question)
	if errors.Is(err, io.EOF) || err == nil && len(typed) == 0 {
		return nil, errNothingTyped
	}
	return typed, err
}
