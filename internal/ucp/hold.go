package ucp

import (
	"context"
	"errors"

	"github.com/docker/docker/api/types/swarm"
)

// Labels on a swarm node. UCP's reconcilers leave a node alone that carries the first (release notes of UCP 3.2); the
// second is ours, and says who set the first.
const (
	LabelAgentPause = "com.docker.ucp.agent-pause"
	LabelHeldBy     = "io.docker-ucp.held-by"
)

// NodeEngine is what Hold and Release call; *client.Client of a manager's engine satisfies it.
type NodeEngine interface {
	NodeInspectWithRaw(ctx context.Context, nodeID string) (swarm.Node, []byte, error)
	NodeUpdate(ctx context.Context, nodeID string, version swarm.Version, node swarm.NodeSpec) error
}

// Hold tells UCP's reconcilers to leave the node alone, and writes beside it who wants that. A node that somebody else
// has told so is left as it is, and Release will leave it too.
func Hold(ctx context.Context, engine NodeEngine, nodeID, by string) error {
	return errors.New("not built")
}

// Release takes off what Hold set, and nothing that somebody else did. It may be called at any time and more than once; a
// node that is gone is no error. IsLeaderless tells of its error whether a later try may help.
func Release(ctx context.Context, engine NodeEngine, nodeID string) error {
	return errors.New("not built")
}
