package scenarios

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// tapped is a stage with a tap between the plugin and the engine, and one between the agent and the engine.
type tapped struct {
	*stage

	plugin, agent *tap.Tap
}

const agentName = "docker-ucp-agent"

// newTapped starts a stage whose node sees the taps' sockets, as it sees all of the host's files but /run.
func newTapped(t *testing.T, options lab.Options, ucp standin.Options) *tapped {
	t.Helper()
	s := &tapped{stage: newStage(t, options, ucp)}
	dir, err := os.MkdirTemp("", "tap") //nolint:usetesting // short, as the address of a socket must be
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, os.RemoveAll(dir)) })
	listen := func(name string) *tap.Tap {
		made, err := tap.Listen(filepath.Join(dir, name), s.node.Socket)
		assert.NilError(t, err)
		t.Cleanup(func() { assert.NilError(t, made.Close()) })
		return made
	}
	s.plugin, s.agent = listen("plugin.sock"), listen("agent.sock")
	return s
}

// throughTaps is what a command needs so that its calls, and those of the agent that it starts, go through the taps.
func (s *tapped) throughTaps() (variables, flags []string) {
	return []string{"DOCKER_HOST=" + s.plugin.Host()}, []string{"--engine-socket", s.agent.Socket}
}

// The calls by which the agent brings UCP to rest and back.
func stopping(r *http.Request) bool { return tap.Call(http.MethodPost, "/stop")(r) }
func pausing(r *http.Request) bool  { return tap.Call(http.MethodPost, "/pause")(r) }
func starting(r *http.Request) bool { return tap.Call(http.MethodPost, "/start")(r) }
func toRest(r *http.Request) bool   { return stopping(r) || pausing(r) }
func listing(r *http.Request) bool  { return tap.Call(http.MethodGet, "/containers/json")(r) }
func records(r *http.Request) bool  { return tap.Call(http.MethodGet, "/configs")(r) }
func fetching(r *http.Request) bool {
	return tap.Call(http.MethodGet, "/archive")(r) && strings.HasSuffix(r.URL.Query().Get("path"), "/archive")
}

// of narrows a match down to the calls about one container.
func of(id string, match tap.Match) tap.Match {
	return func(r *http.Request) bool { return strings.Contains(r.URL.Path, id) && match(r) }
}

// agentProcess returns the agent's process as the host has it. It stays this one, whoever gets its number.
func (s *stage) agentProcess(t *testing.T) *os.Process {
	t.Helper()
	list, err := s.engine.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("name", "^/"+agentName+"$"))})
	assert.NilError(t, err) // looking closer would wait for a copy out of it that is under way
	assert.Equal(t, len(list), 1, "the agent does not run")
	pid := hostPid(t, list[0].ID)
	assert.Assert(t, pid != 0, "the agent does not run")
	process, err := os.FindProcess(pid)
	assert.NilError(t, err)
	return process
}

// spoolFolder is where the agent keeps its papers and the archive, as the host sees it.
func (s *stage) spoolFolder(t *testing.T, volume string) string {
	t.Helper()
	return filepath.Join(s.mountpoint(t, volume), ".docker-ucp-spool")
}

// awaitAgentEnd returns when no agent runs, nor is about to be started again; gone is as good.
func (s *stage) awaitAgentEnd(t *testing.T, limit time.Duration) {
	t.Helper()
	within(t, limit, "the agent's end", func(ctx context.Context) (bool, string) {
		state, err := s.engine.ContainerInspect(ctx, agentName)
		if isNotFound(err) {
			return true, ""
		}
		if err != nil {
			return false, err.Error()
		}
		return state.State.Status == container.StateExited && state.State.ExitCode == 0, "it is " + state.State.Status
	})
}
