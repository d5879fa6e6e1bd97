package commands

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/client"
	"github.com/spf13/cobra"
	"gotest.tools/v3/assert"
)

// outcome is what a command left behind.
type outcome struct {
	stdout, stderr bytes.Buffer
	err            error
}

// status is what the docker CLI's plugin code exits with.
func (o *outcome) status() int {
	var status cli.StatusError
	switch {
	case errors.As(o.err, &status):
		return status.StatusCode
	case o.err != nil:
		return 1
	}
	return 0
}

// deadEngine cannot be reached. Any other call than the first panics.
type deadEngine struct{ client.APIClient }

func (deadEngine) Ping(context.Context) (types.Ping, error) { return types.Ping{}, errDead }
func (deadEngine) NegotiateAPIVersionPing(types.Ping)       {}
func (deadEngine) ClientVersion() string                    { return "1.41" }
func (deadEngine) DaemonHost() string                       { return "tcp://manager1:2376" }
func (deadEngine) ServerVersion(context.Context) (types.Version, error) {
	return types.Version{}, errDead
}

var errDead = errors.New("connection refused")

// execute runs a command as docker ucp ARGS, without a terminal.
func execute(t *testing.T, args ...string) *outcome {
	t.Helper()
	return executeWith(t, io.NopCloser(&bytes.Buffer{}), args...)
}

// executeWith is execute with something on standard input.
func executeWith(t *testing.T, stdin io.ReadCloser, args ...string) *outcome {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	o := &outcome{}
	dockerCLI, err := command.NewDockerCli(command.WithAPIClient(deadEngine{}), command.WithInputStream(stdin),
		command.WithOutputStream(&o.stdout), command.WithErrorStream(&o.stderr))
	assert.NilError(t, err)
	assert.NilError(t, dockerCLI.Initialize(flags.NewClientOptions()))
	docker := tree(dockerCLI)
	docker.SetOut(&o.stdout)
	docker.SetErr(&o.stderr)
	docker.SetArgs(append([]string{Name}, args...))
	o.err = docker.ExecuteContext(t.Context())
	return o
}

// tree is our command below docker's, with docker's ways of printing help and telling wrong flags.
func tree(dockerCLI command.Cli) *cobra.Command {
	docker := &cobra.Command{Use: "docker", SilenceUsage: true, SilenceErrors: true, TraverseChildren: true}
	cli.SetupPluginRootCommand(docker)
	docker.AddCommand(New(dockerCLI, "1.2.3"))
	cli.DisableFlagsInUseLine(docker) //nolint:staticcheck // what a plugin's own main does; it goes when that does.
	return docker
}

// newTree is the tree for those who only look at it.
func newTree(t *testing.T) *cobra.Command {
	t.Helper()
	dockerCLI, err := command.NewDockerCli()
	assert.NilError(t, err)
	return tree(dockerCLI)
}

func write(tb testing.TB, path, content string) string {
	tb.Helper()
	assert.NilError(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}
