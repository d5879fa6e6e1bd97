package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/backup"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

type backupOptions struct {
	id           string
	file         string
	lock         lockOptions
	talk         talkOptions
	interactive  bool
	yes          bool
	clone        string
	spool        string
	exclude      []string
	stopTimeout  time.Duration
	securityOpt  []string
	engineSocket string
	compress     string
	dryRun       bool
	format       string
}

func newBackupCommand(dockerCLI command.Cli, version string) *cobra.Command {
	var opts backupOptions
	cmd := &cobra.Command{
		Use:   "backup [OPTIONS] [FILE|-]",
		Short: "Back up UCP's volumes from a manager into one sealed archive",
		Long: `Back up UCP's volumes from a manager into one sealed archive.

UCP's containers on this manager are stopped (those of swarm tasks are paused),
their volumes are read and sealed on the manager, and all that ran before is
started again. Only then does the archive travel. Users' services and containers
are not touched, unless one writes to a volume of UCP: it is paused as well.
Without FILE the archive goes to standard output.

The archive opens with: gpg --decrypt FILE | tar --list
It does not hold swarm state such as services, networks and secrets, nor routing
mesh settings: back up the swarm first, then UCP, then DTR.

The passphrase comes from --passphrase-file, from the environment variable
UCP_PASSPHRASE (where neither --recipient nor another passphrase flag is given),
or from a prompt. It never leaves this machine.

On a terminal the plan is shown and you are asked, unless --id or --yes is given.
Without a terminal nobody is asked. A FILE that is there is replaced when the new
one is whole.` + exitStatus,
		Example: `  docker ucp backup /backup/ucp.tar
  docker ucp backup --dry-run /backup/ucp.tar
  docker ucp backup --recipient ops.asc --yes /backup/ucp.tar
  docker --context manager1 ucp backup --passphrase-file key.txt - > ucp.tar`,
		Args: arguments(cli.RequiresRangeArgs(0, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return exit(cmd, runBackup(cmd, dockerCLI, version, opts, args))
		},
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
	}
	opts.addFlags(cmd)
	return cmd
}

func (o *backupOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.file, "file", "", "Write the archive to this file (the same as FILE)")
	flags.StringVar(&o.id, "id", "", "The ID of the UCP instance to back up; refused if the manager holds another")
	o.lock.addFlags(flags)
	flags.StringVar(&o.compress, "compress", "none", `Compress before sealing ("none", "zlib")`)
	flags.StringArrayVar(&o.exclude, "exclude-volume", nil, "Leave a volume out, such as ucp-metrics-data (repeatable)")
	flags.StringVar(&o.clone, "clone", string(backup.CloneAuto), `Clone volumes first where the file system can, so that UCP is down for less ("auto", "always", "never")`)
	flags.DurationVar(&o.stopTimeout, "stop-timeout", 0, "How long a container may take to stop before it is killed (default the container's own)")
	flags.StringVar(&o.spool, "spool-volume", backup.DefaultSpool, "Volume on the manager in which the sealed archive waits; one that is not there is made, and removed afterwards")
	flags.StringArrayVar(&o.securityOpt, "security-opt", nil, "Security option for the container that does the work (repeatable)")
	flags.StringVar(&o.engineSocket, "engine-socket", "", "The engine's socket on the manager, when it is not where it usually is")
	flags.BoolVarP(&o.interactive, "interactive", "i", false, "Show the plan and ask before UCP is stopped")
	flags.BoolVarP(&o.yes, "yes", "y", false, "Do not ask")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Show the plan and change nothing")
	flags.StringVar(&o.format, "format", "text", `How to print the result ("text", "json"); json goes to standard output and needs FILE`)
	o.talk.addFlags(flags)
	for name, values := range map[string][]string{
		"compress": {"none", "zlib"}, "clone": {"auto", "always", "never"}, "format": {"text", "json"},
		"progress": {"auto", "plain", "json", "quiet"},
	} {
		complete(cmd, name, values)
	}
}

