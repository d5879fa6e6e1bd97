package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

// measureVerify compares verify with gpg and tar over one sealed archive, and prints its peak memory for sizes that are
// far apart.
func measureVerify(ctx context.Context, opts options) error {
	if err := measureVerifySpeed(ctx, opts); err != nil {
		return err
	}
	return measureVerifyMemory(ctx, opts)
}

func measureVerifySpeed(ctx context.Context, opts options) error {
	return stand(ctx, opts, lab.Options{}, standin.Options{DataBytes: gib, Minimal: true}, func(b *bench) error {
		if _, err := b.backup(ctx); err != nil {
			return err
		}
		resume, err := b.ucp.Rest(ctx) // nothing else runs while this is measured
		if err != nil {
			return errors.Join(err, resume(ctx))
		}
		syscall.Sync()
		table := &table{title: "Verifying a sealed archive of 1 GiB on a local disk, page cache warm"}
		for round := range opts.rounds + 1 {
			theirs, err := timed(ctx, b.list(ctx, b.file("ours.tar")))
			if err != nil {
				return err
			}
			own, err := timed(ctx, b.verify(ctx, b.file("ours.tar")))
			if err != nil {
				return err
			}
			if round == 0 {
				continue // it warmed the cache
			}
			table.add("gpg --decrypt | tar --list", theirs.wall)
			table.add("docker ucp verify", own.wall)
			table.add("gpg --decrypt | tar --list: processor", theirs.cpu)
			table.add("docker ucp verify: processor", own.cpu)
			table.ratio("speed, ours / theirs", theirs.wall, own.wall)
		}
		return table.print(opts.out)
	})
}

// list is what an operator without the plugin types.
func (b *bench) list(ctx context.Context, file string) *exec.Cmd {
	const script = `set -o pipefail; gpg --homedir "$1" --batch --quiet --pinentry-mode loopback --passphrase-file "$2" --decrypt "$3" | tar --list > /dev/null`
	return exec.CommandContext(ctx, "bash", "-c", script, "list", b.dir, b.passphrase(), file)
}

func (b *bench) verify(ctx context.Context, file string) *exec.Cmd {
	return exec.CommandContext(ctx, b.plugin, "verify", "--passphrase-file", b.passphrase(), "--progress", "quiet", file)
}

func measureVerifyMemory(ctx context.Context, opts options) error {
	table := &table{title: "Peak resident memory of docker ucp verify"}
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"100 MiB", 100 * mib}, {"10 GiB", 10 * gib}} {
		err := stand(ctx, opts, lab.Options{}, standin.Options{DataBytes: size.bytes, Minimal: true}, func(b *bench) error {
			if _, err := b.backup(ctx); err != nil {
				return err
			}
			return b.peak(ctx, table, "sealed archive, "+size.name, b.file("ours.tar"))
		})
		if err != nil {
			return err
		}
	}
	err := stand(ctx, opts, lab.Options{}, standin.Options{SmallFiles: 100_000, Minimal: true}, func(b *bench) error {
		if _, err := b.backup(ctx); err != nil {
			return err
		}
		if err := b.peak(ctx, table, "sealed archive, 100,000 small files", b.file("ours.tar")); err != nil {
			return err
		}
		return b.largeDatabase(ctx, table)
	})
	if err != nil {
		return err
	}
	return table.print(opts.out)
}

func (b *bench) peak(ctx context.Context, t *table, row, file string) error {
	took, err := timed(ctx, b.verify(ctx, file))
	if err != nil {
		return err
	}
	t.bytes(row, took.rss)
	t.add(row+": time", took.wall)
	return nil
}

// largeDatabase measures a plain archive of the vendor's shape from 3.2 on whose snapshot of etcd has 2 GiB.
func (b *bench) largeDatabase(ctx context.Context, t *table) error {
	small, large := b.file("online.tar"), b.file("large.tar")
	if err := b.ucp.VendorOnline(ctx, b.node.Root(), small); err != nil {
		return err
	}
	if err := growSnapshot(small, large, 2*gib); err != nil {
		return fmt.Errorf("make an archive with a large snapshot: %w", err)
	}
	return errors.Join(b.peak(ctx, t, "vendor's archive, etcd's snapshot of 2 GiB", large), os.Remove(large))
}
