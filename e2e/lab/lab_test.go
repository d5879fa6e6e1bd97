package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	"gotest.tools/v3/assert"
	is "gotest.tools/v3/assert/cmp"
)

func TestEachEngineRunsContainersAndIsReachedOnEveryWay(t *testing.T) {
	for _, version := range []string{Installed, Current} {
		t.Run(version, func(t *testing.T) {
			l := startLab(t, Options{Version: version})
			node := l.Nodes[0]
			engine := connect(t, node)

			t.Run("the version is the one that was asked for", func(t *testing.T) {
				found, err := engine.ServerVersion(t.Context())
				assert.NilError(t, err)
				if version != Installed {
					assert.Equal(t, found.Version, version)
				}
			})
			t.Run("a container of an imported program runs", func(t *testing.T) {
				dir, err := CacheDir()
				assert.NilError(t, err)
				program := filepath.Join(dir, "hello")
				_, err = Go(t.Context(), ".", "build", "-o", program, "./testdata/hello")
				assert.NilError(t, err)
				assert.NilError(t, ImportProgram(t.Context(), engine, "test/hello:1", program))
				said := outputOf(t, engine, runContainer(t, engine, "test/hello:1"))
				assert.Equal(t, said, "hello from a container\n")
			})
			t.Run("a port of a container can be published", func(t *testing.T) {
				port := nat.Port("12379/tcp")
				made, err := engine.ContainerCreate(t.Context(),
					&container.Config{Image: "test/hello:1", ExposedPorts: nat.PortSet{port: {}}},
					&container.HostConfig{PortBindings: nat.PortMap{port: {{HostPort: "12379"}}}}, nil, nil, "")
				assert.NilError(t, err)
				assert.NilError(t, engine.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
			})
			t.Run("TLS with the client's certificate reaches it", func(t *testing.T) {
				host, dir := node.TLS()
				env := []string{"DOCKER_HOST=" + host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + dir}
				assert.Equal(t, dockerCLI(t, env, "info", "--format", "{{.Name}}"), node.Name)
			})
			t.Run("TLS without a certificate does not", func(t *testing.T) {
				host, dir := node.TLS()
				stranger, err := client.NewClientWithOpts(client.WithHost(host),
					client.WithTLSClientConfig(filepath.Join(dir, "ca.pem"), "", ""))
				assert.NilError(t, err)
				_, err = stranger.Ping(t.Context())
				assert.ErrorContains(t, err, "certificate")
				assert.NilError(t, stranger.Close())
			})
			t.Run("ssh with the lab's key reaches it", func(t *testing.T) {
				host, env, err := node.SSH()
				assert.NilError(t, err)
				said := dockerCLI(t, append(env, "DOCKER_HOST="+host), "info", "--format", "{{.Name}}")
				assert.Equal(t, said, node.Name)
			})
		})
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	for _, filesystem := range []string{"", "xfs"} {
		t.Run("file system "+filesystem, func(t *testing.T) {
			l := startLab(t, Options{Nodes: 2, FS: filesystem})
			engine := connect(t, l.Nodes[0])
			assert.NilError(t, ImportTools(t.Context(), engine))
			runContainer(t, engine, ToolsImage, "sleep", "1000")
			before := traces(t, l, namespaces(t, l))
			for _, kind := range []string{"process", "interface", "rule", "cgroup", "folder"} {
				assert.Assert(t, is.Contains(strings.Join(before, "\n"), kind), "this test does not see what it should")
			}
			spaces := namespaces(t, l)
			assert.NilError(t, l.Close())
			assert.DeepEqual(t, traces(t, l, spaces), []string(nil))
			assert.NilError(t, l.Close(), "a second Close does nothing")
		})
	}
}

// namespaces returns what tells the processes of a lab from all others.
func namespaces(t *testing.T, l *Lab) []string {
	t.Helper()
	var found []string
	for _, node := range l.Nodes {
		space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", node.kept.First.Pid))
		assert.NilError(t, err)
		found = append(found, space)
	}
	return found
}

// traces lists what a lab has on the host: processes in its namespaces, mounts, loop devices, interfaces, rules, groups.
func traces(t *testing.T, l *Lab, spaces []string) []string {
	t.Helper()
	var found []string
	nets, err := filepath.Glob("/proc/[0-9]*/ns/net")
	assert.NilError(t, err)
	for _, path := range nets {
		for _, space := range spaces {
			if got, err := os.Readlink(path); err == nil && got == space {
				found = append(found, "process "+path)
			}
		}
	}
	links, err := filepath.Glob("/sys/class/net/" + l.state.ID + "*")
	assert.NilError(t, err)
	for _, path := range links {
		found = append(found, "interface "+path)
	}
	rules, err := output(context.Background(), "iptables", "-w", "-S")
	assert.NilError(t, err)
	if strings.Contains(rules, l.state.ID) {
		found = append(found, "rule")
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/" + l.state.ID)
	assert.NilError(t, err)
	for _, path := range append(groups, "/sys/fs/cgroup/"+l.state.ID, l.Dir) {
		if _, err := os.Stat(path); err == nil {
			found = append(found, map[bool]string{true: "folder ", false: "cgroup "}[path == l.Dir]+path)
		}
	}
	if strings.Contains(readTail("/proc/self/mountinfo", 1<<20), l.Dir) {
		found = append(found, "mount")
	}
	disks, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	assert.NilError(t, err)
	for _, path := range disks {
		if strings.Contains(readTail(path, 1<<10), l.Dir) {
			found = append(found, "disk "+path)
		}
	}
	return found
}

func TestStartClearsWhatADeadRunLeft(t *testing.T) {
	requireRoot(t)
	dir := filepath.Join(t.TempDir(), "lab")
	died := exec.CommandContext(t.Context(), os.Args[0])
	died.Env = append(os.Environ(), dieInside+"="+dir)
	said, err := died.CombinedOutput()
	assert.NilError(t, err, "%s", said)
	dead, err := Open(dir)
	assert.NilError(t, err)
	assert.Assert(t, dead.Running(), "a node outlives who started it")
	spaces := namespaces(t, dead)

	l := startLab(t, Options{Dir: dir})
	for _, trace := range traces(t, dead, spaces) {
		assert.Assert(t, is.Contains(trace, "folder"), "the new lab lies in the same folder")
	}
	assert.Assert(t, l.Running())
}

func TestADetachedLabIsKeptUntilSomebodyClosesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	startLab(t, Options{Dir: dir, Detach: true})
	_, err := Start(t.Context(), Options{Dir: dir})
	assert.ErrorIs(t, err, errRunning)

	found, err := Open(dir)
	assert.NilError(t, err)
	_, err = connect(t, found.Nodes[0]).Ping(t.Context())
	assert.NilError(t, err)
	assert.NilError(t, found.Close())
	_, err = os.Stat(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestTwoLabsDoNotMeet(t *testing.T) {
	one, other := startLab(t, Options{}), startLab(t, Options{})
	assert.Assert(t, one.state.network() != other.state.network())
	_, err := one.Nodes[0].Run(t.Context(), "ip", "route", "get", other.Nodes[0].Address)
	assert.ErrorContains(t, err, "unreachable")
	assert.NilError(t, one.Close())
	_, err = connect(t, other.Nodes[0]).Ping(t.Context())
	assert.NilError(t, err)
}

func TestStartRefusesWhatItCannotDo(t *testing.T) {
	requireRoot(t)
	full := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(full, "thesis.tex"), nil, 0o600))
	for name, refused := range map[string]struct {
		options Options
		because string
	}{
		"a folder with somebody's files": {Options{Dir: full}, "Close would delete it"},
		"a folder too long for sockets":  {Options{Dir: "/var/tmp/" + strings.Repeat("x", 100)}, "too long"},
		"more nodes than names":          {Options{Nodes: 10}, "1 to 9 nodes"},
		"an unknown file system":         {Options{FS: "fat"}, "xfs or btrfs"},
		"an unknown engine":              {Options{Version: "1.0"}, `no engine "1.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), refused.options)
			assert.ErrorContains(t, err, refused.because)
		})
	}
	_, err := os.Stat(filepath.Join(full, "thesis.tex"))
	assert.NilError(t, err)
}

func TestTheUserBehindSudoReachesTheEngine(t *testing.T) {
	user, err := user.Lookup("nobody")
	assert.NilError(t, err)
	t.Setenv("SUDO_UID", user.Uid)
	t.Setenv("SUDO_GID", user.Gid)
	node := startLab(t, Options{}).Nodes[0]
	uid, gid := numbers(user)
	host, dir := node.TLS()
	sshHost, sshEnv, err := node.SSH()
	assert.NilError(t, err)
	for way, env := range map[string][]string{
		"socket": {"DOCKER_HOST=" + node.Host()},
		"TLS":    {"DOCKER_HOST=" + host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + dir},
		"ssh":    append(sshEnv, "DOCKER_HOST="+sshHost),
	} {
		t.Run(way, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "docker", "info", "--format", "{{.Name}}")
			command.Env = append([]string{"PATH=" + searchPath, "HOME=/nonexistent"}, env...)
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
			said, err := command.CombinedOutput()
			assert.NilError(t, err, "%s", said)
			assert.Equal(t, strings.TrimSpace(string(said)), node.Name)
		})
	}
}

func TestAStrangersFolderIsNotBelieved(t *testing.T) {
	requireRoot(t)
	dir := t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"id":"ul0001","nodes":[]}`), 0o644))
	_, err := Open(dir)
	assert.NilError(t, err)
	assert.NilError(t, os.Chown(dir, 65534, 65534))
	_, err = Open(dir)
	assert.ErrorContains(t, err, "not a folder of ours")
	_, err = Start(t.Context(), Options{Dir: dir})
	assert.ErrorContains(t, err, "not a folder of ours")
	assert.NilError(t, os.Chown(dir, 0, 0)) // for the test's own cleaning
}

// A transport of its own, so that no kept connection hides what a test does to the network.
func pingOnce(ctx context.Context, n *Node) error {
	host, dir := n.TLS()
	engine, err := client.NewClientWithOpts(client.WithHost(host), client.WithTLSClientConfig(
		filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	if err != nil {
		return err
	}
	_, err = engine.Ping(ctx)
	if transport, ok := engine.HTTPClient().Transport.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
	return err
}
