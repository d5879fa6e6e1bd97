package commands

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/docker/cli/cli/streams"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/golden"

	"github.com/docker-ucp/docker-ucp/internal/archive"
	"github.com/docker-ucp/docker-ucp/internal/backup"
)

func result() *backup.Result {
	return &backup.Result{
		File: "/backup/ucp.tar", Size: 1_234_567_890, Entries: 4321, SHA256: strings.Repeat("ab", 32),
		ID: "UCP:ONE", Version: "3.1.4", Downtime: 12_345, Sealed: true,
	}
}

func TestTheResultIsSaidInWords(t *testing.T) {
	tests := map[string]func(*backup.Result){
		"sealed":  func(*backup.Result) {},
		"plain":   func(r *backup.Result) { r.Sealed = false },
		"stdout":  func(r *backup.Result) { r.File, r.Version = "", "" },
		"resumed": func(r *backup.Result) { r.Resumed = true },
		"less":    func(r *backup.Result) { r.Sockets, r.Excluded = 3, []string{"ucp-metrics-data", "ucp-backup"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			r, talk := result(), &spoken{}
			change(r)
			dockerCLI := piped("", brokenOut{})
			assert.NilError(t, (&backupOptions{format: "text"}).print(dockerCLI, talk, r))
			for i := range talk.warned {
				talk.warned[i] = "warning: " + talk.warned[i]
			}
			golden.Assert(t, strings.Join(append(talk.said, talk.warned...), "\n")+"\n", "result-"+name+".golden")
		})
	}
}

func TestTheResultIsOneJSONObjectAloneOnStandardOutput(t *testing.T) {
	var stdout bytes.Buffer
	dockerCLI, talk := piped("", brokenOut{}), &spoken{}
	dockerCLI.out = streams.NewOut(&stdout)
	assert.NilError(t, (&backupOptions{format: "json"}).print(dockerCLI, talk, result()))
	golden.Assert(t, stdout.String(), "result-json.golden")
	assert.Equal(t, len(talk.said)+len(talk.warned), 0)
	var back backup.Result
	assert.NilError(t, json.Unmarshal(stdout.Bytes(), &back))
	assert.DeepEqual(t, back, *result())
}

func TestThePlanOfADryRunIsData(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var stdout bytes.Buffer
		dockerCLI := piped("", brokenOut{})
		dockerCLI.out = streams.NewOut(&stdout)
		opts := &backupOptions{format: format, dryRun: true}
		assert.NilError(t, opts.approval(dockerCLI, &spoken{})(t.Context(), &backup.Plan{ID: "UCP:ONE", Node: "manager1"}))
		assert.Check(t, strings.Contains(stdout.String(), "UCP:ONE"))
		assert.Equal(t, json.Valid(stdout.Bytes()), format == "json")
	}
}

func TestAResultThatCannotBePrintedIsAnError(t *testing.T) {
	dockerCLI := piped("", brokenOut{})
	dockerCLI.out = streams.NewOut(brokenOut{})
	assert.ErrorContains(t, (&backupOptions{format: "json"}).print(dockerCLI, &spoken{}, result()), "print the result: broken pipe")
}

func TestTheVersionNeedsNoEngine(t *testing.T) {
	o := execute(t, "version")
	assert.NilError(t, o.err)
	assert.Equal(t, o.stdout.String(), "docker-ucp 1.2.3\narchive format 1\n"+runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH+"\n")
	assert.Equal(t, archive.Version, 1)
}

func TestWhoStartedARunCanBeFound(t *testing.T) {
	assert.Check(t, strings.Contains(whoami(), "@") && strings.Contains(whoami(), "(process "), whoami())
}
