package backup

import (
	"errors"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestASecondRunIsRefusedInEveryPhaseOfTheFirst(t *testing.T) {
	for _, p := range append(phases(), alone()[4:]...) {
		for name, change := range map[string]func(*run){"a backup": func(*run) {}, "a resumption": resuming} {
			t.Run(p.name+", "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m := newManager(t)
					var second *run
					m.at(p, func() { second = m.backUp(t, change) })
					r := m.backUp(t, nil)
					assert.NilError(t, r.err)
					r.assertArchive(t)
					assert.ErrorContains(t, second.err, "another backup is running on this manager since ")
					assert.Equal(t, failure.KindOf(second.err), failure.Refused)
					second.assertNoFile(t)
					assert.Equal(t, len(m.moved()), 6)
					m.assertUntouched(t)
				})
			})
		}
	}
}

// A run whose agent died is followed by its plugin, while another run may take its agent over, set UCP right, and bring
// it to rest for its own backup: then the first must not wake it.
func TestARunThatWasTakenOverLeavesUCPToTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		ended := make(chan *run, 1)
		died := false
		m.hear = func(event agent.Event) {
			if atRestNow(event) && !died {
				died = true
				m.die()
				m.mu.Lock()
				m.deaf = true // so its next life does not settle anything
				m.mu.Unlock()
				go func() {
					for m.waitingFor("restarting") {
						time.Sleep(time.Millisecond)
					}
					ended <- m.backUp(t, nil)
				}()
			}
		}
		m.before = func(call string) error {
			switch {
			case call == "stop ucp-kv" && died:
				time.Sleep(time.Minute) // the first run looks
			case call == "create docker-ucp-agent" && died:
				m.mu.Lock()
				defer m.mu.Unlock()
				m.deaf = false
			}
			return nil
		}
		first := m.backUp(t, nil)
		assert.ErrorContains(t, first.err, "the agent on the manager ended unexpectedly")
		assert.Equal(t, failure.KindOf(first.err), failure.Failed)
		assert.Check(t, cmp.Contains(first.talk.String(), "another backup on this manager took over, and sees to UCP"))
		first.assertNoFile(t)
		second := <-ended
		assert.NilError(t, second.err)
		second.assertArchive(t)
		assert.Equal(t, len(m.moved()), 3+3+6, "%v", m.moved())
		m.assertUntouched(t)
	})
}

// waitingFor tells that the agent is not in the state yet.
func (m *manager) waitingFor(state string) bool { return !m.agentIs(state) }

// leavesTrying lets a backup die with UCP at rest on a manager on which ucp-kv does not start, and returns what mends that.
func (m *manager) leavesTrying(t *testing.T) (mend func()) {
	t.Helper()
	m.over = make(chan struct{})
	ended := make(chan struct{})
	full := true
	m.hear = func(event agent.Event) {
		if atRestNow(event) && m.killed == nil {
			m.killPlugin()
			m.die()
		}
	}
	m.before = func(call string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if call == "start ucp-kv" && full {
			return errors.New("no space left on device")
		}
		return nil
	}
	go func() {
		defer close(ended)
		m.backUp(t, nil)
	}()
	after(10 * time.Minute)
	t.Cleanup(func() {
		close(m.over)
		<-ended
	})
	assert.Equal(t, m.states["ucp-kv"], "exited")
	assert.Equal(t, m.states["ucp-controller"], "running")
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		full = false
	}
}

func TestAnAgentThatTriesInVainIsTakenOverWhereThatHelps(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		mend := m.leavesTrying(t)
		m.wire = func(call string) error {
			if call == "inspect ucp-kv" { // and the agent pauses
				mend()
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(r.talk.String(), "an earlier backup, started by tester@here, died and left UCP at rest; bringing it back"))
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}

func TestAnAgentThatTriesInVainGoesOnWhereTakingOverDoesNotHelp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		mend := m.leavesTrying(t)
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "bring UCP back: start ucp-kv again: no space left on device")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker start ucp-kv"})
		r.assertNoFile(t)
		assert.Check(t, m.agentIs("running") && m.agent.policy, "the agent goes on")
		mend()
		after(10 * time.Minute)
		m.assertRuns(t)
		assert.NilError(t, m.backUp(t, nil).err)
		m.assertUntouched(t)
	})
}
