package standin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const programPackage = "github.com/docker-ucp/docker-ucp/e2e/cmd/standin"

// Build builds the static program and returns its path. dir is where it goes; empty means the user's cache, outside the
// tree. Go's own cache makes a second call cheap. It must run inside the module of the end-to-end tests.
func Build(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("build stand-in: %w", err)
		}
		dir = filepath.Join(cache, "docker-ucp-e2e")
	}
	path := filepath.Join(dir, "standin")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, programPackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stand-in: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}
