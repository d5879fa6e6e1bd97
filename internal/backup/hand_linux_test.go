package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestTheAgentMountsNothingOfTheOperators(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		var mounted string
		m.before = func(call string) error {
			if call == "start agent" {
				mounted = m.agent.mounted(engine.OutputPath)
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.NilError(t, r.err)
		r.assertArchive(t)
		assert.Equal(t, mounted, "")
		assert.Check(t, slices.Contains(m.seen(), "start task "+agent.TaskHand))
		assert.Check(t, !slices.Contains(m.seen(), "copy archive"))
	})
}

func TestAFileThatCannotBeHandedOverIsFetched(t *testing.T) {
	tests := map[string]func(m *manager){
		"it is no file on the engine's machine": func(m *manager) {
			m.binds = func(path string) bool { return path == DefaultSocket }
		},
		"it is another file there": func(m *manager) {
			m.before = func(call string) error {
				if call != "start task "+agent.TaskHand {
					return nil
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				for _, task := range m.tasks {
					task.output = filepath.Join(m.volumes, "ucp-kv", "snap", "db")
				}
				return nil
			}
		},
		"the task does not start": func(m *manager) {
			m.before = func(call string) error {
				if call == "start task "+agent.TaskHand {
					return errors.New("no more processes")
				}
				return nil
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.host = localHost
				change(m)
				r := m.backUp(t, nil)
				assert.NilError(t, r.err)
				r.assertArchive(t)
				assert.Check(t, slices.Contains(m.seen(), "copy archive"))
				content, err := os.ReadFile(filepath.Join(m.volumes, "ucp-kv", "snap", "db"))
				assert.NilError(t, err)
				assert.Check(t, strings.HasPrefix(string(content), "etcd"))
				assert.Check(t, !strings.Contains(r.talk.String(), "warning"), "it is no trouble")
				m.assertUntouched(t)
			})
		})
	}
}

func TestAnAgentThatRefusesItsJobTakesNoFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		m.program = func(_ context.Context, _ agent.Host, stdin io.ReadCloser, _, stderr io.Writer) int {
			_, _ = bufio.NewReader(stdin).ReadString('\n') // the job
			_, _ = fmt.Fprintln(stderr, "permission denied")
			return 0
		}
		began := time.Now()
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "permission denied")
		assert.Check(t, time.Since(began) < time.Second, "nobody waits for the task")
		assert.Check(t, cmp.Contains(r.talk.String(), "FILE was not handed to the agent"))
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}
