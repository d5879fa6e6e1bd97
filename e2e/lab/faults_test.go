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

func TestANodeWithAPausedContainerCanBeSwitchedOff(t *testing.T) {
	l := startLab(t, Options{})
	node, ctx := l.Nodes[0], t.Context()
	engine := connect(t, node)
	assert.NilError(t, ImportTools(ctx, engine))
	assert.NilError(t, engine.ContainerPause(ctx, runContainer(t, engine, ToolsImage, "sleep", "1000")))
	done := make(chan error, 1)
	go func() { done <- node.PowerOff() }()
	select {
	case err := <-done:
		assert.NilError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("the node does not end")
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
	const limit = 1 << 20
	l := startLab(t, Options{})
	node, ctx := l.Nodes[0], t.Context()
	engine := connect(t, node)
	assert.NilError(t, ImportTools(ctx, engine))
	// Random bytes, since an engine compresses what it sends over TCP.
	var ids [2]string // two containers: a copy locks the one that it reads
	for i := range ids {
		ids[i] = runContainer(t, engine, ToolsImage, "dd", "if=/dev/urandom", "of=/file", "bs=1M", "count=16")
		outputOf(t, engine, ids[i])
	}

	for name, slow := range map[string]func() error{
		"by the kernel": func() error { return node.RateLimit(ctx, limit) },
		"by a proxy": func() (err error) {
			node.wire, err = startProxy(ctx, node.Address, limit, tlsPort, sshPort)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.NilError(t, slow())
			began := time.Now()
			file, received := fetch(t, overTLS(t, node), ids[0]), int64(0)
			for time.Since(began) < time.Second {
				count, err := io.CopyN(io.Discard, file, 16<<10)
				assert.NilError(t, err, "a fast wire has brought all of it")
				received += count
				allowed := int64(time.Since(began).Seconds()*limit) + 256<<10 // what may come at once
				assert.Assert(t, received < allowed, "%d bytes after %s", received, time.Since(began))
			}
			_, err := io.Copy(io.Discard, fetch(t, engine, ids[1])) // while the wire is still at it
			assert.NilError(t, err)
			assert.Assert(t, received < 16<<20)

			host, env, err := node.SSH()
			assert.NilError(t, err)
			assert.Equal(t, dockerCLI(t, append(env, "DOCKER_HOST="+host), "info", "--format", "{{.Name}}"), node.Name)

			assert.NilError(t, node.RateLimit(ctx, 0))
			began = time.Now()
			_, err = io.Copy(io.Discard, fetch(t, overTLS(t, node), ids[1]))
			assert.NilError(t, err)
			assert.Assert(t, time.Since(began) < 16*time.Second, "the limit is still there")
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

// fetch copies a file out of a container, for the test to read as fast as it comes.
func fetch(t *testing.T, engine *client.Client, id string) io.Reader {
	t.Helper()
	content, _, err := engine.CopyFromContainer(t.Context(), id, "/file")
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, content.Close()) })
	archive := tar.NewReader(content)
	_, err = archive.Next()
	assert.NilError(t, err)
	return archive
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
