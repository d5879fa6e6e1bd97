package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Installed is the engine version that stands for the dockerd of this machine.
const Installed = "installed"

// Options says what lab to start. The zero value is one node with the installed engine.
type Options struct {
	Dir     string    // the lab's folder, new or empty; default: a new one in /var/tmp, which later labs clear away if this one dies
	Version string    // Installed (default), or a version that BuildEngine builds
	Nodes   int       // default 1
	FS      string    // "xfs" or "btrfs": engines keep their data on such a file system, with reflink; "" means where Dir lies
	Detach  bool      // the nodes live on when this process ends
	Out     io.Writer // told in plain lines what takes long; default: nobody
}

// Lab is a set of engines that know each other and nobody else.
type Lab struct {
	Dir   string
	Nodes []*Node

	state  state
	saving sync.Mutex // held while state changes once nodes exist
	lock   *os.File
	closed bool
}

// Start makes a lab and returns when all of its engines answer. On an error nothing is left of it.
func Start(ctx context.Context, options Options) (_ *Lab, err error) {
	if options, err = options.withDefaults(); err != nil {
		return nil, err
	}
	if err := checkRequirements(options); err != nil {
		return nil, err
	}
	if _, err := engineProgram(ctx, options.Version, options.Out); err != nil {
		return nil, err
	}
	if options.Dir == "" {
		sweepAbandoned()
		if options.Dir, err = os.MkdirTemp(tempRoot, tempPrefix); err != nil {
			return nil, err
		}
	}
	l, err := claim(options)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := l.build(ctx, options.Nodes); err != nil {
		return nil, fmt.Errorf("start a lab in %s: %w", l.Dir, err)
	}
	if options.Detach {
		return l, l.release()
	}
	return l, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Version == "" {
		o.Version = Installed
	}
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Nodes < 1 || o.Nodes > maxNodes {
		return o, fmt.Errorf("a lab has 1 to %d nodes, not %d", maxNodes, o.Nodes)
	}
	if o.FS != "" && o.FS != "xfs" && o.FS != "btrfs" {
		return o, fmt.Errorf("a lab has no file system %q: xfs or btrfs", o.FS)
	}
	if o.Dir == "" {
		return o, nil
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

// claim makes the folder ours and writes the first state into it.
func claim(options Options) (*Lab, error) {
	if len(options.Dir) > maxDirLength {
		return nil, fmt.Errorf("%s is too long for sockets in it: at most %d bytes", options.Dir, maxDirLength)
	}
	if err := prepareFolder(options.Dir); err != nil {
		return nil, err
	}
	lock, err := hold(options.Dir)
	if err != nil {
		return nil, err
	}
	return &Lab{
		Dir:   options.Dir,
		lock:  lock,
		state: state{Version: options.Version, FS: options.FS, Detached: options.Detach},
	}, nil
}

// build makes network, certificates, keys and nodes.
func (l *Lab) build(ctx context.Context, nodes int) error {
	// The mode must not hang on the caller's umask, and MkdirTemp makes 0700.
	if err := os.Chmod(l.Dir, 0o755); err != nil {
		return err
	}
	if err := l.makeBridge(ctx); err != nil {
		return err
	}
	for i := range nodes {
		l.state.Nodes = append(l.state.Nodes, nodeState{
			Name:    fmt.Sprintf("n%d", i+1),
			Address: l.state.address(i + 2), // .1 is the host
		})
	}
	l.attach()
	if err := l.save(); err != nil {
		return err
	}
	if err := l.makeCertificates(); err != nil {
		return err
	}
	if err := l.makeSSHClient(); err != nil {
		return err
	}
	for _, node := range l.Nodes { // one after the other: they share the state file
		if err := node.boot(ctx); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range l.Nodes {
		group.Go(func() error { return errors.Join(node.awaitEngine(ctx), node.awaitSSH(ctx)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return l.handOverKeys()
}

// attach makes the nodes that the state names.
func (l *Lab) attach() {
	l.Nodes = nil
	for i := range l.state.Nodes {
		kept := &l.state.Nodes[i]
		dir := filepath.Join(l.Dir, kept.Name)
		l.Nodes = append(l.Nodes, &Node{
			Name:    kept.Name,
			Address: kept.Address,
			Dir:     dir,
			Socket:  filepath.Join(dir, "docker.sock"),
			lab:     l,
			kept:    kept,
		})
	}
}

// Open returns the detached lab that runs in a folder.
func Open(dir string) (*Lab, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	found, err := readState(dir)
	if err != nil {
		return nil, err
	}
	l := &Lab{Dir: dir, state: found}
	l.attach()
	return l, nil
}