func runBackup(cmd *cobra.Command, dockerCLI command.Cli, version string, opts backupOptions, args []string) error {
	path, err := opts.path(cmd, args)
	if err != nil {
		return err
	}
	core, err := opts.core(cmd, path)
	if err != nil {
		return err
	}
	if err := errors.Join(opts.lock.check(cmd), opts.lock.phrase.take()); err != nil {
		return err
	}
	talk, log, err := opts.talk.start(cmd, dockerCLI.Err())
	if err != nil {
		return err
	}
	defer talk.Close()
	if path == "" && !opts.dryRun {
		if err := output.RefuseTerminal(dockerCLI.Out().IsTerminal()); err != nil {
			return err
		}
	}
	eng, err := connect(dockerCLI)
	if err != nil {
		return err
	}
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	if !opts.dryRun {
		core.Lock = func(ctx context.Context) (*seal.Lock, error) { return opts.lock.read(ctx, dockerCLI, talk) }
	}
	if core.Program, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	core.Version, core.Stdout, core.Log = version, dockerCLI.Out(), log
	core.Approve = opts.approval(dockerCLI, talk)
	result, err := backup.Run(ctx, eng, talk, core)
	if result != nil {
		err = errors.Join(err, opts.print(dockerCLI, talk, result))
	}
	return err
}

// path returns the file to write, empty for standard output.
func (o *backupOptions) path(cmd *cobra.Command, args []string) (string, error) {
	path := o.file
	if len(args) == 1 && args[0] == "" || cmd.Flags().Changed("file") && o.file == "" {
		return "", usage(cmd, "the name of FILE is empty; for standard output write -")
	}
	if len(args) == 1 {
		if path != "" && path != args[0] {
			return "", usage(cmd, "FILE and --file name two files; give one of them")
		}
		path = args[0]
	}
	if path == "-" {
		path = ""
	}
	if path == "" && o.format == "json" && !o.dryRun {
		return "", usage(cmd, "--format json needs FILE: standard output is the archive's")
	}
	return path, nil
}

func (o *backupOptions) core(cmd *cobra.Command, path string) (backup.Options, error) {
	core := backup.Options{
		ID: o.id, Path: path, Exclude: o.exclude, Clone: backup.Clone(o.clone), Spool: o.spool,
		SecurityOpt: o.securityOpt, EngineSocket: o.engineSocket, DryRun: o.dryRun,
		Compress: o.compress == "zlib", StartedBy: whoami(), Quiesce: quiesce.Stop,
	}
	switch {
	case o.compress != "none" && o.compress != "zlib":
		return core, usage(cmd, "--compress is none or zlib, not "+o.compress)
	case core.Compress && o.lock.noPassphrase:
		return core, usage(cmd, "--compress compresses before sealing, and --no-passphrase seals nothing; pipe a plain archive through gzip")
	case core.Clone != backup.CloneAuto && core.Clone != backup.CloneAlways && core.Clone != backup.CloneNever:
		return core, usage(cmd, "--clone is auto, always or never, not "+o.clone)
	case o.format != "text" && o.format != "json":
		return core, usage(cmd, "--format is text or json, not "+o.format)
	case o.spool == "":
		return core, usage(cmd, "--spool-volume needs a name")
	case o.stopTimeout < 0:
		return core, usage(cmd, "--stop-timeout cannot be negative")
	}
	if cmd.Flags().Changed("stop-timeout") {
		core.StopTimeout = &o.stopTimeout
	}
	return core, nil
}

// approval returns what is asked before UCP is stopped: the plan is shown for a dry run and where somebody is asked.
func (o *backupOptions) approval(dockerCLI command.Cli, talk talker) func(context.Context, *backup.Plan) error {
	return func(ctx context.Context, plan *backup.Plan) error {
		if o.dryRun {
			return o.printPlan(dockerCLI, plan)
		}
		for _, warning := range plan.Warnings {
			talk.Warn("%s", warning)
		}
		ask := o.interactive || o.id == "" && dockerCLI.In().IsTerminal()
		if o.yes || !ask {
			talk.Say("backing up UCP %s, instance %s", known(plan.Version), plan.ID)
			return nil
		}
		if err := plan.Write(dockerCLI.Err()); err != nil {
			return err
		}
		return confirm(ctx, dockerCLI, "UCP's containers on this manager will be stopped and started again.\nProceed with the backup? (y/n): ")
	}
}
