package backup

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
				assert.DeepEqual(t, failure.Hints(r.err), []string{"fetch it with: docker ucp backup --resume FILE"})
				assert.Check(t, r.result == nil)
				content, err := os.ReadFile(r.opts.Path)
				assert.NilError(t, err)
				assert.Equal(t, string(content), "last week's backup")
				_, err = os.Stat(r.opts.Path + ".part")
				assert.ErrorIs(t, err, os.ErrNotExist)
				m.spoil = nil
				m.assertResumable(t)
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

func TestAWireThatBreaksIsTriedAgain(t *testing.T) {
	tests := map[string]struct {
		broken int
		whole  bool
	}{
		"once":      {1, true},
		"often":     {fetchTries - 1, true},
		"too often": {fetchTries, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				tries := 0
				m.spoil = func(content []byte) []byte {
					if tries++; tries <= test.broken {
						return content[:len(content)/2]
					}
					return content
				}
				r := m.backUp(t, nil)
				assert.Equal(t, strings.Count(r.talk.String(), "; fetching it again"), min(test.broken, fetchTries-1))
				assert.Equal(t, len(m.moved()), 6, "UCP was stopped once")
				if test.whole {
					assert.NilError(t, r.err)
					r.assertArchive(t)
					m.assertUntouched(t)
					return
				}
				assert.ErrorContains(t, r.err, "the archive changed on its way")
				r.assertNoFile(t)
				m.assertResumable(t)
			})
		})
	}
}

func TestADiskThatRunsFullIsNotTriedAgain(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("none", folder, "tmpfs", 0, "size=18m"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	defer func() { assert.Check(t, unix.Unmount(folder, 0)) }()
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "configs" { // after the survey found that there is room
				return os.WriteFile(filepath.Join(m.volumes, "ucp-kv", "grown"), make([]byte, 24<<20), 0o600)
			}
			return nil
		}
		r := m.backUp(t, func(r *run) { r.opts.Path = filepath.Join(folder, "ucp.tar") })
		assert.ErrorIs(t, r.err, unix.ENOSPC)
		assert.Check(t, !strings.Contains(r.talk.String(), "fetching it again"))
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		r.assertNoFile(t)
		m.assertResumable(t)
	})
}
