package commands

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/cli/cli"
	"github.com/spf13/cobra"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestWrongUsageIsToldAndConnectsNothing(t *testing.T) {
	tests := map[string]struct {
		args string
		want string // part of the error
	}{
		"an unknown flag":                             {"backup --nope", "unknown flag: --nope"},
		"a flag without its value":                    {"backup --id", "flag needs an argument: --id"},
		"a duration that is none":                     {"backup --stop-timeout soon", `invalid argument "soon"`},
		"two arguments":                               {"backup a b", "requires at least 0 and at most 1 argument"},
		"an argument where none is":                   {"version now", "accepts no arguments"},
		"an unknown command":                          {"restroe", "unknown command: docker ucp restroe"},
		"two files":                                   {"backup --file a b", "FILE and --file name two files; give one of them"},
		"standard output by a variable that is empty": {"backup --file= --yes", "the name of FILE is empty; for standard output write -"},
		"a file and standard output":                  {"backup --file a -", "FILE and --file name two files; give one of them"},
		"json beside the archive":                     {"backup --format json", "--format json needs FILE: standard output is the archive's"},
		"json beside the archive, with -":             {"backup --format json -", "--format json needs FILE: standard output is the archive's"},
		"no compression of that name":                 {"backup --compress lz4 f", "--compress is none or zlib, not lz4"},
		"compressing what is not sealed":              {"backup --no-passphrase --compress zlib f", "pipe a plain archive through gzip"},
		"no way of cloning of that name":              {"backup --clone maybe f", "--clone is auto, always or never, not maybe"},
		"no format of that name":                      {"backup --format xml f", "--format is text or json, not xml"},
		"no progress of that name":                    {"backup --progress loud f", `unknown progress mode "loud": use auto, plain, json or quiet`},
		"a spool without a name":                      {"backup --spool-volume= f", "--spool-volume needs a name"},
		"a stop back in time":                         {"backup --stop-timeout -1s f", "--stop-timeout cannot be negative"},
		"no rest of that name":                        {"backup --quiesce freeze f", "--quiesce is stop or pause, not freeze"},
		"a time to stop in where nothing stops":       {"backup --quiesce pause --stop-timeout 5s f", "--stop-timeout is for containers that are stopped, and --quiesce pause stops none"},
		"json beside an archive that is fetched":      {"backup --resume --format json", "--format json needs FILE: standard output is the archive's"},
		"two passphrases":                             {"backup --passphrase a --passphrase-file b f", "--passphrase and --passphrase-file are two passphrases; give one of them"},
		"a passphrase and none":                       {"backup --no-passphrase --passphrase a f", "--no-passphrase goes with no other key"},
		"an empty passphrase and none":                {"backup --no-passphrase --passphrase= f", "--no-passphrase goes with no other key"},
		"a passphrase file and none":                  {"backup --no-passphrase --passphrase-file a f", "--no-passphrase goes with no other key"},
		"a recipient and none":                        {"backup --no-passphrase --recipient a f", "--no-passphrase goes with no other key"},
		"nothing to verify":                           {"verify", "requires 1 argument"},
		"two archives":                                {"verify a b", "requires 1 argument"},
		"no format of that name to verify in":         {"verify --format xml f", "--format is text or json, not xml"},
		"no progress of that name to verify with":     {"verify --progress loud f", `unknown progress mode "loud": use auto, plain, json or quiet`},
		"a list beside json":                          {"verify --list --format json f", "--list and --format json both want standard output; give one of them"},
		"two passphrases to open with":                {"verify --passphrase a --passphrase-file b f", "--passphrase and --passphrase-file are two passphrases; give one of them"},
		"a passphrase file by an empty variable":      {"verify --passphrase-file= f", "--passphrase-file needs the name of a file"},
		"a session key file by an empty variable":     {"verify --session-key-file= f", "--session-key-file needs the name of a file"},
		"a session key and a passphrase":              {"verify --session-key-file a --passphrase= f", "--session-key-file opens the archive alone; it goes with no other key"},
		"a session key and a passphrase file":         {"verify --session-key-file a --passphrase-file b f", "--session-key-file opens the archive alone; it goes with no other key"},
		"a session key and a private key":             {"verify --session-key-file a --identity b f", "--session-key-file opens the archive alone; it goes with no other key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := execute(t, strings.Fields(test.args)...)
			assert.Equal(t, o.status(), usageStatus)
			assert.ErrorContains(t, o.err, test.want)
			assert.Check(t, cmp.Regexp(`(?m)(--help|for more information)`, o.err.Error()), "it says where to read on")
			assert.Equal(t, o.stdout.String(), "")
		})
	}
}

