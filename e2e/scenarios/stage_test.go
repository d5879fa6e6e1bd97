// Package scenarios runs the plugin through the real docker CLI against real engines of two versions with a stand-in UCP,
// and observes state, not words: etcd's keys, the store's own check, the engine's containers before and after, what
// GnuPG and tar make of the archive.
package scenarios

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

const passphrase = "correct horse battery staple"

// stage is one engine with a stand-in UCP on it, and the plugin in a docker CLI of its own.
type stage struct {
	lab     *lab.Lab
	node    *lab.Node
	engine  *client.Client
	ucp     *standin.UCP
	config  string // the docker CLI's folder, which holds the plugin
	program string
	pass    string // a file with the passphrase
}

// newStage starts an engine of the version with a stand-in UCP; several nodes are a swarm of managers.
func newStage(t *testing.T, options lab.Options, ucp standin.Options) *stage {
	t.Helper()
	s := newEngine(t, options)
	if len(s.lab.Nodes) > 1 {
		assert.NilError(t, s.lab.FormSwarm(t.Context(), len(s.lab.Nodes)))
	}
	program, err := standin.Build(t.Context(), programs(t))
	assert.NilError(t, err)
	ucp.Address, ucp.BundleDir, ucp.Program = s.node.Address, t.TempDir(), program
	s.ucp, err = standin.Deploy(t.Context(), s.engine, ucp)
	assert.NilError(t, err)
	return s
}

// newEngine starts engines without UCP.
func newEngine(t *testing.T, options lab.Options) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the lab makes network namespaces, so it needs root: sudo make test")
	}
	options.Out = os.Stderr
	l, err := lab.Start(t.Context(), options)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, l.Close()) })
	engine, err := l.Nodes[0].Client()
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, engine.Close()) })
	s := &stage{lab: l, node: l.Nodes[0], engine: engine, config: t.TempDir(), program: buildPlugin(t)}
	s.installPlugin(t)
	s.pass = write(t, filepath.Join(t.TempDir(), "passphrase"), passphrase+"\n")
	return s
}

func (s *stage) installPlugin(t *testing.T) {
	t.Helper()
	plugins := filepath.Join(s.config, "cli-plugins")
	assert.NilError(t, os.MkdirAll(plugins, 0o755))
	assert.NilError(t, os.Link(s.program, filepath.Join(plugins, "docker-ucp")))
	assert.NilError(t, os.Chmod(s.config, 0o755))
}

// buildPlugin builds the plugin as the Makefile does. Go's own cache makes the second time cheap.
func buildPlugin(t *testing.T) string {
	t.Helper()
	program := filepath.Join(programs(t), "docker-ucp")
	_, err := lab.Go(t.Context(), filepath.Join("..", ".."), "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	assert.NilError(t, err)
	return program
}

// programs is a folder for what is built: of the user behind sudo, who builds it.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	assert.NilError(t, lab.HandOver(dir))
	return dir
}

// answer is what a command printed and how it ended.
type answer struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// docker runs the docker CLI against the stage's engine over its unix socket.
func (s *stage) docker(t *testing.T, args ...string) answer {
	t.Helper()
	return s.dockerWith(t, []string{"DOCKER_HOST=" + s.node.Host()}, args...)
}

// backup runs docker ucp backup with the passphrase and fails the test unless it is done.
func (s *stage) backup(t *testing.T, args ...string) answer {
	t.Helper()
	a := s.docker(t, append([]string{"ucp", "backup", "--passphrase-file", s.pass}, args...)...)
	assert.Equal(t, a.code, 0, a.stderr)
	return a
}

// dockerWith runs the docker CLI with these variables and none of the caller's about engines.
func (s *stage) dockerWith(t *testing.T, variables []string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // a test that hangs tells nobody why
	defer cancel()
	return finish(t, s.command(ctx, variables, args...))
}

func (s *stage) command(ctx context.Context, variables []string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "docker", args...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DOCKER_CONFIG=" + s.config}, variables...)
	return command
}

func finish(t *testing.T, command *exec.Cmd) answer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	from := time.Now()
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	a := answer{stdout.String(), stderr.String(), command.ProcessState.ExitCode(), time.Since(from)}
	t.Logf("%v: exit status %d after %s\n%s", command.Args, a.code, a.took.Round(10*time.Millisecond), a.stderr)
	return a
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	assert.NilError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
