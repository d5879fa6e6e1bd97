package scenarios

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// labelHeldBy is ours, beside UCP's own.
const labelHeldBy = "io.docker-ucp.held-by"

// whileAtRest takes a backup, has a look when the volumes are about to be read, and returns how it ended.
func (s *tapped) whileAtRest(t *testing.T, look func(), args ...string) answer {
	t.Helper()
	defer s.agent.Reset()
	gate := s.agent.Hold(tap.After(tap.Any(stopping, pausing), listing))
	variables, flags := s.throughTaps()
	u := run(t, s.command(t.Context(), variables, slices.Concat([]string{"ucp", "backup", "--passphrase-file", s.pass}, flags, args)...))
	select {
	case <-gate.Reached():
		look()
	case <-u.ended:
	case <-time.After(reachLimit):
		t.Fatalf("the backup did not come to rest:\n%s", u.said)
	}
	gate.Release()
	return u.end(t, runLimit)
}

// reconcilersAreTold holds a backup at rest and looks at the node.
func reconcilersAreTold(t *testing.T, s *tapped) {
	before := s.look(t).labels
	a := s.whileAtRest(t, func() {
		labels := s.look(t).labels
		assert.Equal(t, labels[layout.LabelPause], "true")
		assert.Assert(t, labels[labelHeldBy] != "")
		delete(labels, layout.LabelPause)
		delete(labels, labelHeldBy)
		assert.DeepEqual(t, labels, before)
	}, output(t))
	assert.Equal(t, a.code, 0)
	assert.DeepEqual(t, s.look(t).labels, before)
}

// operatorsLabelStays: what an operator has told the reconcilers is not ours to take back.
func operatorsLabelStays(t *testing.T, s *tapped) {
	assert.NilError(t, s.ucp.PauseAgent(t.Context(), true))
	defer func() { assert.NilError(t, s.ucp.PauseAgent(t.Context(), false)) }()
	before := s.look(t).labels
	a := s.whileAtRest(t, func() { assert.DeepEqual(t, s.look(t).labels, before) }, output(t))
	assert.Equal(t, a.code, 0)
	assert.DeepEqual(t, s.look(t).labels, before)
}

// backupByPause freezes UCP: no container is started anew, and UCP is down for less.
func backupByPause(t *testing.T, s *tapped) {
	keys := s.keys(t)
	before, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	archive := output(t)
	frozen := s.whileAtRestWithResult(t, func() {
		now, err := s.ucp.Containers(t.Context())
		assert.NilError(t, err)
		for _, c := range now {
			if c.Labels[layout.LabelInstance] != "" && c.Name != layout.Reconcile {
				assert.Equal(t, c.Status, container.StatePaused, c.Name)
			}
		}
	}, "--quiesce", "pause", archive)
	after, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	assert.DeepEqual(t, after, before) // the same starts

	verified := s.docker(t, "ucp", "verify", "--passphrase-file", s.pass, archive)
	assert.Equal(t, verified.code, 0, verified.stderr)
	s.sound(t, s.unseal(t, archive), keys)
	nothing := func() {}
	stopped := s.whileAtRestWithResult(t, nothing, output(t))
	assert.Assert(t, frozen < stopped, "down for %d ms by a pause, for %d ms by a stop", frozen, stopped)
}

// whileAtRestWithResult returns for how many milliseconds UCP was down.
func (s *tapped) whileAtRestWithResult(t *testing.T, look func(), args ...string) int64 {
	t.Helper()
	var result struct {
		Downtime int64 `json:"downtime_ms"`
	}
	a := s.whileAtRest(t, look, append([]string{"--format", "json"}, args...)...)
	assert.Equal(t, a.code, 0)
	assert.NilError(t, json.Unmarshal([]byte(a.stdout), &result), a.stdout)
	return result.Downtime
}

// A label cannot be changed while the swarm has no leader: it stays until there is one, and then goes without a human.
func TestASwarmThatLosesItsLeaderDuringABackupIsReleasedWhenItHasOneAgain(t *testing.T) {
	versions := []string{lab.Installed}
	if *faultsFlag == "all" {
		versions = append(versions, lab.Current)
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := newTapped(t, lab.Options{Version: version, Nodes: 3}, standin.Options{Minimal: true})
			s.leaderIsLost(t)
		})
	}
}

func (s *tapped) leaderIsLost(t *testing.T) {
	t.Helper()
	before, keys, archive := s.look(t), s.keys(t), output(t)
	a := s.whileAtRest(t, func() {
		for _, node := range s.lab.Nodes[1:] {
			assert.NilError(t, node.PowerOff())
		}
		within(t, time.Minute, "the swarm to miss its leader", func(ctx context.Context) (bool, string) {
			_, err := s.nodeLabels(ctx)
			return err != nil && strings.Contains(err.Error(), "leader"), "it has one"
		})
	}, archive)
	assert.Equal(t, a.code, 2)
	mentions(t, a.lastWords(), "docker node update --label-rm")
	state, err := s.engine.ContainerInspect(t.Context(), agentName)
	assert.NilError(t, err)
	assert.Assert(t, state.State.Running || state.State.Restarting, state.State.Status)
	states, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	for _, c := range states {
		if was, found := before.containers[c.Name+" "+c.ID]; found {
			assert.Equal(t, c.Status, was, c.Name)
		}
	}
	assert.NilError(t, s.lab.Nodes[1].PowerOn(t.Context()))
	within(t, 2*time.Minute, "the label to go", func(ctx context.Context) (bool, string) {
		labels, err := s.nodeLabels(ctx)
		if err != nil {
			return false, err.Error()
		}
		return maps.Equal(labels, before.labels), labels[labelHeldBy]
	})
	s.awaitAgentEnd(t, 2*time.Minute)
	s.sound(t, s.unseal(t, archive), keys)
}
