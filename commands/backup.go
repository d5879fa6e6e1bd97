package commands

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/backup"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

func newBackupCommand(dockerCLI command.Cli, version string) *cobra.Command {
	var opts backupOptions
	cmd := &cobra.Command{
		Use:   "backup [OPTIONS] [FILE|-]",
		Short: "Back up UCP's volumes from a manager into one sealed archive",
		Long:  backupLong + exitStatus,
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
	if core.Program, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	core.Version, core.Stdout, core.Log = version, dockerCLI.Out(), log
	core.Attended, core.Lock = opts.asks(dockerCLI), opts.locked(dockerCLI, talk)
	core.Approve = opts.approval(dockerCLI, talk)
	result, err := backup.Run(ctx, eng, talk, core)
	if result != nil {
		err = errors.Join(err, opts.print(dockerCLI, talk, result))
	}
	return err
}

// locked returns who is to say who can open the archive; nil where none is made.
func (o *backupOptions) locked(dockerCLI command.Cli, talk talker) func(context.Context) (*seal.Lock, error) {
	if o.dryRun || o.resume {
		return nil
	}
	return func(ctx context.Context) (*seal.Lock, error) { return o.lock.read(ctx, dockerCLI, talk) }
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
		if !o.asks(dockerCLI) {
			talk.Say("backing up UCP %s, instance %s", known(plan.Version), plan.ID)
			return nil
		}
		if err := plan.Write(dockerCLI.Err()); err != nil {
			return err
		}
		how := "stopped and started again"
		if o.quiesce == string(quiesce.Pause) {
			how = "frozen for a while"
		}
		return confirm(ctx, dockerCLI, "UCP's containers on this manager will be "+how+".\nProceed with the backup? (y/n): ")
	}
}
