package standin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

func TestStandinLooksLikeUCP(t *testing.T) {
	for _, version := range []string{lab.Installed, lab.Current} {
		t.Run(version, func(t *testing.T) {
			f := deploy(t, version, Options{ExternalCA: true})
			t.Run("containers", f.testContainers)
			t.Run("volumes", f.testVolumes)
			t.Run("engine API through the controller and the proxy", f.testEngineAPI)
			t.Run("swarm", f.testSwarm)
			t.Run("odd files", f.testOddFiles)
			t.Run("names through the controller", f.testNames)
			t.Run("health without a certificate", f.testAnonymous)
			t.Run("agent", f.testAgent)
			t.Run("remove", f.testRemove)
		})
	}
}

func (f fixture) testContainers(t *testing.T) {
	states, err := f.Containers(t.Context())
	assert.NilError(t, err)
	var running, exited []string
	for _, s := range states {
		name, _, _ := strings.Cut(s.Name, ".")
		if s.Status == "running" {
			running = append(running, name)
		} else {
			exited = append(exited, name)
		}
		if ours := strings.HasPrefix(s.Name, "ucp-"); ours {
			assert.Equal(t, s.Labels[layout.LabelInstance], f.InstanceID)
			assert.Equal(t, s.Labels[layout.LabelVersion], "3.1.4")
		} else {
			assert.Equal(t, s.Labels[layout.LabelInstance], "")
		}
	}
	assert.DeepEqual(t, exited, []string{"ucp-reconcile"})
	assert.DeepEqual(t, running, []string{
		"shop-db", "shop-web", "ucp-agent", "ucp-auth-api", "ucp-auth-store", "ucp-auth-worker", "ucp-client-root-ca",
		"ucp-cluster-root-ca", "ucp-controller", "ucp-dsinfo", "ucp-kv", "ucp-metrics", "ucp-proxy", "ucp-swarm-manager",
	})
}

func (f fixture) testVolumes(t *testing.T) {
	list, err := f.engine.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", "ucp-"))})
	assert.NilError(t, err)
	var names []string
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	assert.DeepEqual(t, names, layout.Volumes)
	var files int
	for _, name := range names {
		assert.NilError(t, filepath.WalkDir(f.volume(name), func(_ string, _ os.DirEntry, err error) error {
			files++
			return err
		}))
	}
	assert.Assert(t, files > 100, "only %d files", files)
}

func (f fixture) testEngineAPI(t *testing.T) {
	for port, want := range map[string]string{"443": "ucp/3.1.4", "12376": f.engineVersion(t)} {
		through := f.bundleClient(t, f.Address+":"+port)
		version, err := through.ServerVersion(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, version.Version, want)
		info, err := through.Info(t.Context())
		assert.NilError(t, err)
		assert.Equal(t, info.ServerVersion, want)
		assert.Equal(t, info.Swarm.Cluster.ID, f.InstanceID)
		assert.Equal(t, echo(t, through), "there and back")
	}
}

// echo sends words through an exec, which is a hijacked stream, and closes its own half to hear them again.
func echo(t *testing.T, engine *client.Client) string {
	t.Helper()
	ctx := t.Context()
	created, err := engine.ContainerExecCreate(ctx, "ucp-kv", container.ExecOptions{
		Cmd: []string{layout.Program, "echo"}, AttachStdin: true, AttachStdout: true,
	})
	assert.NilError(t, err)
	stream, err := engine.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	assert.NilError(t, err)
	defer stream.Close()
	_, err = stream.Conn.Write([]byte("there and back"))
	assert.NilError(t, err)
	assert.NilError(t, stream.CloseWrite())
	var heard bytes.Buffer
	_, err = stdcopy.StdCopy(&heard, &heard, stream.Reader)
	assert.NilError(t, err)
	return heard.String()
}

// testNames looks for what UCP puts before names, and uses it.
func (f fixture) testNames(t *testing.T) {
	ctx := t.Context()
	through, node := f.bundleClient(t, f.Address+":443"), f.UCP.node.Name
	listed, err := through.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("name", "ucp-kv"))})
	assert.NilError(t, err)
	assert.DeepEqual(t, listed[0].Names, []string{"/" + node + "/ucp-kv"})
	inspected, err := through.ContainerInspect(ctx, node+"/ucp-kv")
	assert.NilError(t, err)
	assert.Equal(t, inspected.Name, "/"+node+"/ucp-kv")
	volumes, err := through.VolumeList(ctx, volume.ListOptions{})
	assert.NilError(t, err)
	assert.Assert(t, slices.ContainsFunc(volumes.Volumes, func(v *volume.Volume) bool { return v.Name == node+"/ucp-kv" }))
	kv, err := through.VolumeInspect(ctx, "ucp-kv")
	assert.NilError(t, err)
	assert.Equal(t, kv.Name, node+"/ucp-kv")
}

func (f fixture) engineVersion(t *testing.T) string {
	t.Helper()
	version, err := f.engine.ServerVersion(t.Context())
	assert.NilError(t, err)
	return version.Version
}

