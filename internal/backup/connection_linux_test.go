package backup

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

const broke = "the connection to the engine broke; the agent goes on there, trying again"

func TestALogThatIsCutIsReadAgainAndNothingIsToldTwice(t *testing.T) {
	healthy := 0
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "remove" {
				healthy = m.agent.log.Len()
			}
			return nil
		}
		assert.NilError(t, m.backUp(t, nil).err)
	})
	for at := 1; at < healthy; at += 29 { // also in the middle of a frame and of a line
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			cut := false
			m.cut = func(read int) bool {
				now := !cut && read >= at
				cut = cut || now
				return now
			}
			r := m.backUp(t, nil)
			assert.NilError(t, r.err, "cut at %d", at)
			r.assertArchive(t)
			m.assertUntouched(t)
			said := r.talk.String()
			assert.Equal(t, strings.Count(said, broke), 1, said)
			assert.Equal(t, strings.Count(said, "bringing 3 containers of UCP to rest"), 1)
			assert.Equal(t, strings.Count(said, "UCP is back after"), 1)
		})
	}
}

// outages breaks the plugin's connection again and again while the agent is busy and reports nothing.
func (m *manager) outages(times int, length, pause time.Duration) {
	m.before = func(call string) error {
		for range times {
			if call != "configs" {
				break
			}
			m.setDown(true)
			time.Sleep(length)
			m.setDown(false)
			time.Sleep(pause)
		}
		return nil
	}
}

func TestAConnectionThatIsLostForAWhileCostsNothing(t *testing.T) {
	tests := map[string]struct {
		times         int
		length, pause time.Duration
	}{
		"for a moment":           {1, 100 * time.Millisecond, 0},
		"for almost two minutes": {1, 110 * time.Second, 0},
		"again and again":        {5, 70 * time.Second, 100 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.outages(test.times, test.length, test.pause)
				r := m.backUp(t, nil)
				assert.NilError(t, r.err)
				r.assertArchive(t)
				assert.Equal(t, strings.Count(r.talk.String(), broke), test.times)
				m.assertUntouched(t)
			})
		})
	}
}

func TestAConnectionThatIsLostForGoodLeavesUCPToTheAgent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.outages(1, time.Hour, 0)
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the engine cannot be reached any more; the agent there brings UCP back by itself")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{
			"when the engine answers again, to see to UCP and fetch the archive: docker ucp backup --resume FILE",
		})
		r.assertNoFile(t)
		m.setDown(false)
		m.assertResumable(t)
	})
}

func TestAnArchiveThatNobodyHeardOfGetsItsName(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		m.outages(1, time.Hour, 0)
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the engine cannot be reached any more")
		assert.Check(t, cmp.Contains(r.talk.String(), "gets its name with: docker ucp backup --resume "+r.opts.Path))
		m.setDown(false)
		<-m.agent.stopped
		path := r.opts.Path
		r = m.backUp(t, func(r *run) { resuming(r); r.opts.Path = path })
		assert.NilError(t, r.err)
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}

// assertResumable holds where a run could not fetch what its agent made: UCP is what it was, the archive waits, and a
// later run fetches it and clears up.
func (m *manager) assertResumable(tb testing.TB) {
	tb.Helper()
	<-m.agent.stopped
	assert.DeepEqual(tb, m.states, newManager(tb).states)
	moved := len(m.moved())
	r := m.backUp(tb, resuming)
	assert.NilError(tb, r.err)
	assert.Assert(tb, r.result.Resumed)
	r.assertArchive(tb)
	assert.Equal(tb, len(m.moved()), moved, "UCP was stopped again")
	m.assertUntouched(tb)
}

// resuming fetches what waits on the manager.
func resuming(r *run) { r.opts.Resume = true }

func TestALogThatCannotBeReadIsNotWaitedForForever(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.wire = func(call string) error {
			if call == "logs" && len(m.moved()) > 0 {
				return errors.New("the log driver does not support reading")
			}
			return nil
		}
		m.before = func(call string) error {
			if call == "stop ucp-kv" {
				m.breakStreams()
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the log driver does not support reading")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		r.assertNoFile(t)
		m.assertResumable(t)
	})
}

func TestALogThatAlwaysBreaksOffIsNotReadForever(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.cut = func(read int) bool { return read > 100 && len(m.moved()) > 0 }
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "unexpected EOF")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		r.assertNoFile(t)
		m.cut = nil
		m.assertResumable(t)
	})
}

// faulty passes so many bytes on and then fails, also for those that did pass.
type faulty struct {
	io.WriteCloser
	left int
}

func (f *faulty) Write(p []byte) (int, error) {
	n, err := f.WriteCloser.Write(p[:min(f.left, len(p))])
	if f.left -= n; f.left == 0 {
		return n, errors.Join(errors.New("connection reset by peer"), f.Close())
	}
	return n, err
}

func TestAnOrderThatBreaksOffIsTakenBack(t *testing.T) {
	length := 0 // of job and order
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.feed = func(to io.WriteCloser) io.Writer { return counting{to, &length} }
		assert.NilError(t, m.backUp(t, nil).err)
	})
	tests := map[string]int{"in its middle": length - 500, "before its end": length - 1, "when all of it has arrived": length}
	for name, passed := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.feed = func(to io.WriteCloser) io.Writer { return &faulty{to, passed} }
				r := m.backUp(t, nil)
				assert.ErrorContains(t, r.err, "talk to the agent on the manager: connection reset by peer")
				assert.Equal(t, failure.KindOf(r.err), failure.Failed)
				r.assertNoFile(t)
				m.assertUntouched(t)
			})
		})
	}
}

type counting struct {
	io.Writer
	n *int
}

func (c counting) Write(p []byte) (int, error) {
	if !strings.Contains(string(p), `"clean":true`) {
		*c.n += len(p)
	}
	return c.Writer.Write(p)
}

func TestAnOrderThatBreaksOffDoesNotHideAContainerThatStaysDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.feed = func(to io.WriteCloser) io.Writer { return &lastWriteFails{to, m} }
		m.before = func(call string) error {
			if call == "start ucp-kv" {
				return errors.New("no space left on device")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.Check(t, slices.Contains(failure.Hints(r.err), "docker start ucp-kv"), failure.Hints(r.err))
	})
}

// lastWriteFails reports the order as broken off once the agent has stopped everything.
type lastWriteFails struct {
	io.Writer
	m *manager
}

func (l *lastWriteFails) Write(p []byte) (int, error) {
	n, err := l.Writer.Write(p)
	if !strings.Contains(string(p), `"plan"`) {
		return n, err
	}
	for !slices.Contains(l.m.moved(), "stop ucp-kv") {
		time.Sleep(time.Millisecond)
	}
	return n, errors.New("connection reset by peer")
}
