package commands

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/docker/cli/cli/streams"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/golden"

	"github.com/docker-ucp/docker-ucp/internal/verify"
)

func verified() *verify.Result {
	created := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	note := verify.Finding{Severity: verify.Note, Entry: "./ucp-metrics-data", Text: "left out of the backup on purpose"}
	warning := verify.Finding{Severity: verify.Warning, Entry: "./ucp-node-certs/cert.pem", Text: "expires on 2026-12-01, in 9 days"}
	return &verify.Result{
		File: "/backup/ucp.tar", Size: 1_070_000_123, Verdict: verify.SoundWithWarnings,
		Words: "the backup of UCP 3.1.4 is sound; read the warnings", Wrapped: []string{"openpgp"},
		Levels: []verify.Level{
			{Name: verify.LevelSealed, Verdict: verify.Sound, Summary: "AES-256, for a passphrase; modification detection right", Findings: []verify.Finding{}},
			{Name: verify.LevelTar, Verdict: verify.Sound, Summary: "12,345 entries, 1.07GB; every checksum right", Findings: []verify.Finding{}},
			{Name: verify.LevelUCP, Verdict: verify.SoundWithWarnings, Summary: "what a restore needs is there", Findings: []verify.Finding{warning, note}, More: 2},
		},
		Era: verify.EraOurs, Version: "3.1.4", InstanceID: "UCP:ONE", Created: &created, Node: "manager1",
		Entries: 12_345, Files: 12_000, Bytes: 1_070_000_000,
		Volumes: []verify.Volume{{Name: "ucp-node-certs", Entries: 5, Bytes: 4096}},
		Certificates: []verify.Certificate{
			{Entry: "./ucp-root-ca/cert.pem", Subject: "CN=UCP Root CA", Issuer: "CN=UCP Root CA", NotAfter: created.AddDate(5, 0, 0), CA: true},
			{Entry: "./ucp-node-certs/cert.pem", Subject: "CN=manager1", Issuer: "CN=UCP Root CA", NotAfter: created.AddDate(0, 0, 9)},
		},
		Etcd: &verify.Etcd{
			Source: "data folder", Entry: "./ucp-kv/datav3/member/snap/db", MemberID: "8e9e05c52164694d", ClusterID: "cdf818194e3a8c32",
			Members: []verify.EtcdMember{{ID: "8e9e05c52164694d", Name: "orca-kv-10.0.0.1", URLs: []string{"https://10.0.0.1:12380"}}},
			Keys:    1200, Revision: 1234,
		},
		License: "there",
	}
}

// unsound is what verify has to say of a tar that breaks off, and of no backup at all.
func unsound() *verify.Result {
	text := "ends in the middle of an entry"
	return &verify.Result{
		Verdict: verify.Unsound, Words: "the archive is damaged or incomplete: tar: " + text, Wrapped: []string{},
		Levels: []verify.Level{
			{Name: verify.LevelSealed, Verdict: verify.NotSealed, Summary: "whoever reads the archive holds UCP's keys", Findings: []verify.Finding{}},
			{Name: verify.LevelTar, Verdict: verify.Unsound, Summary: text, Findings: []verify.Finding{{Severity: verify.Fault, Text: text}}},
			{Name: verify.LevelUCP, Verdict: verify.NotJudged, Summary: "the levels below broke off before its end", Findings: []verify.Finding{}},
		},
		Era: verify.EraNone, Volumes: []verify.Volume{}, Certificates: []verify.Certificate{},
	}
}

