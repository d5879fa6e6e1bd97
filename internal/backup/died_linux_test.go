package backup

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// atRestNow tells the event with which everything has come to rest.
func atRestNow(event agent.Event) bool {
	return event.Type == agent.Progress && event.Phase == agent.Stopping && event.Complete
}

// killedAtRest ends the agent for good once everything has come to rest, as docker kill does.
func (m *manager) killedAtRest() {
	m.hear = func(event agent.Event) {
		if atRestNow(event) {
			m.kill()
		}
	}
}

func TestThePluginBringsUCPBackForAnAgentThatDied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.killedAtRest()
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the agent on the manager ended unexpectedly: no last word")
		assert.Equal(t, failure.KindOf(r.err), failure.Failed)
		assert.Check(t, cmp.Contains(r.talk.String(), "the agent on the manager died; bringing UCP back from here"))
		assert.Check(t, slices.Contains(m.moved(), "start ucp-kv") && slices.Contains(m.moved(), "unpause ucp-agent"))
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestWhatThePluginCannotBringBackIsNamedWithItsCommand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.killedAtRest()
		m.before = func(call string) error {
			if call == "start ucp-kv" || call == "unpause ucp-agent" {
				return errors.New("no space left on device")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.ErrorContains(t, r.err, "start ucp-kv again: no space left on device")
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker start ucp-kv; docker unpause ucp-agent"})
		r.assertNoFile(t)
	})
}

func TestAnAgentThatSomebodyRemovedIsAnAgentThatDied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.program = func(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
			defer func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.agent = nil
			}()
			return realAgent(ctx, host, stdin, stdout, stderr)
		}
		m.killedAtRest()
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "somebody removed its container")
		assert.Equal(t, failure.KindOf(r.err), failure.Failed, "%v", r.err)
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestAPhaseInWhichTheAgentDiedIsNotSaidToBeDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "stop ucp-kv" {
				time.Sleep(2 * time.Second) // long enough for a report of how far it came
				m.kill()
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the agent on the manager ended unexpectedly")
		assert.Check(t, cmp.Contains(r.talk.String(), "\nstop: failed after"))
		assert.Check(t, !strings.Contains(r.talk.String(), "stop: done"))
		m.assertUntouched(t)
	})
}
