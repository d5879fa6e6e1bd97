package scenarios

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// What --format json of docker ucp verify holds, written down a second time: a name that changes here breaks somebody's
// script.
type (
	verdict struct {
		Verdict      string
		Words        string
		Wrapped      []string
		Levels       []level
		Era          string
		Version      string `json:"ucp_version"`
		InstanceID   string `json:"instance_id"`
		Created      *time.Time
		Node         string
		Entries      int64
		Files        int64
		Volumes      []struct{ Name string }
		Certificates []certificate
		Etcd         *etcd
		License      string
		Size         int64
	}
	level struct {
		Name, Verdict, Summary string
		Findings               []finding
	}
	finding     struct{ Severity, Entry, Text string }
	certificate struct {
		Entry, Subject, Issuer string
		NotAfter               time.Time `json:"not_after"`
		CA                     bool
	}
	etcd struct {
		Source, Entry string
		MemberID      string `json:"member_id"`
		ClusterID     string `json:"cluster_id"`
		Members       []struct {
			ID, Name string
			URLs     []string `json:"peer_urls"`
		}
		Keys, Revision int64
	}
)

// The eras and verdicts as the JSON names them.
const (
	eraOurs    = "docker-ucp"
	eraStopped = "vendor up to 3.1"
	eraOnline  = "vendor 3.2 and later"
	eraNone    = "none"
	sound      = "sound"
	unsound    = "unsound"
)

// findings lists what was found, of one severity or of all, as "entry: text".
func (v verdict) findings(severity string) []string {
	var all []string
	for _, l := range v.Levels {
		for _, f := range l.Findings {
			if severity == "" || f.Severity == severity {
				all = append(all, f.Entry+": "+f.Text)
			}
		}
	}
	return all
}

func (v verdict) level(t *testing.T, name string) level {
	t.Helper()
	i := slices.IndexFunc(v.Levels, func(l level) bool { return l.Name == name })
	assert.Assert(t, i >= 0, "no level %s: %+v", name, v.Levels)
	return v.Levels[i]
}

// archives is what the scenarios of verify look at: archives of one stand-in, plain and sealed, ours and the vendor's.
type archives struct {
	*stage
	keys     layout.Keys    // before the first archive
	cluster  layout.Cluster // the same
	key      keyPair
	private  string            // the file of its private half
	sealed   string            // ours, with the passphrase, of a UCP that ran
	plain    string            // ours
	zlib     string            // ours, with the passphrase, compressed
	locked   string            // ours, for the key
	both     string            // ours, for the key and the passphrase
	excluded map[string]string // ours, with the passphrase, without a volume
	stopped  string            // plain, of the vendor's shape up to 3.1
	online   string            // plain, of its shape from 3.2 on
}

// makeArchives has etcd's folder look as after years: several segments of its log, snapshots beside the database. All but
// the first archives are made while UCP rests, which saves to stop and start it each time.
func makeArchives(t *testing.T) *archives {
	t.Helper()
	s := newStage(t, lab.Options{}, standin.Options{LogSegment: 16 << 10, SnapshotCount: 10})
	for range 4 { // one after the other: etcd takes a burst into one snapshot
		assert.NilError(t, s.ucp.PutKeys(t.Context(), 250))
	}
	a := &archives{stage: s, keys: s.keys(t), key: makeKey(t, "archive@example.test", "future-default"), excluded: map[string]string{}}
	a.private = a.key.private(t)
	var err error
	a.cluster, err = s.ucp.Cluster(t.Context())
	assert.NilError(t, err)
	a.sealed = s.archive(t, "--passphrase-file", s.pass)
	a.online, a.stopped = output(t), output(t)
	assert.NilError(t, s.ucp.VendorOnline(t.Context(), s.node.Root(), a.online))

	resume, err := s.ucp.Rest(t.Context())
	assert.NilError(t, err)
	a.plain = s.archive(t, "--no-passphrase")
	a.zlib = s.archive(t, "--passphrase-file", s.pass, "--compress", "zlib")
	a.locked = s.archive(t, "--recipient", a.key.public)
	a.both = s.archive(t, "--recipient", a.key.public, "--passphrase-file", s.pass)
	for _, volume := range []string{"ucp-metrics-data", "ucp-kv"} {
		a.excluded[volume] = s.archive(t, "--passphrase-file", s.pass, "--exclude-volume", volume)
	}
	assert.NilError(t, s.ucp.TarVolumes(t.Context(), s.node.Root(), a.stopped))
	assert.NilError(t, resume(t.Context()))
	return a
}

// archive makes a backup and returns its file.
func (s *stage) archive(t *testing.T, args ...string) string {
	t.Helper()
	file := output(t)
	done := s.docker(t, append(append([]string{"ucp", "backup"}, args...), file)...)
	assert.Equal(t, done.code, 0, done.stderr)
	return file
}

// verify runs docker ucp verify where there is no engine, and fails the test unless it leaves its temporary folder empty.
func (a *archives) verify(t *testing.T, args ...string) (verdict, answer) {
	t.Helper()
	return a.verifyFrom(t, "", args...)
}

// verifyFrom is verify with a file as standard input.
func (a *archives) verifyFrom(t *testing.T, stdin string, args ...string) (verdict, answer) {
	t.Helper()
	temporary := t.TempDir()
	command := a.command(t.Context(), offline(temporary), append([]string{"ucp", "verify", "--format", "json"}, args...)...)
	if stdin != "" {
		file, err := os.Open(stdin)
		assert.NilError(t, err)
		defer func() { assert.NilError(t, file.Close()) }()
		command.Stdin = file
	}
	done := finish(t, command)
	assert.DeepEqual(t, files(t, temporary), []string{})
	assert.Assert(t, !strings.Contains(done.stdout+done.stderr, "goroutine "))
	var v verdict
	if done.stdout != "" {
		assert.NilError(t, json.Unmarshal([]byte(done.stdout), &v), done.stdout)
	}
	return v, done
}

// offline is an environment in which no engine can be reached.
func offline(temporary string) []string {
	return []string{"DOCKER_HOST=tcp://127.0.0.1:1", "TMPDIR=" + temporary, "TZ=UTC"}
}

// unlocked is verify with the passphrase.
func (a *archives) unlocked(t *testing.T, args ...string) (verdict, answer) {
	t.Helper()
	return a.verify(t, append([]string{"--passphrase-file", a.pass}, args...)...)
}

// good fails the test unless the archive is sound.
func good(t *testing.T, v verdict, done answer, era string) {
	t.Helper()
	t.Helper()
	assert.Equal(t, done.code, 0, done.stderr)
	assert.Equal(t, v.Verdict, sound, "%+v", v)
	assert.Equal(t, v.Era, era)
}

// bad fails the test unless the archive is found damaged or incomplete, with these words in one fault.
func bad(t *testing.T, v verdict, done answer, words ...string) {
	t.Helper()
	t.Helper()
	assert.Equal(t, done.code, 3, done.stderr)
	assert.Equal(t, v.Verdict, unsound)
	says := func(fault string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(fault, word) })
	}
	assert.Assert(t, slices.ContainsFunc(v.findings("fault"), says), "%q are in no fault: %q", words, v.findings(""))
}
