package engine_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func spec() engine.AgentSpec {
	return engine.AgentSpec{
		Image: "docker-ucp/agent:0123456789ab", StartedBy: "ann@manager1", Socket: "/var/run/docker.sock",
		Volumes: []string{"ucp-kv", "ucp-node-certs"}, Spool: "docker-ucp-spool",
	}
}

// withoutEmpty drops what an engine takes for not said, so that a golden file holds what was decided.
func withoutEmpty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(key string, inner any) bool {
			v[key] = withoutEmpty(inner)
			return v[key] == nil
		})
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
		if !slices.ContainsFunc(v, func(inner any) bool { return inner != nil }) {
			return nil
		}
	case string, float64, bool:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return value
}

func TestTheAgentGetsTheLeastItCanWorkWith(t *testing.T) {
	tests := map[string]struct {
		version string
		info    system.Info
		change  func(s *engine.AgentSpec)
		golden  string
	}{
		"on a plain engine": {newest, system.Info{}, nil, "plain"},
		"on an engine that knows capabilities without CAP_ alone": {"1.39", system.Info{}, nil, "before-19.03"},
		"on the first engine that knows them with CAP_":           {"1.40", system.Info{}, nil, "plain"},
		"on the oldest engine, with SELinux": {
			engine.OldestAPI, system.Info{SecurityOptions: []string{"name=seccomp,profile=default", "name=selinux"}}, nil, "before-19.03-selinux",
		},
		"on an engine with SELinux": {
			newest, system.Info{SecurityOptions: []string{"name=seccomp,profile=default", "name=selinux"}}, nil, "selinux",
		},
		"with SELinux as engines of old say it": {newest, system.Info{SecurityOptions: []string{"selinux"}}, nil, "selinux"},
		"with options that only sound alike": {
			newest, system.Info{SecurityOptions: []string{"name=seccomp,profile=selinux", "name=apparmor", "name=selinux2", "name=usernsx"}}, nil, "plain",
		},
		"with SELinux, and told so by the operator": {
			newest,
			system.Info{SecurityOptions: []string{"name=selinux"}},
			func(s *engine.AgentSpec) { s.SecurityOpt = []string{"label=disable", "no-new-privileges"} }, "selinux",
		},
		"with options of the operator": {
			newest,
			system.Info{SecurityOptions: []string{"name=apparmor"}},
			func(s *engine.AgentSpec) {
				s.SecurityOpt = []string{"apparmor=ucp", "seccomp=unconfined", "apparmor=ucp"}
			}, "security-opt",
		},
		"where users are mapped": {newest, system.Info{SecurityOptions: []string{"name=userns"}}, nil, "userns"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wanted := spec()
			if test.change != nil {
				test.change(&wanted)
			}
			var sent any
			eng, asked := serve(t, test.version, map[string]http.HandlerFunc{
				"GET /info": document(t, test.info),
				"POST /containers/create": func(w http.ResponseWriter, r *http.Request) {
					assert.Check(t, json.NewDecoder(r.Body).Decode(&sent))
					answer(http.StatusCreated, `{"Id":"c1"}`)(w, r)
				},
			})
			agent, err := eng.CreateAgent(t.Context(), wanted)
			assert.NilError(t, err)
			assert.Equal(t, agent.ID, "c1")
			assert.Equal(t, asked.last(), "POST /v"+test.version+"/containers/create?name=docker-ucp-agent")
			text, err := json.MarshalIndent(withoutEmpty(sent), "", "  ")
			assert.NilError(t, err)
			golden.Assert(t, string(text)+"\n", "agent-"+test.golden+".golden.json")
		})
	}
}

func TestCreatingTheAgentRefusesASecondOne(t *testing.T) {
	eng, _ := serve(t, newest, map[string]http.HandlerFunc{
		"GET /info":               document(t, system.Info{}),
		"POST /containers/create": refusal(http.StatusConflict, `Conflict. The container name "/docker-ucp-agent" is already in use`),
	})
	_, err := eng.CreateAgent(t.Context(), spec())
	assert.Error(t, err, "another backup has just been started on this manager")
	assert.Equal(t, failure.KindOf(err), failure.Refused)
	assert.DeepEqual(t, failure.Hints(err), []string{"see what it does: docker logs docker-ucp-agent"})
}

func TestWhyTheAgentCannotBeCreatedCanBeTold(t *testing.T) {
	eng, asked := serve(t, newest, map[string]http.HandlerFunc{
		"GET /info":               document(t, system.Info{}),
		"POST /containers/create": refusal(http.StatusBadRequest, `invalid mount config for type "bind": bind source path does not exist`),
	})
	_, err := eng.CreateAgent(t.Context(), spec())
	assert.Check(t, cerrdefs.IsInvalidArgument(err), "a caller tries another socket or output then")
	assert.ErrorContains(t, err, "create container docker-ucp-agent: ")

	asked.answers["POST /containers/create"] = refusal(http.StatusInternalServerError, "no space left on device")
	_, err = eng.CreateAgent(t.Context(), spec())
	assert.Check(t, !cerrdefs.IsInvalidArgument(err))
	assert.ErrorContains(t, err, "no space left on device")

	asked.answers["GET /info"] = refusal(http.StatusInternalServerError, "ill")
	_, err = eng.CreateAgent(t.Context(), spec())
	assert.ErrorContains(t, err, "read the engine's state: ")
}

// slowCreate is an engine that takes a while to make a container, or for ever.
type slowCreate struct {
	client.APIClient
	takes time.Duration
}

func (s slowCreate) Info(context.Context) (system.Info, error) { return system.Info{}, nil }
func (s slowCreate) ClientVersion() string                     { return newest }

func (s slowCreate) ContainerCreate(ctx context.Context, _ *container.Config, _ *container.HostConfig, _ *network.NetworkingConfig, _ *ocispec.Platform, _ string) (container.CreateResponse, error) {
	select {
	case <-ctx.Done():
		return container.CreateResponse{}, ctx.Err()
	case <-time.After(s.takes):
		return container.CreateResponse{ID: "c1"}, nil
	}
}

func TestACancelLeavesNoContainerThatNobodyKnowsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		agent, err := engine.New(slowCreate{takes: 5 * time.Second}).CreateAgent(ctx, spec())
		assert.NilError(t, err)
		assert.Equal(t, agent.ID, "c1")
	})
}

func TestAnEngineThatNeverMakesTheContainerIsGivenUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := engine.New(slowCreate{takes: time.Hour}).CreateAgent(t.Context(), spec())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
