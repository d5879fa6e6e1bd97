package ucp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// recordEngine is an engine as Records sees it.
type recordEngine struct {
	ucp.RecordEngine
	inspect  func(id string) ([]byte, error)
	configs  func() ([]swarm.Config, error)
	services func() ([]swarm.Service, error)
}

func (e *recordEngine) ContainerInspectWithRaw(_ context.Context, id string, size bool) (container.InspectResponse, []byte, error) {
	if size {
		return container.InspectResponse{}, nil, errors.New("asked for sizes, which takes an engine long")
	}
	raw, err := e.inspect(id)
	return container.InspectResponse{}, raw, err
}

func (e *recordEngine) ConfigList(context.Context, swarm.ConfigListOptions) ([]swarm.Config, error) {
	return e.configs()
}

func (e *recordEngine) ServiceList(context.Context, swarm.ServiceListOptions) ([]swarm.Service, error) {
	return e.services()
}

func config(name, data string) swarm.Config {
	return swarm.Config{ID: "id-" + name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name}, Data: []byte(data)}}
}

func service(name, instance string) swarm.Service {
	s := swarm.Service{ID: "id-" + name, Spec: swarm.ServiceSpec{Annotations: swarm.Annotations{Name: name}}}
	if instance != "" {
		s.Spec.Labels = map[string]string{ucp.LabelInstance: instance}
	}
	return s
}

func newRecordEngine() *recordEngine {
	return &recordEngine{
		inspect: func(id string) ([]byte, error) { return fmt.Appendf(nil, `{"Id":%q,"NewField":[1]}`, id), nil },
		configs: func() ([]swarm.Config, error) {
			return []swarm.Config{
				config("web-config", ""), config("com.docker.ucp.config-2", "toml 2"), config("com.docker.license-1", "license"),
				config("com.docker.interlock.extension", ""), config("com.docker.ucp.interlock.conf-1", ""), config("com.docker.ucp.config-1", ""),
				config("com.docker.licensed", ""), config("my.com.docker.ucp.config-1", ""),
			}, nil
		},
		services: func() ([]swarm.Service, error) {
			return []swarm.Service{service("web", ""), service("ucp-auth-api", ""), service("agent", instanceID), service("other", otherID)}, nil
		},
	}
}

func recordNames(records []ucp.Record) string {
	var names []string
	for _, r := range records {
		names = append(names, r.Name)
	}
	return strings.Join(names, "\n")
}

var recorded = []ucp.Container{
	{ID: "2", Name: "ucp-kv", Ours: true},
	{ID: "3", Name: "k8s_ucp-metrics"},
	{ID: "1", Name: "ucp-controller", Ours: true},
}

func TestRecordsComeSortedAndOfUCPAlone(t *testing.T) {
	records, swarmErr, err := ucp.Records(t.Context(), newRecordEngine(), instanceID, recorded)
	assert.NilError(t, err)
	assert.NilError(t, swarmErr)
	assert.Equal(t, recordNames(records), strings.Join([]string{
		"./docker-ucp/configs/com.docker.interlock.extension.json",
		"./docker-ucp/configs/com.docker.license-1.json",
		"./docker-ucp/configs/com.docker.ucp.config-1.json",
		"./docker-ucp/configs/com.docker.ucp.config-2.json",
		"./docker-ucp/configs/com.docker.ucp.interlock.conf-1.json",
		"./docker-ucp/services/agent.json",
		"./docker-ucp/services/ucp-auth-api.json",
		"./ucp-controller.json",
		"./ucp-kv.json",
	}, "\n"))
}

func TestARecordHoldsWhatTheEngineSaid(t *testing.T) {
	records, _, err := ucp.Records(t.Context(), newRecordEngine(), instanceID, recorded)
	assert.NilError(t, err)
	var read swarm.Config
	assert.NilError(t, json.Unmarshal(records[3].Content, &read))
	assert.Equal(t, read.Spec.Name, "com.docker.ucp.config-2")
	assert.Equal(t, string(read.Spec.Data), "toml 2")
	assert.Check(t, strings.HasSuffix(string(records[3].Content), "}\n"))
	// The engine's own words, fields that this program has never heard of included.
	assert.Equal(t, string(records[8].Content), "{\n  \"Id\": \"2\",\n  \"NewField\": [\n    1\n  ]\n}")
}

func TestASwarmWithoutALeaderStillGivesTheContainers(t *testing.T) {
	leaderless := errors.New("the swarm does not have a leader")
	tests := map[string]struct {
		breakIt func(e *recordEngine)
		act     string
		first   string
	}{
		"no configs": {
			func(e *recordEngine) { e.configs = func() ([]swarm.Config, error) { return nil, leaderless } },
			"list swarm configs", "./ucp-controller.json",
		},
		"configs but no services": {
			func(e *recordEngine) { e.services = func() ([]swarm.Service, error) { return nil, leaderless } },
			"list swarm services", "./docker-ucp/configs/com.docker.interlock.extension.json",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newRecordEngine()
			test.breakIt(engine)
			records, swarmErr, err := ucp.Records(t.Context(), engine, instanceID, recorded)
			assert.NilError(t, err)
			assert.ErrorIs(t, swarmErr, leaderless)
			assert.Check(t, cmp.ErrorContains(swarmErr, test.act))
			assert.Equal(t, records[0].Name, test.first)
			assert.Equal(t, records[len(records)-1].Name, "./ucp-kv.json")
		})
	}
}

func TestContainersThatCannotBeInspected(t *testing.T) {
	tests := map[string]struct {
		raw   string
		err   error
		fails string
	}{
		"gone since it was found":  {"", cerrdefs.ErrNotFound, ""},
		"the connection broke":     {"", errors.New("connection reset by peer"), "inspect container ucp-kv: connection reset by peer"},
		"what came is no document": {"<html>", nil, "read the engine's data of container ucp-kv"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newRecordEngine()
			whole := engine.inspect
			engine.inspect = func(id string) ([]byte, error) {
				if id == "2" {
					return []byte(test.raw), test.err
				}
				return whole(id)
			}
			records, _, err := ucp.Records(t.Context(), engine, instanceID, recorded)
			if test.fails != "" {
				assert.ErrorContains(t, err, test.fails)
				return
			}
			assert.NilError(t, err)
			assert.Equal(t, records[len(records)-1].Name, "./ucp-controller.json")
		})
	}
}
