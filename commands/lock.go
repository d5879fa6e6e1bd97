package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// minPassphrase is the vendor's own rule for making a backup, in characters (ucp-facts 3.3). Reading one knows no rule.
const minPassphrase = 12

const givePassphrase = "give one with: --passphrase-file FILE, or " + passphraseVariable + "; or on purpose none: --no-passphrase"

// lockOptions say who can open an archive.
type lockOptions struct {
	phrase       passphraseOptions
	noPassphrase bool
	recipients   []string
}

func (o *lockOptions) addFlags(flags *pflag.FlagSet) {
	o.phrase.addFlags(flags)
	flags.BoolVar(&o.noPassphrase, "no-passphrase", false, "Write a plain tar that anybody can read")
	flags.StringArrayVar(&o.recipients, "recipient", nil, "File with an OpenPGP public key that can open the archive (repeatable)")
}

// check refuses flags that do not go together.
func (o *lockOptions) check(cmd *cobra.Command) error {
	if err := o.phrase.check(cmd); err != nil {
		return err
	}
	if o.noPassphrase && (o.phrase.byFlag() || len(o.recipients) > 0) {
		return usage(cmd, "--no-passphrase goes with no other key")
	}
	return nil
}

// read returns the lock, nil for none on purpose. It asks on a terminal when nothing else says.
func (o *lockOptions) read(ctx context.Context, dockerCLI command.Cli, talk talker) (*seal.Lock, error) {
	if o.noPassphrase {
		return nil, nil
	}
	lock := &seal.Lock{}
	for _, path := range o.recipients {
		if err := addRecipients(lock, path); err != nil {
			return nil, err
		}
	}
	var err error
	switch {
	case o.phrase.byFlag():
		lock.Passphrase, err = o.phrase.read(talk)
	case len(o.recipients) > 0:
		return lock, nil
	case o.phrase.given():
		lock.Passphrase, err = o.phrase.read(talk)
	case dockerCLI.In().IsTerminal():
		lock.Passphrase, err = promptTwice(ctx, dockerCLI)
	default:
		return nil, failure.Refuse(errors.New("no passphrase given"), givePassphrase)
	}
	if err != nil {
		return nil, err
	}
	return lock, checkLength(lock.Passphrase)
}

func checkLength(passphrase []byte) error {
	if n := utf8.RuneCount(passphrase); n < minPassphrase {
		return failure.Refuse(fmt.Errorf("the passphrase has %d characters; a backup needs at least %d", n, minPassphrase),
			"choose a longer one, or on purpose none: --no-passphrase")
	}
	return nil
}

// promptTwice asks until two passphrases agree, and gives up after some tries.
func promptTwice(ctx context.Context, dockerCLI command.Cli) ([]byte, error) {
	const tries = 3
	for try := 1; ; try++ {
		passphrase, err := promptPair(ctx, dockerCLI)
		if errors.Is(err, io.EOF) {
			return nil, failure.Refuse(errNothingTyped, givePassphrase)
		}
		if err == nil || try == tries || failure.KindOf(err) != failure.Refused {
			return passphrase, err
		}
		if _, err := fmt.Fprintln(dockerCLI.Err(), err); err != nil {
			return nil, fmt.Errorf("ask for a passphrase: %w", err)
		}
	}
}

func promptPair(ctx context.Context, dockerCLI command.Cli) ([]byte, error) {
	keyboard := standardKeyboard(dockerCLI)
	first, err := keyboard.promptSecret(ctx, fmt.Sprintf("Passphrase for the backup (at least %d characters): ", minPassphrase))
	if err != nil {
		return nil, err
	}
	if err := checkLength(first); err != nil {
		return nil, err
	}
	second, err := keyboard.promptSecret(ctx, "Passphrase again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, failure.Refuse(errors.New("the two passphrases differ"), "try again")
	}
	return first, nil
}

const exportKey = "export a public key with: gpg --export --armor NAME > FILE"

func addRecipients(lock *seal.Lock, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return failure.Refuse(fmt.Errorf("read the recipient's key: %w", err), exportKey)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	keys, err := seal.ReadRecipients(file, path)
	if err != nil {
		return failure.Refuse(noKeys(err, path), exportKey)
	}
	lock.Recipients = append(lock.Recipients, keys...)
	return nil
}
