package commands

import (
	"fmt"
	"runtime"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func newVersionCommand(dockerCLI command.Cli, version string) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version of this plugin and of the archives it writes",
		Long:    "Show the version of this plugin and of the archives it writes. No engine is asked." + exitStatus,
		Example: `  docker ucp version`,
		Args:    arguments(cli.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(dockerCLI.Out(), "docker-ucp %s\narchive format %d\n%s %s/%s\n",
				version, archive.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}
