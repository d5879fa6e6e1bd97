package backup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestWhatCannotBeDeliveredStaysOnTheManager(t *testing.T) {
	tests := map[string]func(m *manager, r *run){
		"the folder is removed": func(m *manager, r *run) {
			m.at(phase{call: "copy archive"}, func() {
				if err := os.RemoveAll(filepath.Dir(r.opts.Path)); err != nil {
					panic(err)
				}
			})
		},
		"somebody took the file away": func(m *manager, r *run) {
			m.at(phase{call: "copy archive"}, func() {
				if err := os.Remove(r.opts.Path + ".part"); err != nil {
					panic(err)
				}
			})
		},
		"standard output is closed": func(_ *manager, r *run) { r.opts.Path, r.opts.Stdout = "", closed{} },
		"standard output, on a wire that breaks": func(m *manager, r *run) {
			r.opts.Path = ""
			m.spoil = func(content []byte) []byte { return content[:len(content)/2] }
		},
		"over a connection that is gone": func(m *manager, _ *run) {
			m.at(phase{call: "copy archive"}, func() { m.setDown(true) })
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				r := m.backUp(t, func(r *run) { change(m, r) })
				assert.ErrorContains(t, r.err, "; the archive is whole, and waits on the manager")
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
				assert.Equal(t, failure.Hints(r.err)[0], "fetch it with: docker ucp backup --resume FILE")
				assert.Assert(t, r.result == nil)
				m.assertRuns(t)
				m.setDown(false)
				m.spoil = nil
				m.assertResumable(t)
			})
		})
	}
}

func TestWhatHasGoneToStandardOutputIsNotSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		copies := 0
		m.spoil = func(content []byte) []byte {
			copies++
			return content[:len(content)/2]
		}
		r := m.backUp(t, func(r *run) { r.opts.Path = "" })
		assert.ErrorContains(t, r.err, "the archive changed on its way")
		assert.Equal(t, copies, 1)
		m.spoil = nil
		m.assertResumable(t)
	})
}

// closed is standard output whose reader has left.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestOfACancelledDeliveryNothingStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) { m.at(phase{call: "copy archive"}, r.cancel) })
		assert.Error(t, r.err, "backup cancelled; UCP runs as before")
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestOfADirectArchiveThatIsSpoiltNothingStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		r := m.backUp(t, func(r *run) {
			m.overhear = func(event agent.Event) {
				if event.Type == agent.Finished {
					assert.Check(t, os.Truncate(r.opts.Path+".part", 1000))
				}
			}
		})
		assert.ErrorContains(t, r.err, "the archive changed on its way")
		assert.DeepEqual(t, failure.Hints(r.err), []string{"UCP runs as before; try again"})
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestAnArchiveThatSomebodyRemovedIsNotPromised(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.at(phase{call: "copy archive"}, func() {
			m.end()
			m.mu.Lock()
			defer m.mu.Unlock()
			m.agent = nil
		})
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "somebody removed the agent's container from the manager, and the finished archive with it")
		assert.Equal(t, failure.KindOf(r.err), failure.Failed)
		assert.Equal(t, len(failure.Hints(r.err)), 0)
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

// A connection that breaks ends the agent's input, and so the agent: it is started again to hold its name, and while it
// does, no other backup begins.
func TestTheNameIsHeldForAPluginThatComesBack(t *testing.T) {
	tests := map[string]func(m *manager){
		"where the agent ended with its connection": func(m *manager) { m.setDown(true); time.Sleep(time.Second); m.setDown(false) },
		"where it died and lives again":             func(m *manager) { m.die(); m.breakInput(); time.Sleep(time.Second) },
		"where it was killed":                       func(m *manager) { m.kill(); <-m.agent.stopped },
	}
	for name, disturb := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				copies := 0
				m.before = func(call string) error {
					if call != "copy archive" {
						return nil
					}
					switch copies++; copies {
					case 1:
						disturb(m)
						return errors.New("connection reset by peer")
					default:
						time.Sleep(stallLimit - time.Second) // as long as an engine may take
						other := m.backUp(t, nil)
						assert.ErrorContains(t, other.err, "another backup is running on this manager")
						return nil
					}
				}
				r := m.backUp(t, nil)
				assert.NilError(t, r.err)
				assert.Equal(t, copies, 2)
				assert.Check(t, cmp.Contains(r.talk.String(), "connection reset by peer; fetching it again"))
				r.assertArchive(t)
				assert.Equal(t, len(m.moved()), 6)
				m.assertUntouched(t)
			})
		})
	}
}

