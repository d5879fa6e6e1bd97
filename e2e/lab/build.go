package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Current is the newest engine that the lab knows how to build.
const Current = "28.5.2"

// BuildEngine returns the path of dockerd in a version, with its docker-proxy beside it: it builds them from their Go
// module when this machine has never done so. That takes some minutes and it says so on out. The result is kept in the
// user's cache folder.
func BuildEngine(ctx context.Context, version string, out io.Writer) (string, error) {
	if version != Current {
		return "", fmt.Errorf("no engine %q: %s or %s", version, Installed, Current)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "engine-"+version+"-"+runtime.GOARCH)
	dockerd := filepath.Join(dir, "dockerd")
	if _, err := os.Stat(dockerd); err == nil {
		return dockerd, nil
	}
	unlock, err := lockCache(ctx, cache)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dockerd); err != nil { // nobody has built it while we waited
		err = buildEngine(ctx, version, dir, out)
		if err != nil {
			err = fmt.Errorf("build engine %s: %w", version, err)
		}
		return dockerd, errors.Join(err, unlock())
	}
	return dockerd, unlock()
}

// engineProgram returns the dockerd of a version.
func engineProgram(ctx context.Context, version string, out io.Writer) (string, error) {
	if version == Installed {
		return program("dockerd"), nil
	}
	return BuildEngine(ctx, version, out)
}

// buildEngine makes a module of the engine's sources, which come without one, and compiles it. The folder appears as a
// whole.
func buildEngine(ctx context.Context, version, dir string, out io.Writer) (err error) {
	began := time.Now()
	if _, err := fmt.Fprintf(out, "building Docker engine %s from its sources: some 3 minutes, once\n", version); err != nil {
		return err
	}
	sources, err := downloadModule(ctx, "github.com/docker/docker@v"+version+"+incompatible")
	if err != nil {
		return err
	}
	work, built := dir+".src", dir+".new"
	defer func() { err = errors.Join(err, os.RemoveAll(work), os.RemoveAll(built)) }()
	if err := makeModule(sources, work); err != nil {
		return err
	}
	if err := makeOwned(built); err != nil {
		return err
	}
	for _, name := range []string{"docker-proxy", "dockerd"} {
		if err := compile(ctx, work, version, filepath.Join(built, name)); err != nil {
			return err
		}
	}
	if err := os.Rename(built, dir); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "built %s in %s\n", dir, time.Since(began).Round(time.Second))
	return err
}

func downloadModule(ctx context.Context, module string) (string, error) {
	said, err := Go(ctx, os.TempDir(), "mod", "download", "-json", module)
	if err != nil {
		return "", err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(said, &found); err != nil {
		return "", fmt.Errorf("download %s: %w", module, err)
	}
	return found.Dir, nil
}

var lineComment = regexp.MustCompile(`(?m)^\s*//.*\n?`)

// makeModule copies the sources without the vendor folder and turns vendor.mod and vendor.sum into go.mod and go.sum:
// the project keeps them under those names since its versions are no semantic ones.
func makeModule(sources, work string) error {
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := copySources(sources, work); err != nil {
		return err
	}
	requires, err := os.ReadFile(filepath.Join(sources, "vendor.mod"))
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(sources, "vendor.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "go.mod"), lineComment.ReplaceAll(requires, nil), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "go.sum"), sums, 0o644); err != nil {
		return err
	}
	return HandOver(work)
}

func copySources(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case name == "vendor":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case entry.Type().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, name), raw, 0o644)
		}
		return nil
	})
}

func compile(ctx context.Context, work, version, into string) error {
	_, err := Go(ctx, work, "build", "-mod=mod", "-trimpath",
		"-tags", "exclude_graphdriver_btrfs exclude_graphdriver_zfs no_systemd",
		"-ldflags", "-s -w -X github.com/docker/docker/dockerversion.Version="+version,
		"-o", into, "./cmd/"+filepath.Base(into))
	return err
}

// lockCache lets one process at a time build.
func lockCache(ctx context.Context, cache string) (func() error, error) {
	file, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, file.Close())
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return nil, errors.Join(fmt.Errorf("wait for another build: %w", err), file.Close())
		}
	}
}
