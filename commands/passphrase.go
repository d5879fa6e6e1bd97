package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// passphraseVariable is our choice; the vendor's documents name none for UCP 2.2 and later.
const passphraseVariable = "UCP_PASSPHRASE" //nolint:gosec // the name of a variable, not what it holds

// passphraseOptions are the ways to give a passphrase without being asked, to lock an archive or to open one.
type passphraseOptions struct {
	value       string
	file        string
	named       bool    // --passphrase was given, be it empty
	environment *string // what UCP_PASSPHRASE held; nil when it was not set, or empty
}

func (o *passphraseOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "passphrase-file", "", "Read the passphrase from this file")
	flags.StringVar(&o.value, "passphrase", "", "The passphrase, in sight of everybody who can list processes; prefer --passphrase-file")
}

// take reads the passphrase out of the environment and out of the sight of what is started from here: the docker CLI
// reaches an ssh endpoint through a program that inherits the environment, and may send it on. An empty one is none.
func (o *passphraseOptions) take() error {
	value, set := os.LookupEnv(passphraseVariable)
	if !set {
		return nil
	}
	if value != "" {
		o.environment = &value
	}
	if err := os.Unsetenv(passphraseVariable); err != nil {
		return fmt.Errorf("take %s out of the environment: %w", passphraseVariable, err)
	}
	return nil
}

// check refuses two passphrases.
func (o *passphraseOptions) check(cmd *cobra.Command) error {
	o.named = cmd.Flags().Changed("passphrase")
	if o.named && o.file != "" {
		return usage(cmd, "--passphrase and --passphrase-file are two passphrases; give one of them")
	}
	return nil
}

// byFlag says that a flag gives the passphrase, which then is for this command for certain.
func (o *passphraseOptions) byFlag() bool { return o.named || o.file != "" }

// given says that there is a passphrase without asking; it may be empty.
func (o *passphraseOptions) given() bool { return o.byFlag() || o.environment != nil }

// read returns the passphrase that was given, in memory of its own; a flag goes before the environment.
func (o *passphraseOptions) read(talk talker) ([]byte, error) {
	switch {
	case o.named:
		talk.Warn("--passphrase shows the passphrase to everybody who can list processes, and keeps it in the shell's history; prefer --passphrase-file")
		return []byte(o.value), nil
	case o.file != "":
		return readPassphrase(o.file)
	case o.environment != nil:
		return []byte(*o.environment), nil
	}
	return nil, nil
}

// whence says where a passphrase that does not fit came from, and where another may come from.
func (o *passphraseOptions) whence() string {
	switch {
	case o.named:
		return "the passphrase came from --passphrase; for another: --passphrase-file FILE"
	case o.file != "":
		return "the passphrase came from the first line of " + shown(o.file) + "; without --passphrase-file you are asked for it on the terminal"
	}
	return "the passphrase came from the environment variable " + passphraseVariable + "; for another: --passphrase-file FILE"
}

// readPassphrase takes a file's first line without its end, be that of Unix or of Windows. GnuPG takes a carriage return
// for a part of the passphrase, which nobody who types it would.
func readPassphrase(path string) ([]byte, error) {
	content, err := readBeginning(path, longestPassphrase)
	if err != nil {
		return nil, failure.Refuse(fmt.Errorf("read the passphrase: %w", err), readableFile("passphrase-file", path))
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

// readableFile is the hint where the file that a flag names cannot be read.
func readableFile(flag, path string) string {
	if path == "-" {
		return "for standard input: --" + flag + " /dev/stdin"
	}
	return "name a file that you can read: --" + flag + " FILE"
}

// readBeginning reads one byte more than the limit of a longer file.
func readBeginning(path string, limit int64) (content []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.LimitReader(file, limit+1))
}
