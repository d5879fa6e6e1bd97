package engine_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestOnlyTasksThatWereLeftAreRemoved(t *testing.T) {
	now := time.Date(2024, 2, 29, 10, 11, 12, 0, time.UTC) // by the engine's clock, which is not ours
	long := now.Add(-2 * time.Minute).Unix()
	left := container.Summary{ID: "left", Image: "docker-ucp/agent:1", Names: []string{"/eager_bose"}, Created: long}
	tests := map[string]struct {
		change func(*container.Summary)
		goes   bool
	}{
		"a task that was left":                          {func(*container.Summary) {}, true},
		"one that is just being started":                {func(c *container.Summary) { c.Created = now.Add(-59 * time.Second).Unix() }, false},
		"one of a clock that has been set back":         {func(c *container.Summary) { c.Created = now.Add(time.Hour).Unix() }, false},
		"the agent":                                     {func(c *container.Summary) { c.Names = []string{"/docker-ucp-agent"} }, false},
		"one that only begins like the agent":           {func(c *container.Summary) { c.Names = []string{"/docker-ucp-agent-2"} }, true},
		"somebody else's, with our label":               {func(c *container.Summary) { c.Image = "alpine:3" }, false},
		"somebody else's, whose image sounds like ours": {func(c *container.Summary) { c.Image = "docker-ucp/agentless:1" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found := left
			test.change(&found)
			eng, asked := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{
				"GET /containers/json": func(w http.ResponseWriter, r *http.Request) {
					query := r.URL.Query()
					assert.Check(t, query.Get("all") == "1")
					assert.Check(t, query.Get("filters") == `{"label":{"io.docker-ucp.started-by":true},"status":{"created":true,"exited":true}}`, query.Get("filters"))
					document(t, []container.Summary{found})(w, r)
				},
				"GET /info":               document(t, system.Info{SystemTime: now.Format(time.RFC3339Nano)}),
				"DELETE /containers/left": answer(http.StatusNoContent, ""),
			})
			assert.NilError(t, eng.SweepTasks(t.Context()))
			assert.Equal(t, slices.Contains(asks(asked), "DELETE /containers/left"), test.goes)
			assert.Check(t, !strings.Contains(asked.last(), "force"), "it may have been started meanwhile")
		})
	}
}

func TestASweepThatFailsSaysWhatIsLeft(t *testing.T) {
	ill := refusal(http.StatusInternalServerError, "ill")
	eng, asked := serve(t, newest, map[string]http.HandlerFunc{"GET /containers/json": ill})
	assert.ErrorContains(t, eng.SweepTasks(t.Context()), "look for tasks that were left: ")

	asked.answers["GET /containers/json"] = document(t, []container.Summary{})
	assert.NilError(t, eng.SweepTasks(t.Context()), "nothing is left, and no more is asked")

	asked.answers["GET /containers/json"] = document(t, []container.Summary{{ID: "c1", Image: "docker-ucp/agent:1"}})
	asked.answers["GET /info"] = ill
	assert.ErrorContains(t, eng.SweepTasks(t.Context()), "read the engine's clock: ")
	asked.answers["GET /info"] = document(t, system.Info{SystemTime: "noon"})
	assert.ErrorContains(t, eng.SweepTasks(t.Context()), "read the engine's clock: ")
}

// sweeping is an engine with two tasks that were left; the first cannot be removed.
type sweeping struct {
	client.APIClient
	removed []string
}

func (s *sweeping) Info(context.Context) (system.Info, error) {
	return system.Info{SystemTime: "2024-02-29T10:11:12.131415161+01:00"}, nil
}

func (s *sweeping) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	return []container.Summary{{ID: "c1", Image: "docker-ucp/agent:1"}, {ID: "c2", Image: "docker-ucp/agent:1"}}, nil
}

func (s *sweeping) ContainerRemove(_ context.Context, id string, _ container.RemoveOptions) error {
	if id == "c1" {
		return cerrdefs.ErrConflict
	}
	s.removed = append(s.removed, id)
	return nil
}

func TestATaskThatCannotBeRemovedDoesNotKeepTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := new(sweeping)
		err := engine.New(api).SweepTasks(t.Context())
		assert.ErrorIs(t, err, cerrdefs.ErrConflict)
		assert.ErrorContains(t, err, "remove container c1: ")
		assert.DeepEqual(t, api.removed, []string{"c2"})
	})
}
