package backup

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestAnArchiveThatChangedOnItsWayNeverAppears(t *testing.T) {
	tests := map[string]func([]byte) []byte{
		"a bit flipped": func(content []byte) []byte { content[len(content)/2] ^= 1; return content },
		"cut":           func(content []byte) []byte { return content[:len(content)-1] },
		"longer":        func(content []byte) []byte { return append(content, 0) },
		"empty":         func([]byte) []byte { return nil },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.spoil = spoil
				r := m.backUp(t, func(r *run) {
					assert.NilError(t, os.WriteFile(r.opts.Path, []byte("last week's backup"), 0o600))
				})
				assert.ErrorContains(t, r.err, "the archive changed on its way")
				assert.Equal(t, failure.KindOf(r.err), failure.Failed)
				assert.DeepEqual(t, failure.Hints(r.err), []string{"UCP runs as before; try again"})
				assert.Check(t, r.result == nil)
				content, err := os.ReadFile(r.opts.Path)
				assert.NilError(t, err)
				assert.Equal(t, string(content), "last week's backup")
				_, err = os.Stat(r.opts.Path + ".part")
				assert.ErrorIs(t, err, os.ErrNotExist)
				m.assertUntouched(t)
			})
		})
	}
}

func TestAFileThatChangedUnderTheAgentNeverAppears(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		var path string
		m.program = func(ctx context.Context, host agent.Host, stdin io.ReadCloser, stdout, stderr io.Writer) int {
			return realAgent(ctx, host, stdin, hook{stdout, func(line string) {
				if strings.Contains(line, `"type":"finished"`) {
					assert.Check(t, os.Truncate(path+".part", 1000))
				}
			}}, stderr)
		}
		r := m.backUp(t, func(r *run) { path = r.opts.Path })
		assert.ErrorContains(t, r.err, "the archive changed on its way: 1000 bytes")
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

// hook sees each line before it is written.
type hook struct {
	io.Writer
	see func(line string)
}

func (h hook) Write(p []byte) (int, error) {
	h.see(string(p))
	return h.Writer.Write(p)
}
