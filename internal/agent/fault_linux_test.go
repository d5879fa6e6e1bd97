package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/snapshot"
)

func TestUCPRunsWhicheverCallFailsOnce(t *testing.T) {
	healthy := newMachine(t)
	_, err := healthy.backUp(t, healthy.job(), healthy.order())
	assert.NilError(t, err)
	for n := range len(healthy.calls) {
		t.Run(fmt.Sprintf("%d %s", n+1, healthy.calls[n]), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.before = failNth(n + 1)
				talk, err := m.backUp(t, m.job(), m.order())
				m.assertUCPRuns(t)
				if err == nil { // a second try helped, or the archive can do without
					assert.Equal(t, len(talk.last(Finished).NotResumed), 0)
					checkArchive(t, m.archivePath())
					return
				}
				assert.ErrorContains(t, err, fmt.Sprintf("call %d ", n+1))
				assert.Equal(t, len(talk.last(Failed).NotResumed), 0)
				m.assertEmptySpool(t)
			})
		})
	}
}

// TestUCPRunsWheneverTheAgentIsCancelled cancels at each call to the engine and at each event, one run after another.
func TestUCPRunsWheneverTheAgentIsCancelled(t *testing.T) {
	for name, clone := range map[string]bool{"reading while UCP rests": false, "with a clone": true} {
		t.Run(name, func(t *testing.T) {
			for step := 1; ; step++ {
				if cancelledAt(t, step, clone) < step {
					assert.Check(t, step > 15, "no more than %d steps", step)
					return
				}
			}
		})
	}
}

// cancelledAt cancels a run at a step and returns how many there were.
func cancelledAt(t *testing.T, step int, clone bool) (steps int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Clone = clone
		talk := m.start(t)
		var at string
		count := func(what string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if steps++; steps == step {
				at = what
				talk.cancel(errors.New("terminated"))
			}
		}
		m.before = func(call string) error { count(call); return nil }
		talk.on = func(event Event) { count(string(event.Type)) }
		talk.send(m.job())
		talk.send(order)
		err := talk.wait()
		m.assertUCPRuns(t)
		if slices.Contains(talk.types(), Finished) {
			assert.NilError(t, err)
			checkArchive(t, m.archivePath())
			return
		}
		assert.ErrorContains(t, err, "terminated", at)
		assert.Equal(t, len(talk.last(Failed).NotResumed), 0)
		m.assertEmptySpool(t)
	})
	return steps
}

func TestAContainerThatDoesNotComeBackIsNamed(t *testing.T) {
	noStart := func(call string) error {
		if call == "start c-kv" {
			return errors.New("no space left on device")
		}
		return nil
	}
	t.Run("and the archive is finished", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newMachine(t)
			m.before = noStart
			talk, err := m.backUp(t, m.job(), m.order())
			assert.NilError(t, err)
			assert.DeepEqual(t, talk.last(Resumed).NotResumed, []string{"ucp-kv"})
			assert.DeepEqual(t, talk.last(Finished).NotResumed, []string{"ucp-kv"})
			assert.Equal(t, talk.last(Warning).Message, "not everything is as it was: start ucp-kv again: no space left on device")
			checkArchive(t, m.archivePath())
			states := m.now()
			assert.Check(t, states["c-controller"].Running && states["c-agent"] == quiesce.State{Running: true})
		})
	})
	t.Run("in the event of a failed run", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newMachine(t)
			talk := m.start(t)
			m.before = noStart
			talk.on = func(event Event) {
				if event.Phase == Stopping && event.Done == 3 {
					talk.cancel(errors.New("terminated"))
				}
			}
			talk.send(m.job())
			talk.send(m.order())
			assert.ErrorContains(t, talk.wait(), "terminated")
			assert.DeepEqual(t, talk.last(Failed).NotResumed, []string{"ucp-kv"})
			m.assertLeft(t, "journal")
		})
	})
}

func TestUCPRunsWhenNobodyTakesTheEvents(t *testing.T) {
	healthy := newMachine(t)
	talk, err := healthy.backUp(t, healthy.job(), healthy.order())
	assert.NilError(t, err)
	planned := slices.IndexFunc(talk.events, func(e Event) bool { return e.Type == Quiescing }) + 1
	for n := range len(talk.events) {
		t.Run(fmt.Sprintf("from event %d on, %s", n+1, talk.events[n].Type), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				talk := m.start(t)
				talk.write = func(line int) error {
					if line > n {
						return errors.New("broken pipe")
					}
					return nil
				}
				talk.send(m.job())
				talk.send(m.order())
				_ = talk.wait()
				m.assertUCPRuns(t)
				if n < planned {
					assert.Equal(t, len(m.moved()), 0, "stopped though nobody could know how to start it again")
					m.assertEmptySpool(t)
					return
				}
				checkArchive(t, m.archivePath())
			})
		})
	}
}

func TestUCPRunsAfterAPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		r := &runner{host: m.host, emitter: &emitter{out: &strings.Builder{}}, spool: newSpool(m.host.Spool)}
		assert.NilError(t, r.spool.prepare())
		defer func() {
			assert.Check(t, recover() != nil)
			m.assertUCPRuns(t)
			assert.Check(t, !r.spool.unsettled())
			assert.Equal(t, len(m.moved()), 6)
		}()
		withoutPipeline := capture{live: snapshot.Live{Root: m.host.Volumes}}
		_, err := r.atRest(t.Context(), m.order(), withoutPipeline)
		t.Fatalf("no panic, but %v", err)
	})
}

// TestAVolumeThatCannotBeReadToItsEndFailsTheRun reads from sysfs, whose files claim 4096 bytes and hold fewer.
func TestAVolumeThatCannotBeReadToItsEndFailsTheRun(t *testing.T) {
	const root, volume = "/sys/kernel/mm", "transparent_hugepage"
	if _, err := os.Stat(root + "/" + volume + "/enabled"); err != nil {
		t.Skip("no sysfs with this file: ", err)
	}
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.host.Volumes = root
		job, order := m.job(), m.order()
		job.Volumes = []string{volume}
		order.Manifest.Volumes = order.Manifest.Volumes[:1]
		order.Manifest.Volumes[0].Name = volume
		talk, err := m.backUp(t, job, order)
		assert.ErrorContains(t, err, snapshot.ErrChanged.Error())
		assert.Check(t, cmp.Contains(talk.last(Failed).Message, volume+"/"), "it names the file")
		assert.DeepEqual(t, talk.complete(), []Phase{Stopping})
		assert.Equal(t, len(m.moved()), 6)
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

func TestASpoolThatRunsFullFailsTheRun(t *testing.T) {
	for name, clone := range map[string]bool{"the archive": false, "the clone": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			if err := unix.Mount("none", m.host.Spool, "tmpfs", 0, "size=64k"); err != nil {
				t.Skip("cannot mount a small file system: ", err)
			}
			defer func() { assert.Check(t, unix.Unmount(m.host.Spool, 0)) }()
			inBubble(t, func(t *testing.T) {
				order := m.order()
				order.Clone = clone
				_, err := m.backUp(t, m.job(), order)
				assert.ErrorContains(t, err, "no space left on device")
				m.assertUCPRuns(t)
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestACancelIsToldByItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		talk.cancel(context.Canceled)
		assert.Error(t, talk.end(), "read the job: context canceled")
		assert.Equal(t, talk.last(Failed).Message, "read the job: context canceled")
	})
}
