package commands

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/docker/cli/cli/command"
	"github.com/docker/go-units"

	"github.com/docker-ucp/docker-ucp/internal/backup"
)

// talker is how a command speaks to the operator.
type talker interface {
	Say(format string, args ...any)
	Warn(format string, args ...any)
}

// print tells the result: in words on standard error, or as one JSON object on standard output.
func (o *backupOptions) print(dockerCLI command.Cli, talk talker, r *backup.Result) error {
	if o.format == "json" {
		return printJSON(dockerCLI, r)
	}
	if r.Resumed {
		talk.Say("this is the archive of an earlier run, which could not deliver it")
	}
	file := r.File
	if file == "" {
		file = "to standard output"
	}
	talk.Say("wrote %s: %s, %d entries", file, units.HumanSize(float64(r.Size)), r.Entries)
	talk.Say("SHA-256 %s", r.SHA256)
	talk.Say("UCP %s, instance %s, was down for %s", known(r.Version), r.ID, (time.Duration(r.Downtime) * time.Millisecond).Round(10*time.Millisecond))
	if r.Sockets > 0 {
		talk.Say("%d sockets were left out: no archive can hold them", r.Sockets)
	}
	for _, name := range r.Excluded {
		talk.Say("volume %s was left out, as you asked", name)
	}
	talk.Say("not in it: swarm services, networks, secrets and routing mesh settings; back up the swarm first, DTR after")
	if !r.Sealed {
		talk.Warn("the archive is not sealed: whoever reads it holds UCP's keys")
	}
	return nil
}

func known(version string) string {
	if version == "" {
		return "of an unknown version"
	}
	return version
}

func (o *backupOptions) printPlan(dockerCLI command.Cli, plan *backup.Plan) error {
	if o.format == "json" {
		return printJSON(dockerCLI, plan)
	}
	return plan.Write(dockerCLI.Out())
}

// printJSON prints one object. JSON escapes less than a terminal obeys, and strings in it may come from an archive.
func printJSON(dockerCLI command.Cli, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(dockerCLI.Out(), "%s\n", escapeJSON(content))
	}
	if err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// escapeJSON writes what is not printable as \u escapes; outside of strings, JSON has none but line breaks.
func escapeJSON(content []byte) []byte {
	escaped := make([]byte, 0, len(content))
	for _, r := range string(content) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped
}

// whoami names who started the run, for the refusal that a second run gets.
func whoami() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s@%s (process %d)", name, host, os.Getpid())
}
