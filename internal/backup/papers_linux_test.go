package backup

import (
	"errors"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestAJournalOfAnotherEngineIsNotTouched(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		other := atRest()
		other.EngineID = "ENGINE:TWO"
		m.leave(t, "exited", DefaultSpool, written(agent.JournalInSpool, other))
		r := m.backUp(t, nil)
		assert.Error(t, r.err, "volume docker-ucp-spool holds what a backup of another engine, ENGINE:TWO, has to put right")
		assertRefused(t, r.err, "take a backup there first; each engine needs a spool of its own")
		assert.Check(t, m.agent != nil && len(m.moved()) == 0)
	})
}

func TestAJournalThatCannotBeReadIsNoProofThatUCPRuns(t *testing.T) {
	tests := map[string]struct {
		content string
		wire    error
		kind    failure.Kind
	}{
		"because it is damaged":               {content: "{", kind: failure.Attention},
		"because the connection breaks again": {content: "{}", wire: errors.New("unexpected EOF"), kind: failure.Failed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, "exited", DefaultSpool, paper{agent.JournalInSpool, []byte(test.content)})
				m.wire = func(call string) error {
					if call == "copy journal" {
						return test.wire
					}
					return nil
				}
				r := m.backUp(t, nil)
				assert.ErrorContains(t, r.err, "read the journal that an earlier backup left: ")
				assert.Equal(t, failure.KindOf(r.err), test.kind)
				assert.Check(t, len(failure.Hints(r.err)) > 0)
				assert.Check(t, m.agent != nil && len(m.moved()) == 0)
			})
		})
	}
}

func TestAJournalWithoutItsAgentIsSettledByTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool, journal())
		m.agent, m.images = nil, nil // somebody removed it
		m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
		m.heldByCron()
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the backup that root@cron started")
		assert.ErrorContains(t, r.err, "UCP runs again")
		assert.Check(t, cmp.Contains(strings.Join(failure.Hints(r.err), " "), "try again"))
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestAWaitingArchiveIsFetchedAlsoWhereAContainerDoesNotStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.spoil = func([]byte) []byte { return nil }
		down := true
		m.before = func(call string) error {
			if call == "start ucp-kv" && down {
				return errors.New("no space left on device")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the archive is whole, and waits on the manager")
		assert.Check(t, cmp.Contains(failure.Hints(r.err), "docker start ucp-kv"))
		m.spoil = nil
		r = m.backUp(t, resuming)
		assert.ErrorContains(t, r.err, "bring UCP back: start ucp-kv again: no space left on device")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker start ucp-kv"})
		r.assertArchive(t)
		m.assertClean(t)
	})
}

func TestWhatADryRunFindsOfADeadRun(t *testing.T) {
	tests := map[string]struct {
		states map[string]string
		want   string
		hint   string
	}{
		"with all at rest": {
			map[string]string{"ucp-kv": "exited", "ucp-agent": "paused"},
			"UCP is at rest: an earlier backup, started by root@cron, died and left ucp-agent, ucp-kv down; the next backup brings them back first",
			"take a backup, or: docker start ucp-kv; docker unpause ucp-agent || docker start ucp-agent; docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node1",
		},
		"with one at rest": {
			map[string]string{"ucp-kv": "exited"},
			"UCP is at rest: an earlier backup, started by root@cron, died and left ucp-kv down; the next backup brings them back first",
			"take a backup, or: docker start ucp-kv; docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node1",
		},
		"with nothing at rest": {
			nil,
			"an earlier backup, started by root@cron, left container docker-ucp-agent behind; the next backup sets that right first",
			"take a backup, or look at: docker logs docker-ucp-agent",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, "exited", DefaultSpool, orphan())
				for container, state := range test.states {
					m.states[container] = state
				}
				r := m.backUp(t, func(r *run) { r.opts.DryRun = true })
				assert.Error(t, r.err, test.want)
				assertRefused(t, r.err, test.hint)
				assert.Check(t, m.agent != nil && len(m.moved()) == 0)
			})
		})
	}
}
