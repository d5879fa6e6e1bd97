package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
)

const (
	swarmPort  = "2377"
	swarmLimit = 60 * time.Second
)

// FormSwarm makes the lab's nodes one swarm. The first is its leader, so many are managers, the others workers.
func (l *Lab) FormSwarm(ctx context.Context, managers int) (err error) {
	if managers < 1 || managers > len(l.Nodes) {
		return fmt.Errorf("form a swarm of %d nodes with %d managers", len(l.Nodes), managers)
	}
	leader, err := l.Nodes[0].Client()
	if err != nil {
		return err
	}
	defer closeClient(leader, &err)
	_, err = leader.SwarmInit(ctx, swarm.InitRequest{
		ListenAddr:    "0.0.0.0:" + swarmPort,
		AdvertiseAddr: l.Nodes[0].Address,
	})
	if err != nil {
		return fmt.Errorf("form a swarm: %w", err)
	}
	found, err := leader.SwarmInspect(ctx)
	if err != nil {
		return fmt.Errorf("form a swarm: %w", err)
	}
	for i, node := range l.Nodes[1:] {
		token := found.JoinTokens.Worker
		if i+1 < managers {
			token = found.JoinTokens.Manager
		}
		if err := node.join(ctx, l.Nodes[0], token); err != nil {
			return err
		}
	}
	return l.awaitSwarm(ctx, leader)
}

func (n *Node) join(ctx context.Context, leader *Node, token string) (err error) {
	engine, err := n.Client()
	if err != nil {
		return err
	}
	defer closeClient(engine, &err)
	err = engine.SwarmJoin(ctx, swarm.JoinRequest{
		ListenAddr:    "0.0.0.0:" + swarmPort,
		AdvertiseAddr: n.Address,
		RemoteAddrs:   []string{leader.Address + ":" + swarmPort},
		JoinToken:     token,
	})
	if err != nil {
		return fmt.Errorf("join node %s to the swarm: %w", n.Name, err)
	}
	return nil
}

// awaitSwarm returns when the leader sees every node ready.
func (l *Lab) awaitSwarm(ctx context.Context, leader *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, swarmLimit)
	defer cancel()
	for {
		nodes, err := leader.NodeList(ctx, swarm.NodeListOptions{})
		if err != nil {
			return fmt.Errorf("wait for the swarm: %w", err)
		}
		ready := 0
		for _, node := range nodes {
			if node.Status.State == swarm.NodeStateReady {
				ready++
			}
		}
		if ready == len(l.Nodes) {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the swarm: %d of %d nodes are ready: %w", ready, len(l.Nodes), err)
		}
	}
}
