package ucp_test

import (
	"errors"
	"fmt"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestASwarmWithoutALeaderIsKnownByWhatEnginesSay(t *testing.T) {
	const lost = "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online."
	tests := map[string]struct {
		err  error
		want bool
	}{
		"20.10 and 28, no leader":         {errors.New("Error response from daemon: rpc error: code = Unknown desc = " + lost), true},
		"17.06, no leader":                {errors.New("Error response from daemon: rpc error: code = 2 desc = " + lost), true},
		"no answer within 20 s":           {errors.New("Error response from daemon: rpc error: code = DeadlineExceeded desc = context deadline exceeded"), true},
		"no connection within 20 s":       {errors.New("rpc error: code = DeadlineExceeded desc = latest connection error: connection refused"), true},
		"17.06, no answer":                {errors.New("Error response from daemon: rpc error: code = 4 desc = context deadline exceeded"), true},
		"28, wrapped":                     {errors.New("Error response from daemon: context deadline exceeded"), true},
		"the leader lost its followers":   {errors.New("rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status"), true},
		"raft knows none":                 {errors.New("rpc error: code = Unknown desc = raft: no elected cluster leader"), true},
		"passed on to one that leads not": {errors.New("rpc error: code = ResourceExhausted desc = more than one redirect to leader from: [192.0.2.2:2377]"), true},
		"the manager is being prepared":   {fmt.Errorf("This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.: %w", cerrdefs.ErrUnavailable), true},
		"nothing":                         {nil, false},
		"the change came too late":        {errSequence, false},
		"the node is gone":                {fmt.Errorf("node x not found: %w", cerrdefs.ErrNotFound), false},
		"the engine is gone":              {errors.New("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"), false},
		"the connection broke":            {errors.New("connection reset by peer"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, ucp.IsLeaderless(test.err), test.want) })
	}
}
