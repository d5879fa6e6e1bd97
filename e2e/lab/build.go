package lab

import (
	"context"
	"errors"
	"io"
)

// engineProgram returns the dockerd of a version.
func engineProgram(ctx context.Context, version string, out io.Writer) (string, error) {
	if version == Installed {
		return program("dockerd"), nil
	}
	return "", errors.New("no such version")
}
