// Command docker-ucp is a plugin of the Docker CLI that backs up Docker Universal Control Plane. Inside a container on
// the manager, under another name, it is the agent that does the work there.
package main

import (
	"os"
	"path/filepath"

	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/cli/cli-plugins/plugin"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/commands"
	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// version is stamped by the linker.
var version = "dev"

func main() {
	if filepath.Base(os.Args[0]) == filepath.Base(engine.AgentPath) {
		os.Exit(agent.Main())
	}
	if plugin.RunningStandalone() {
		os.Args = append([]string{"docker", commands.Name}, os.Args[1:]...)
	}
	newRoot := func(dockerCLI command.Cli) *cobra.Command { return commands.New(dockerCLI, version) }
	plugin.Run(newRoot, metadata.Metadata{
		SchemaVersion: "0.1.0",
		Vendor:        "docker-ucp",
		Version:       version,
		URL:           "https://github.com/docker-ucp/docker-ucp",
	}, command.WithUserAgent("docker-ucp/"+version))
}