func TestAResultIsATableForPeople(t *testing.T) {
	vendor := verified()
	vendor.Era, vendor.Version, vendor.Created, vendor.Node, vendor.License = verify.EraOnline, "", nil, "", "absent"
	vendor.Etcd.MemberID, vendor.Etcd.Members = "", make([]verify.EtcdMember, 3)
	vendor.Certificates = vendor.Certificates[:1]
	early := verified()
	early.Era = verify.EraStopped
	early.Etcd = nil
	early.Verdict = verify.Unsound
	early.Levels[1] = verify.Level{Name: verify.LevelTar, Verdict: verify.Unsound, Summary: "./a: its checksum is wrong", Findings: []verify.Finding{
		{Severity: verify.Fault, Entry: "./a", Text: "its checksum is wrong"}, {Severity: verify.Fault, Entry: "./b", Text: "its checksum is wrong"},
	}}
	for name, result := range map[string]*verify.Result{
		"warnings": verified(), "vendor": vendor, "early": early, "unsound": unsound(),
	} {
		var table bytes.Buffer
		assert.NilError(t, printReport(&table, result))
		golden.Assert(t, table.String(), "verify-"+name+".golden")
	}
}

func TestAVerifiedBackupsJSONKeepsItsNames(t *testing.T) {
	for name, result := range map[string]*verify.Result{"warnings": verified(), "unsound": unsound()} {
		var stdout bytes.Buffer
		dockerCLI := piped("", brokenOut{})
		dockerCLI.out = streams.NewOut(&stdout)
		assert.NilError(t, (&verifyOptions{format: "json"}).print(dockerCLI, &spoken{}, result))
		golden.Assert(t, stdout.String(), "verify-"+name+"-json.golden")
		var back verify.Result
		assert.NilError(t, json.Unmarshal(stdout.Bytes(), &back))
		assert.DeepEqual(t, back, *result)
	}
}

// hostile is a name that clears a screen, in three ways, turns the line around and begins a new one.
const hostile = "\x1b[2J\u009b2J\x7f\u202e\r\n\u2028evil\xff\U000e0001"

func hostileResult() *verify.Result {
	r := verified()
	r.File, r.Words, r.Version, r.InstanceID, r.Node, r.License = hostile, hostile, hostile, hostile, hostile, hostile
	for i := range r.Levels {
		r.Levels[i].Summary = hostile
		r.Levels[i].Findings = []verify.Finding{{Severity: verify.Fault, Entry: hostile, Text: "at " + hostile}}
	}
	r.Certificates = []verify.Certificate{{Entry: hostile, Subject: hostile, Issuer: hostile}}
	r.Etcd.MemberID, r.Etcd.ClusterID, r.Etcd.Entry = hostile, hostile, hostile
	return r
}

func TestWhatAnArchiveSaysCannotCommandATerminal(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var stdout bytes.Buffer
		dockerCLI := piped("", brokenOut{})
		dockerCLI.out = streams.NewOut(&stdout)
		assert.NilError(t, (&verifyOptions{format: format}).print(dockerCLI, &spoken{}, hostileResult()))
		assert.Check(t, cmp.Contains(stdout.String(), "evil"), "nothing was shown")
		for _, r := range stdout.String() {
			assert.Assert(t, r == '\n' || unicode.IsPrint(r), "%s: %q", format, r)
		}
		if format == "json" {
			var back verify.Result
			assert.NilError(t, json.Unmarshal(stdout.Bytes(), &back))
			assert.Equal(t, back.Node, strings.ToValidUTF8(hostile, "\ufffd"))
			continue
		}
		var plain bytes.Buffer
		assert.NilError(t, printReport(&plain, verified()))
		lines := strings.Count(plain.String(), "\n") + 1 // a finding more, in place of what two levels have
		assert.Equal(t, strings.Count(stdout.String(), "\n"), lines, "a name made a line of its own")
	}
}

func TestTheLastLineNamesTheFileOfWhatIsSound(t *testing.T) {
	for file, want := range map[string]string{"": "standard input", "pf.tar": "pf.tar", "a\nb": `a\nb`} {
		for verdict, sound := range map[verify.Verdict]bool{verify.Sound: true, verify.SoundWithWarnings: true, verify.Unsound: false} {
			r := verified()
			r.File, r.Verdict = file, verdict
			var table bytes.Buffer
			assert.NilError(t, printReport(&table, r))
			assert.Equal(t, strings.HasSuffix(table.String(), "\n"+want+": "+r.Words+"\n"), sound, "%s", &table)
			assert.Equal(t, strings.Contains(table.String(), r.Words), sound)
		}
	}
}

