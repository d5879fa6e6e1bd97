package backup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestAnAgentThatCannotBeStoppedForGoodGoesOn(t *testing.T) {
	for name, resume := range map[string]bool{"a backup": false, "a resumption": true} {
		for _, fails := range []string{"stop agent", "copy journal"} {
			t.Run(name+", "+fails, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m := newManager(t)
					m.leave(t, "restarting", DefaultSpool, orphan())
					m.rests()
					stopping := false
					r := m.backUp(t, func(r *run) {
						if resume {
							resuming(r)
						}
						m.wire = func(call string) error {
							stopping = stopping || call == "stop agent"
							if stopping && call == fails {
								r.cancel()
								return context.Canceled
							}
							return nil
						}
					})
					assert.Check(t, stopping)
					assert.Equal(t, failure.KindOf(r.err), failure.Attention, "%v", r.err)
					m.assertRuns(t)
					assert.Check(t, m.agent.policy, "its policy is given back")
					m.mu.Lock()
					m.wire = nil
					m.mu.Unlock()
					after(10 * time.Minute)
					assert.NilError(t, m.backUp(t, nil).err)
					m.assertUntouched(t)
				})
			})
		}
	}
}

func TestACancelDoesNotComeBetweenWhenAnAgentIsStoppedForGood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "restarting", DefaultSpool, orphan())
		m.rests()
		r := m.backUp(t, func(r *run) {
			m.wire = func(call string) error {
				if call == "update" {
					r.cancel()
				}
				return nil
			}
		})
		assert.Error(t, r.err, "backup cancelled before anything was touched")
		assert.Equal(t, failure.KindOf(r.err), failure.Cancelled)
		m.assertRuns(t)
		m.wire = nil
		assert.NilError(t, m.backUp(t, nil).err)
		m.assertUntouched(t)
	})
}

func TestUCPIsBackBeforeTheAgentThatTriesIsStopped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "restarting", DefaultSpool, orphan())
		m.rests()
		assert.NilError(t, m.backUp(t, nil).err)
		calls := m.seen()
		assert.Check(t, slices.Index(calls, "start ucp-kv") < slices.Index(calls, "update"), "%q", calls)
		m.assertUntouched(t)
	})
}

// removedBy ends the run's agent and removes it, as another run does that takes over. The run looks when it is connected
// again.
func (m *manager) removedBy() {
	m.setDown(true)
	m.mu.Lock()
	old := m.agent
	m.mu.Unlock()
	m.kill()
	<-old.stopped
	m.mu.Lock()
	m.agent = nil
	m.mu.Unlock()
}

// theirs is the agent of another run, at work, with UCP at rest.
func (m *manager) theirs(t *testing.T, spool string) {
	t.Helper()
	m.leave(t, "running", spool, journal(), paper{agent.ArchiveInSpool, []byte("theirs")})
	m.rests()
}

func TestAnotherRunsUCPSpoolAndImageAreLeftAlone(t *testing.T) {
	tests := map[string]func(t *testing.T, m *manager){
		"whose agent is there": func(t *testing.T, m *manager) {
			t.Helper()
			m.removedBy()
			m.theirs(t, "large-disk")
		},
		"that makes its agent when it has set UCP right": func(t *testing.T, m *manager) {
			t.Helper()
			m.removedBy()
			m.mu.Lock()
			for _, name := range []string{"ucp-agent", "ucp-controller", "ucp-kv"} {
				m.states[name] = "running"
			}
			m.mu.Unlock()
			time.AfterFunc(2*time.Minute, func() { m.theirs(t, "large-disk") })
		},
		"that begins while UCP is brought back from here": func(t *testing.T, m *manager) {
			t.Helper()
			m.removedBy()
			time.AfterFunc(10*time.Second, func() { m.theirs(t, "large-disk") })
		},
	}
	for name, other := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.add(t, "large-disk", map[string]string{"owner": "operations"})
				m.at(phase{event: atRestNow}, func() { go func() { other(t, m); m.setDown(false) }() })
				r := m.backUp(t, func(r *run) { r.opts.Spool = "large-disk" })
				assert.Equal(t, failure.KindOf(r.err), failure.Failed, "%v", r.err)
				assert.Check(t, cmp.Contains(r.talk.String(), "another backup on this manager took over, and sees to UCP"))
				assert.Equal(t, m.states["ucp-kv"], "exited", "it rests for the other")
				assert.Check(t, m.inSpool("large-disk", agent.JournalInSpool) && m.inSpool("large-disk", agent.ArchiveInSpool))
				assert.Equal(t, len(m.images), 2, "the other may be about to use either: %v", m.images)
				r.assertNoFile(t)
			})
		})
	}
}

func TestWhatSmallTasksLeftStopsNobodyAndWaitsUntilUCPIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool, journal())
		m.rests()
		m.before = func(call string) error {
			if call == "containers of ours" {
				m.assertRuns(t)
				return errors.New("driver failed to remove root filesystem")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		assert.Check(t, strings.Contains(r.talk.String(), "driver failed to remove root filesystem"))
		m.assertUntouched(t)
	})
}
