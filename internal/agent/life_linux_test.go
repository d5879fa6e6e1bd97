package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// TestTheNextLifeSetsRightWhatADeadAgentLeft has the agent die at each call to the engine and at each event, one run after
// another. The engine starts it again, and its input then never ends.
func TestTheNextLifeSetsRightWhatADeadAgentLeft(t *testing.T) {
	for name, clone := range map[string]bool{"reading while UCP rests": false, "with a clone": true} {
		t.Run(name, func(t *testing.T) {
			for step := 1; ; step++ {
				if diesAt(t, step, clone) < step {
					assert.Check(t, step > 25, "no more than %d steps", step)
					return
				}
			}
		})
	}
}

// diesAt has the agent die at a step, looks at its next life, and returns how many steps there were.
func diesAt(t *testing.T, step int, clone bool) (steps int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Clone = clone
		var left *machine
		var at string
		var mu sync.Mutex
		die := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			if steps++; steps == step {
				left, at = m.copied(t), what
			}
		}
		m.before = func(call string) error { die(call); return nil }
		talk := m.start(t)
		talk.on = func(event Event) { die(string(event.Type)) }
		talk.send(m.job())
		talk.send(order)
		assert.NilError(t, talk.wait())
		if left == nil {
			return
		}
		t.Log("it dies at", at)
		atRest, finished := newSpool(left.host.Spool).unsettled(), newSpool(left.host.Spool).finished()
		if verb, id, _ := strings.Cut(at, " "); verb == "stop" || verb == "pause" {
			time.AfterFunc(8*time.Second, func() { left.obeyLate(verb, id) })
		}
		failed := left.start(t).end()
		time.Sleep(10 * time.Second)
		left.assertUCPRuns(t)
		if finished {
			assert.NilError(t, failed, "the last word was said")
			checkArchive(t, left.archivePath())
			left.assertLeft(t, "archive", "receipt")
			return
		}
		want := "nobody told this agent what to do"
		if atRest {
			want = "the backup that tester@there started at 2000-01-01T00:00:00Z was interrupted on the manager; UCP runs again"
		}
		assert.ErrorContains(t, failed, want)
		left.assertEmptySpool(t)
	})
	return steps
}

// obeyLate does what the engine was asked for by an agent that has died since.
func (e *engines) obeyLate(verb, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	state := e.states[id]
	if verb == "stop" {
		state.Running = false
	} else {
		state.Paused = true
	}
	e.states[id] = state
}

// orphaned is a manager on which the agent died with all of UCP at rest.
func orphaned(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
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
	left.assertLeft(t, "archive", "journal")
	assert.Equal(t, left.labels["com.docker.ucp.agent-pause"], "true")
	return left
}

