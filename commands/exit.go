package commands

import (
	"errors"
	"strings"

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
	return cli.StatusError{StatusCode: statusOf(failure.KindOf(err)), Cause: errors.New(words)}
}

// usage is the error of flags that do not go together.
func usage(cmd *cobra.Command, words string) error {
	return cli.StatusError{
		StatusCode: usageStatus,
		Cause:      errors.New(cmd.CommandPath() + ": " + words + "\nsee: " + cmd.CommandPath() + " --help"),
	}
}
