package engine_test

import (
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestEachCallOfTheAgentMakesAConnectionOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	assert.NilError(t, err)
	var connections atomic.Int64
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler:           answer(http.StatusOK, `{"ID":"ENGINE:ONE"}`),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { assert.Check(t, server.Close()) })
	eng, err := engine.Open(path)
	assert.NilError(t, err)
	_, err = eng.EngineID(t.Context())
	assert.NilError(t, err)
	first := connections.Load()
	_, err = eng.EngineID(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, connections.Load(), first+1)

	assert.NilError(t, listener.Close())
	_, err = eng.EngineID(t.Context())
	assert.ErrorContains(t, err, "Cannot connect to the Docker daemon")
}
