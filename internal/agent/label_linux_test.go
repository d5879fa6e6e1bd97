package agent

import (
	"errors"
	"maps"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// leaderlessFrom fails the node's calls from the nth on, from 1.
func leaderlessFrom(n int) func(string) error {
	seen := 0
	return func(call string) error {
		if call == "node node-one" || call == "label node-one" {
			if seen++; seen >= n {
				return errLeaderless
			}
		}
		return nil
	}
}

func (m *machine) nodeLabels() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.labels)
}

// heldBack has a backup whose swarm loses its leader while UCP rests.
func heldBack(t *testing.T) (*machine, *talk) {
	t.Helper()
	m := newMachine(t)
	m.before = leaderlessFrom(3)
	talk := m.start(t)
	talk.send(m.job())
	talk.send(m.order())
	time.Sleep(time.Minute)
	finished := talk.last(Finished)
	assert.Check(t, finished.Held)
	assert.Equal(t, len(finished.NotResumed), 0)
	assert.Check(t, cmp.Contains(talk.last(Warning).Message, errLeaderless.Error()))
	assert.Check(t, talk.last(Finished).Time.Sub(talk.last(Resumed).Time) <= releaseTimeout)
	m.assertLeft(t, "archive", "journal", "receipt")
	return m, talk
}

func TestANodeThatIsStillHeldStaysTheAgentsToRelease(t *testing.T) {
	t.Run("the swarm finds a leader before the dismissal", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m, talk := heldBack(t)
			m.before = nil
			talk.send(Job{Clean: true})
			assert.NilError(t, talk.wait())
			m.assertUCPRuns(t)
			m.assertEmptySpool(t)
		})
	})
	t.Run("the swarm finds a leader in a later life", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m, talk := heldBack(t)
			talk.send(Job{Clean: true})
			assert.NilError(t, talk.wait())
			m.assertLeft(t, "journal")

			talk = m.start(t)
			assert.ErrorContains(t, talk.goesOn(), "UCP is not yet as it was: tell UCP's reconcilers to look after node node-one again")
			failed := talk.last(Failed)
			assert.Check(t, failed.Held)
			assert.Equal(t, len(failed.NotResumed), 0)
			assert.Equal(t, failed.Hint,
				"when the swarm has a leader again: docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node-one")
			m.assertLeft(t, "orphan")

			m.before = nil
			assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
			m.assertUCPRuns(t)
			m.assertEmptySpool(t)
		})
	})
	t.Run("the plugin is gone", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m, talk := heldBack(t)
			assert.NilError(t, talk.wait())
			m.before = nil
			assert.NilError(t, m.start(t).end())
			m.assertUCPRuns(t)
			m.assertLeft(t, "archive", "receipt")
		})
	})
}

func TestAnElectionIsWaitedForBeforeANodeCountsAsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		lost := leaderlessFrom(3)
		var since time.Time
		m.before = func(call string) error {
			if !since.IsZero() && time.Since(since) > 5*time.Second {
				return nil
			}
			err := lost(call)
			if err != nil && since.IsZero() {
				since = time.Now()
			}
			return err
		}
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		assert.Check(t, !talk.last(Finished).Held)
		m.assertUCPRuns(t)
		m.assertLeft(t, "archive", "receipt")
	})
}

func TestASwarmWithoutLeaderIsNotHeldAndTakesNoTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = leaderlessFrom(1)
		talk := m.start(t)
		began := time.Now()
		talk.send(m.job())
		talk.send(m.order())
		assert.NilError(t, talk.wait())
		assert.Equal(t, time.Since(began), time.Duration(0))
		assert.Check(t, !talk.last(Finished).Held)
		assert.Equal(t, talk.last(Warning).Message,
			"tell UCP's reconcilers to leave node node-one alone: the swarm does not have a leader; they are paused all the same")
		m.assertUCPRuns(t)
		m.assertLeft(t, "archive", "receipt")
	})
}

func TestALabelThatMayHaveBeenSetIsTakenOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = func(call string) error {
			if call == "label node-one" && len(m.nodeLabels()) == 0 {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.labels = map[string]string{ucp.LabelAgentPause: "true", ucp.LabelHeldBy: "tester@there"}
				return errors.New("connection reset by peer")
			}
			return nil
		}
		_, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		m.assertUCPRuns(t)
		m.assertLeft(t, "archive", "receipt")
	})
}

func TestALabelOfTheOperatorStays(t *testing.T) {
	for name, dies := range map[string]bool{"the agent lives": false, "the agent dies": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				own := map[string]string{ucp.LabelAgentPause: "true", "zone": "a"}
				m.labels = maps.Clone(own)
				var left *machine
				talk := m.start(t)
				talk.on = func(event Event) {
					if event.Phase == Stopping && event.Complete {
						left = m.copied(t)
					}
				}
				talk.send(m.job())
				talk.send(m.order())
				assert.NilError(t, talk.wait())
				if dies {
					assert.ErrorContains(t, left.start(t).end(), "UCP runs again")
					m = left
				}
				assert.DeepEqual(t, m.nodeLabels(), own)
			})
		})
	}
}

func TestALabelThatAnEarlierBackupLeftIsTheAgentsToTakeOff(t *testing.T) {
	tests := map[string]struct{ told, held bool }{
		"of which it was told":    {true, true},
		"of which nobody told it": {false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.labels = map[string]string{"com.docker.ucp.agent-pause": "true", "io.docker-ucp.held-by": "ann@laptop"}
				m.before = leaderlessFrom(1)
				order := m.order()
				order.Held = test.told
				talk := m.start(t)
				talk.send(m.job())
				talk.send(order)
				time.Sleep(time.Minute)
				assert.Equal(t, talk.last(Finished).Held, test.held)
				talk.send(Job{Clean: true})
				assert.NilError(t, talk.wait())
				if !test.held {
					m.assertEmptySpool(t)
					return
				}
				m.before = nil
				assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
				m.assertUCPRuns(t)
				m.assertEmptySpool(t)
			})
		})
	}
}
