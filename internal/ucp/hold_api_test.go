package ucp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// speakTo returns a client of an engine of UCP's oldest age that answers so.
func speakTo(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()
	engine := httptest.NewServer(answer)
	t.Cleanup(engine.Close)
	api, err := client.NewClientWithOpts(client.WithHost("tcp://"+engine.Listener.Addr().String()), client.WithVersion("1.30"))
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, api.Close()) })
	return api
}

func TestHoldSendsTheNodeBackAsItWasReadButForItsLabels(t *testing.T) {
	const node = `{"ID":"node1","Version":{"Index":4711},"Spec":{"Name":"n","Role":"manager","Availability":"drain","Labels":{"rack":"4"}}}`
	var sent map[string]any
	api := speakTo(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.String() {
		case "GET /v1.30/nodes/node1":
			_, err := io.WriteString(w, node)
			assert.Check(t, err)
		case "POST /v1.30/nodes/node1/update?version=4711":
			assert.Check(t, json.NewDecoder(r.Body).Decode(&sent))
		default:
			t.Errorf("the engine is asked for %s %s", r.Method, r.URL)
		}
	})
	assert.NilError(t, ucp.Hold(t.Context(), api, "node1", "ann@laptop"))
	assert.DeepEqual(t, sent, map[string]any{
		"Name": "n", "Role": "manager", "Availability": "drain",
		"Labels": map[string]any{"rack": "4", ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "ann@laptop"},
	})
}

func TestWhatAnEngineRefusesWithIsUnderstood(t *testing.T) {
	tests := map[string]struct {
		status     int
		message    string
		released   bool
		leaderless bool
	}{
		"no leader":    {500, "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.", false, true},
		"no answer":    {500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", false, true},
		"not ready":    {503, "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.", false, true},
		"gone":         {404, "node node1 not found", true, false},
		"out of order": {500, "something else", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := speakTo(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(test.status)
				assert.Check(t, json.NewEncoder(w).Encode(map[string]string{"message": test.message}))
			})
			err := ucp.Release(t.Context(), api, "node1")
			assert.Equal(t, err == nil, test.released)
			assert.Equal(t, ucp.IsLeaderless(err), test.leaderless)
		})
	}
}
