package commands

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/docker/cli/cli"
	"github.com/spf13/cobra"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// usageStatus is the docker CLI's own exit status for wrong usage.
const usageStatus = 125

// statusOf is the one place where a kind of failure becomes an exit status.
func statusOf(kind failure.Kind) int {
	switch kind {
	case failure.Failed:
		return 1
	case failure.Attention:
		return 2
	case failure.Damaged:
		return 3
	case failure.Locked:
		return 4
	case failure.Refused:
		return 5
	case failure.Cancelled:
		return 130
	}
	return 1
}

// exit turns an error of the core into what the docker CLI prints and exits with: the command, the error, and on lines
// of their own what to type next.
func exit(cmd *cobra.Command, err error) error {
	var status cli.StatusError
	if err == nil || errors.As(err, &status) {
		return err
	}
	words := cmd.CommandPath() + ": " + err.Error()
	if hints := failure.Hints(err); len(hints) > 0 {
		words += "\n" + strings.Join(hints, "\n")
	}
	return cli.StatusError{StatusCode: statusOf(failure.KindOf(err)), Cause: errors.New(harmless(words))}
}

// harmless replaces what a terminal would obey: an error may quote what came from the manager or stood in a file.
func harmless(words string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, words)
}

// inOneLine keeps the name of a file from breaking an error's line in two.
func inOneLine(err error, path string) error {
	if err == nil || shown(path) == path {
		return err
	}
	return &lineError{err, path}
}

type lineError struct {
	error

	path string
}

// Error implements error.
func (e *lineError) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.path, shown(e.path))
}

// Unwrap makes errors.Is and errors.As see the cause.
func (e *lineError) Unwrap() error { return e.error }

// shown writes what is not printable in a name as Go does in a string, such as \n.
func shown(name string) string {
	var text strings.Builder
	for _, r := range name {
		if unicode.IsPrint(r) {
			text.WriteRune(r)
			continue
		}
		text.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return text.String()
}

// arguments gives the docker CLI's own checks of arguments the exit status that it gives to wrong flags.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return cli.StatusError{StatusCode: usageStatus, Cause: err}
		}
		return nil
	}
}

// usage is the error of flags that do not go together.
func usage(cmd *cobra.Command, words string) error {
	return cli.StatusError{
		StatusCode: usageStatus,
		Cause:      errors.New(cmd.CommandPath() + ": " + words + "\nsee: " + cmd.CommandPath() + " --help"),
	}
}
