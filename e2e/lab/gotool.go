package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Go runs the go command in a folder and returns what it wrote to stdout. It builds static programs. Behind sudo it runs
// as the user who called, or files of root would stand in that user's caches; what it writes must lie in a folder of
// theirs (HandOver).
func Go(ctx context.Context, dir string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, goProgram(), args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	asInvoker(command)
	said, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, exit.Stderr)
	}
	return said, err
}

// goProgram looks where the go command says it is, since sudo resets PATH.
func goProgram() string {
	for _, path := range []string{"go", filepath.Join(os.Getenv("GOROOT"), "bin/go"), "/usr/local/go/bin/go"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return "go"
}
