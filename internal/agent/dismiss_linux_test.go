package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

var errLeaderless = errors.New("the swarm does not have a leader")

func failing(calls ...string) func(string) error {
	return func(call string) error {
		for _, one := range calls {
			if call == one {
				return errLeaderless
			}
		}
		return nil
	}
}

func TestAnAgentThatHoldsTheNameTouchesNothingUntilItIsDismissed(t *testing.T) {
	tests := map[string]struct {
		dismiss func(talk *talk)
		left    []string
	}{
		"by the end of its input":  {func(talk *talk) { talk.hangUp() }, []string{"archive", "receipt"}},
		"by a signal":              {func(talk *talk) { talk.cancel(errors.New("terminated")) }, []string{"archive", "receipt"}},
		"when all is delivered":    {func(talk *talk) { talk.send(Job{Clean: true}) }, nil},
		"by something that is not": {func(talk *talk) { talk.send(Job{Hold: true}) }, []string{"archive", "receipt"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				_, err := m.backUp(t, m.job(), m.order())
				assert.NilError(t, err)
				m.calls = nil
				talk := m.start(t)
				talk.send(Job{Hold: true})
				time.Sleep(time.Hour)
				assert.Equal(t, len(talk.ended), 0, "it has given up the name")
				test.dismiss(talk)
				assert.NilError(t, talk.end())
				assert.Equal(t, len(talk.events), 0)
				assert.Equal(t, len(m.calls), 0)
				if test.left == nil {
					m.assertEmptySpool(t)
					return
				}
				m.assertLeft(t, test.left...)
				checkArchive(t, m.archivePath())
			})
		})
	}
}

func TestAWaitingArchiveGivesWayToAnOrderAndToNothingElse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		_, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		before, err := os.ReadFile(m.archivePath())
		assert.NilError(t, err)
		m.write(t, filepath.Join(m.host.Spool, spoolFolder, "clones", "index"), "half a clone")

		withoutOrder := m.start(t)
		withoutOrder.send(m.job())
		assert.NilError(t, withoutOrder.wait())
		m.assertLeft(t, "archive", "receipt")

		bad := m.order()
		bad.Manifest = nil
		_, err = m.backUp(t, m.job(), bad)
		assert.Error(t, err, "the order has no manifest")
		m.assertLeft(t, "archive", "receipt")
		assertHolds(t, m.archivePath(), string(before))

		m.before = failNth(2)
		_, err = m.backUp(t, m.job(), m.order())
		assert.ErrorContains(t, err, "call 2 ")
		m.assertEmptySpool(t)
	})
}

func TestTheRoomOfAWaitingArchiveCountsAsFree(t *testing.T) {
	m := newMachine(t)
	m.smallDisk(t)
	inBubble(t, func(t *testing.T) {
		free := func() int64 {
			talk := m.start(t)
			talk.send(m.job())
			assert.NilError(t, talk.wait())
			return talk.last(Surveyed).Survey.SpoolFree
		}
		empty := free()
		_, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		full, err := newSpool(m.host.Spool).free()
		assert.NilError(t, err)
		assert.Check(t, empty-free() <= 8192, "%d of %d bytes, beside the receipt; %d", free(), empty, full)
	})
}

func TestATroubleThatIsToldGoesWithTheSpool(t *testing.T) {
	t.Run("a container that does not start", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newMachine(t)
			m.before = failing("start c-kv")
			talk := m.start(t)
			talk.send(m.job())
			talk.send(m.order())
			synctest.Wait()
			time.Sleep(time.Minute)
			assert.DeepEqual(t, talk.last(Finished).NotResumed, []string{"ucp-kv"})
			m.assertLeft(t, "archive", "journal", "receipt")
			talk.send(Job{Clean: true})
			assert.NilError(t, talk.wait())
			m.assertEmptySpool(t)
		})
	})
	t.Run("one that did not, in a run that failed", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newMachine(t)
			m.before = func(call string) error {
				if call == "stop c-kv" {
					m.wakes("c-down")
				}
				return failing("start c-kv")(call)
			}
			talk := m.start(t)
			talk.send(m.job())
			talk.send(m.order())
			time.Sleep(time.Minute)
			talk.last(Failed)
			assert.Equal(t, len(talk.ended), 0, "somebody may have it try again")
			talk.send(Job{Clean: true})
			assert.ErrorContains(t, talk.wait(), "somebody started uc-down while UCP was brought to rest")
			m.assertEmptySpool(t)
		})
	})
}

