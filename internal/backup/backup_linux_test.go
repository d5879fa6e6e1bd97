package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestABackupArrivesByEveryWay(t *testing.T) {
	tests := map[string]struct {
		host   string
		change func(*run)
		direct bool
	}{
		"fetched from another machine":           {host: remoteHost},
		"straight into the file":                 {host: localHost, direct: true},
		"from a socket that leads elsewhere":     {host: "unix:///run/elsewhere.sock"},
		"cloned first":                           {host: remoteHost, change: func(r *run) { r.opts.Clone = CloneAuto }},
		"into a volume of the operator's":        {host: remoteHost, change: func(r *run) { r.opts.Spool = "large-disk" }},
		"a volume of the operator's, and direct": {host: localHost, change: func(r *run) { r.opts.Spool = "large-disk" }, direct: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.host = test.host
				m.binds = func(path string) bool { return path == DefaultSocket || test.direct }
				m.add(t, "large-disk", map[string]string{"owner": "operations"})
				r := m.backUp(t, test.change)
				assert.NilError(t, r.err)
				r.assertArchive(t)
				copied := strings.Contains(strings.Join(m.calls, "\n"), "\ncopy archive")
				assert.Equal(t, copied, !test.direct)
				left, err := os.ReadDir(filepath.Join(m.volumes, "large-disk"))
				assert.NilError(t, err)
				assert.Equal(t, len(left), 0, "left in the operator's volume: %v", left)
				delete(m.labels, "large-disk")
				m.assertUntouched(t)
				assert.Equal(t, len(m.moved()), 6)
			})
		})
	}
}

func TestTheResultSaysWhatWasDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) { withPassphrase(r); r.opts.Exclude = []string{"ucp-node-certs"} })
		assert.NilError(t, r.err)
		content, err := os.ReadFile(r.opts.Path)
		assert.NilError(t, err)
		sum := sha256.Sum256(content)
		assert.DeepEqual(t, *r.result, Result{
			File: r.opts.Path, Size: int64(len(content)), Entries: r.result.Entries, SHA256: hex.EncodeToString(sum[:]),
			ID: testInstance, Version: "3.1.4", Downtime: r.result.Downtime, Sealed: true, Excluded: []string{"ucp-node-certs"},
		})
	})
}

func TestAnArchiveForStandardOutputIsTheArchiveAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.host = localHost
		r := m.backUp(t, func(r *run) { r.opts.Path = "" })
		assert.NilError(t, r.err)
		summary, err := archive.Check(&r.stdout, nil)
		assert.NilError(t, err)
		assert.NilError(t, summary.Err())
		assert.Assert(t, summary.HeadersProven)
		assert.Equal(t, r.result.File, "")
		m.assertUntouched(t)
	})
}

func TestADryRunShowsThePlanAndTouchesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		var plan *Plan
		r := m.backUp(t, func(r *run) { r.opts.DryRun = true; r.approve(func(p *Plan) error { plan = p; return nil }) })
		assert.NilError(t, r.err)
		assert.Check(t, r.result == nil)
		assert.Equal(t, plan.ID, testInstance)
		r.assertNoFile(t)
		m.assertUntouched(t)
		assert.Equal(t, len(m.moved()), 0)
	})
}

func TestNoSecretIsSaidOrLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, withPassphrase)
		assert.NilError(t, r.err)
		said := r.talk.String()
		assert.Check(t, cmp.Contains(said, "msg=agent"), "the log is on")
		for _, secret := range []string{testPassphrase, volumePassword, "secret of UCP", `"key"`, `\"key\"`} {
			assert.Check(t, !strings.Contains(said, secret), secret)
		}
	})
}

func TestTheOrderIsTheOnlyPlaceOfTheKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		var logged bytes.Buffer
		m.before = func(call string) error {
			if call == "remove" {
				logged.Write(m.agent.log.Bytes())
			}
			return nil
		}
		r := m.backUp(t, withPassphrase)
		assert.NilError(t, r.err)
		assert.Check(t, cmp.Contains(logged.String(), `"type":"finished"`))
		assert.Check(t, !strings.Contains(logged.String(), "key"))
	})
}

func TestTheAgentIsToldWhereTheSocketIs(t *testing.T) {
	tests := map[string]struct {
		host, option string
		has          string // the only path that the engine's machine has
		want         string // empty for a refusal
	}{
		"where it usually is":             {remoteHost, "", DefaultSocket, DefaultSocket},
		"where this machine reaches it":   {"unix:///opt/docker.sock", "", "/opt/docker.sock", "/opt/docker.sock"},
		"as usual behind a forwarded one": {"unix:///tmp/forwarded.sock", "", DefaultSocket, DefaultSocket},
		"where the operator says":         {localHost, "/opt/docker.sock", "/opt/docker.sock", "/opt/docker.sock"},
		"nowhere":                         {remoteHost, "", "/opt/docker.sock", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				m.host = test.host
				m.binds = func(path string) bool { return path == test.has }
				var got string
				m.before = func(call string) error {
					if call == "attach" {
						got = m.agent.mounted(engine.SocketPath)
					}
					return nil
				}
				r := m.backUp(t, func(r *run) { r.opts.EngineSocket = test.option })
				assert.Equal(t, got, test.want)
				if test.want == "" {
					assertRefused(t, r.err, "if the engine's socket lies elsewhere on the manager: docker ucp backup --engine-socket PATH")
					r.assertNoFile(t)
				} else {
					assert.NilError(t, r.err)
				}
				m.assertUntouched(t)
			})
		})
	}
}
