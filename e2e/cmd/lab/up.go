package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
)

// upOptions is what lab up is told.
type upOptions struct {
	lab     lab.Options
	ucp     bool
	program string
	data    int64
}

func up(ctx context.Context, args []string, out, talk io.Writer) error {
	options := upOptions{lab: lab.Options{Detach: true, Out: talk}}
	flags, dir := newFlags("up", talk)
	flags.StringVar(&options.lab.Version, "engine", lab.Installed, "the engine's version: "+lab.Installed+" or "+lab.Current)
	flags.IntVar(&options.lab.Nodes, "nodes", 1, "how many engines; more than one form a swarm of managers")
	flags.StringVar(&options.lab.FS, "fs", "", "keep the engines' data on a file system of its own: xfs or btrfs")
	flags.BoolVar(&options.ucp, "ucp", true, "put the stand-in UCP on the first node")
	flags.StringVar(&options.program, "standin", "", "the stand-in's program; built when not given")
	flags.Int64Var(&options.data, "data", 0, "MiB of random bytes to put into a volume of the stand-in")
	if err := parse(flags, args); err != nil {
		return err
	}
	options.lab.Dir = *dir
	return runUp(ctx, options, out, talk)
}

// runUp leaves a whole lab or none.
func runUp(ctx context.Context, options upOptions, out, talk io.Writer) error {
	began := time.Now()
	l, err := lab.Start(ctx, options.lab)
	if err != nil {
		return err
	}
	if err := furnish(ctx, l, options, talk); err != nil {
		return errors.Join(err, l.Close())
	}
	if _, err := fmt.Fprintf(talk, "up in %s\n", time.Since(began).Round(100*time.Millisecond)); err != nil {
		return err
	}
	return describe(ctx, l, out)
}

// furnish makes the nodes a swarm and puts the stand-in on it.
func furnish(ctx context.Context, l *lab.Lab, options upOptions, talk io.Writer) (err error) {
	if len(l.Nodes) > 1 {
		if err := l.FormSwarm(ctx, len(l.Nodes)); err != nil {
			return err
		}
	}
	if !options.ucp {
		return nil
	}
	if _, err := fmt.Fprintln(talk, "putting a stand-in UCP on n1; it is not the real product"); err != nil {
		return err
	}
	engine, err := l.Nodes[0].Client()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	_, err = standin.Deploy(ctx, engine, standin.Options{
		Address:   l.Nodes[0].Address,
		BundleDir: bundleDir(l),
		Program:   options.program,
		DataBytes: options.data << 20,
	})
	if err != nil {
		return err
	}
	return lab.HandOver(bundleDir(l))
}

// bundleDir is where the stand-in leaves the client bundle of its admin.
func bundleDir(l *lab.Lab) string { return filepath.Join(l.Dir, "bundle") }

func down(_ context.Context, args []string, _, talk io.Writer) error {
	flags, dir := newFlags("down", talk)
	if err := parse(flags, args); err != nil {
		return err
	}
	l, err := lab.Open(*dir)
	if errors.Is(err, fs.ErrNotExist) {
		_, err := fmt.Fprintln(talk, "no lab in", *dir)
		return err
	}
	if err != nil {
		return err
	}
	return l.Close()
}

func build(ctx context.Context, args []string, out, talk io.Writer) error {
	flags, _ := newFlags("build", talk)
	if err := parse(flags, args); err != nil {
		return err
	}
	path, err := lab.BuildEngine(ctx, lab.Current, talk)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, path)
	return err
}
