package lab

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed node.sh
var nodeScript string

// boot starts the node's first process, plugs its cable in, starts sshd where there is one, and the engine.
func (n *Node) boot(ctx context.Context) error {
	if err := n.makeFiles(ctx); err != nil {
		return err
	}
	if err := n.unshare(); err != nil {
		return fmt.Errorf("start node %s: %w", n.Name, err)
	}
	if err := n.plug(ctx); err != nil {
		return fmt.Errorf("connect node %s: %w", n.Name, err)
	}
	if err := n.startSSH(ctx); err != nil {
		return fmt.Errorf("start sshd on node %s: %w", n.Name, err)
	}
	return n.launchEngine(ctx)
}

// unshare starts the first process and waits until its view of the file systems is made.
func (n *Node) unshare() (err error) {
	log, err := os.Create(n.logPath("node"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	said, answer, err := os.Pipe() // not StdoutPipe, which belongs to a Wait that never comes: the process outlives us
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, said.Close()) }()

	command := n.firstProcess()
	command.Stdout, command.Stderr = answer, log
	goAhead, err := command.StdinPipe()
	if err != nil {
		return errors.Join(err, answer.Close())
	}
	err = command.Start()
	if err := errors.Join(err, answer.Close()); err != nil {
		return errors.Join(err, goAhead.Close())
	}
	if err := n.register(command.Process.Pid); err != nil {
		return errors.Join(err, goAhead.Close())
	}
	_, err = io.WriteString(goAhead, "go\n")
	if err := errors.Join(err, goAhead.Close()); err != nil {
		return err
	}
	return awaitReady(said, log.Name())
}

// firstProcess ends when the lab ends it, and with no context.
func (n *Node) firstProcess() *exec.Cmd {
	command := exec.CommandContext(context.Background(),
		program("sh"), filepath.Join(n.Dir, "node.sh"), n.Dir, n.Name, n.disk())
	command.Env = cleanEnvironment()
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS,
	}
	return command
}

// register writes the first process down; it does nothing before that.
func (n *Node) register(pid int) error {
	first, err := identify(pid)
	if err != nil {
		return err
	}
	return n.lab.record(func() { n.kept.First = first })
}

func awaitReady(from io.Reader, log string) error {
	line, err := bufio.NewReader(from).ReadString('\n')
	if strings.TrimSpace(line) == "ready" {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("its namespaces could not be made: %s", lastLines(log))
	}
	return err
}

// makeFiles writes what the node sees in place of the host's own /etc files.
func (n *Node) makeFiles(ctx context.Context) error {
	for _, dir := range []string{"etc", "data", "home"} {
		if err := os.MkdirAll(filepath.Join(n.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	files := map[string]string{
		"hosts":       n.lab.hosts(),
		"resolv.conf": "nameserver 127.0.0.1\n", // refuses at once; an unreachable one costs swarm 20 s a task
		"passwd":      moveRoot(string(passwd), filepath.Join(n.Dir, "home")),
		"shadow":      "root:*:19000:0:99999:7:::\n", // not locked, or sshd refuses root's key too
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(n.Dir, "etc", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{"daemon.json": "{}\n", "node.sh": nodeScript} {
		if err := os.WriteFile(filepath.Join(n.Dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return n.makeDisk(ctx)
}

// moveRoot gives root an empty home, so that ssh meets neither the host's shell start-up files nor its Docker contexts.
func moveRoot(passwd, home string) string {
	lines := strings.SplitAfter(passwd, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "root:") {
			lines[i] = "root:x:0:0:root:" + home + ":/bin/sh\n"
		}
	}
	return strings.Join(lines, "")
}

// hosts is the /etc/hosts of every node.
func (l *Lab) hosts() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for _, node := range l.state.Nodes {
		fmt.Fprintf(&b, "%s %s\n", node.Address, node.Name)
	}
	return b.String()
}
