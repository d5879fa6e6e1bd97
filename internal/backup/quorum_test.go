package backup

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// among makes the swarm's managers: this one, and the others, of which some are down.
func among(b *backup, others map[string]bool) {
	b.instance.Node.ID = "node1"
	b.instance.Swarm.Managers = []ucp.Member{{ID: "node1", Name: "manager1", Healthy: true}}
	for name, up := range others {
		b.instance.Swarm.Managers = append(b.instance.Swarm.Managers, ucp.Member{ID: "id of " + name, Name: name, Healthy: up})
	}
}

func TestABackupThatTakesUCPDownEverywhereIsRefusedUnlessForced(t *testing.T) {
	const hint = "repair them (docker node ls), or accept that UCP is down meanwhile: docker ucp backup --force FILE"
	tests := map[string]struct {
		others  map[string]bool
		refuse  string
		warning string // also with --force
	}{
		"alone":        {},
		"three":        {others: map[string]bool{"manager2": true, "manager3": true}},
		"two":          {others: map[string]bool{"manager2": true}, warning: "UCP has two managers and needs both: it is down on the other one too while this one rests"},
		"five, 1 down": {others: map[string]bool{"manager2": true, "manager3": true, "manager4": true, "manager5": false}},
		"three, 1 down": {
			others:  map[string]bool{"manager2": false, "manager3": true},
			refuse:  "UCP would be down on every manager while this one rests: it needs 2 of its 3 managers, and without this one only 1 is up; down: manager2",
			warning: "UCP is down on every manager while this one rests, which you accept with --force: it needs 2 of its 3 managers, and without this one only 1 is up; down: manager2",
		},
		"five, 2 down": {
			others:  map[string]bool{"manager2": false, "manager3": true, "manager4": false, "manager5": true},
			refuse:  "UCP would be down on every manager while this one rests: it needs 3 of its 5 managers, and without this one 2 are up; down: manager2, manager4",
			warning: "UCP is down on every manager while this one rests, which you accept with --force: it needs 3 of its 5 managers, and without this one 2 are up; down: manager2, manager4",
		},
		"three, 2 down": {
			others:  map[string]bool{"manager2": false, "manager3": false},
			warning: "UCP has no quorum: it needs 2 of its 3 managers; down: manager2, manager3; the archive holds what this one knew last",
		},
		"two, 1 down": {
			others:  map[string]bool{"manager2": false},
			warning: "UCP has no quorum: it needs 2 of its 2 managers; down: manager2; the archive holds what this one knew last",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := discovered(Options{Clone: CloneNever})
			among(b, test.others)
			err := b.refuseQuorumLoss()
			if test.refuse == "" {
				assert.NilError(t, err)
			} else {
				assert.Error(t, err, test.refuse)
				assert.Equal(t, failure.KindOf(err), failure.Refused)
				assert.DeepEqual(t, failure.Hints(err), []string{hint})
			}
			b.opts.Force = true
			assert.NilError(t, b.refuseQuorumLoss())
			var want []string
			if test.warning != "" {
				want = []string{test.warning}
			}
			plan, err := b.plan(surveyOf(1))
			assert.NilError(t, err)
			assert.DeepEqual(t, plan.Warnings, want)
		})
	}
}

func TestAManagerWhoseUCPIsDownAlreadyTakesNoQuorumAway(t *testing.T) {
	b := discovered(Options{})
	among(b, map[string]bool{"manager2": false, "manager3": true})
	b.instance.Containers = b.instance.Containers[3:] // none runs
	assert.NilError(t, b.refuseQuorumLoss())
}
