package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// phase is a moment of a backup, at which something is done to it, once.
type phase struct {
	name    string
	call    string                 // before this call to the engine, and
	nth     int                    // the nth of those; zero is the first
	event   func(agent.Event) bool // or when the agent has said this
	journal bool                   // something is to be put right by then
	whole   bool                   // the archive is finished by then
}

// phases are those from the order to the end.
func phases() []phase {
	said := func(kind agent.EventType) func(agent.Event) bool {
		return func(event agent.Event) bool { return event.Type == kind }
	}
	return []phase{
		{name: "before the journal", call: "configs"},
		{name: "before quiesce", event: said(agent.Quiescing), journal: true},
		{name: "before the node is labelled", call: "update node node1", journal: true},
		{name: "before the first stop", call: "pause ucp-agent", journal: true},
		{name: "between two stops", call: "stop ucp-kv", journal: true},
		{name: "at rest", event: atRestNow, journal: true},
		{name: "while capturing", journal: true, event: func(event agent.Event) bool {
			return event.Type == agent.Progress && event.Phase == agent.Capturing
		}},
		{name: "before the first start", call: "start ucp-kv", journal: true},
		{name: "between two starts", call: "start ucp-controller", journal: true},
		{name: "before the last comes back", call: "unpause ucp-agent", journal: true},
		{name: "when UCP is back", event: said(agent.Resumed), journal: true},
		{name: "before the node is released", call: "update node node1", nth: 1, journal: true},
		{name: "when it has finished", event: said(agent.Finished), whole: true},
		{name: "while fetching", call: "copy archive", whole: true},
	}
}

// at does something at a moment of a backup, once.
func (m *manager) at(p phase, do func()) {
	seen, done := 0, false
	once := func() {
		m.mu.Lock()
		seen++
		now := !done && seen > p.nth
		done = done || now
		m.mu.Unlock()
		if now {
			do()
		}
	}
	if p.event != nil {
		m.hear = func(event agent.Event) {
			if p.event(event) {
				once()
			}
		}
		return
	}
	m.before = func(call string) error {
		if call == p.call {
			once()
		}
		return nil
	}
}

func TestAnAgentThatDiesBringsUCPBackInItsNextLife(t *testing.T) {
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.at(p, m.die)
				r := m.backUp(t, nil)
				m.assertUntouched(t)
				assert.Check(t, !slices.Contains(strings.Split(r.talk.String(), "\n"), "bringing UCP back from here"))
				if p.whole {
					assert.NilError(t, r.err)
					r.assertArchive(t)
					return
				}
				assert.Equal(t, failure.KindOf(r.err), failure.Failed, "%v", r.err)
				assert.DeepEqual(t, failure.Hints(r.err), []string{"try again"})
				r.assertNoFile(t)
			})
		})
	}
}

func TestAnAgentThatIsKilledForGoodLeavesUCPToThePlugin(t *testing.T) {
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.at(p, m.kill)
				r := m.backUp(t, nil)
				m.assertUntouched(t)
				if p.whole {
					assert.NilError(t, r.err)
					r.assertArchive(t)
					return
				}
				assert.ErrorContains(t, r.err, "the agent on the manager ended unexpectedly: no last word")
				assert.Equal(t, failure.KindOf(r.err), failure.Failed, "%v", r.err)
				r.assertNoFile(t)
			})
		})
	}
}

// engineDies ends the engine and everything on it, and starts it again after a while. What it starts again by itself is
// the agent, by its policy, and, on the swarm's behalf, UCP's own agent.
func (m *manager) engineDies(away time.Duration) {
	m.mu.Lock()
	m.gone = true
	for name := range m.states {
		m.states[name] = "exited"
	}
	m.mu.Unlock()
	m.setDown(true)
	m.die()
	b := m.agent
	go func() {
		time.Sleep(away)
		<-b.stopped
		m.mu.Lock()
		m.gone, m.states["ucp-agent"] = false, "running"
		m.mu.Unlock()
		m.setDown(false)
		b.revive(m)
	}()
}

func TestUCPComesBackWithItsEngine(t *testing.T) {
	for _, away := range []time.Duration{5 * time.Second, 100 * time.Second, time.Hour} {
		for _, p := range phases() {
			t.Run(p.name+", away for "+away.String(), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m := newManager(t)
					m.at(p, func() { m.engineDies(away) })
					r := m.backUp(t, nil)
					after(2 * time.Hour)
					if p.journal {
						m.assertRuns(t)
					}
					if !p.whole {
						r.assertNoFile(t)
					}
					m.resumeAll(t, p.whole, r)
					m.assertClean(t)
					assertRefused(t, m.backUp(t, resuming).err, "take one with: docker ucp backup FILE")
				})
			})
		}
	}
}

// resumeAll clears up with --resume, if the run could not, which fetches an archive that was finished.
func (m *manager) resumeAll(tb testing.TB, whole bool, r *run) {
	tb.Helper()
	if m.agent == nil {
		return
	}
	again := m.backUp(tb, resuming)
	if !whole {
		assert.Assert(tb, r.result == nil)
		assert.ErrorContains(tb, again.err, "no finished archive waits on this manager")
		return
	}
	assert.NilError(tb, again.err)
	again.assertArchive(tb)
}

func TestThePluginDoesNotWaitForEverForAnAgentThatGetsNowhere(t *testing.T) {
	tests := map[string]func(m *manager){
		"because it dies in each of its lives": func(m *manager) {
			m.before = func(call string) error {
				if call == "info" && m.agent != nil && m.agent.restarted() {
					m.die()
				}
				return nil
			}
		},
		"because the engine does not answer it": func(m *manager) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.deaf = true
		},
	}
	for name, disturb := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.at(phase{event: atRestNow}, func() { m.die(); disturb(m) })
				began := time.Now()
				r := m.backUp(t, nil)
				assert.ErrorContains(t, r.err, "the agent on the manager died, was started again, and does not come to an end")
				assert.Equal(t, failure.KindOf(r.err), failure.Failed)
				assert.Check(t, cmp.Contains(r.talk.String(), "the agent on the manager died; bringing UCP back from here"))
				assert.Check(t, time.Since(began) < 5*time.Minute)
				r.assertNoFile(t)
				m.assertUntouched(t)
			})
		})
	}
}

func (b *box) restarted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lives > 1
}
