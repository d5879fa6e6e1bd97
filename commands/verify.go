package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/verify"
)

// verifyStatus is verify's own: it changes nothing that would have to be put back.
const verifyStatus = `

EXIT STATUS
  0    sound; warnings change nothing
  1    could not be read, or the result not be written: the file, the temporary folder
  3    damaged, incomplete, not safe to extract, or no backup of UCP
  4    wrong passphrase, or no key for it
  5    refused before anything was read: a key's file cannot be used, a terminal as input
  125  wrong usage
  130  cancelled`

type verifyOptions struct {
	unlock unlockOptions
	talk   talkOptions
	list   bool
	format string
}

func newVerifyCommand(dockerCLI command.Cli) *cobra.Command {
	var opts verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [OPTIONS] FILE|-",
		Short: "Check that a backup of UCP is good",
		Long: `Check that a backup of UCP is good. No engine is asked, and nothing is changed.

FILE is read once, to its end; with - it comes from standard input. It may be an
archive of docker ucp backup, or one of the vendor's backup, of UCP 2.x to 3.1,
3.2 and later, or MKE; sealed or not, and with gzip around it. Three levels are
judged, each on its own:

  sealed  The OpenPGP message opens, its modification detection is right, and
          nothing follows it. So it is what was sealed, to the last byte.
  tar     It is complete, nothing in it would be extracted elsewhere, and every
          checksum is right, where the archive carries checksums.
  UCP     The volumes and records are there that a restore needs. Certificates
          can be read, keys belong to them, chains hold. etcd's database and its
          log are whole.

The vendor's archives carry no checksums. Of one that is not sealed nobody can
know whether a byte inside a file was changed, unless the file itself shows it,
as databases and certificates do. That a restore will succeed is not promised:
this depends on the engine that it is tried on.

Exit status 3 is also that of an archive which is whole, and holds no backup of
UCP or an incomplete one: the error says which. Warnings change no status.

A sealed archive is opened with --passphrase-file, --passphrase, the environment
variable UCP_PASSPHRASE, --identity or --session-key-file. Where none of them is
given and a passphrase opens it, you are asked on the terminal, also when the
archive comes with -. A private key that has a passphrase of its own is tried
with the one that is given, and then you are asked for it.

The result goes to standard output, progress and errors to standard error. With
-q a sound backup prints nothing, so cron mails only when something is wrong, a
warning included; --format json prints its object all the same. --list prints
entries as tar does: of an owner the name where the archive has one, else the
number.

The temporary folder, TMPDIR, must have room for the largest database.` + verifyStatus,
		Example: `  docker ucp verify /backup/ucp.tar
  docker ucp verify --passphrase-file key.txt --format json /backup/ucp.tar
  docker ucp verify --identity ops.secret.pgp --list /backup/ucp.tar
  docker ucp verify -q --passphrase-file key.txt /backup/ucp.tar
  docker ucp verify - < /backup/ucp.tar`,
		Args: arguments(cli.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return exit(cmd, inOneLine(runVerify(cmd, dockerCLI, opts, args[0]), args[0]))
		},
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
	}
	opts.addFlags(cmd)
	return cmd
}

func (o *verifyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	o.unlock.addFlags(flags)
	flags.BoolVar(&o.list, "list", false, "List the entries on standard output, as tar --list --verbose does, and print the result on standard error")
	flags.StringVar(&o.format, "format", "text", `How to print the result ("text", "json")`)
	o.talk.addFlags(flags)
	flags.Lookup("quiet").Usage = "Print nothing when the backup is sound; else the result, warnings and errors"
	complete(cmd, "format", []string{"text", "json"})
	complete(cmd, "progress", []string{"auto", "plain", "json", "quiet"})
}

// check refuses flags that do not go together.
func (o *verifyOptions) check(cmd *cobra.Command, path string) error {
	switch {
	case path == "":
		return usage(cmd, "the name of FILE is empty; for standard input write -")
	case o.format != "text" && o.format != "json":
		return usage(cmd, "--format is text or json, not "+o.format)
	case o.list && o.format == "json":
		return usage(cmd, "--list and --format json both want standard output; give one of them")
	}
	return o.unlock.check(cmd)
}

func runVerify(cmd *cobra.Command, dockerCLI command.Cli, opts verifyOptions, path string) (err error) {
	if err := errors.Join(opts.check(cmd, path), opts.unlock.phrase.take()); err != nil {
		return err
	}
	if opts.list && dockerCLI.Out().IsTerminal() && opts.talk.progress == "auto" {
		opts.talk.progress = "quiet" // a bar and a list on one terminal spoil each other
	}
	talk, _, err := opts.talk.start(cmd, dockerCLI.Err())
	if err != nil {
		return err
	}
	defer talk.Close()
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	core := verify.Options{Path: path, Now: time.Now()}
	if path == "-" {
		if dockerCLI.In().IsTerminal() {
			return failure.Refuse(errors.New("read an archive from standard input: it is a terminal"),
				"name a file, or redirect the input: < ucp.tar")
		}
		core.Path, core.Source = "", &stoppable{ctx: ctx, in: dockerCLI.In()}
	}
	core.Keys = newUnlocker(&opts.unlock, dockerCLI, talk, core.Path).keys
	list := bufio.NewWriterSize(dockerCLI.Out(), 64<<10)
	if opts.list {
		core.List = list
	}
	result, err := verify.Run(ctx, talk, core)
	talk.Close()
	if flushErr := list.Flush(); flushErr != nil && err == nil {
		err = fmt.Errorf("list the entries: %w", flushErr)
	}
	if result != nil {
		err = errors.Join(err, opts.print(dockerCLI, talk, result))
	}
	return err
}

// print prints the result where --list leaves room for it. Quiet is for cron, which mails what is printed.
func (o *verifyOptions) print(dockerCLI command.Cli, talk talker, result *verify.Result) error {
	switch {
	case o.format == "json":
		return printJSON(dockerCLI, result)
	case o.talk.quiet && result.Verdict == verify.Sound:
		return nil
	case !o.list:
		return printReport(dockerCLI.Out(), result)
	case o.talk.jsonLog || o.talk.progress == "json":
		return printReport(&sayer{talk: talk}, result) // whoever reads standard error parses it
	}
	return printReport(dockerCLI.Err(), result)
}

// sayer says each line that is written to it at once.
type sayer struct{ talk talker }

// Write implements io.Writer.
func (s *sayer) Write(line []byte) (int, error) {
	s.talk.Say("%s", string(line[:len(line)-1]))
	return len(line), nil
}

// stoppable is an input whose Read gives up when the context ends. A read of a pipe cannot be called back: it stays
// behind, with a buffer that nobody else uses.
type stoppable struct {
	ctx    context.Context //nolint:containedctx // a reader has no other way to hear of its end
	in     io.Reader
	buffer []byte
	rest   []byte
	err    error
}

// Read implements io.Reader.
func (s *stoppable) Read(p []byte) (int, error) {
	if len(s.rest) == 0 && s.err == nil {
		s.fill()
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *stoppable) fill() {
	if s.buffer == nil {
		s.buffer = make([]byte, 128<<10)
	}
	n, err := await(s.ctx, "cancelled", func() (int, error) { return s.in.Read(s.buffer) })
	if s.ctx.Err() != nil {
		s.rest, s.err = nil, context.Cause(s.ctx)
		return
	}
	s.rest, s.err = s.buffer[:n], err
}
