package standin

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

// fixture is a stand-in on an engine of its own.
type fixture struct {
	*UCP
	node   *lab.Node
	engine *client.Client
}

// deploy puts a stand-in on a private engine that ends with the test.
func deploy(t *testing.T, version string, opts Options) fixture {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a private engine needs root")
	}
	l, err := lab.Start(t.Context(), lab.Options{Version: version, Out: os.Stderr})
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, l.Close()) })
	node := l.Nodes[0]
	engine, err := node.Client()
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, engine.Close()) })
	opts.Address, opts.BundleDir = node.Address, t.TempDir()
	began := time.Now()
	u, err := Deploy(t.Context(), engine, opts)
	t.Logf("deployed on %s in %v", version, time.Since(began).Round(time.Millisecond))
	if err != nil {
		t.Log(describe(t, engine))
	}
	assert.NilError(t, err)
	return fixture{UCP: u, node: node, engine: engine}
}

// describe says what stands on an engine, for a failure.
func describe(t *testing.T, engine *client.Client) string {
	t.Helper()
	list, err := engine.ContainerList(t.Context(), container.ListOptions{All: true})
	assert.NilError(t, err)
	var lines []string
	for _, c := range list {
		u := &UCP{engine: engine}
		logs, err := u.logs(t.Context(), c.ID)
		assert.NilError(t, err)
		lines = append(lines, c.Names[0]+" "+c.Status+"\n"+logs)
	}
	return strings.Join(lines, "\n")
}

// volume is the path of a volume on the host.
func (f fixture) volume(name string) string {
	if name == boundVolume {
		return filepath.Join(f.node.Data(), "standin-volumes", boundVolume)
	}
	return filepath.Join(f.node.Data(), "volumes", name, "_data")
}

// bundleClient reaches the engine through a published port, with the admin's bundle.
func (f fixture) bundleClient(t *testing.T, host string) *client.Client {
	t.Helper()
	in := func(name string) string { return filepath.Join(f.BundleDir, name) }
	c, err := client.NewClientWithOpts(client.WithHost("tcp://"+host),
		client.WithTLSClientConfig(in("ca.pem"), in("cert.pem"), in("key.pem")), client.WithAPIVersionNegotiation())
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, c.Close()) })
	return c
}

// eventually waits until check has no error any more.
func eventually(t *testing.T, check func(context.Context) error) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if err := check(t.Context()); err != nil {
			return poll.Continue("%v", err)
		}
		return poll.Success()
	}, poll.WithTimeout(30*time.Second), poll.WithDelay(100*time.Millisecond))
}
