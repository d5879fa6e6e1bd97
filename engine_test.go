package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"gotest.tools/v3/assert"
)

// A fake engine answers questions, and refuses whatever would change something.
type (
	object = map[string]any
	list   = []any
)

// answers are what an engine of a kind says, by path.
func answers(kind string) map[string]any {
	swarm := object{"NodeID": "node1", "LocalNodeState": "active", "ControlAvailable": true}
	said := map[string]any{
		"/version":         object{"Version": "20.10.24", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"},
		"/info":            object{"ID": "ENGINE:ONE", "Name": "manager1", "ServerVersion": "20.10.24", "Swarm": swarm, "SystemTime": "2026-01-02T03:14:05Z"},
		"/nodes":           list{},
		"/volumes":         object{"Volumes": list{object{"Name": "ucp-kv"}}},
		"/containers/json": list{ucpContainer()},
		"/containers/kv/json": object{
			"Id": "kv", "Name": "/ucp-kv", "State": object{"Running": true}, "HostConfig": object{}, "Config": object{},
		},
	}
	switch kind {
	case "worker":
		swarm["ControlAvailable"] = false
	case "bare":
		said["/containers/json"] = list{}
	case "busy":
		agent := object{
			"Id": "agent", "Name": "/docker-ucp-agent", "Created": "2026-01-02T03:04:05Z", "State": object{"Running": true, "Status": "running"},
			"Config": object{"Image": "docker-ucp/agent:1", "Labels": object{"io.docker-ucp.started-by": "root@cron"}},
		}
		said["/containers/docker-ucp-agent/json"], said["/containers/agent/json"] = agent, agent
	}
	return said
}

func ucpContainer() object {
	return object{
		"Id": "kv", "Names": list{"/ucp-kv"}, "State": "running",
		"Labels": object{"com.docker.ucp.InstanceID": "UCP:ONE", "com.docker.ucp.version": "3.1.4"},
	}
}

// serve answers on a socket until the test has ended.
func serve(tb testing.TB, socket, kind string) {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "unix", socket)
	assert.NilError(tb, err)
	said := answers(kind)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		answer, status := any(object{"message": "this engine changes nothing"}), http.StatusForbidden
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			answer, status = object{"message": "there is no such thing"}, http.StatusNotFound
		}
		path := strings.TrimPrefix(r.URL.Path, "/v1.41")
		if found, ok := said[path]; ok || path == "/_ping" {
			answer, status = found, http.StatusOK
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		assert.Check(tb, json.NewEncoder(w).Encode(answer))
	})}
	go func() {
		err := server.Serve(listener)
		assert.Check(tb, errors.Is(err, http.ErrServerClosed), "%v", err)
	}()
	tb.Cleanup(func() { assert.Check(tb, server.Shutdown(context.WithoutCancel(tb.Context()))) })
}

// startEngine gives a script an engine of a kind: engine worker.
func startEngine(ts *testscript.TestScript, _ bool, args []string) {
	socket := filepath.Join(ts.Getenv("WORK"), args[0]+".sock")
	tb, ok := ts.Value(testKey{}).(testing.TB)
	if !ok {
		ts.Fatalf("no test to end the engine with")
	}
	serve(tb, socket, args[0])
	ts.Setenv("DOCKER_HOST", "unix://"+socket)
}

type testKey struct{}
