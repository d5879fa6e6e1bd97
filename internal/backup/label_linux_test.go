package backup

import (
	"maps"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestTheNodeIsHeldInTheNameOfWhoeverStartedTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		var labels map[string]string
		m.at(phase{event: atRestNow}, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			labels = maps.Clone(m.node.Spec.Labels)
		})
		assert.NilError(t, m.backUp(t, nil).err)
		assert.DeepEqual(t, labels, map[string]string{ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "tester@here"})
		m.assertUntouched(t)
	})
}

// The survivor of a swarm that has lost its quorum cannot be labelled, and so needs nobody to take a label off.
func TestASurvivorIsBackedUpAndBroughtBackWithoutALeader(t *testing.T) {
	tests := map[string]func(m *manager){
		"as it should be":                      func(*manager) {},
		"by the next life of its agent":        (*manager).die,
		"by the plugin, for an agent for good": (*manager).kill,
	}
	for name, disturb := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.setLeader(false)
				m.at(phase{event: atRestNow}, func() { disturb(m) })
				r := m.backUp(t, nil)
				if name == "as it should be" {
					assert.NilError(t, r.err)
					r.assertArchive(t)
				} else {
					assert.Equal(t, failure.KindOf(r.err), failure.Failed, "%v", r.err)
					r.assertNoFile(t)
				}
				m.assertUntouched(t)
			})
		})
	}
}
