package backup

import (
	"os"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// receipt is that of an archive which waits in the spool.
func receipt() paper {
	return written(agent.ReceiptInSpool, agent.Receipt{Result: agent.Result{Size: 3}, Manifest: &archive.Manifest{}})
}

func TestAnArchiveIsLeftAloneForAsLongAsItsPluginMayComeBack(t *testing.T) {
	tests := map[string]struct {
		ago      time.Duration
		attended bool
		refused  bool
	}{
		"at once":                                 {0, false, true},
		"almost three minutes after":              {returningTime - time.Second, false, true},
		"three minutes after":                     {returningTime, false, false},
		"long after, where somebody can be asked": {24 * time.Hour, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.leave(t, "exited", DefaultSpool, receipt())
				m.agent.ended = time.Now().Add(-test.ago)
				r := m.backUp(t, func(r *run) { r.opts.Attended = test.attended })
				if test.refused {
					assertRefused(t, r.err, "fetch it with: docker ucp backup --resume FILE")
					anew := "take a new one instead, which"
					if test.ago < returningTime {
						anew = "from " + m.agent.ended.Add(returningTime).Local().Format("15:04:05") + " on, take a new one"
					}
					assert.Check(t, cmp.Contains(failure.Hints(r.err)[1], anew))
					assert.Equal(t, strings.Contains(r.err.Error(), "whoever started it may be about to fetch it"), !test.attended)
					assert.Check(t, m.agent != nil && len(m.moved()) == 0)
					return
				}
				assert.NilError(t, r.err)
				assert.Check(t, cmp.Contains(r.talk.String(), "warning: the archive of an earlier backup, started by root@cron, was never fetched, and makes way for this one"))
				r.assertArchive(t)
				m.assertUntouched(t)
			})
		})
	}
}

func TestADryRunSaysThatAnArchiveWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.leave(t, "exited", DefaultSpool, receipt())
		r := m.backUp(t, func(r *run) { r.opts.DryRun = true })
		assert.ErrorContains(t, r.err, "a finished archive waits on the manager")
		assertRefused(t, r.err, "fetch it with: docker ucp backup --resume FILE")
		assert.Check(t, m.agent != nil)
	})
}

func TestAnArchiveThatHasItsNameAlreadyWaitsForNobody(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, path string)
		waits  bool
	}{
		"where it is in its place":  {change: func(t *testing.T, path string) { t.Helper(); assert.NilError(t, os.Rename(path+".part", path)) }},
		"but where it has no name":  {change: func(*testing.T, string) {}, waits: true},
		"but where it is elsewhere": {change: func(t *testing.T, path string) { t.Helper(); assert.NilError(t, os.Remove(path+".part")) }, waits: true},
		"but where another has its name": {
			change: func(t *testing.T, path string) {
				t.Helper()
				info, err := os.Stat(path + ".part")
				assert.NilError(t, err)
				assert.NilError(t, os.Remove(path+".part"))
				assert.NilError(t, os.WriteFile(path, make([]byte, info.Size()), 0o600))
			},
			waits: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				path := m.interruptedDirect(t)
				test.change(t, path)
				r := m.backUp(t, func(r *run) { r.opts.Attended = true })
				if test.waits {
					assert.ErrorContains(t, r.err, "a finished archive waits in "+path+".part")
					assertRefused(t, r.err, "fetch it with: docker ucp backup --resume "+path)
					return
				}
				assert.NilError(t, r.err)
				assert.Check(t, cmp.Contains(r.talk.String(), "the earlier backup's archive is in its place: "+path))
				r.assertArchive(t)
				m.assertUntouched(t)
			})
		})
	}
}
