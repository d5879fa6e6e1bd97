// Command bench measures the plugin beside the vendor's way, GnuPG and tar, on a private engine with a stand-in UCP, in
// pairs in one run. It prints figures and ratios and judges nothing: machines are shared and noisy, so what counts are
// the medians of the ratios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

type options struct {
	plugin string
	rounds int
	only   string
	out    io.Writer
}

func main() {
	opts := options{out: os.Stdout}
	flag.StringVar(&opts.plugin, "plugin", "bin/docker-ucp", "the plugin's program")
	flag.IntVar(&opts.rounds, "rounds", 3, "how many pairs")
	flag.StringVar(&opts.only, "only", "", "one of: down, clone, files, memory, verify")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, opts options) error {
	for _, part := range []struct {
		name string
		run  func(context.Context, options) error
	}{
		{"down", func(ctx context.Context, o options) error { return measureDown(ctx, o, "") }},
		{"clone", func(ctx context.Context, o options) error { return measureDown(ctx, o, "xfs") }},
		{"files", measureFiles},
		{"memory", measureMemory},
		{"verify", measureVerify},
	} {
		if opts.only != "" && opts.only != part.name {
			continue
		}
		if err := part.run(ctx, opts); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// bench is one engine with a stand-in UCP.
type bench struct {
	lab    *lab.Lab
	node   *lab.Node
	ucp    *standin.UCP
	dir    string // for archives
	plugin string
}

// stand starts an engine, puts a stand-in with this much data on it, and calls use.
func stand(ctx context.Context, opts options, engine lab.Options, ucp standin.Options, use func(*bench) error) (err error) {
	engine.Out = os.Stderr
	b := &bench{}
	if b.plugin, err = filepath.Abs(opts.plugin); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("/var/tmp", "docker-ucp-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.lab, err = lab.Start(ctx, engine); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.lab.Close()) }()
	b.node = b.lab.Nodes[0]
	client, err := b.node.Client()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := lab.ImportTools(ctx, client); err != nil {
		return err
	}
	ucp.Address, ucp.BundleDir = b.node.Address, filepath.Join(b.dir, "bundle")
	if b.ucp, err = standin.Deploy(ctx, client, ucp); err != nil {
		return err
	}
	if err := os.WriteFile(b.passphrase(), []byte("correct horse battery staple\n"), 0o600); err != nil {
		return err
	}
	return use(b)
}

func (b *bench) passphrase() string      { return filepath.Join(b.dir, "passphrase") }
func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }
