package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/docker/docker/api/types/system"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

func status(ctx context.Context, args []string, out, talk io.Writer) error {
	flags, dir := newFlags("status", talk)
	if err := parse(flags, args); err != nil {
		return err
	}
	l, err := lab.Open(*dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no lab in %s: lab up starts one", *dir)
	}
	if err != nil {
		return err
	}
	return describe(ctx, l, out)
}

// describe tells how to reach each node, in lines to paste into a shell.
func describe(ctx context.Context, l *lab.Lab, out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "The lab in %s:\n", l.Dir)
	for _, node := range l.Nodes {
		fmt.Fprintf(&text, "\n%s: %s\n", node.Name, summary(ctx, node))
		fmt.Fprintf(&text, "  socket  export DOCKER_HOST=%s\n", node.Host())
		host, certificates := node.TLS()
		fmt.Fprintf(&text, "  TLS     export DOCKER_HOST=%s DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=%s\n", host, certificates)
		host, env, err := node.SSH()
		if err != nil {
			fmt.Fprintf(&text, "  ssh     %v\n", err)
			continue
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(env[0], "PATH="), ":")
		fmt.Fprintf(&text, "  ssh     export DOCKER_HOST=%s PATH=%s:\"$PATH\"\n", host, path)
	}
	text.WriteString("From TLS to another way: unset DOCKER_TLS_VERIFY DOCKER_CERT_PATH\n")
	if _, err := os.Stat(bundleDir(l)); err == nil {
		fmt.Fprintf(&text, "\nOn n1 is a stand-in UCP, not the real product. The client bundle of its admin: %s\n", bundleDir(l))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// summary tells in one line what a node is and how it is.
func summary(ctx context.Context, node *lab.Node) string {
	info, err := infoOf(ctx, node)
	if err != nil {
		return "no answer: " + err.Error()
	}
	return fmt.Sprintf("engine %s, %s, %s, %d containers, swarm %s",
		info.ServerVersion, info.Driver, node.Address, info.ContainersRunning, info.Swarm.LocalNodeState)
}

func infoOf(ctx context.Context, node *lab.Node) (info system.Info, err error) {
	engine, err := node.Client()
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return engine.Info(ctx)
}
