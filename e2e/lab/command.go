package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// run executes a program to its end; an error holds what the program said.
func run(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, name, args...)
	return err
}

// output executes a program and returns what it wrote to stdout.
func output(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program(name), args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = cleanEnvironment()
	if err := command.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said)
	}
	return stdout.String(), nil
}

// searchPath finds system programs for callers whose PATH lacks the sbin folders.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// program returns where a program lies, or its bare name when it cannot be found: running it then tells so.
func program(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for folder := range strings.SplitSeq(searchPath, ":") {
		if path, err := exec.LookPath(folder + "/" + name); err == nil {
			return path
		}
	}
	return name
}

// cleanEnvironment keeps the caller's proxies and Docker settings away from the engines.
func cleanEnvironment() []string {
	return []string{"PATH=" + searchPath, "HOME=/nonexistent", "LANG=C.UTF-8"}
}