func (f fixture) testAnonymous(t *testing.T) {
	config, err := f.bundleTLS()
	assert.NilError(t, err)
	config.Certificates = nil
	anonymous := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	for _, want := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/_ping", http.StatusOK},
		{http.MethodHead, "/_ping", http.StatusNotFound},
		{http.MethodGet, "/version", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), want.method, "https://"+f.Address+want.path, http.NoBody)
		assert.NilError(t, err)
		resp, err := anonymous.Do(req)
		assert.NilError(t, err)
		assert.NilError(t, resp.Body.Close())
		assert.Equal(t, resp.StatusCode, want.status, "%s %s", want.method, want.path)
	}
}

// testAgent stops a container with and without the label on the node.
func (f fixture) testAgent(t *testing.T) {
	ctx := t.Context()
	assert.NilError(t, f.PauseAgent(ctx, true))
	assert.NilError(t, f.engine.ContainerStop(ctx, "ucp-kv", container.StopOptions{}))
	assert.Assert(t, f.Ping(ctx) != nil)
	eventually(t, func(ctx context.Context) error { return f.agentSaid(ctx, "leave alone what was stopped") })
	assert.Equal(t, f.status(t, "ucp-kv"), "exited")
	assert.NilError(t, f.PauseAgent(ctx, false))
	eventually(t, f.Ping)
	assert.Equal(t, f.status(t, "ucp-kv"), "running")
	assert.Equal(t, f.status(t, "ucp-reconcile"), "exited")
}

func (f fixture) agentSaid(ctx context.Context, want string) error {
	found, err := f.engine.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "com.docker.swarm.service.name="+agent))})
	if err != nil {
		return err
	}
	return f.said(ctx, found[0].ID, want)
}

// said is an error until a container's last words hold what is wanted.
func (f fixture) said(ctx context.Context, name, want string) error {
	last, err := f.logs(ctx, name)
	if err == nil && !strings.Contains(last, want) {
		err = fmt.Errorf("%s has not said %q yet", name, want)
	}
	return err
}

func (f fixture) status(t *testing.T, name string) string {
	t.Helper()
	c, err := f.engine.ContainerInspect(t.Context(), name)
	assert.NilError(t, err)
	return c.State.Status
}

func (f fixture) testSwarm(t *testing.T) {
	ctx := t.Context()
	info, err := f.engine.Info(ctx)
	assert.NilError(t, err)
	assert.Equal(t, info.Swarm.Cluster.Spec.CAConfig.ExternalCAs[0].URL, "https://"+f.Address+":12381/api/v1/cfssl/sign")
	services, err := f.engine.ServiceList(ctx, swarm.ServiceListOptions{})
	assert.NilError(t, err)
	var names []string
	for _, s := range services {
		names = append(names, s.Spec.Name)
	}
	slices.Sort(names)
	assert.DeepEqual(t, names, []string{"shop-web", "ucp-agent", "ucp-auth-api", "ucp-auth-worker"})
	for _, name := range []string{"com.docker.ucp.config-1", "com.docker.ucp.config-2", "com.docker.license-1"} {
		_, _, err = f.engine.ConfigInspectWithRaw(ctx, name)
		assert.NilError(t, err)
	}
	_, _, err = f.engine.SecretInspectWithRaw(ctx, "ucp-auth-key")
	assert.NilError(t, err)
}

// testOddFiles looks for the kinds of files that a backup may stumble over.
func (f fixture) testOddFiles(t *testing.T) {
	dir := filepath.Join(f.volume("ucp-metrics-data"), "odd")
	for name, want := range map[string]os.FileMode{
		"setuid": os.ModeSetuid | os.ModeSetgid | 0o755, "dangling": os.ModeSymlink | 0o777, "fifo": os.ModeNamedPipe | 0o622,
		"null": os.ModeDevice | os.ModeCharDevice | 0o644, "empty": os.ModeDir | os.ModeSticky | 0o777,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		assert.NilError(t, err)
		assert.Equal(t, info.Mode(), want, name)
	}
	for _, name := range []string{"user.standin", "security.capability", "system.posix_acl_access"} {
		size, err := unix.Getxattr(filepath.Join(dir, "attributes"), name, nil)
		assert.NilError(t, err, name)
		assert.Assert(t, size > 0, name)
	}
	var sparse unix.Stat_t
	assert.NilError(t, unix.Stat(filepath.Join(dir, "sparse"), &sparse))
	assert.Equal(t, sparse.Size, int64(16<<20))
	assert.Assert(t, sparse.Blocks*512 < 1<<20)
}

func (f fixture) testRemove(t *testing.T) {
	ctx := t.Context()
	assert.NilError(t, f.Remove(ctx))
	assert.Equal(t, describe(t, f.engine), "")
	volumes, err := f.engine.VolumeList(ctx, volume.ListOptions{})
	assert.NilError(t, err)
	assert.Equal(t, len(volumes.Volumes), 0)
	node, _, err := f.engine.NodeInspectWithRaw(ctx, f.UCP.node.Swarm.NodeID)
	assert.NilError(t, err)
	assert.Equal(t, len(node.Spec.Labels), 0)
	images, err := f.engine.ImageList(ctx, image.ListOptions{All: true})
	assert.NilError(t, err)
	assert.Equal(t, len(images), 0)
	info, err := f.engine.Info(ctx)
	assert.NilError(t, err)
	assert.Equal(t, len(info.Swarm.Cluster.Spec.CAConfig.ExternalCAs), 0)
	services, err := f.engine.ServiceList(ctx, swarm.ServiceListOptions{})
	assert.NilError(t, err)
	assert.Equal(t, len(services), 0)
}
