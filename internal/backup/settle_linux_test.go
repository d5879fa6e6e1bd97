package backup

import (
	"errors"
	"testing"

	"gotest.tools/v3/assert"
)

func TestADeadAgentWhoseLogCannotBeReadIsNoProofThatUCPIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.killedAtRest()
		m.wire = func(call string) error {
			if call == "logs" && m.agentIs("exited") {
				return errors.New("unexpected EOF")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "unexpected EOF")
		assert.DeepEqual(t, m.states, newManager(t).states)
		r.assertNoFile(t)
	})
}

func (m *manager) agentIs(state string) bool {
	m.mu.Lock()
	box := m.agent
	m.mu.Unlock()
	if box == nil {
		return false
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	return box.state == state
}
