package lab

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"gotest.tools/v3/assert"
)

// dieInside, when set, makes the test binary start a lab in the named folder and die without closing it.
const dieInside = "LAB_TEST_DIE_INSIDE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dieInside); dir != "" {
		if _, err := Start(context.Background(), Options{Dir: dir}); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		os.Exit(0) // a lab that is not detached, and nobody closes it
	}
	os.Exit(m.Run())
}

// startLab starts a lab that ends with the test.
func startLab(t *testing.T, options Options) *Lab {
	t.Helper()
	requireRoot(t)
	if testing.Short() && options.Version == Current && !built(t) {
		t.Skip("building an engine is not short")
	}
	options.Out = os.Stderr
	l, err := Start(t.Context(), options)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, l.Close()) })
	return l
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a lab needs root")
	}
}

func built(t *testing.T) bool {
	t.Helper()
	dir, err := CacheDir()
	assert.NilError(t, err)
	found, err := filepath.Glob(filepath.Join(dir, "engine-"+Current+"-*", "dockerd"))
	assert.NilError(t, err)
	return len(found) > 0
}

// connect returns a client of a node that is closed with the test.
func connect(t *testing.T, n *Node) *client.Client {
	t.Helper()
	engine, err := n.Client()
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, engine.Close()) })
	return engine
}

// runContainer starts a container of an image.
func runContainer(t *testing.T, engine *client.Client, image string, command ...string) string {
	t.Helper()
	made, err := engine.ContainerCreate(t.Context(), &container.Config{Image: image, Cmd: command}, nil, nil, nil, "")
	assert.NilError(t, err)
	assert.NilError(t, engine.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	return made.ID
}

// outputOf waits for a container's end and returns what it wrote to stdout.
func outputOf(t *testing.T, engine *client.Client, id string) string {
	t.Helper()
	done, failed := engine.ContainerWait(t.Context(), id, container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		assert.NilError(t, err)
	case <-done:
	}
	logs, err := engine.ContainerLogs(t.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	assert.NilError(t, err)
	var out strings.Builder
	_, err = stdcopy.StdCopy(&out, io.Discard, logs)
	assert.NilError(t, err)
	assert.NilError(t, logs.Close())
	return out.String()
}

func running(t *testing.T, engine *client.Client, id string) bool {
	t.Helper()
	found, err := engine.ContainerInspect(t.Context(), id)
	assert.NilError(t, err)
	return found.State.Running
}

// dockerCLI runs the docker command as a user would, with an environment for its way to the engine.
func dockerCLI(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "docker", args...)
	command.Env = append(os.Environ(), append([]string{"DOCKER_CONFIG=" + t.TempDir()}, env...)...)
	said, err := command.CombinedOutput()
	assert.NilError(t, err, "%s", said)
	return strings.TrimSpace(string(said))
}
