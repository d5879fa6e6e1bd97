package verify

import (
	"archive/tar"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// inspected is what docker inspect says of a container, in short.
func inspected(version, id, image string) []byte {
	return fmt.Appendf(nil, `{"Id":"1","Config":{"Image":%q,"Labels":{"com.docker.ucp.version":%q,"com.docker.ucp.InstanceID":%q}}}`, image, version, id)
}

func TestTheRecordsSayWhichUCPItIs(t *testing.T) {
	const id, other = "isf0dbkbykcrvkiu96yshx1eg", "6bidr7qs5ysuq1aofc2vxdyoz"
	manifest := &archive.Manifest{UCP: archive.UCP{Version: "3.1.4", InstanceID: id}}
	tests := map[string]struct {
		all      entries
		era      Era
		manifest *archive.Manifest
		version  string
		id       string
		want     []string
	}{
		"all agree": {
			entries{"ucp-kv.json": inspected("3.4.5", id, ""), "ucp-proxy.json": inspected("3.4.5", id, "")}, EraOnline, nil, "3.4.5", id, nil,
		},
		"an array of one, as the command prints it": {
			entries{"ucp-kv.json": []byte("[" + string(inspected("3.4.5", id, "")) + "]")}, EraOnline, nil, "3.4.5", id, nil,
		},
		"one container is of an older version": {
			entries{"ucp-a.json": inspected("3.4.4", id, ""), "ucp-b.json": inspected("3.4.5", id, ""), "ucp-c.json": inspected("3.4.5", other, "")},
			EraOnline, nil, "3.4.5", id,
			[]string{"warning ./ucp-a.json: says that UCP's version is 3.4.4, most say 3.4.5", "warning ./ucp-c.json: instance ID is " + other + ", most say " + id},
		},
		"of two the controller counts": {
			entries{"ucp-a.json": inspected("3.4.4", id, ""), "ucp-controller.json": inspected("3.4.5", id, "")},
			EraOnline, nil, "3.4.5", id,
			[]string{"warning ./ucp-a.json: says that UCP's version is 3.4.4, most say 3.4.5"},
		},
		"the images say it where no label does": {
			entries{"ucp-kv.json": inspected("", id, "mirantis/ucp-etcd:3.4.5")}, EraOnline, nil, "3.4.5", id, nil,
		},
		"another's image says nothing": {
			entries{"ucp-kv.json": inspected("", id, "example/etcd:3.4.5")},
			EraOnline, nil, "", id,
			[]string{"warning : no record says of which version"},
		},
		"none says, in an archive that need not hold any": {entries{}, EraStopped, nil, "", "", []string{"note : no record says of which version"}},
		"none says, in one of ours":                       {entries{}, EraOurs, manifest, "3.1.4", id, nil},
		"they agree with the manifest":                    {entries{"ucp-kv.json": inspected("3.1.4", id, "")}, EraOurs, manifest, "3.1.4", id, nil},
		"they contradict the manifest, which counts": {
			entries{"ucp-kv.json": inspected("3.1.5", other, "")},
			EraOurs, manifest, "3.1.4", id,
			[]string{
				"warning ./docker-ucp/manifest.json: version is 3.1.4, the containers say 3.1.5",
				"warning ./docker-ucp/manifest.json: instance ID is " + id + ", the containers say " + other,
			},
		},
		"the manifest claims UCP 1, which needs fewer volumes": {
			entries{"ucp-kv.json": inspected("3.1.5", id, "")},
			EraOurs, &archive.Manifest{UCP: archive.UCP{Version: "1.1.4"}}, "1.1.4", id,
			[]string{"fault ./docker-ucp/manifest.json: version is 1.1.4, the containers say 3.1.5"},
		},
		"the manifest claims another UCP 1": {
			entries{"ucp-kv.json": inspected("1.1.2", id, "")},
			EraOurs, &archive.Manifest{UCP: archive.UCP{Version: "1.1.4"}}, "1.1.4", id,
			[]string{"warning ./docker-ucp/manifest.json: version is 1.1.4, the containers say 1.1.2"},
		},
		"the manifest could not be read": {entries{"ucp-kv.json": inspected("3.1.5", id, "")}, EraOurs, nil, "3.1.5", id, nil},
		"not JSON": {
			entries{"ucp-kv.json": []byte(`{"Id":"1",`), "ucp-b.json": inspected("3.4.5", id, ""), "ucp-c.json": nil},
			EraOnline, nil, "3.4.5", id,
			[]string{"fault ./ucp-c.json: is not JSON", "fault ./ucp-kv.json: is not JSON"},
		},
		"JSON of another shape": {
			entries{"notes.json": []byte(`"hello"`), "ucp-a.json": []byte("[]"), "ucp-b.json": inspected("3.4.5", id, "")}, EraOnline, nil, "3.4.5", id, nil,
		},
		"escapes of a terminal in a label": {
			entries{"ucp-b.json": []byte(`{"Config":{"Labels":{"com.docker.ucp.version":"3\u001b[2J"}}}`)}, EraOnline, nil, `3\x1b[2J`, "", nil,
		},
		"the manifest does not say": {entries{"ucp-kv.json": inspected("3.1.5", id, "")}, EraOurs, &archive.Manifest{}, "3.1.5", id, nil},
		"no backup of UCP": {
			entries{"package.json": []byte(`{}`), "a.json": inspected("1", "", ""), "b.json": inspected("2", "", "")}, EraNone, nil, "", "", nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, l := newRecords(), &level{}
			feed(t, r.watch, test.all, 7)
			version, instance := r.judge(l, test.era, test.manifest)
			assert.Equal(t, version, test.version)
			assert.Equal(t, instance, test.id)
			assertFindings(t, l, test.want...)
		})
	}
}

