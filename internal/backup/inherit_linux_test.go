package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// buffered takes all that is written to an input that nobody reads, as a wire does.
type buffered struct{ to io.Writer }

func (b buffered) Write(p []byte) (int, error) {
	content := append([]byte{}, p...)
	go func() { _, _ = b.to.Write(content) }() // it ends with the connection
	return len(p), nil
}

// prune leaves the spool of an earlier run, whose agent somebody removed.
func (m *manager) prune(t *testing.T, papers ...paper) {
	t.Helper()
	m.add(t, DefaultSpool, map[string]string{engine.LabelStartedBy: "root@cron"})
	for _, p := range papers {
		m.write(t, filepath.Join(DefaultSpool, p.name), p.content)
	}
	m.feed = func(to io.WriteCloser) io.Writer { return buffered{to} }
}

// rests has UCP at rest.
func (m *manager) rests() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
}

func (m *manager) inSpool(spool, name string) bool {
	_, err := os.Stat(filepath.Join(m.volumes, spool, name))
	return err == nil
}

func TestAJournalWithoutItsAgentOutlivesARunThatCannotSettleIt(t *testing.T) {
	full := errors.New("no space left on device")
	tests := map[string]func(r *run, m *manager, call string) error{
		"because a container does not start": func(_ *run, _ *manager, call string) error {
			if call == "start ucp-kv" {
				return full
			}
			return nil
		},
		"because it is cancelled": func(r *run, _ *manager, call string) error {
			if call == "start ucp-kv" {
				r.cancel()
				time.Sleep(time.Second)
				return full
			}
			return nil
		},
		"because its agent dies": func(_ *run, m *manager, call string) error {
			if call == "start ucp-kv" {
				m.die()
				return full
			}
			return nil
		},
		"because the engine does not answer its agent": func(_ *run, m *manager, call string) error {
			if call == "start agent" {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.deaf = true
			}
			return nil
		},
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.prune(t, journal())
				m.rests()
				began := time.Now()
				r := m.backUp(t, func(r *run) {
					m.before = func(call string) error { return before(r, m, call) }
				})
				assert.Check(t, time.Since(began) < 5*time.Minute)
				assert.Equal(t, failure.KindOf(r.err), failure.Attention, "%v", r.err)
				assert.ErrorContains(t, r.err, "container docker-ucp-agent stays on the manager and goes on trying to bring UCP back")
				assert.Check(t, !strings.Contains(r.err.Error(), "before anything was touched"), r.err)
				assert.Check(t, cmp.Contains(strings.Join(failure.Hints(r.err), "\n"), "docker start ucp-kv"))
				r.assertNoFile(t)
				assert.Assert(t, m.agent != nil)
				assert.Check(t, m.agent.policy && len(m.images) == 1)
				m.mu.Lock()
				m.before, m.deaf = nil, false
				m.mu.Unlock()
				after(10 * time.Minute)
				m.assertRuns(t)
				assert.NilError(t, m.backUp(t, nil).err)
				m.assertUntouched(t)
			})
		})
	}
}

func TestAJournalWithoutItsAgentOutlivesARunThatCannotLook(t *testing.T) {
	for _, fails := range []string{"create docker-ucp-agent", "start agent", "attach"} {
		t.Run(fails, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.prune(t, journal())
				m.rests()
				m.before = func(call string) error {
					if call == fails {
						return errors.New("no space left on device")
					}
					return nil
				}
				r := m.backUp(t, nil)
				assert.ErrorContains(t, r.err, "no space left on device")
				assert.Check(t, m.inSpool(DefaultSpool, agent.JournalInSpool))
				after(2 * time.Minute)
				m.before = nil
				for range 2 { // the first may only set UCP right
					r = m.backUp(t, nil)
				}
				assert.NilError(t, r.err)
				m.assertUntouched(t)
			})
		})
	}
}

// finishedBefore is what a finished run left whose agent somebody removed.
func finishedBefore(t *testing.T, m *manager) {
	t.Helper()
	path := m.killedIn(t, finished())
	_ = path
	m.end()
	m.mu.Lock()
	m.agent, m.images, m.before, m.hear = nil, nil, nil, nil
	m.mu.Unlock()
}

func TestAnArchiveWhoseAgentWasRemovedIsNotLostUnasked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		finishedBefore(t, m)
		r := m.backUp(t, func(r *run) { r.opts.Attended = true })
		assert.ErrorContains(t, r.err, "a finished archive waits in volume docker-ucp-spool, from an earlier backup")
		assertRefused(t, r.err, "fetch it with: docker ucp backup --resume FILE")
		r = m.backUp(t, resuming)
		assert.NilError(t, r.err)
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}

func TestAnArchiveWhoseAgentWasRemovedMakesWayWithAWordWhereNobodyCanBeAsked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		finishedBefore(t, m)
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(r.talk.String(), "the archive of an earlier backup was never fetched, and makes way for this one"))
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}

func TestACancelledRunClaimsOnlyWhatIsKnown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cause := errors.New("stop container docker-ucp-agent: it still runs")
	tests := map[string]struct {
		b     *backup
		kind  failure.Kind
		words string
	}{
		"nothing touched":                   {&backup{}, failure.Cancelled, "backup cancelled before anything was touched"},
		"touched and back":                  {&backup{touched: true, agent: &conversation{back: true}}, failure.Cancelled, "backup cancelled; UCP runs as before"},
		"touched":                           {&backup{touched: true, agent: &conversation{}}, failure.Attention, "it is not known whether UCP runs"},
		"an earlier run's not put right":    {&backup{wrong: true}, failure.Attention, "it is not known whether UCP runs"},
		"fetching":                          {&backup{opts: Options{Resume: true}, right: true}, failure.Cancelled, "fetching cancelled; UCP runs as before"},
		"fetching, before all is put right": {&backup{opts: Options{Resume: true}}, failure.Attention, "it is not known whether UCP runs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.b.explain(ctx, cause)
			assert.Equal(t, failure.KindOf(err), test.kind, "%v", err)
			assert.ErrorContains(t, err, test.words)
			assert.Equal(t, len(failure.Hints(err)) > 0, test.kind == failure.Attention)
		})
	}
}
