package agent

import (
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// What somebody starts while UCP is to rest makes an archive that is of no one moment, so there must be none.
func TestAContainerThatSomebodyStartsMeanwhileEndsTheBackup(t *testing.T) {
	tests := map[string]struct {
		at    string // the call after which somebody starts it; empty for before the order
		nth   int
		start string
		clone bool
		want  string
	}{
		"after the plan was made":               {"configs", 1, "c-down", false, "somebody started uc-down since the plan was made; nothing was touched"},
		"while others are stopped":              {"stop c-kv", 1, "c-down", false, "somebody started uc-down while UCP was brought to rest"},
		"one of the plan, while it is read":     {"containers", 2, "c-kv", false, "somebody started uc-kv while the volumes were read"},
		"one of the plan, while it is cloned":   {"containers", 2, "c-kv", true, "somebody started uc-kv while the volumes were read"},
		"another of UCP's, while they are read": {"containers", 2, "c-down", false, "somebody started uc-down while the volumes were read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			left := test.nth
			m.before = func(call string) error {
				if call == test.at {
					if left--; left == 0 {
						m.wakes(test.start)
					}
				}
				return nil
			}
			order := m.order()
			order.Clone = test.clone
			talk, err := m.backUp(t, m.job(), order)
			assert.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, talk.last(Failed).Message)
			for id, state := range m.now() {
				assert.Check(t, state.Running && !state.Paused || id == "c-down", id)
			}
			m.assertEmptySpool(t)
		})
	}
}

// wakes starts a container behind the agent's back.
func (e *engines) wakes(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states[id] = quiesce.State{Running: true}
}
