package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

// measureDown compares how long UCP is down, and how long a whole backup to a local file takes, for 1 GiB of volumes.
func measureDown(ctx context.Context, opts options, fs string) error {
	where := "a file system that cannot clone"
	if fs != "" {
		where = fs + ", which can clone"
	}
	return stand(ctx, opts, lab.Options{FS: fs}, standin.Options{DataBytes: gib, Minimal: true}, func(b *bench) error {
		volumes, err := b.volumes(ctx)
		if err != nil {
			return err
		}
		table := &table{title: "UCP's down time and a whole backup, 1 GiB of volumes on " + where + ", page cache warm"}
		for range opts.rounds {
			floor, err := b.floor(ctx)
			if err != nil {
				return err
			}
			vendor, err := b.vendor(ctx, volumes)
			if err != nil {
				return err
			}
			own, err := b.backup(ctx)
			if err != nil {
				return err
			}
			table.add("floor: stop and start, nothing between", floor.down)
			table.add("vendor's shape: down", vendor.down)
			table.add("docker ucp backup: down", own.down)
			table.add("docker ucp backup: down, above the floor", own.down-floor.down)
			table.add("vendor's shape: whole", vendor.whole)
			table.add("docker ucp backup: whole", own.whole)
			table.ratio("down, ours / vendor's", own.down, vendor.down)
			table.ratio("down above the floor, ours / vendor's", own.down-floor.down, vendor.down-floor.down)
			table.ratio("whole, ours / vendor's", own.whole, vendor.whole)
		}
		return table.print(opts.out)
	})
}

// measureFiles compares 100,000 small files with tar and gpg on the host.
func measureFiles(ctx context.Context, opts options) error {
	return stand(ctx, opts, lab.Options{}, standin.Options{SmallFiles: 100_000, Minimal: true}, func(b *bench) error {
		table := &table{title: "100,000 small files, page cache warm; the capture is from UCP at rest to the last file sealed"}
		root := filepath.Join(b.node.Data(), "volumes")
		for range opts.rounds {
			host, err := b.hostTar(ctx, root)
			if err != nil {
				return err
			}
			own, err := b.backup(ctx)
			if err != nil {
				return err
			}
			table.add("tar | gpg on the host", host)
			table.add("docker ucp backup: capture", own.capture)
			table.add("docker ucp backup: down", own.down)
			table.ratio("capture, ours / tar | gpg", own.capture, host)
		}
		return table.print(opts.out)
	})
}

func (b *bench) hostTar(ctx context.Context, root string) (time.Duration, error) {
	script := `set -o pipefail; tar --create --directory "$1" . | gpg --homedir "$2" --batch --quiet --pinentry-mode loopback --passphrase-file "$3" --symmetric --cipher-algo AES256 --compress-algo none > "$4"`
	command := exec.CommandContext(ctx, "bash", "-c", script, "tar", root, b.dir, b.passphrase(), b.file("host.tar"))
	from := time.Now()
	err := command.Run()
	if err != nil && strings.Contains(err.Error(), "exit status 1") {
		err = nil // tar saw a file of the running stand-in change, which does not matter for the time
	}
	if err != nil {
		return 0, fmt.Errorf("tar | gpg on the host: %w", err)
	}
	return time.Since(from), nil
}

// measureMemory prints the peak memory of both programs for two sizes that are a hundredfold apart.
func measureMemory(ctx context.Context, opts options) error {
	table := &table{title: "Peak resident memory"}
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"100 MiB", 100 * mib}, {"10 GiB", 10 * gib}} {
		err := stand(ctx, opts, lab.Options{}, standin.Options{DataBytes: size.bytes, Minimal: true}, func(b *bench) error {
			agentPeak := watch(ctx, b.agentPeak)
			own, err := b.backup(ctx)
			agent := agentPeak()
			if err != nil {
				return err
			}
			table.bytes("agent, "+size.name, agent)
			table.bytes("plugin, "+size.name, own.rss)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return table.print(opts.out)
}
