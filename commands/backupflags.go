package commands

import (
	"time"

	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/backup"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

type backupOptions struct {
	id           string
	file         string
	lock         lockOptions
	talk         talkOptions
	interactive  bool
	yes          bool
	clone        string
	quiesce      string
	force        bool
	fixShm       bool
	resume       bool
	spool        string
	exclude      []string
	stopTimeout  time.Duration
	securityOpt  []string
	engineSocket string
	compress     string
	dryRun       bool
	format       string
}

const backupLong = `Back up UCP's volumes from a manager into one sealed archive.

UCP's containers on this manager are stopped (those of swarm tasks are paused),
their volumes are read and sealed on the manager, and all that ran before is
started again. Only then does the archive travel. Users' services and containers
are not touched, unless one writes to a volume of UCP: it is paused as well.
Without FILE the archive goes to standard output.

The archive opens with: gpg --decrypt FILE | tar --list
It does not hold swarm state such as services, networks and secrets, nor routing
mesh settings: back up the swarm first, then UCP, then DTR.

Whatever dies meanwhile, be it this program, the connection, or the manager's
engine: UCP is brought back without you. An archive that was finished and could
not be delivered waits on the manager; --resume fetches it, and needs no key.

With --quiesce pause UCP's containers are frozen instead of stopped. UCP is away
for less, and the archive holds what a crash would have left: etcd and the auth
store must recover from it when it is restored.

The passphrase comes from --passphrase-file, from the environment variable
UCP_PASSPHRASE (where neither --recipient nor another passphrase flag is given),
or from a prompt. It never leaves this machine.

On a terminal the plan is shown and you are asked, unless --id or --yes is given.
Without a terminal nobody is asked. A FILE that is there is replaced when the new
one is whole.`

func (o *backupOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.file, "file", "", "Write the archive to this file (the same as FILE)")
	flags.StringVar(&o.id, "id", "", "The ID of the UCP instance to back up; refused if the manager holds another")
	o.lock.addFlags(flags)
	flags.StringVar(&o.compress, "compress", "none", `Compress before sealing ("none", "zlib")`)
	flags.StringArrayVar(&o.exclude, "exclude-volume", nil, "Leave a volume out, such as ucp-metrics-data (repeatable)")
	flags.StringVar(&o.clone, "clone", string(backup.CloneAuto), `Clone volumes first where the file system can, so that UCP is down for less ("auto", "always", "never")`)
	flags.StringVar(&o.quiesce, "quiesce", string(quiesce.Stop), `How UCP's containers are brought to rest: with a clean end, or frozen, which is shorter and leaves what a crash would ("stop", "pause")`)
	flags.DurationVar(&o.stopTimeout, "stop-timeout", 0, "How long a container may take to stop before it is killed (default the container's own)")
	flags.StringVar(&o.spool, "spool-volume", backup.DefaultSpool, "Volume on the manager in which the sealed archive waits; one that is not there is made, and removed afterwards")
	flags.StringArrayVar(&o.securityOpt, "security-opt", nil, "Security option for the container that does the work (repeatable)")
	flags.StringVar(&o.engineSocket, "engine-socket", "", "The engine's socket on the manager, when it is not where it usually is")
	flags.BoolVar(&o.resume, "resume", false, "Take no backup; fetch the archive that an earlier run finished and could not deliver")
	flags.BoolVar(&o.force, "force", false, "Back up also where UCP's other managers lose their quorum meanwhile")
	flags.BoolVar(&o.fixShm, "fix-shm", false, "Take piled-up mounts of /dev/shm away on the manager first (UCP 3.0.0 to 3.0.7 and 3.1.0 to 3.1.2)")
	flags.BoolVarP(&o.interactive, "interactive", "i", false, "Show the plan and ask before UCP is stopped")
	flags.BoolVarP(&o.yes, "yes", "y", false, "Do not ask")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Show the plan and change nothing")
	flags.StringVar(&o.format, "format", "text", `How to print the result ("text", "json"); json goes to standard output and needs FILE`)
	o.talk.addFlags(flags)
	for name, values := range map[string][]string{
		"compress": {"none", "zlib"}, "clone": {"auto", "always", "never"}, "format": {"text", "json"},
		"quiesce": {"stop", "pause"}, "progress": {"auto", "plain", "json", "quiet"},
	} {
		complete(cmd, name, values)
	}
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
		Compress: o.compress == "zlib", StartedBy: whoami(),
		Quiesce: quiesce.Action(o.quiesce), Resume: o.resume, Force: o.force, FixShm: o.fixShm,
	}
	if cmd.Flags().Changed("stop-timeout") {
		core.StopTimeout = &o.stopTimeout
	}
	if err := o.checkValues(cmd); err != nil {
		return core, err
	}
	return core, o.checkTogether(cmd)
}

// checkValues refuses what a flag cannot be.
func (o *backupOptions) checkValues(cmd *cobra.Command) error {
	switch {
	case o.compress != "none" && o.compress != "zlib":
		return usage(cmd, "--compress is none or zlib, not "+o.compress)
	case o.clone != string(backup.CloneAuto) && o.clone != string(backup.CloneAlways) && o.clone != string(backup.CloneNever):
		return usage(cmd, "--clone is auto, always or never, not "+o.clone)
	case o.quiesce != string(quiesce.Stop) && o.quiesce != string(quiesce.Pause):
		return usage(cmd, "--quiesce is stop or pause, not "+o.quiesce)
	case o.format != "text" && o.format != "json":
		return usage(cmd, "--format is text or json, not "+o.format)
	case o.spool == "":
		return usage(cmd, "--spool-volume needs a name")
	case o.stopTimeout < 0:
		return usage(cmd, "--stop-timeout cannot be negative")
	}
	return nil
}

// checkTogether refuses flags of which one would take the other's meaning away.
func (o *backupOptions) checkTogether(cmd *cobra.Command) error {
	if o.resume {
		for _, name := range []string{
			"passphrase", "passphrase-file", "no-passphrase", "recipient", "compress", "exclude-volume", "clone", "quiesce",
			"stop-timeout", "spool-volume", "force", "fix-shm", "interactive", "dry-run",
		} {
			if cmd.Flags().Changed(name) {
				return usage(cmd, "--resume fetches an archive that is finished; --"+name+" is for one that is yet to be made")
			}
		}
	}
	switch {
	case o.compress == "zlib" && o.lock.noPassphrase:
		return usage(cmd, "--compress compresses before sealing, and --no-passphrase seals nothing; pipe a plain archive through gzip")
	case o.quiesce == string(quiesce.Pause) && cmd.Flags().Changed("stop-timeout"):
		return usage(cmd, "--stop-timeout is for containers that are stopped, and --quiesce pause stops none")
	}
	return nil
}

// asks says whether somebody is asked before UCP is touched, and so can be told what to type.
func (o *backupOptions) asks(dockerCLI command.Cli) bool {
	return !o.yes && (o.interactive || o.id == "" && dockerCLI.In().IsTerminal())
}