func TestANodeThatCannotBeReleasedIsLeftToTheAgent(t *testing.T) {
	tests := map[string]struct {
		when  phase // the swarm loses its leader
		fails string
		dies  bool
	}{
		"beside a whole archive":          {when: phase{call: "unpause ucp-agent"}},
		"beside a backup that failed":     {when: phase{call: "unpause ucp-agent"}, fails: "stop ucp-kv"},
		"after the agent's death at rest": {when: phase{event: atRestNow}, dies: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.at(test.when, func() {
					m.setLeader(false)
					if test.dies {
						m.die()
					}
				})
				m.failing(test.fails)
				r := m.backUp(t, nil)
				r.assertHeld(t)
				if test.fails == "" && !test.dies {
					r.assertArchive(t)
				} else {
					r.assertNoFile(t)
				}
				m.assertRuns(t)
				assert.Equal(t, len(m.node.Spec.Labels), 2)

				m.setLeader(true)
				after(10 * time.Minute)
				assert.Equal(t, len(m.node.Spec.Labels), 0)
				assert.Assert(t, m.agentIs("exited"))
				m.before = nil
				assert.NilError(t, m.backUp(t, nil).err)
				m.assertUntouched(t)
			})
		})
	}
}

// failing has a call fail, beside what is done already before calls.
func (m *manager) failing(call string) {
	before := m.before
	m.before = func(now string) error {
		if now == call {
			return errors.New("it does not listen")
		}
		if before != nil {
			return before(now)
		}
		return nil
	}
}

// assertHeld holds for a run that says that the node is held, and what to type.
func (r *run) assertHeld(tb testing.TB) {
	tb.Helper()
	assert.ErrorContains(tb, r.err, "UCP's reconcilers on manager1 stay told to hold still, for want of a leader of the swarm; "+
		"container docker-ucp-agent stays on the manager and tells them to go on when there is one")
	assert.Equal(tb, failure.KindOf(r.err), failure.Attention)
	assert.Check(tb, cmp.Contains(strings.Join(failure.Hints(r.err), "\n"),
		"docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node1"))
}

func TestANodeThatIsReleasedAtTheSecondTryIsNobodysConcern(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.at(phase{call: "unpause ucp-agent"}, func() {
			m.setLeader(false)
			go func() { time.Sleep(15 * time.Second); m.setLeader(true) }()
		})
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}

func TestALabelThatNobodyIsThereToTakeOffIsTakenOffFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.heldByCron()
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(r.talk.String(), "an earlier backup, started by root@cron, told UCP's reconcilers on this node to hold still; letting them go on"))
		first := slices.Index(m.seen(), "update node node1")
		assert.Check(t, first >= 0 && first < slices.Index(m.seen(), "import"))
		m.assertUntouched(t)
	})
}

func TestADryRunLeavesALabelWhereItIsAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.heldByCron()
		r := m.backUp(t, func(r *run) { r.opts.DryRun = true })
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(r.talk.String(), "told UCP's reconcilers on this node to hold still; the next backup lets them go on"))
		assert.Equal(t, len(m.node.Spec.Labels), 2)
	})
}

func TestTheLabelOfADeadRunThatStaysIsTriedAgainAtTheEnd(t *testing.T) {
	for name, back := range map[string]bool{"and comes off": true, "and is a person's matter": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, "exited", DefaultSpool, journal())
				m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
				m.heldByCron()
				m.setLeader(false)
				m.at(phase{call: "remove image"}, func() { m.setLeader(back) })
				r := m.backUp(t, func(r *run) { r.opts.Exclude = []string{"ucp-none"} }) // no agent gets an order
				assert.ErrorContains(t, r.err, "UCP has no such volume")
				m.assertRuns(t)
				assert.Check(t, cmp.Contains(r.talk.String(), "UCP's reconcilers on this node stay told to hold still for now"))
				if back {
					assert.Equal(t, failure.KindOf(r.err), failure.Refused)
					assert.Equal(t, len(m.node.Spec.Labels), 0)
					return
				}
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
				assert.Check(t, cmp.Contains(strings.Join(failure.Hints(r.err), "\n"),
					"docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node1"))
			})
		})
	}
}
