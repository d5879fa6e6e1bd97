// Package commands maps flags and arguments to one call of the core for each verb, and the core's errors to exit
// statuses. It holds no logic of its own.
package commands

import (
	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
)

// Name is the plugin's name, as in docker NAME.
const Name = "ucp"

// New returns the command tree. It reads and connects nothing, so that help, completion and the documents can be made
// anywhere.
func New(dockerCLI command.Cli, version string) *cobra.Command {
	root := &cobra.Command{
		Use:   Name,
		Short: "Back up Docker Universal Control Plane, and check its backups",
		Long: `Back up Docker Universal Control Plane (UCP, today Mirantis Kubernetes Engine),
and check that a backup is good.

The engine is chosen as for every docker command: by the current context, by
docker --context NAME ucp ..., docker -H HOST ucp ..., or DOCKER_HOST with
DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.`,
		Example: `  docker ucp backup /backup/ucp.tar
  docker --context manager1 ucp backup --passphrase-file key.txt ucp.tar
  docker ucp verify /backup/ucp.tar`,
		Args:              arguments(cli.NoArgs),
		RunE:              command.ShowHelp(dockerCLI.Err()),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	root.AddCommand(
		newBackupCommand(dockerCLI, version),
		newVerifyCommand(dockerCLI),
		newVersionCommand(dockerCLI, version),
	)
	return root
}

// exitStatus ends the help of a command that has none of its own, so that a script's author finds it without the documents.
const exitStatus = `

EXIT STATUS
  0    done
  1    failed; nothing changed, or all was put back
  2    failed and something needs a person: the last lines say what, and what to type
  3    the archive is damaged or incomplete
  4    wrong passphrase, or no key for it
  5    refused before anything was touched
  125  wrong usage
  130  cancelled; UCP runs as before`