func TestATroubleThatNobodyWasToldIsMendedInLaterLives(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = failing("start c-kv")
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		talk.last(Finished)
		m.assertLeft(t, "archive", "journal", "receipt")

		talk = m.start(t)
		assert.NilError(t, talk.goesOn(), "the last word was said")
		assert.Check(t, cmp.Contains(talk.last(Warning).Message, "UCP is not yet as it was: start ucp-kv again"))
		m.assertLeft(t, "archive", "orphan", "receipt")

		m.before = nil
		talk = m.start(t)
		assert.NilError(t, talk.end(), "the last word was said")
		assert.Check(t, cmp.Contains(talk.last(Warning).Message, "UCP runs again"))
		m.assertUCPRuns(t)
		m.assertLeft(t, "archive", "receipt")
		checkArchive(t, m.archivePath())
	})
}

// interrupted is a manager on which an archive waits, and whose agent died before it could start a container.
func interrupted(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.before = failing("start c-kv")
	_, err := m.backUp(t, m.job(), m.order())
	assert.NilError(t, err)
	m.assertLeft(t, "archive", "journal", "receipt")
	m.before = nil
	return m
}

func TestALaterLifeThatFindsAnArchiveHoldsItsNameToo(t *testing.T) {
	tests := map[string]struct {
		held    time.Duration
		dismiss func(talk *talk)
		left    []string
	}{
		"until all is delivered":       {time.Hour, func(talk *talk) { talk.send(Job{Clean: true}) }, nil},
		"until the end of its input":   {time.Hour, func(talk *talk) { talk.hangUp() }, []string{"archive", "receipt"}},
		"a minute, when nobody speaks": {time.Minute, nil, []string{"archive", "receipt"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := interrupted(t)
				talk := m.start(t)
				if test.dismiss != nil {
					go talk.send(Job{Hold: true}) // it reads that when UCP runs
				}
				time.Sleep(test.held)
				m.assertUCPRuns(t)
				assert.Equal(t, len(talk.ended), 0, "it has given up the name")
				if test.dismiss != nil {
					test.dismiss(talk)
				}
				assert.NilError(t, talk.end(), "the last word was another life's")
				if test.left == nil {
					m.assertEmptySpool(t)
					return
				}
				m.assertLeft(t, test.left...)
			})
		})
	}
}

func TestALaterLifeThatIsToldToEndHoldsNoName(t *testing.T) {
	for name, end := range map[string]func(talk *talk){
		"by a signal":             func(talk *talk) { talk.cancel(errors.New("terminated")) },
		"by the end of its input": func(talk *talk) { talk.hangUp() },
	} {
		for when, after := range map[string]time.Duration{"at once": 0, "when it listens": 30 * time.Second} {
			t.Run(name+" "+when, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m := interrupted(t)
					talk := m.start(t)
					began := time.Now()
					time.Sleep(after)
					end(talk)
					assert.NilError(t, talk.end(), "the last word was another life's")
					assert.Check(t, time.Since(began) <= max(after, 20*time.Second), "it took %s", time.Since(began))
					m.assertUCPRuns(t)
					m.assertLeft(t, "archive", "receipt")
				})
			})
		}
	}
}

func TestContainersThatAreGoneKeepNoJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = func(call string) error {
			if call == "start c-kv" {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.states, "c-kv")
			}
			return nil
		}
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		assert.DeepEqual(t, talk.last(Finished).NotResumed, []string{"ucp-kv"})
		m.assertLeft(t, "archive", "receipt")
	})
}