func TestFlagsThatGoTogetherGetAsFarAsTheEngine(t *testing.T) {
	for _, args := range []string{
		"backup FILE", "backup --file FILE", "backup --file FILE FILE", "backup", "backup -", "backup --file -",
		"backup --format json FILE", "backup --format json --dry-run", "backup --dry-run",
		"backup --passphrase-file key --recipient key FILE", "backup --no-passphrase FILE", "backup --no-passphrase --compress none FILE", "backup --compress zlib FILE", "backup --stop-timeout 0s FILE",
		"backup --security-opt a --security-opt b --exclude-volume c --exclude-volume d FILE", "backup -i -y -q -D FILE",
		"backup --quiesce pause FILE", "backup --quiesce stop --stop-timeout 5s FILE", "backup --force --fix-shm FILE", "backup --resume FILE",
		"backup --resume --file FILE", "backup --resume", "backup --resume --format json --yes --id UCP:ONE --security-opt a --engine-socket /s FILE",
	} {
		t.Run(args, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ucp.tar")
			o := execute(t, strings.Fields(strings.ReplaceAll(args, "FILE", file))...)
			assert.Equal(t, o.status(), 5, "%v", o.err)
			assert.Error(t, o.err, "docker ucp backup: reach the engine at tcp://manager1:2376: connection refused\n"+
				"look at: docker context ls; then: docker --context NAME version")
			assert.Equal(t, o.stdout.String(), "")
		})
	}
}

func TestFetchingAnArchiveTakesNoFlagOfMakingOne(t *testing.T) {
	for _, flag := range []string{
		"--passphrase a", "--passphrase-file a", "--no-passphrase", "--recipient a", "--compress zlib", "--exclude-volume a", "--clone never",
		"--quiesce pause", "--stop-timeout 5s", "--spool-volume a", "--force", "--fix-shm", "--interactive", "--dry-run",
	} {
		t.Run(flag, func(t *testing.T) {
			name, _, _ := strings.Cut(flag, " ")
			o := execute(t, strings.Fields("backup --resume "+flag+" f")...)
			assert.Equal(t, o.status(), usageStatus)
			assert.Error(t, o.err, "docker ucp backup: --resume fetches an archive that is finished; "+name+" is for one that is yet to be made\n"+
				"see: docker ucp backup --help")
		})
	}
}

func TestEveryKindOfFailureHasTheStatusThatTheHelpSays(t *testing.T) {
	for kind, want := range map[failure.Kind]struct {
		status int
		words  string
	}{
		failure.Failed:    {1, "failed; nothing changed, or all was put back"},
		failure.Attention: {2, "failed and something needs a person"},
		failure.Damaged:   {3, "the archive is damaged or incomplete"},
		failure.Locked:    {4, "wrong passphrase, or no key for it"},
		failure.Refused:   {5, "refused before anything was touched"},
		failure.Cancelled: {130, "cancelled"},
	} {
		err := exit(&cobra.Command{Use: "backup"}, &failure.Error{Kind: kind, Cause: errors.New("no")})
		var status cli.StatusError
		assert.Check(t, errors.As(err, &status))
		assert.Equal(t, status.StatusCode, want.status)
		assert.Check(t, cmp.Contains(exitStatus, fmt.Sprintf("\n  %-4d %s", want.status, want.words)))
		assert.Check(t, strings.Contains(verifyStatus, fmt.Sprintf("\n  %-4d ", want.status)) == (kind != failure.Attention))
	}
}

func TestAnErrorIsPrintedOnceAndThenWhatToType(t *testing.T) {
	cmd := &cobra.Command{Use: "backup"}
	assert.NilError(t, exit(cmd, nil))
	tests := map[string]struct {
		err  error
		want string
	}{
		"a plain one":   {errors.New("disk is full"), "backup: disk is full"},
		"with a hint":   {failure.Refuse(errors.New("no"), "type this"), "backup: no\ntype this"},
		"without words": {usage(cmd, "wrong"), "backup: wrong\nsee: backup --help"},
		"of several parts": {
			errors.Join(failure.Cancel(errors.New("cancelled")), failure.NeedsAttention(errors.New("left"), "docker rm x"), failure.Refuse(errors.New("no"), "type this")),
			"backup: cancelled\nleft\nno\ndocker rm x\ntype this",
		},
		"from a stranger": {errors.New("label \x1b]0;pwned\a\r\xff\u202e"), "backup: label \ufffd]0;pwned\ufffd\ufffd\ufffd\ufffd"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := exit(cmd, test.err)
			assert.Error(t, err, test.want)
			assert.Equal(t, exit(cmd, err), err, "told once")
		})
	}
}
