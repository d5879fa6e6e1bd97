package ucp_test

import (
	"errors"
	"testing"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

func TestAwakeIsWhatRunsAndCouldWrite(t *testing.T) {
	m := newManager()
	instance := m.discover(t)
	m.containers = nil
	m.add("ucp-reconcile", "running")
	m.add("ucp-kv", "paused", "ucp-kv")
	m.add("ucp-proxy", "exited")
	m.add("ucp-controller", "running").ID = "known"
	m.addForeign("pod-of-metrics", container.MountPoint{Name: "ucp-kv", RW: true})
	m.addForeign("reader", container.MountPoint{Name: "ucp-kv"})
	m.addForeign("web", container.MountPoint{Name: "web-data", RW: true})
	m.add("other-controller", "running").Labels[ucp.LabelInstance] = otherID

	names, err := instance.Awake(t.Context(), m.engine(), []string{"known"})
	assert.NilError(t, err)
	assert.DeepEqual(t, names, []string{"pod-of-metrics", "ucp-reconcile"})
}

func TestAwakeDoesNotTakeSilenceForSleep(t *testing.T) {
	m := newManager()
	instance, engine := m.discover(t), m.engine()
	engine.containerList = func(container.ListOptions) ([]container.Summary, error) { return nil, errors.New("timeout") }
	_, err := instance.Awake(t.Context(), engine, nil)
	assert.Error(t, err, "list containers: timeout")
}

func TestDownNamesTheEssentialContainersThatDoNotRun(t *testing.T) {
	m := newManager()
	m.containers = nil
	m.add("ucp-kv", "exited", "ucp-kv")
	m.add("ucp-auth-store", "running")
	m.add("ucp-controller", "paused")
	m.add("ucp-reconcile", "exited")
	assert.DeepEqual(t, m.discover(t).Down(), []string{"ucp-controller (paused)", "ucp-kv (exited)"})
}
