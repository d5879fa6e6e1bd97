package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// finished is a moment at which an archive is whole, and nobody has fetched it.
func finished() phase {
	return phase{name: "finished", event: func(event agent.Event) bool { return event.Type == agent.Finished }}
}

// interruptedDirect lets a plugin die whose archive went straight into FILE.part, and gives that file free.
func (m *manager) interruptedDirect(t *testing.T) (path string) {
	t.Helper()
	m.host = localHost
	path = m.killedIn(t, phase{event: func(event agent.Event) bool { return event.Type == agent.Resumed }})
	content, err := os.ReadFile(path + ".part")
	assert.NilError(t, err)
	assert.NilError(t, os.Remove(path+".part"))
	assert.NilError(t, os.WriteFile(path+".part", content, 0o600))
	return path
}

func TestAnInterruptedArchiveInItsFileGetsItsName(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, path string)
		said   string
	}{
		"from FILE.part": {change: func(*testing.T, string) {}},
		"in place of an older": {change: func(t *testing.T, path string) {
			t.Helper()
			assert.NilError(t, os.WriteFile(path, []byte("old"), 0o600))
		}},
		"which it had been given": {change: func(t *testing.T, path string) { t.Helper(); assert.NilError(t, os.Rename(path+".part", path)) }, said: "is in its place already"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				path := m.interruptedDirect(t)
				test.change(t, path)
				r := m.backUp(t, func(r *run) { resuming(r); r.opts.Path = path })
				assert.NilError(t, r.err)
				assert.Equal(t, r.result.File, path)
				r.assertArchive(t)
				assert.Check(t, cmp.Contains(r.talk.String(), test.said))
				left, err := os.ReadDir(filepath.Dir(path))
				assert.NilError(t, err)
				assert.Equal(t, len(left), 1, "left: %v", left)
				m.assertUntouched(t)
			})
		})
	}
}

func TestOnlyTheVeryFileOfAnInterruptedArchiveGetsItsName(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, path string)
		path   func(path string) string
		want   string
	}{
		"not another name":    {path: func(path string) string { return path + ".new" }, want: "it cannot become "},
		"not standard output": {path: func(string) string { return "" }, want: "lies in "},
		"not another content": {
			change: func(t *testing.T, path string) {
				t.Helper()
				assert.NilError(t, os.WriteFile(path+".part", []byte("an archive of another manager"), 0o600))
			},
			want: ".part is not the archive that waits, or not the whole of it: the archive changed on its way",
		},
		"not on a machine that does not have it": {
			change: func(t *testing.T, path string) { t.Helper(); assert.NilError(t, os.Remove(path+".part")) },
			want:   "neither ",
		},
		"not an older archive under the name": {
			change: func(t *testing.T, path string) {
				t.Helper()
				assert.NilError(t, os.Rename(path+".part", path))
				assert.NilError(t, os.Truncate(path, 1000))
			},
			want: "neither ",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				path := m.interruptedDirect(t)
				if test.change != nil {
					test.change(t, path)
				}
				before := contents(t, filepath.Dir(path))
				r := m.backUp(t, func(r *run) {
					resuming(r)
					r.opts.Path = path
					if test.path != nil {
						r.opts.Path = test.path(path)
					}
				})
				assert.ErrorContains(t, r.err, test.want)
				assertRefused(t, r.err, "on the machine on which that backup was started: docker ucp backup --resume "+path)
				assert.DeepEqual(t, contents(t, filepath.Dir(path)), before)
				assert.Check(t, m.agent != nil && len(m.images) == 1, "what waits goes on waiting")
			})
		})
	}
}

// contents reads all files of a folder.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	assert.NilError(t, err)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		assert.NilError(t, err)
		files[entry.Name()] = string(content)
	}
	return files
}

func TestWhatIsResumedIsReportedAsTheBackupItIs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.spoil = func([]byte) []byte { return nil }
		m.backUp(t, func(r *run) { withPassphrase(r); r.opts.Exclude = []string{"ucp-node-certs"} })
		m.spoil = nil
		downtime := m.waiting(t).Result.Downtime
		r := m.backUp(t, resuming)
		assert.NilError(t, r.err)
		assert.DeepEqual(t, *r.result, Result{
			File: r.opts.Path, Size: r.result.Size, Entries: r.result.Entries, SHA256: r.result.SHA256, ID: testInstance, Version: "3.1.4",
			Downtime: int64(downtime), Sealed: true, Excluded: []string{"ucp-node-certs"}, Resumed: true,
		})
		info, err := os.Stat(r.opts.Path)
		assert.NilError(t, err)
		assert.Equal(t, info.Size(), r.result.Size)
		m.assertUntouched(t)
	})
}

