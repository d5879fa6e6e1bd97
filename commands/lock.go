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

// passphraseVariable is our choice; the vendor's documents name none for UCP 2.2 and later.
const passphraseVariable = "UCP_PASSPHRASE" //nolint:gosec // the name of a variable, not what it holds

const givePassphrase = "give one with: --passphrase-file FILE, or " + passphraseVariable + "; or on purpose none: --no-passphrase"

// lockOptions say who can open an archive.
type lockOptions struct {
	passphrase     string
	passphraseFile string
	noPassphrase   bool
	recipients     []string
	named          bool    // --passphrase was given, be it empty
	environment    *string // what UCP_PASSPHRASE held; nil when it was not set
}

func (o *lockOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.passphraseFile, "passphrase-file", "", "Read the passphrase from this file")
	flags.StringVar(&o.passphrase, "passphrase", "", "The passphrase, in sight of everybody who can list processes; prefer --passphrase-file")
	flags.BoolVar(&o.noPassphrase, "no-passphrase", false, "Write a plain tar that anybody can read")
	flags.StringArrayVar(&o.recipients, "recipient", nil, "File with an OpenPGP public key that can open the archive (repeatable)")
}

// take reads the passphrase out of the environment and out of the sight of what is started from here: the docker CLI
// reaches an ssh endpoint through a program that inherits the environment, and may send it on.
func (o *lockOptions) take() error {
	value, set := os.LookupEnv(passphraseVariable)
	if !set {
		return nil
	}
	o.environment = &value
	if err := os.Unsetenv(passphraseVariable); err != nil {
		return fmt.Errorf("take %s out of the environment: %w", passphraseVariable, err)
	}
	return nil
}

// check refuses flags that do not go together.
func (o *lockOptions) check(cmd *cobra.Command) error {
	o.named = cmd.Flags().Changed("passphrase")
	switch {
	case o.noPassphrase && (o.named || o.passphraseFile != "" || len(o.recipients) > 0):
		return usage(cmd, "--no-passphrase goes with no other key")
	case o.named && o.passphraseFile != "":
		return usage(cmd, "--passphrase and --passphrase-file are two passphrases; give one of them")
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
	case o.named:
		talk.Warn("--passphrase shows the passphrase to everybody who can list processes, and keeps it in the shell's history; prefer --passphrase-file")
		lock.Passphrase = []byte(o.passphrase)
	case o.passphraseFile != "":
		lock.Passphrase, err = readPassphrase(o.passphraseFile)
	case len(o.recipients) > 0:
		return lock, nil
	case o.environment != nil:
		lock.Passphrase = []byte(*o.environment)
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

// readPassphrase takes a file's first line without its end, be that of Unix or of Windows. GnuPG takes a carriage return
// for a part of the passphrase, which nobody who types it would.
func readPassphrase(path string) ([]byte, error) {
	content, err := readBeginning(path)
	if err != nil {
		return nil, failure.Refuse(fmt.Errorf("read the passphrase: %w", err), "name a file that you can read: --passphrase-file FILE")
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	if len(line) > longestPassphrase {
		return nil, failure.Refuse(fmt.Errorf("read the passphrase: the first line of %s has more than %d bytes", path, longestPassphrase),
			"name the file that holds it: --passphrase-file FILE")
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// longestPassphrase is far beyond what anybody types, and bounds what is read of a file that is another than was meant.
const longestPassphrase = 64 << 10

func readBeginning(path string) (content []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.LimitReader(file, longestPassphrase+1))
}

// promptTwice asks until two passphrases agree, and gives up after some tries.
func promptTwice(ctx context.Context, dockerCLI command.Cli) ([]byte, error) {
	const tries = 3
	for try := 1; ; try++ {
		passphrase, err := promptPair(ctx, dockerCLI)
		if err == nil || try == tries || failure.KindOf(err) != failure.Refused {
			return passphrase, err
		}
		if _, err := fmt.Fprintln(dockerCLI.Err(), err); err != nil {
			return nil, fmt.Errorf("ask for a passphrase: %w", err)
		}
	}
}

func promptPair(ctx context.Context, dockerCLI command.Cli) ([]byte, error) {
	first, err := promptSecret(ctx, dockerCLI, fmt.Sprintf("Passphrase for the backup (at least %d characters): ", minPassphrase))
	if err != nil {
		return nil, err
	}
	if err := checkLength(first); err != nil {
		return nil, err
	}
	second, err := promptSecret(ctx, dockerCLI, "Passphrase again: ")
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
		return failure.Refuse(err, exportKey)
	}
	lock.Recipients = append(lock.Recipients, keys...)
	return nil
}
