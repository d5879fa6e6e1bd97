package archive

import (
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"
)

func TestAManifestSurvivesEncoding(t *testing.T) {
	m := sampleManifest()
	m.Volumes[0].Options = map[string]string{"type": "none"}
	m.KVMembers = []string{"https://10.0.0.1:12379"}
	content, err := encodeManifest(m)
	assert.NilError(t, err)
	assert.Equal(t, m.FormatVersion, 0, "the caller's manifest is not written to")
	got, err := decodeManifest(content)
	assert.NilError(t, err)
	want := m.filled()
	want.FormatVersion = Version
	assert.DeepEqual(t, *got, want)
}

func TestNoListOfTheManifestIsNull(t *testing.T) {
	content, err := encodeManifest(&Manifest{Volumes: []Volume{{Name: "v", Entries: 1}}})
	assert.NilError(t, err)
	assert.Assert(t, !strings.Contains(string(content), "null"), "%s", content)
}

func TestTheManifestsFieldsKeepTheirNames(t *testing.T) {
	m := &Manifest{
		Tool: Tool{Name: "docker-ucp", Version: "1.0.0"}, Created: created,
		UCP:       UCP{InstanceID: "abc", Version: "3.1.4", Era: "classic"},
		Node:      Node{ID: "n1", Name: "manager-1", Address: "10.0.0.1", Role: "manager"},
		Engine:    Engine{Version: "20.10.24", APIVersion: "1.41", OS: "linux", Arch: "amd64", SELinux: true},
		Swarm:     Swarm{ClusterID: "abc", Managers: []Member{{ID: "n1", Name: "manager-1", Address: "10.0.0.1:2377"}}},
		KVMembers: []string{"https://10.0.0.1:12379"},
		Quiesce:   Quiesce{Mode: "stop", Stopped: []string{"ucp-kv"}, Paused: []string{"ucp-agent"}},
		Snapshot:  Snapshot{Mode: "clone"},
		Volumes: []Volume{{
			Name: "ucp-kv", Driver: "local", Options: map[string]string{"type": "none"},
			Labels: map[string]string{"com.docker.ucp.InstanceID": "abc"}, Entries: 10, Bytes: 1000, Sockets: 1,
		}},
		ExcludedVolumes: []string{"ucp-metrics-data"},
	}
	content, err := encodeManifest(m)
	assert.NilError(t, err)
	golden.Assert(t, string(content), "manifest.golden")
}

func TestANewerFormatIsRefusedByName(t *testing.T) {
	_, err := decodeManifest([]byte(`{"format_version": 2, "tool": {"name": "docker-ucp", "version": "2.1.0"}, "volumes": "changed"}`))
	assert.Error(t, err, `archive format 2 is newer than this release reads (1): use "docker-ucp" "2.1.0", which wrote it, or later`)
}

func TestManifestsThatNothingCanBeHeldAgainstAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ volumes, want string }{
		"volumes out of order":  {`[{"name": "b", "entries": 1}, {"name": "a", "entries": 1}]`, "volumes are sorted"},
		"a volume twice":        {`[{"name": "a", "entries": 1}, {"name": "a", "entries": 1}]`, "volumes are sorted"},
		"a volume in our place": {`[{"name": "docker-ucp", "entries": 1}]`, "the archive's own folder"},
		"a path for a name":     {`[{"name": "../etc", "entries": 1}]`, "no volume name"},
		"no name":               {`[{"entries": 1}]`, "no volume name"},
		"no root":               {`[{"name": "a"}]`, "impossible counts"},
		"more than there is":    {`[{"name": "a", "entries": 1, "bytes": 1152921504606846976}, {"name": "b", "entries": 1, "bytes": 1}]`, "impossible counts"},
		"negative bytes":        {`[{"name": "a", "entries": 1, "bytes": -1}]`, "impossible counts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeManifest([]byte(`{"format_version": 1, "volumes": ` + c.volumes + `}`))
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := decodeManifest([]byte(`{}`))
	assert.ErrorIs(t, err, errNoVersion)
}

func TestAManifestTooLongForReadersIsNotWritten(t *testing.T) {
	m := sampleManifest()
	m.KVMembers = []string{strings.Repeat("x", maxManifest)}
	_, err := encodeManifest(m)
	assert.ErrorContains(t, err, "longer than")
}

func TestAManifestOfTooManyElementsIsRefused(t *testing.T) {
	m := &Manifest{KVMembers: make([]string, maxItems+1)}
	_, err := encodeManifest(m)
	assert.ErrorContains(t, err, "elements are more than")
	_, err = decodeManifest([]byte(`{"format_version": 1, "missing": [""` + strings.Repeat(`,""`, maxItems) + `]}`))
	assert.ErrorContains(t, err, "elements are more than")
}

func FuzzManifest(f *testing.F) {
	content, err := encodeManifest(sampleManifest())
	assert.NilError(f, err)
	f.Add(content)
	f.Add([]byte(`{"format_version": 1, "volumes": [{"name": "a", "entries": 1}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decodeManifest(content)
		if err != nil {
			return
		}
		again, err := encodeManifest(m)
		if err != nil { // an accepted time may be one that JSON cannot write
			return
		}
		m2, err := decodeManifest(again)
		assert.NilError(t, err)
		third, err := encodeManifest(m2)
		assert.NilError(t, err)
		assert.Equal(t, string(again), string(third))
	})
}
