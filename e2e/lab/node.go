package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/docker/client"
)

// maxDirLength leaves room for /n1/docker.sock in the 107 bytes that the address of a unix socket may have.
const maxDirLength = 107 - len("/n1/docker.sock")

// Node is one engine, on what looks to it like a machine of its own.
type Node struct {
	Name    string // its host name: n1, n2, …
	Address string // IPv4
	Dir     string // its folder on the host
	Socket  string // the engine's unix socket, reachable from the host

	lab  *Lab
	kept *nodeState
	wire *proxy // stands before the node while its link is slowed down without the kernel's help
}

// Client returns a client of the node's engine, which the caller closes.
func (n *Node) Client() (*client.Client, error) {
	return client.NewClientWithOpts(client.WithHost(n.Host()), client.WithAPIVersionNegotiation())
}

// Host returns the unix socket in the form of DOCKER_HOST.
func (n *Node) Host() string { return "unix://" + n.Socket }

// Root returns a path on the host under which the node's own view of the file systems appears: /run, mounts, /proc.
func (n *Node) Root() string {
	return filepath.Join("/proc", strconv.Itoa(n.kept.First.Pid), "root")
}

// Data returns a path on the host under which the engine's data root appears, also when that is a disk of its own.
func (n *Node) Data() string { return filepath.Join(n.Root(), n.dataRoot()) }

// Log returns what the engine has logged since the lab was started.
func (n *Node) Log() string { return readTail(n.logPath("engine"), 1<<20) }

// Run executes a program of the host in the node's namespaces and returns its stdout.
func (n *Node) Run(ctx context.Context, args ...string) (string, error) {
	if !n.kept.First.alive() {
		return "", fmt.Errorf("node %s is off", n.Name)
	}
	enter := []string{"--target", strconv.Itoa(n.kept.First.Pid), "--mount", "--uts", "--net", "--pid", "--"}
	return output(ctx, "nsenter", append(enter, args...)...)
}

// Hide puts an empty folder over a folder of the host, as the node sees it. So a node becomes another machine, behind a
// socket that leads to it: what a container mounts from there is not what the host has there.
func (n *Node) Hide(ctx context.Context, dir string) error {
	_, err := n.Run(ctx, "mount", "-t", "tmpfs", "tmpfs", dir)
	return err
}

func (n *Node) dataRoot() string { return filepath.Join(n.Dir, "data") }

func (n *Node) logPath(of string) string { return filepath.Join(n.Dir, of+".log") }

// readTail returns the end of a file, or nothing.
func readTail(path string, size int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw[max(0, len(raw)-size):])
}

// lastLines returns the end of a log for an error message.
func lastLines(path string) string {
	const count = 5
	lines := strings.Split(strings.TrimSpace(readTail(path, 16<<10)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

func ownerOf(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}
