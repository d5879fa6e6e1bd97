package backup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestADeadAgentWhoseLogCannotBeReadIsNoProofThatUCPIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.program = diesAfterProgress
		m.wire = func(call string) error {
			if call == "logs" && m.agentIs("exited") {
				return errors.New("unexpected EOF")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "unexpected EOF")
		assert.DeepEqual(t, m.states, newManager(t).states)
		r.assertNoFile(t)
	})
}

// The engine dies with the agent: whether it answers again before the plugin gives up, while it cleans up, or later, UCP
// comes back, at the latest with the next backup.
func TestWhereTheEngineDiesWithTheAgentUCPComesBackWithTheNextBackupAtTheLatest(t *testing.T) {
	for _, away := range []time.Duration{
		time.Minute, 119 * time.Second, 121500 * time.Millisecond, 122500 * time.Millisecond, 123500 * time.Millisecond, 10 * time.Minute,
	} {
		t.Run(away.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.program = diesOnceWithTheEngine(m, away)
				r := m.backUp(t, nil)
				assert.Assert(t, r.err != nil)
				for _, hint := range failure.Hints(r.err) {
					assert.Check(t, m.agent == nil || !strings.Contains(hint, "docker rm"), "%q would remove the only record of what rests", hint)
				}
				time.Sleep(20 * time.Minute)
				r = m.backUp(t, nil)
				assert.NilError(t, r.err)
				assert.DeepEqual(t, m.states, newManager(t).states)
			})
		})
	}
}

func diesOnceWithTheEngine(m *manager, away time.Duration) func(context.Context, agent.Host, io.ReadCloser, io.Writer, io.Writer) int {
	died := false
	return func(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
		if died {
			return realAgent(ctx, host, stdin, stdout, stderr)
		}
		died = true
		defer func() {
			m.setDown(true)
			go func() { time.Sleep(away); m.setDown(false) }()
		}()
		return diesAfterProgress(ctx, host, stdin, stdout, stderr)
	}
}

func (m *manager) agentIs(state string) bool {
	m.mu.Lock()
	box := m.agent
	m.mu.Unlock()
	if box == nil {
		return false
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	return box.state == state
}
