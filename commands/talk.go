package commands

import (
	"log/slog"

	"github.com/docker/cli/cli/streams"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// talkOptions choose how a command speaks while it works. All of it goes to standard error.
type talkOptions struct {
	progress string
	quiet    bool
	debug    bool
	jsonLog  bool
}

func (o *talkOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.progress, "progress", "auto", `How to show progress ("auto", "plain", "json", "quiet")`)
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Say nothing but warnings and errors")
	flags.BoolVarP(&o.debug, "debug", "D", false, "Say also what is of use when something is wrong")
	flags.BoolVar(&o.jsonLog, "jsonlog", false, "Say everything as JSON, one object a line (the same as --progress json)")
}

func (o *talkOptions) start(cmd *cobra.Command, stderr *streams.Out) (*progress.Progress, *slog.Logger, error) {
	mode, err := progress.ParseMode(o.progress)
	if err != nil {
		return nil, nil, usage(cmd, err.Error())
	}
	if o.quiet {
		mode = progress.Quiet
	}
	if o.jsonLog {
		mode = progress.JSON
	}
	if o.debug && mode == progress.Auto {
		mode = progress.Plain // a bar and a log on one terminal spoil each other
	}
	return progress.New(mode, stderr, stderr.IsTerminal()), o.logger(stderr, mode), nil
}

func (o *talkOptions) logger(stderr *streams.Out, mode progress.Mode) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	switch {
	case !o.debug:
		return slog.New(slog.DiscardHandler)
	case mode == progress.JSON:
		return slog.New(slog.NewJSONHandler(stderr, options))
	default:
		return slog.New(slog.NewTextHandler(stderr, options))
	}
}

// complete lets a shell offer the values of a flag. A flag that is not there is a mistake of ours that the test of the
// command tree finds.
func complete(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
