package ucp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestDiscoveryAndRecordsKeepToTheAPIOfTheOldestEngine(t *testing.T) {
	const inspected = `{"Id":"1","State":{"Running":true},"HostConfig":{},"Args":["--initial-cluster=a=b"],"Config":{"StopTimeout":30}}`
	answers := map[string]string{
		"/info":              `{"ServerVersion":"17.06.2-ee-16","Swarm":{"NodeID":"node1","LocalNodeState":"active","ControlAvailable":true}}`,
		"/containers/json":   `[{"Id":"1","Names":["/ucp-kv"],"State":"running","Labels":{"com.docker.ucp.InstanceID":"` + instanceID + `"}}]`,
		"/containers/1/json": inspected,
		"/volumes":           `{"Volumes":[{"Name":"ucp-kv"}],"Warnings":null}`,
		"/nodes":             `[{"ID":"node1","Spec":{"Role":"manager"}}]`,
		"/configs":           `[{"ID":"1","Spec":{"Name":"com.docker.ucp.config-1"}}]`,
		"/services":          `[{"ID":"1","Spec":{"Name":"ucp-agent"}}]`,
	}
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, pinned := strings.CutPrefix(r.URL.Path, "/v1.30")
		document, known := answers[path]
		if !pinned || !known {
			t.Errorf("the engine is asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, document)
		assert.Check(t, err)
	}))
	defer engine.Close()
	api, err := client.NewClientWithOpts(client.WithHost("tcp://"+engine.Listener.Addr().String()), client.WithVersion("1.30"))
	assert.NilError(t, err)

	instance, err := ucp.Discover(t.Context(), api, instanceID)
	assert.NilError(t, err)
	assert.DeepEqual(t, instance.KVMembers, []string{"a=b"})
	assert.DeepEqual(t, volumeNames(instance), []string{"ucp-kv"})

	records, swarmErr, err := ucp.Records(t.Context(), api, instanceID, instance.Containers)
	assert.NilError(t, err)
	assert.NilError(t, swarmErr)
	assert.Equal(t, recordNames(records), "./docker-ucp/configs/com.docker.ucp.config-1.json\n./docker-ucp/services/ucp-agent.json\n./ucp-kv.json")
	assert.NilError(t, api.Close())
}
