package backup

import (
	"context"
	"encoding/json"
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

// diesAfterProgress is the agent until it has reported progress, and then dies as if it were killed.
func diesAfterProgress(_ context.Context, host agent.Host, stdin io.ReadCloser, stdout, _ io.Writer) int {
	dead := make(chan struct{})
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	host.Engine = mortal{host.Engine, dead}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = agent.Run(ctx, host, stdin, dying{stdout, agent.Progress, dead})
	}()
	<-dead
	_ = stdin.Close()
	kill()
	<-ended
	return 137
}

// dying is the standard output of an agent that dies: nothing is said after an event of the type.
type dying struct {
	io.Writer
	kind agent.EventType
	dead chan struct{}
}

func (d dying) Write(p []byte) (int, error) {
	select {
	case <-d.dead:
		return len(p), nil
	default:
	}
	n, err := d.Writer.Write(p)
	var event agent.Event
	if json.Unmarshal(p, &event) == nil && event.Type == d.kind {
		close(d.dead)
	}
	return n, err
}

// mortal is the engine of an agent that dies: it does nothing any more for one that is dead.
type mortal struct {
	agent.Engine
	dead chan struct{}
}

func (e mortal) StartContainer(ctx context.Context, id string) error {
	select {
	case <-e.dead:
		return nil
	default:
		return e.Engine.StartContainer(ctx, id)
	}
}

func (e mortal) UnpauseContainer(ctx context.Context, id string) error {
	select {
	case <-e.dead:
		return nil
	default:
		return e.Engine.UnpauseContainer(ctx, id)
	}
}

func TestThePluginBringsUCPBackForAnAgentThatDied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.program = diesWithUCPAtRest
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the agent on the manager ended unexpectedly: no last word")
		assert.Equal(t, failure.KindOf(r.err), failure.Failed)
		assert.Check(t, cmp.Contains(r.talk.String(), "the agent on the manager died; bringing UCP back from here"))
		assert.Check(t, slices.Contains(m.moved(), "start ucp-kv") && slices.Contains(m.moved(), "unpause ucp-agent"))
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

// diesWithUCPAtRest dies once everything is stopped: at the last report of the phase.
func diesWithUCPAtRest(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
	return diesAfterProgress(ctx, host, stdin, stdout, stderr)
}

func TestWhatThePluginCannotBringBackIsNamedWithItsCommand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.program = diesWithUCPAtRest
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
		inner := diesAfterProgress
		m.program = func(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
			defer func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.agent = nil
			}()
			return inner(ctx, host, stdin, stdout, stderr)
		}
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
		m.program = diesAfterProgress
		m.before = func(call string) error {
			if call == "stop ucp-kv" {
				time.Sleep(2 * time.Second) // long enough for a report of how far it came
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
