package backup

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// leave puts an agent of an earlier run on the manager, with a spool in which it left papers.
func (m *manager) leave(tb testing.TB, state, spool string, papers ...paper) {
	tb.Helper()
	left := &box{
		id: "agent-old", image: "docker-ucp/agent:old", labels: map[string]string{engine.LabelStartedBy: "root@cron"},
		created: time.Now().Add(-time.Hour), ended: time.Now().Add(-time.Hour), state: state, grown: make(chan struct{}),
		mounts: []mount.Mount{{Type: mount.TypeVolume, Source: spool, Target: engine.SpoolPath}}, policy: true, forget: func() {},
	}
	m.mu.Lock()
	_, found := m.labels[spool]
	m.mu.Unlock()
	if !found {
		m.add(tb, spool, map[string]string{engine.LabelStartedBy: "root@cron"})
	}
	for _, p := range papers {
		m.write(tb, filepath.Join(spool, p.name), p.content)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = append(m.images, left.image)
	m.agent = left
}

// write makes a file in a volume.
func (m *manager) write(tb testing.TB, name string, content []byte) {
	tb.Helper()
	at := filepath.Join(m.volumes, name)
	assert.NilError(tb, os.MkdirAll(filepath.Dir(at), 0o700))
	assert.NilError(tb, os.WriteFile(at, content, 0o600))
}

// paper is a file that an agent leaves in its spool.
type paper struct {
	name    string
	content []byte
}

func written(name string, value any) paper {
	content, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return paper{name, content}
}

// atRest is the journal of a run that brought two containers to rest.
func atRest() agent.Journal {
	return agent.Journal{EngineID: "ENGINE:ONE", Node: "node1", By: "root@cron", Plan: quiesce.Plan{Waves: [][]quiesce.Target{
		{{ID: "ucp-agent", Name: "ucp-agent", Action: quiesce.Pause}}, {{ID: "ucp-kv", Name: "ucp-kv", Action: quiesce.Stop}},
	}}}
}

func journal() paper { return written(agent.JournalInSpool, atRest()) }
func orphan() paper  { return written(agent.OrphanInSpool, atRest()) }

func TestARunningBackupIsNotDisturbed(t *testing.T) {
	tests := map[string]struct {
		state string
		age   time.Duration
	}{
		"at work":                        {"running", time.Hour},
		"made and about to be started":   {"created", time.Second},
		"at work, on a clock before our": {"running", -time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, test.state, DefaultSpool, journal())
				m.agent.created = time.Now().Add(-test.age)
				before := m.agent
				r := m.backUp(t, nil)
				assert.ErrorContains(t, r.err, "another backup is running on this manager since ")
				assert.ErrorContains(t, r.err, "started by root@cron")
				assertRefused(t, r.err, "see what it does: docker logs --follow docker-ucp-agent")
				assert.Check(t, m.agent == before)
				assert.Equal(t, len(m.images), 1)
				assert.Equal(t, len(m.moved()), 0)
				r.assertNoFile(t)
			})
		})
	}
}

func TestAnAgentThatIsJustBeingRemovedIsNoHindrance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool)
		m.images = nil
		m.before = func(call string) error {
			if call == "inspect agent-old" {
				m.agent = nil
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		m.assertUntouched(t)
	})
}

func TestWhatADeadRunLeftIsSetRightFirst(t *testing.T) {
	tests := map[string]struct {
		state  string
		papers []paper
		atRest bool
	}{
		"never started":                       {state: "created"},
		"ended before it touched anything":    {state: "exited"},
		"died with UCP at rest":               {state: "exited", papers: []paper{journal()}, atRest: true},
		"died again while it brought it back": {state: "exited", papers: []paper{orphan()}, atRest: true},
		"and is about to be started again":    {state: "restarting", papers: []paper{journal()}, atRest: true},
		"in vain and again":                   {state: "restarting", papers: []paper{orphan()}, atRest: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, test.state, DefaultSpool, test.papers...)
				var first []string // moved before the backup's own six calls
				if test.atRest {
					m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
					m.heldByCron()
					first = []string{"start ucp-kv", "unpause ucp-agent"}
				}
				r := m.backUp(t, func(r *run) { r.opts.Spool = "another" })
				assert.NilError(t, r.err)
				r.assertArchive(t)
				m.assertUntouched(t)
				moved := m.moved()
				assert.DeepEqual(t, moved[:len(moved)-6], append([]string{}, first...))
				said := r.talk.String()
				assert.Equal(t, strings.Contains(said, "an earlier backup, started by root@cron, died and left UCP at rest"), test.atRest)
				assert.Check(t, cmp.Contains(said, "removing what an earlier backup left on the manager, started by root@cron"))
			})
		})
	}
}

func TestALeftoverInTheOperatorsVolumeIsTakenOutAndTheVolumeStays(t *testing.T) {
	for _, name := range []string{"large-disk", DefaultSpool} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.add(t, name, map[string]string{"owner": "operations"})
				plain := filepath.Join(m.volumes, name, ".docker-ucp-spool", "clones", "1")
				assert.NilError(t, os.MkdirAll(filepath.Dir(plain), 0o700))
				assert.NilError(t, os.WriteFile(plain, []byte("a clone in plain"), 0o600))
				theirs := filepath.Join(m.volumes, name, "docker-ucp") // where an archive was unpacked
				assert.NilError(t, os.Mkdir(theirs, 0o700))
				m.leave(t, "exited", name)
				r := m.backUp(t, func(r *run) { r.opts.Spool = "another" })
				assert.NilError(t, r.err)
				left, err := os.ReadDir(filepath.Join(m.volumes, name))
				assert.NilError(t, err)
				assert.Equal(t, len(left), 1)
				assert.Equal(t, left[0].Name(), "docker-ucp")
				delete(m.labels, name)
				m.assertUntouched(t)
			})
		})
	}
}

func TestALeftoverThatCannotBeEmptiedIsToldAndDoesNotStopTheBackup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.add(t, "large-disk", nil)
		m.leave(t, "exited", "large-disk")
		m.before = func(call string) error {
			if call == "start task clean" {
				return errors.New("no space left on device")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(r.talk.String(), "what the earlier backup left in volume large-disk stays there until a backup uses that volume again"))
		delete(m.labels, "large-disk")
		m.assertUntouched(t)
	})
}

func TestASpoolThatARunLeftWithoutItsAgentIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.add(t, DefaultSpool, map[string]string{engine.LabelStartedBy: "root@cron"})
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		m.assertUntouched(t)
	})
}

func TestALeftoverThatKeepsUCPDownStopsTheBackup(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool, journal())
		m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
		m.before = func(call string) error {
			if call == "unpause ucp-agent" {
				return errors.New("cgroup is gone")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "bring UCP back: start ucp-agent again: cgroup is gone")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker unpause ucp-agent || docker start ucp-agent"})
		assert.Check(t, m.agent != nil, "what tells how to bring UCP back is kept")
	})
}

func TestADryRunLeavesALeftoverAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool, journal())
		m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
		r := m.backUp(t, func(r *run) { r.opts.DryRun = true })
		assertRefused(t, r.err, "take a backup, or: docker start ucp-kv; docker unpause ucp-agent || docker start ucp-agent; docker node update --label-rm com.docker.ucp.agent-pause --label-rm io.docker-ucp.held-by node1")
		assert.ErrorContains(t, r.err, "UCP is at rest")
		assert.Check(t, m.agent != nil)
		assert.Equal(t, len(m.moved()), 0)
		assert.Check(t, !slices.Contains(m.calls, "import"))
	})
}
