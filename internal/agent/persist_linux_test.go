package agent

import (
	"slices"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

func TestWhatRunsAgainIsTheOperatorsToStop(t *testing.T) {
	for name, failed := range map[string][]string{
		"while another does not start":  {"start c-kv"},
		"while the swarm has no leader": {"node node-one"},
		"while both is the case":        {"start c-kv", "node node-one"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := orphaned(t)
				m.before = failing(failed...)
				talk := m.start(t)
				time.Sleep(2 * time.Minute)
				assert.Check(t, m.now()["c-controller"].Running)
				m.mu.Lock()
				m.states["c-controller"] = quiesce.State{} // for a repair
				m.mu.Unlock()
				time.Sleep(time.Hour)
				assert.Equal(t, m.now()["c-controller"], quiesce.State{}, "the operator wants it down")

				m.mu.Lock()
				m.before = nil
				m.mu.Unlock()
				assert.ErrorContains(t, talk.end(), "UCP is not yet as it was", "the first word is the last")
				assert.Equal(t, talk.last(Warning).Message, "UCP is as it was before the backup that was interrupted")
				assert.Equal(t, m.now()["c-controller"], quiesce.State{}, "the operator wants it down")
				assert.Check(t, m.now()["c-kv"].Running)
				assert.Equal(t, len(m.nodeLabels()), 0)
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestALabelThatIsOffIsTheOperatorsToSet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		m.before = failing("start c-kv")
		talk := m.start(t)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, len(m.nodeLabels()), 0)
		m.mu.Lock()
		m.calls = nil
		m.mu.Unlock()
		time.Sleep(time.Hour)
		m.mu.Lock()
		for _, call := range m.calls {
			assert.Check(t, call == "look c-kv" || call == "start c-kv", call)
		}
		m.before = nil
		m.mu.Unlock()
		assert.ErrorContains(t, talk.end(), "start ucp-kv again")
		m.assertUCPRuns(t)
	})
}

func TestAContainerThatGoesWhileItIsTriedIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		m.before = failing("start c-kv", "start c-controller")
		talk := m.start(t)
		time.Sleep(2 * time.Minute)
		m.mu.Lock()
		delete(m.states, "c-kv")
		m.mu.Unlock()
		time.Sleep(2 * time.Minute)
		assert.Equal(t, len(talk.ended), 0, "there is another one")
		m.mu.Lock()
		m.calls = nil
		m.mu.Unlock()
		time.Sleep(10 * time.Minute)
		m.mu.Lock()
		assert.Check(t, !slices.Contains(m.calls, "look c-kv"))
		m.before = nil
		m.mu.Unlock()
		assert.ErrorContains(t, talk.end(), "start ucp-kv again")
		assert.Check(t, m.now()["c-controller"].Running)
		m.assertEmptySpool(t)
	})
}