func TestASwarmConfigIsWhatItsNameSays(t *testing.T) {
	config := func(name, data string) []byte {
		return fmt.Appendf(nil, `{"ID":"1","Spec":{"Name":%q,"Data":%q}}`, name, base64.StdEncoding.EncodeToString([]byte(data)))
	}
	const entry = "./docker-ucp/configs/com.docker.license-1.json"
	tests := map[string]struct {
		content []byte
		want    []string
	}{
		"right":                   {config("com.docker.license-1", "{}"), nil},
		"of another name":         {config("com.docker.license-2", "{}"), []string{"fault " + entry + `: is the swarm config "com.docker.license-2"`}},
		"without content":         {config("com.docker.license-1", ""), []string{"warning " + entry + ": is a swarm config without content"}},
		"not JSON":                {[]byte("license"), []string{"fault " + entry + ": is not JSON"}},
		"of another shape":        {[]byte(`{"Spec":[]}`), []string{"fault " + entry + ": is not what the engine says of a swarm config"}},
		"data that is not base64": {[]byte(`{"Spec":{"Name":"com.docker.license-1","Data":"%"}}`), []string{"fault " + entry + ": is not what the engine says"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, l := newRecords(), &level{}
			feed(t, r.watch, entries{entry[2:]: test.content, "docker-ucp/services/ucp-agent.json": []byte("{}")}, 1000)
			r.judge(l, EraOurs, nil)
			assertFindings(t, l, test.want...)
		})
	}
}

func TestOnlyRecordsAreRead(t *testing.T) {
	r := newRecords()
	for _, name := range []string{"./ucp-kv/x.json", "./docker-ucp/manifest.json", "./docker-ucp/configs/a/b.json", "./ucp-kv.txt", "./" + strings.Repeat("a", 5000) + ".json"} {
		assert.Assert(t, r.watch(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1}) == nil, name)
	}
	assert.Assert(t, r.watch(&tar.Header{Name: "ucp-kv.json", Typeflag: tar.TypeReg, Size: 1}) != nil, "without ./ in front")
}

func TestARecordThatIsTooLongIsNotHeld(t *testing.T) {
	r, l := newRecords(), &level{}
	assert.Assert(t, r.watch(&tar.Header{Name: "./ucp-kv.json", Typeflag: tar.TypeReg, Size: maxRecord + 1}) == nil)
	r.judge(l, EraOurs, &archive.Manifest{})
	assertFindings(t, l, "warning ./ucp-kv.json: has 1048577 bytes, and was not looked at")
}

func TestWhatManyRecordsSayIsBounded(t *testing.T) {
	r, l := newRecords(), &level{}
	all := entries{}
	for n := range 1000 {
		all[fmt.Sprintf("ucp-%04d.json", n)] = inspected(fmt.Sprintf("3.4.%d", n), strings.Repeat("x", maxIdentity+1), "")
	}
	feed(t, r.watch, all, 1000)
	assert.Equal(t, len(r.versions.answers), maxIdentities)
	version, instance := r.judge(l, EraOnline, nil)
	assert.Equal(t, version, "3.4.0")
	assert.Equal(t, instance, "", "too long to be one")
	assert.Equal(t, len(l.findings), 5)
}
