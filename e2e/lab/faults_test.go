package lab

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"
)

func TestAnEngineCanBeKilledStoppedAndStarted(t *testing.T) {
	l := startLab(t, Options{})
	node, ctx := l.Nodes[0], t.Context()
	engine := connect(t, node)
	assert.NilError(t, ImportTools(ctx, engine))
	id := runContainer(t, engine, ToolsImage, "sleep", "1000")

	assert.NilError(t, node.Kill(ctx))
	_, err := engine.Ping(ctx)
	assert.Assert(t, client.IsErrConnectionFailed(err))
	assert.ErrorContains(t, node.Kill(ctx), "does not run")
	assert.NilError(t, node.StartEngine(ctx))
	assert.ErrorContains(t, node.StartEngine(ctx), "it runs")
	assert.Assert(t, !running(t, engine, id), "a new engine ends what ran")

	assert.NilError(t, node.Stop(ctx))
	assert.NilError(t, node.StartEngine(ctx))
	_, err = engine.Ping(ctx)
	assert.NilError(t, err)
}

func TestANodeComesBackFromAPowerCutWithItsDisk(t *testing.T) {
	for _, filesystem := range []string{"", "xfs"} {
		t.Run("file system "+filesystem, func(t *testing.T) {
			l := startLab(t, Options{FS: filesystem})
			node, ctx := l.Nodes[0], t.Context()
			engine := connect(t, node)
			assert.NilError(t, ImportTools(ctx, engine))
			id := runContainer(t, engine, ToolsImage, "sleep", "1000")
			assert.ErrorContains(t, node.PowerOn(ctx), "it is on")
			assert.NilError(t, node.PowerOff())
			_, err := engine.Ping(ctx)
			assert.Assert(t, client.IsErrConnectionFailed(err))
			assert.NilError(t, node.PowerOn(ctx))
			assert.Assert(t, !running(t, engine, id))
			assert.NilError(t, pingOnce(ctx, node))
		})
	}
}

func TestACutNetworkIsSilentAndLeavesTheSocket(t *testing.T) {
	l := startLab(t, Options{})
	node := l.Nodes[0]
	assert.NilError(t, pingOnce(t.Context(), node))
	assert.NilError(t, node.CutNetwork(t.Context()))
	brief, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := pingOnce(brief, node)
	assert.Assert(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
	_, err = connect(t, node).Ping(t.Context())
	assert.NilError(t, err)
	assert.NilError(t, node.HealNetwork(t.Context()))
	assert.NilError(t, pingOnce(t.Context(), node))
}

func TestARateLimitHoldsForTheWireAndNotForTheSocket(t *testing.T) {
	const size, limit = 4 << 20, 2 << 20
	l := startLab(t, Options{})
	node, ctx := l.Nodes[0], t.Context()
	engine := connect(t, node)
	assert.NilError(t, ImportTools(ctx, engine))
	// Random bytes, since an engine compresses what it sends over TCP.
	id := runContainer(t, engine, ToolsImage, "dd", "if=/dev/urandom", "of=/file", "bs=1M", "count=4")
	outputOf(t, engine, id)

	for name, slow := range map[string]func() error{
		"by the kernel": func() error { return node.RateLimit(ctx, limit) },
		"by a proxy": func() (err error) {
			node.wire, err = startProxy(ctx, node.Address, limit, tlsPort, sshPort)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.NilError(t, slow())
			assert.Assert(t, fetch(t, overTLS(t, node), id, size) > time.Second*size/limit*3/4)
			assert.Assert(t, fetch(t, engine, id, size) < time.Second*size/limit*3/4)
			host, env, err := node.SSH()
			assert.NilError(t, err)
			assert.Equal(t, dockerCLI(t, append(env, "DOCKER_HOST="+host), "info", "--format", "{{.Name}}"), node.Name)

			assert.NilError(t, node.RateLimit(ctx, 0))
			assert.Assert(t, fetch(t, overTLS(t, node), id, size) < time.Second*size/limit*3/4)
		})
	}
}

func overTLS(t *testing.T, n *Node) *client.Client {
	t.Helper()
	host, dir := n.TLS()
	engine, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation(),
		client.WithTLSClientConfig(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, engine.Close()) })
	return engine
}

// fetch copies a file out of a container and returns how long that took.
func fetch(t *testing.T, engine *client.Client, id string, size int64) time.Duration {
	t.Helper()
	began := time.Now()
	content, _, err := engine.CopyFromContainer(t.Context(), id, "/file")
	assert.NilError(t, err)
	archive := tar.NewReader(content)
	_, err = archive.Next()
	assert.NilError(t, err)
	count, err := io.Copy(io.Discard, archive)
	assert.NilError(t, err)
	assert.Equal(t, count, size)
	assert.NilError(t, content.Close())
	return time.Since(began)
}

func TestADiskOfItsOwnCanCloneFiles(t *testing.T) {
	for _, filesystem := range []string{"xfs", "btrfs"} {
		t.Run(filesystem, func(t *testing.T) {
			node := startLab(t, Options{FS: filesystem}).Nodes[0]
			path := filepath.Join(node.dataRoot(), "file")
			assert.NilError(t, os.WriteFile(filepath.Join(node.Data(), "file"), make([]byte, 1<<20), 0o600))
			_, err := node.Run(t.Context(), "cp", "--reflink=always", path, path+".clone")
			assert.NilError(t, err)
		})
	}
}

func TestAHiddenFolderIsAnotherOneToTheNode(t *testing.T) {
	node, dir := startLab(t, Options{}).Nodes[0], t.TempDir()
	assert.NilError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err := node.Run(t.Context(), "ls", dir+"/file")
	assert.NilError(t, err)
	assert.NilError(t, node.Hide(t.Context(), dir))
	_, err = node.Run(t.Context(), "ls", dir+"/file")
	assert.ErrorContains(t, err, "No such file")
}
