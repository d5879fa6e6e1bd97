package engine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// stopping is an engine that is asked to end the agent for good. Each call is answered as set.
type stopping struct {
	client.APIClient
	update, stop error
	states       []*container.State // after the first, which finds it; the last one again and again; nil for gone
	inspect      error              // instead of states
	asked        []string
	looks        int
}

func (s *stopping) ContainerInspect(context.Context, string) (container.InspectResponse, error) {
	s.looks++
	if s.looks == 1 {
		return inspected(&container.State{Running: true}, nil), nil
	}
	state := s.states[min(s.looks-1, len(s.states))-1]
	switch {
	case s.inspect != nil:
		return container.InspectResponse{}, s.inspect
	case state == nil:
		return container.InspectResponse{}, cerrdefs.ErrNotFound
	}
	return inspected(state, nil), nil
}

func (s *stopping) ContainerUpdate(_ context.Context, id string, config container.UpdateConfig) (container.UpdateResponse, error) {
	s.asked = append(s.asked, "update "+id+" "+string(config.RestartPolicy.Name))
	return container.UpdateResponse{}, s.update
}

func (s *stopping) ContainerStop(_ context.Context, id string, options container.StopOptions) error {
	s.asked = append(s.asked, "stop "+id)
	if options.Timeout == nil || *options.Timeout != 30 || options.Signal != "" {
		return errors.New("asked to stop in another way")
	}
	return s.stop
}

func TestAStoppedAgentHasEndedForGood(t *testing.T) {
	ill := errors.New("ill")
	runs, ended := &container.State{Running: true}, &container.State{Status: container.StateExited}
	tests := map[string]struct {
		engine stopping
		fails  string
		takes  time.Duration
	}{
		"at work":                                 {stopping{states: []*container.State{ended}}, "", 0},
		"the engine notices a moment later":       {stopping{states: []*container.State{runs, runs, ended}}, "", 500 * time.Millisecond},
		"never started":                           {stopping{states: []*container.State{{Status: container.StateCreated}}}, "", 0},
		"removed meanwhile":                       {stopping{stop: cerrdefs.ErrNotFound, states: []*container.State{nil}}, "", 0},
		"the stop is refused, but it ended":       {stopping{stop: ill, states: []*container.State{ended}}, "", 0},
		"the disk is too full for an update":      {stopping{update: ill, states: []*container.State{ended}}, "", 0},
		"the stop is refused":                     {stopping{stop: ill, states: []*container.State{runs}}, "stop container docker-ucp-agent: ill", 0},
		"it cannot be looked at":                  {stopping{inspect: ill, states: []*container.State{nil}}, "inspect container docker-ucp-agent: ill", 0},
		"it does not end":                         {stopping{states: []*container.State{runs}}, "stop container docker-ucp-agent: it still runs", 5 * time.Second},
		"its engine starts it again all the same": {stopping{states: []*container.State{{Running: true, Restarting: true}}}, "it still runs", 5 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &test.engine
				found, err := engine.New(api).FindAgent(t.Context())
				assert.NilError(t, err)
				began := time.Now()
				err = found.Stop(t.Context())
				assert.Equal(t, time.Since(began), test.takes)
				assert.DeepEqual(t, api.asked, []string{"update c1 no", "stop c1"}) // or the engine's next start might bring it back
				if test.fails == "" {
					assert.NilError(t, err)
				} else {
					assert.ErrorContains(t, err, test.fails)
				}
			})
		})
	}
}

func TestAnAgentThatIsGoneNeedsNoStop(t *testing.T) {
	api := &stopping{update: cerrdefs.ErrNotFound}
	found, err := engine.New(api).FindAgent(t.Context())
	assert.NilError(t, err)
	assert.NilError(t, found.Stop(t.Context()))
	assert.DeepEqual(t, api.asked, []string{"update c1 no"})
}

func TestStoppingTheAgentEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found, err := engine.New(&stopping{states: []*container.State{{Running: true}}}).FindAgent(t.Context())
		assert.NilError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = found.Stop(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "stop container docker-ucp-agent: ")
	})
}

func TestASmallFileOfTheAgentsIsRead(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "small": `{"by":"ann"}`, "as long as allowed": strings.Repeat("x", 100)} {
		t.Run(name, func(t *testing.T) {
			stream := copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: int64(len(content))}, content)
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/archive": sending(t, stream)})
			got, err := agent.ReadFile(t.Context(), "/spool/archive", 100)
			assert.NilError(t, err)
			assert.Equal(t, string(got), content)
		})
	}
}

func TestOnlyAFileThatIsThereIsRead(t *testing.T) {
	file := copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: 101}, strings.Repeat("x", 101))
	tests := map[string]struct {
		answer http.HandlerFunc
		words  string
		gone   bool
	}{
		"no such file":          {refusal(http.StatusNotFound, "Could not find the file"), "Could not find the file", true},
		"the engine is ill":     {refusal(http.StatusInternalServerError, "ill"), "ill", false},
		"too long":              {sending(t, file), "it has 101 bytes, and at most 100 are expected", false},
		"nothing comes":         {sending(t, nil), "EOF", false},
		"it ends in the middle": {sending(t, copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: 6}, "sealed")[:515]), "unexpected EOF", false},
		"a folder":              {sending(t, copied(t, &tar.Header{Name: "archive/", Typeflag: tar.TypeDir, Mode: 0o700}, "")), "not a regular file", false},
		"a link to somewhere":   {sending(t, copied(t, &tar.Header{Name: "archive", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, "")), "not a regular file", false},
		"what comes is no tar":  {sending(t, bytes.Repeat([]byte("x"), 1024)), "invalid tar header", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/archive": test.answer})
			content, err := agent.ReadFile(t.Context(), "/spool/archive", 100)
			assert.ErrorContains(t, err, "copy /spool/archive out of container docker-ucp-agent: ")
			assert.ErrorContains(t, err, test.words)
			assert.Check(t, cmp.Nil(content))
			assert.Equal(t, new(engine.Engine).IsGone(err), test.gone)
		})
	}
}
