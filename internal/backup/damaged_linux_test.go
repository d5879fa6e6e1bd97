package backup

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/pkg/stdcopy"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/output"
	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// says puts an event into the log of an agent that is left.
func (m *manager) says(t *testing.T, event agent.Event) {
	t.Helper()
	event.Time = time.Now()
	line, err := json.Marshal(event)
	assert.NilError(t, err)
	_, err = stdcopy.NewStdWriter(m.agent, stdcopy.Stdout).Write(append(line, '\n'))
	assert.NilError(t, err)
}

// damages are what a disk may make of a paper.
func damages() map[string]string {
	return map[string]string{"empty": "", "torn": `{"engine_id":"ENG`, "blank": "{}", "of zeroes": "\x00\x00\x00\x00"}
}

func TestADamagedJournalIsMadeAnewOutOfTheLog(t *testing.T) {
	for name, content := range damages() {
		for _, which := range []string{agent.JournalInSpool, agent.OrphanInSpool} {
			for _, resumed := range []bool{false, true} {
				t.Run(name+" "+which, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						m := newManager(t)
						m.leave(t, "exited", DefaultSpool, paper{which, []byte(content)})
						m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
						m.heldByCron()
						plan := atRest().Plan
						m.says(t, agent.Event{Type: agent.Quiescing, Plan: &plan})
						r := m.backUp(t, func(r *run) { r.opts.Resume = resumed })
						if resumed {
							assert.ErrorContains(t, r.err, "no finished archive waits on this manager")
						} else {
							assert.NilError(t, r.err)
							r.assertArchive(t)
						}
						m.assertUntouched(t)
					})
				})
			}
		}
	}
}

func TestADamagedJournalThatNothingExplainsIsAPersonsMatterAndCanBeRemoved(t *testing.T) {
	tests := map[string]struct{ spool, remove string }{
		"from a spool of ours": {DefaultSpool, "docker rm --force docker-ucp-agent; docker volume rm docker-ucp-spool"},
		"from a volume of the operator's": {
			"large-disk", "docker rm --force docker-ucp-agent; docker run --rm --volume large-disk:/spool docker-ucp/agent:old clean settled",
		},
	}
	for name, test := range tests {
		for damage, content := range damages() {
			t.Run(name+" "+damage, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					m := newManager(t)
					m.add(t, "large-disk", nil)
					m.leave(t, "exited", test.spool, paper{agent.OrphanInSpool, []byte(content)})
					r := m.backUp(t, nil)
					assert.ErrorContains(t, r.err, "read the orphan that an earlier backup left: its content is damaged")
					assert.ErrorContains(t, r.err, "which containers of UCP an earlier backup, started by root@cron, left at rest is not known")
					assert.Equal(t, failure.KindOf(r.err), failure.Attention)
					hints := strings.Join(failure.Hints(r.err), "\n")
					assert.Check(t, cmp.Contains(hints, "docker ps --all --filter label=com.docker.ucp.InstanceID"))
					assert.Check(t, cmp.Contains(hints, "when UCP runs, remove the damaged file, and with it an archive that may wait: "+test.remove))
					assert.Check(t, m.agent != nil && len(m.moved()) == 0)
					m.agent, m.images = nil, nil
					assert.NilError(t, os.RemoveAll(filepath.Join(m.volumes, test.spool, ".docker-ucp-spool")))
					assert.NilError(t, m.backUp(t, nil).err)
				})
			})
		}
	}
}

func TestADamagedJournalWithoutItsAgentIsAPersonsMatterToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.add(t, "large-disk", nil)
		m.write(t, filepath.Join("large-disk", agent.JournalInSpool), nil)
		r := m.backUp(t, func(r *run) { r.opts.Spool = "large-disk" })
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.Check(t, cmp.Contains(strings.Join(failure.Hints(r.err), "\n"),
			"docker run --rm --volume large-disk:/spool "+m.agent.image+" clean settled"))
	})
}

func TestADamagedReceiptKeepsNobodyFromABackup(t *testing.T) {
	for name, content := range damages() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, "exited", DefaultSpool, paper{agent.ReceiptInSpool, []byte(content)}, journal())
				m.states["ucp-kv"], m.states["ucp-agent"] = "exited", "paused"
				r := m.backUp(t, func(r *run) { r.opts.Attended = true })
				assert.NilError(t, r.err)
				assert.Check(t, cmp.Contains(r.talk.String(), "warning: the receipt of an archive that an earlier backup, started by root@cron, left is damaged"))
				r.assertArchive(t)
				m.assertUntouched(t)
			})
		})
	}
}

func TestATornArchiveInItsFileCanBeGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		path := m.interruptedDirect(t)
		assert.NilError(t, os.Truncate(path+".part", 1000))
		r := m.backUp(t, func(r *run) { resuming(r); r.opts.Path = path })
		assert.ErrorContains(t, r.err, "is not the archive that waits, or not the whole of it: ")
		assertRefused(t, r.err, "or take a new one instead, which gives that archive up: docker ucp backup --yes FILE")
	})
}

// onWrite is called when something is written.
type onWrite func()

func (h onWrite) Write(p []byte) (int, error) { h(); return len(p), nil }

func TestAnArchiveInItsFileStaysWhereItCannotGetItsName(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	assert.NilError(t, err)
	path := filepath.Join(folder, "ucp.tar")
	assert.NilError(t, os.WriteFile(path+".part", []byte("whole"), 0o600))
	sums := newSums()
	_, err = sums.Write([]byte("whole"))
	assert.NilError(t, err)
	talk := progress.New(progress.Plain, onWrite(func() { _ = os.Mkdir(path, 0o700) }), false) // when it has been checked
	b := &backup{talk: talk, opts: Options{Path: path}}
	_, err = b.finishDirect(t.Context(), &agent.Receipt{Output: path, Result: agent.Result{Size: 5, CRC32C: sums.checksum.Sum32()}})
	assert.ErrorContains(t, err, "rename ")
	assert.NilError(t, b.undo.run(t.Context()))
	content, err := os.ReadFile(path + ".part")
	assert.NilError(t, err)
	assert.Equal(t, string(content), "whole")
}

func TestAFileInItsPlaceIsDelivered(t *testing.T) {
	var said words
	b := &backup{talk: progress.New(progress.Plain, &said, false)}
	assert.NilError(t, b.placed(fmt.Errorf("ucp.tar is in place, but %w", output.ErrInPlace)))
	assert.Check(t, cmp.Contains(said.String(), "warning: ucp.tar is in place, but it may not survive a power cut"))
	assert.ErrorIs(t, b.placed(os.ErrPermission), os.ErrPermission)
}