func TestALicenseIsToldOfWhereItWasLookedFor(t *testing.T) {
	r := verified()
	r.Levels[2].Verdict = verify.NotJudged
	var table bytes.Buffer
	assert.NilError(t, printReport(&table, r))
	assert.Check(t, !strings.Contains(table.String(), "license") && strings.Contains(table.String(), "\nbackup "), "%s", &table)
}

func TestQuietStillPrintsTheJSONThatWasAskedFor(t *testing.T) {
	var stdout bytes.Buffer
	dockerCLI := piped("", brokenOut{})
	dockerCLI.out = streams.NewOut(&stdout)
	r := verified()
	r.Verdict = verify.Sound
	assert.NilError(t, (&verifyOptions{format: "json", talk: talkOptions{quiet: true}}).print(dockerCLI, &spoken{}, r))
	assert.Check(t, json.Valid(stdout.Bytes()))
}

func TestALongNameIsCutInTheTableAlone(t *testing.T) {
	r := verified()
	r.Node = strings.Repeat("é", 100_000)
	var table bytes.Buffer
	assert.NilError(t, printReport(&table, r))
	assert.Check(t, table.Len() < 5000, "%d bytes", table.Len())
	assert.Check(t, cmp.Contains(table.String(), "é…"))
}

func TestATableThatCannotBePrintedIsAnError(t *testing.T) {
	assert.Error(t, printReport(brokenOut{}, verified()), "print the result: broken pipe")
}

func TestTheResultStandsWhereTheListLeavesRoom(t *testing.T) {
	tests := map[string]struct {
		opts           verifyOptions
		verdict        verify.Verdict
		stdout, stderr bool
		said           bool
	}{
		"no list":                          {verifyOptions{}, verify.Sound, true, false, false},
		"no list, and quiet":               {verifyOptions{talk: talkOptions{quiet: true}}, verify.Sound, false, false, false},
		"quiet, with warnings":             {verifyOptions{talk: talkOptions{quiet: true}}, verify.SoundWithWarnings, true, false, false},
		"quiet, and unsound":               {verifyOptions{talk: talkOptions{quiet: true}}, verify.Unsound, true, false, false},
		"quiet, and a log of JSON":         {verifyOptions{list: true, talk: talkOptions{quiet: true, jsonLog: true}}, verify.Sound, false, false, false},
		"a list":                           {verifyOptions{list: true}, verify.Sound, false, true, false},
		"a list, and quiet":                {verifyOptions{list: true, talk: talkOptions{quiet: true}}, verify.Sound, false, false, false},
		"a list, and quiet, with warnings": {verifyOptions{list: true, talk: talkOptions{quiet: true}}, verify.SoundWithWarnings, false, true, false},
		"a list, and a log of JSON":        {verifyOptions{list: true, talk: talkOptions{jsonLog: true}}, verify.Sound, false, false, true},
		"a list, and progress as JSON":     {verifyOptions{list: true, talk: talkOptions{progress: "json"}}, verify.Sound, false, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			dockerCLI, talk := piped("", &stderr), &spoken{}
			dockerCLI.out = streams.NewOut(&stdout)
			result := verified()
			result.Verdict, test.opts.format = test.verdict, "text"
			assert.NilError(t, test.opts.print(dockerCLI, talk, result))
			assert.Equal(t, strings.HasPrefix(stdout.String(), "sealed"), test.stdout)
			assert.Equal(t, strings.HasPrefix(stderr.String(), "sealed"), test.stderr)
			assert.Equal(t, len(talk.said) > 5 && strings.HasPrefix(talk.said[0], "sealed"), test.said)
			assert.Equal(t, stdout.Len() > 0, test.stdout)
			assert.Equal(t, stderr.Len() > 0, test.stderr)
		})
	}
}
