package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	tlsPort = "2476" // UCP publishes 2376 itself

	// An engine starts in two seconds here; a cold and busy machine may need many.
	engineStartLimit = 90 * time.Second
	// dockerd 20.10 takes some 11 s to stop with containers, and waits up to 15 s for them.
	engineStopLimit = 60 * time.Second
)

// StartEngine starts dockerd again after Kill or Stop and waits until it answers.
func (n *Node) StartEngine(ctx context.Context) error {
	if n.engineRuns() {
		return fmt.Errorf("start the engine of node %s: it runs", n.Name)
	}
	if err := n.launchEngine(ctx); err != nil {
		return err
	}
	return n.awaitEngine(ctx)
}

// Kill ends dockerd with SIGKILL. Its containerd dies with it, its containers do not.
func (n *Node) Kill(ctx context.Context) error {
	return n.endEngine(ctx, "KILL")
}

// Stop ends dockerd with SIGTERM and waits until it has stopped its containers and gone.
func (n *Node) Stop(ctx context.Context) error {
	return n.endEngine(ctx, "TERM")
}

// launchEngine starts dockerd below the node's first process, where it outlives this one.
func (n *Node) launchEngine(ctx context.Context) error {
	dockerd, err := engineProgram(ctx, n.lab.state.Version, io.Discard)
	if err != nil {
		return err
	}
	driver, err := n.storageDriver(ctx)
	if err != nil {
		return err
	}
	started, err := n.spawn(ctx, "engine", append([]string{dockerd}, n.engineFlags(dockerd, driver)...))
	if err != nil {
		return fmt.Errorf("start the engine of node %s: %w", n.Name, err)
	}
	return n.lab.record(func() { n.kept.Engine = started })
}

func (n *Node) engineFlags(dockerd, driver string) []string {
	flags := []string{
		// The host's daemon.json may set what we set, and dockerd refuses to hear it twice.
		"--config-file", n.Dir + "/daemon.json",
		"--data-root", n.dataRoot(), "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
		"--storage-driver", driver,
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", n.controlGroup(),
		"--host", "unix:///var/run/docker.sock", "--host", n.Host(),
		"--host", "tcp://" + net.JoinHostPort(n.Address, tlsPort), "--tlsverify",
		"--tlscacert", n.serverFile("ca.pem"), "--tlscert", n.serverFile("cert.pem"), "--tlskey", n.serverFile("key.pem"),
	}
	switch proxy := filepath.Join(filepath.Dir(dockerd), "docker-proxy"); {
	case installed(proxy): // an engine and a proxy of other versions do not always understand each other
		return append(flags, "--userland-proxy-path", proxy)
	case !installed("docker-proxy"):
		return append(flags, "--userland-proxy=false")
	}
	return flags
}

// spawn starts a program in the node's namespaces that outlives its caller, and returns its process number in there.
func (n *Node) spawn(ctx context.Context, name string, command []string) (int, error) {
	script := `log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!`
	said, err := n.Run(ctx, append([]string{"sh", "-c", script, "sh", n.logPath(name)}, command...)...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(said))
}

// endEngine sends a signal and waits for the end.
func (n *Node) endEngine(ctx context.Context, signal string) error {
	if !n.engineRuns() {
		return fmt.Errorf("end the engine of node %s: it does not run", n.Name)
	}
	if _, err := n.Run(ctx, "kill", "-"+signal, strconv.Itoa(n.kept.Engine)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, engineStopLimit)
	defer cancel()
	for n.engineRuns() {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the end of the engine of node %s: %w", n.Name, err)
		}
	}
	return nil
}

// engineRuns looks the engine up in the node's own /proc, where numbers come round slowly and nobody else's are.
func (n *Node) engineRuns() bool {
	if n.kept.Engine == 0 || !n.kept.First.alive() {
		return false
	}
	status := readTail(fmt.Sprintf("%s/proc/%d/status", n.Root(), n.kept.Engine), 4<<10)
	name, rest, _ := strings.Cut(strings.TrimPrefix(status, "Name:\t"), "\n")
	// Until it becomes dockerd the process is the shell and the setsid that start it.
	return slices.Contains([]string{"sh", "setsid", "dockerd"}, name) && !strings.Contains(rest, "State:\tZ")
}

// awaitEngine returns when the engine answers; when it ends instead, with the end of its log.
func (n *Node) awaitEngine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineStartLimit)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", n.Socket)
	}}
	defer transport.CloseIdleConnections()
	for {
		if ping(ctx, transport) {
			return HandOver(n.Socket)
		}
		if !n.engineRuns() {
			return fmt.Errorf("the engine of node %s ended: %s", n.Name, lastLines(n.logPath("engine")))
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the engine of node %s: %w: %s", n.Name, err, lastLines(n.logPath("engine")))
		}
	}
}

func ping(ctx context.Context, transport *http.Transport) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(duration):
		return nil
	}
}
