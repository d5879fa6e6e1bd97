package backup

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// killedIn lets a backup whose plugin is killed at a moment come to its end, and returns the output file's path.
func (m *manager) killedIn(t *testing.T, p phase) (path string) {
	t.Helper()
	m.over = make(chan struct{})
	ended := make(chan struct{})
	m.at(p, m.killPlugin)
	go func() {
		defer close(ended)
		m.backUp(t, func(r *run) { path = r.opts.Path })
	}()
	after(time.Hour)
	assert.Assert(t, m.killed != nil)
	m.before, m.hear = nil, nil
	t.Cleanup(func() {
		close(m.over)
		<-ended
	})
	return path
}

// alone are the moments at which the plugin has given no order yet.
func alone() (all []phase) {
	for _, call := range []string{
		"import", "create volume docker-ucp-spool", "create docker-ucp-agent", "attach", "start agent", "logs",
	} {
		all = append(all, phase{name: "before it is allowed to " + call, call: call})
	}
	return all
}

func TestWhateverAPluginLeavesThatIsKilledTheNextRunClearsUp(t *testing.T) {
	for _, p := range append(alone(), phases()...) {
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.killedIn(t, p)
				m.assertRuns(t)
				assert.Check(t, cmp.Len(m.node.Spec.Labels, 0))
				r := m.backUp(t, nil)
				assert.NilError(t, r.err)
				r.assertArchive(t)
				m.assertUntouched(t)
			})
		})
	}
}

func TestTheArchiveOfAPluginThatIsKilledWaits(t *testing.T) {
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.killedIn(t, p)
				r := m.backUp(t, func(r *run) { r.opts.Attended = true })
				assert.ErrorContains(t, r.err, "a finished archive waits on the manager, from a backup of ")
				assert.ErrorContains(t, r.err, ", started by tester@here")
				assertRefused(t, r.err, "fetch it with: docker ucp backup --resume FILE")
				assertRefused(t, r.err, "or take a new one instead, which loses that archive: docker ucp backup --yes FILE")
				r.assertNoFile(t)
				m.assertResumable(t)
			})
		})
	}
}

func TestNothingWaitsWhereThePluginWasKilledBeforeItsOrder(t *testing.T) {
	for _, p := range alone() {
		t.Run(p.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.killedIn(t, p)
				left := m.agent != nil
				r := m.backUp(t, resuming)
				r.assertNoFile(t)
				if left {
					assert.ErrorContains(t, r.err, "no finished archive waits on this manager: the backup that tester@here started was interrupted before")
					m.assertUntouched(t)
					return
				}
				assert.ErrorContains(t, r.err, "no backup left anything on this manager")
			})
		})
	}
}