// waiting reads the receipt in the spool.
func (m *manager) waiting(t *testing.T) *agent.Receipt {
	t.Helper()
	receipt, err := readPaper[agent.Receipt](t.Context(), engine.New(m), m.found(t).Agent, agent.ReceiptInSpool)
	assert.NilError(t, err)
	assert.Assert(t, receipt != nil)
	return receipt
}

func (m *manager) found(t *testing.T) *engine.Found {
	t.Helper()
	found, err := engine.New(m).FindAgent(t.Context())
	assert.NilError(t, err)
	return found
}

func TestAWaitingArchiveIsFetchedToStandardOutputToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.killedIn(t, finished())
		r := m.backUp(t, func(r *run) { resuming(r); r.opts.Path = "" })
		assert.NilError(t, r.err)
		summary, err := archive.Check(bytes.NewReader(r.stdout.Bytes()), nil)
		assert.NilError(t, err)
		assert.NilError(t, summary.Err())
		m.assertUntouched(t)
	})
}

func TestNobodyTakesAnArchiveAwayThatIsBeingFetched(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.killedIn(t, finished())
		var second *run
		m.at(phase{call: "copy archive"}, func() { second = m.backUp(t, nil) })
		r := m.backUp(t, resuming)
		assert.NilError(t, r.err)
		r.assertArchive(t)
		assertRefused(t, second.err, "see what it does: docker logs --follow docker-ucp-agent")
		m.assertUntouched(t)
	})
}

func TestAWaitingArchiveOutlivesEveryEndOfItsResumption(t *testing.T) {
	tests := map[string]func(m *manager, r *run){
		"a cancel":              func(m *manager, r *run) { m.at(phase{call: "copy archive"}, r.cancel) },
		"a wire that spoils it": func(m *manager, _ *run) { m.spoil = func([]byte) []byte { return nil } },
		"a connection that is lost for good": func(m *manager, _ *run) {
			m.at(phase{call: "copy archive"}, func() { m.setDown(true) })
		},
		"an output that cannot be made": func(_ *manager, r *run) { r.opts.Path = "/nowhere/ucp.tar" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.killedIn(t, finished())
				r := m.backUp(t, func(r *run) { resuming(r); change(m, r) })
				assert.Assert(t, r.err != nil && r.result == nil)
				if name == "a cancel" {
					assert.Error(t, r.err, "fetching cancelled; UCP runs as before, and what waits on the manager still does")
					assert.Equal(t, failure.KindOf(r.err), failure.Cancelled)
				}
				m.setDown(false)
				m.before, m.spoil = nil, nil
				m.assertResumable(t)
			})
		})
	}
}

func TestOnlyAWaitingArchiveCanBeResumed(t *testing.T) {
	t.Run("not where nothing is left", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			r := m.backUp(t, resuming)
			assert.Error(t, r.err, "no backup left anything on this manager")
			assertRefused(t, r.err, "take one with: docker ucp backup FILE")
			assert.Equal(t, len(m.moved()), 0)
		})
	})
	t.Run("not where UCP had to be set right and no more", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			m.leave(t, "exited", DefaultSpool, journal())
			m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
			m.heldByCron()
			r := m.backUp(t, resuming)
			assert.ErrorContains(t, r.err, "no finished archive waits on this manager: the backup that root@cron started was interrupted before")
			assert.Equal(t, failure.KindOf(r.err), failure.Failed)
			r.assertNoFile(t)
			m.assertUntouched(t)
		})
	})
	t.Run("not where a backup is at work", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			m.leave(t, "running", DefaultSpool, journal())
			r := m.backUp(t, resuming)
			assert.ErrorContains(t, r.err, "another backup is running on this manager since ")
			assertRefused(t, r.err, "see what it does: docker logs --follow docker-ucp-agent")
		})
	})
	t.Run("not where its plugin may be fetching it", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			m.leave(t, "running", DefaultSpool, receipt())
			r := m.backUp(t, resuming)
			assertRefused(t, r.err, "its archive is finished; if nobody is fetching it: docker stop docker-ucp-agent; docker ucp backup --resume FILE")
		})
	})
}