func TestAnEngineThatGivesNoAnswerIsLeftForTheNextLife(t *testing.T) {
	tests := map[string]func(ctx context.Context) error{
		"it refuses connections":     func(context.Context) error { return errors.New("connection refused") },
		"it accepts and never talks": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := orphaned(t)
				m.answer = answer
				began := time.Now()
				talk := m.start(t)
				assert.NilError(t, talk.end(), "no last word")
				assert.Check(t, time.Since(began) <= enginePatience, "it took %s", time.Since(began))
				assert.Check(t, cmp.Contains(talk.last(Warning).Message, "the engine gives no answer"))
				m.assertLeft(t, "archive", "journal")

				m.answer = nil
				assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
				m.assertUCPRuns(t)
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestAnEngineThatIsSlowToBeginIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		began := time.Now()
		m.before = func(string) error {
			if time.Since(began) < 3*time.Second {
				return errors.New("connection refused")
			}
			return nil
		}
		assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestAnEngineThatFallsSilentInALaterLifeIsLeftForTheNext(t *testing.T) {
	for _, call := range []string{"start c-kv", "start c-controller", "unpause c-agent", "node node-one"} {
		t.Run(call, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := orphaned(t)
				silent := false
				m.before = func(now string) error {
					if silent = silent || now == call; silent {
						return errors.New("connection refused")
					}
					return nil
				}
				talk := m.start(t)
				assert.NilError(t, talk.end(), "no last word")
				m.assertLeft(t, "archive", "orphan")

				m.before = nil
				assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
				m.assertUCPRuns(t)
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestASignalDoesNotEndALaterLifeBeforeUCPRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		terminate := make(chan func(error), 1)
		m.before = func(call string) error {
			if call == "start c-kv" {
				(<-terminate)(errors.New("terminated"))
			}
			return nil
		}
		talk := m.start(t)
		terminate <- talk.cancel
		assert.ErrorContains(t, talk.end(), "UCP runs again")
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestALaterLifeGoesOnTryingToStartAContainer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		var fails atomic.Bool
		fails.Store(true)
		var tries atomic.Int64
		m.before = func(call string) error {
			if call == "start c-kv" && fails.Load() {
				tries.Add(1)
				return errors.New("port is already allocated")
			}
			return nil
		}
		talk := m.start(t)
		time.Sleep(10 * time.Minute)
		assert.DeepEqual(t, talk.last(Failed).NotResumed, []string{"ucp-kv"})
		assert.Check(t, tries.Load() > 50 && tries.Load() < 200, "%d tries in ten minutes", tries.Load())
		fails.Store(false)
		assert.ErrorContains(t, talk.end(), "UCP is not yet as it was", "the last word is the first that was said")
		assert.Equal(t, talk.last(Warning).Message, "UCP is as it was before the backup that was interrupted")
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestAContainerThatDoesNotStartIsTriedAgainInEachLife(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		m.before = func(call string) error {
			if call == "start c-kv" {
				return errors.New("port is already allocated")
			}
			return nil
		}
		for range 2 {
			talk := m.start(t)
			assert.ErrorContains(t, talk.goesOn(), "and UCP is not yet as it was: start ucp-kv again: port is already allocated")
			assert.DeepEqual(t, talk.last(Failed).NotResumed, []string{"ucp-kv"})
			assert.Check(t, !talk.last(Failed).Held)
			m.assertLeft(t, "archive", "orphan")
			assert.Equal(t, len(m.labels), 0, "the others need their reconcilers")
		}
		m.before = nil
		talk := m.start(t)
		assert.ErrorContains(t, talk.end(), "UCP runs again")
		assert.Equal(t, len(talk.last(Failed).NotResumed), 0)
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestAContainerThatIsGoneIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		delete(m.states, "c-kv")
		talk := m.start(t)
		assert.ErrorContains(t, talk.end(), "UCP runs again, without containers that are gone since, ucp-kv")
		assert.DeepEqual(t, talk.last(Failed).NotResumed, []string{"ucp-kv"})
		assert.DeepEqual(t, m.now(), map[string]quiesce.State{"c-agent": {Running: true}, "c-controller": {Running: true}, "c-down": {}})
		m.assertEmptySpool(t)
	})
}

func TestAnAgentThatNobodySpeaksToEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.archivePath(), "half an archive")
		began := time.Now()
		talk := m.start(t)
		assert.ErrorContains(t, talk.end(), "nobody told this agent what to do")
		assert.Equal(t, time.Since(began), firstLineTimeout)
		assert.Equal(t, len(m.calls), 0)
		m.assertEmptySpool(t)
	})
}

func TestWhatEndsBeforeAnythingIsTouchedIsNobodysToStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type == Quiescing {
				var journal Journal
				m.readPaper(t, JournalInSpool, &journal)
				assert.DeepEqual(t, journal.Plan.Names(quiesce.Stop), []string{"ucp-kv"})
			}
		}
		talk.send(m.job())
		synctest.Wait()
		m.mu.Lock()
		m.states["c-controller"] = quiesce.State{}
		m.mu.Unlock()
		talk.send(m.order())
		assert.NilError(t, talk.wait())
		talk.last(Finished)
		assert.Check(t, !m.now()["c-controller"].Running)
		assert.Check(t, m.now()["c-kv"].Running)
	})
}
