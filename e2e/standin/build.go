package standin

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

const programPackage = "github.com/docker-ucp/docker-ucp/e2e/cmd/standin"

// Build builds the static program into a folder and returns its path; without a folder, into the user's cache. Where it
// is up to date, that takes half a second. It must run inside the module of the end-to-end tests.
func Build(ctx context.Context, dir string) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build stand-in: %w", err)
		}
	}()
	if dir == "" {
		if dir, err = cacheDir(); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := lab.HandOver(dir); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "standin")
	_, err = lab.Go(ctx, ".", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, programPackage)
	return path, err
}

// cacheDir is with the user behind sudo, as whom the go command runs.
func cacheDir() (string, error) {
	const name = "docker-ucp-e2e"
	if id := os.Getenv("SUDO_UID"); id != "" && os.Geteuid() == 0 {
		if caller, err := user.LookupId(id); err == nil {
			return filepath.Join(caller.HomeDir, ".cache", name), nil
		}
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, name), err
}
