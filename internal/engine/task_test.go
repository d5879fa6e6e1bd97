package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/pkg/stdcopy"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/golden"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func task() engine.Task {
	return engine.Task{Image: "docker-ucp/agent:0123456789ab", StartedBy: "ann@manager1", Args: []string{"ping", "8080"}}
}

// taskRun is an engine that runs one task, t1. A test changes what it does.
type taskRun struct {
	t        *testing.T
	info     system.Info
	says     [][]byte // frames, once it has started
	waits    string   // the engine's last word on it; empty for an engine that leaves before
	lasts    bool     // it runs until it is removed
	instead  map[string]http.HandlerFunc
	removals []error // what happened to its container, one for each removal asked for

	mu      sync.Mutex
	sent    any
	conn    chan net.Conn
	started chan struct{}
	gone    chan struct{}
}

func newTaskRun(t *testing.T) *taskRun {
	t.Helper()
	return &taskRun{t: t, waits: `{"StatusCode":0}`, conn: make(chan net.Conn, 1), started: make(chan struct{}), gone: make(chan struct{})}
}

func (r *taskRun) serve(version string) (*engine.Engine, *server) {
	answers := map[string]http.HandlerFunc{
		"GET /info": document(r.t, r.info),
		"POST /containers/create": func(w http.ResponseWriter, req *http.Request) {
			assert.Check(r.t, req.URL.RawQuery == "", "a task has no name: %s", req.URL.RawQuery)
			assert.Check(r.t, json.NewDecoder(req.Body).Decode(&r.sent))
			answer(http.StatusCreated, `{"Id":"t1"}`)(w, req)
		},
		"POST /containers/t1/attach": r.attach,
		"POST /containers/t1/wait":   r.wait,
		"POST /containers/t1/start":  r.start,
		"DELETE /containers/t1":      r.remove,
	}
	for request, handler := range r.instead {
		answers[request] = handler
	}
	return serve(r.t, version, answers)
}

func (r *taskRun) attach(w http.ResponseWriter, req *http.Request) {
	assert.Check(r.t, req.URL.RawQuery == "stderr=1&stdout=1&stream=1", req.URL.RawQuery)
	conn, _, err := http.NewResponseController(w).Hijack()
	assert.Check(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	r.conn <- conn // and then the word that it is given
	_, err = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	assert.Check(r.t, err)
}

func (r *taskRun) wait(w http.ResponseWriter, req *http.Request) {
	assert.Check(r.t, req.URL.RawQuery == "condition=removed", req.URL.RawQuery)
	w.Header().Set("Content-Type", "application/json")
	assert.Check(r.t, http.NewResponseController(w).Flush())
	select {
	case <-r.gone:
	case <-req.Context().Done():
		return
	}
	if r.waits == "" {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, r.waits) // a client that has left is no fault of the engine
}

func (r *taskRun) start(w http.ResponseWriter, req *http.Request) {
	answer(http.StatusNoContent, "")(w, req)
	close(r.started)
	conn := <-r.conn
	for _, frame := range r.says {
		_, err := conn.Write(frame)
		assert.Check(r.t, err)
	}
	if !r.lasts {
		assert.Check(r.t, conn.Close())
		close(r.gone)
	}
}

// remove answers as engines do: refused while it is being removed already, and gone at last.
func (r *taskRun) remove(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Check(r.t, req.URL.RawQuery == "force=1", req.URL.RawQuery)
	if len(r.removals) == 0 {
		refusal(http.StatusNotFound, "No such container: t1")(w, req)
		return
	}
	err := r.removals[0]
	r.removals = r.removals[1:]
	if err != nil {
		refusal(http.StatusConflict, err.Error())(w, req)
		return
	}
	answer(http.StatusNoContent, "")(w, req)
}

// asks returns what was asked of the engine, in order, without version and query.
func asks(s *server) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var short []string
	for _, asked := range s.asked {
		method, path, _ := strings.Cut(asked, " ")
		path, _, _ = strings.Cut(versioned.ReplaceAllString(path, "$2"), "?")
		short = append(short, method+" "+path)
	}
	return short
}

func TestATaskGetsTheLeastItCanWorkWith(t *testing.T) {
	tests := map[string]struct {
		version string
		options []string // of the engine
		change  func(*engine.Task)
		golden  string
	}{
		"on a plain engine":  {newest, nil, nil, "plain"},
		"on the oldest":      {engine.OldestAPI, nil, nil, "plain"},
		"in another network": {newest, nil, func(t *engine.Task) { t.Network = "0a1b2c" }, "network"},
		"with the spool":     {newest, nil, func(t *engine.Task) { t.Spool = "docker-ucp-spool" }, "spool"},
		"with a file of the operator's": {newest, nil, func(t *engine.Task) {
			t.Spool, t.Output, t.Capabilities = "docker-ucp-spool", "/backup/ucp.tar.part", []string{"DAC_OVERRIDE"}
		}, "output"},
		"with all it can be given": {
			newest,
			[]string{"name=apparmor", "name=selinux", "name=userns"},
			func(t *engine.Task) {
				t.HostPID, t.Capabilities, t.SecurityOpt = true, []string{"SYS_ADMIN", "SYS_PTRACE"}, []string{"apparmor=unconfined"}
			}, "all",
		},
		"on the first engine that knows capabilities with CAP_":   {"1.40", nil, func(t *engine.Task) { t.Capabilities = []string{"DAC_OVERRIDE"} }, "capability"},
		"on an older one, where every container has what it asks": {"1.39", nil, func(t *engine.Task) { t.Capabilities = []string{"DAC_OVERRIDE", "SYS_CHROOT"} }, "capability-before-19.03"},
		"on an older one, where none has all that it asks":        {"1.39", nil, func(t *engine.Task) { t.Capabilities = []string{"DAC_OVERRIDE", "SYS_ADMIN"} }, "capabilities-before-19.03"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wanted := task()
			if test.change != nil {
				test.change(&wanted)
			}
			run := newTaskRun(t)
			run.info.SecurityOptions = test.options
			eng, _ := run.serve(test.version)
			_, err := eng.RunTask(t.Context(), wanted)
			assert.NilError(t, err)
			text, err := json.MarshalIndent(withoutEmpty(run.sent), "", "  ")
			assert.NilError(t, err)
			golden.Assert(t, string(text)+"\n", "task-"+test.golden+".golden.json")
			assert.Check(t, !strings.Contains(string(text), "RestartPolicy"), "nobody wants it a second time")
		})
	}
}

func TestWhatATaskSaysIsReturnedWhenItIsGone(t *testing.T) {
	run := newTaskRun(t)
	run.says = [][]byte{frame(t, stdcopy.Stdout, "4"), frame(t, stdcopy.Stderr, "a warning"), frame(t, stdcopy.Stdout, "2\n")}
	eng, asked := run.serve(engine.OldestAPI)
	output, err := eng.RunTask(t.Context(), task())
	assert.NilError(t, err)
	assert.Equal(t, string(output), "42\n")
	assert.DeepEqual(t, asks(asked), []string{
		"GET /info", "POST /containers/create",
		"POST /containers/t1/attach", "POST /containers/t1/wait", "POST /containers/t1/start", // the other way round it might be gone
	})
}

func TestATaskThatFailsSaysWhy(t *testing.T) {
	long := strings.Repeat("x", 40<<10)
	ill := refusal(http.StatusInternalServerError, "ill")
	tests := map[string]struct {
		change  func(*taskRun)
		words   string
		removed bool // by us, as the engine might not
	}{
		"it ends with another status": {func(r *taskRun) {
			r.says = [][]byte{frame(t, stdcopy.Stdout, "half"), frame(t, stdcopy.Stderr, "/_ping answers 500\n")}
			r.waits = `{"StatusCode":1}`
		}, "task ping 8080: status 1: /_ping answers 500", false},
		"it says too much": {func(r *taskRun) {
			r.says = [][]byte{frame(t, stdcopy.Stdout, long), frame(t, stdcopy.Stdout, long)}
		}, "task ping 8080: it says more than 65536 bytes", false},
		"it panics at length": {func(r *taskRun) {
			r.says = [][]byte{frame(t, stdcopy.Stderr, long)}
			r.waits = `{"StatusCode":2}`
		}, "task ping 8080: status 2: " + long[:4096], false},
		"the engine does not answer": {func(r *taskRun) { r.instead = map[string]http.HandlerFunc{"GET /info": ill} }, "read the engine's state: ", false},
		"its image is gone": {func(r *taskRun) {
			r.instead = map[string]http.HandlerFunc{"POST /containers/create": refusal(http.StatusNotFound, "No such image")}
		}, "create a container for task ping 8080: ", false},
		"it cannot be listened to": {func(r *taskRun) {
			r.instead = map[string]http.HandlerFunc{"POST /containers/t1/attach": ill}
			r.removals = []error{nil}
		}, "run task ping 8080: attach to its container: ", true},
		"it does not start": {func(r *taskRun) {
			r.instead = map[string]http.HandlerFunc{"POST /containers/t1/start": refusal(http.StatusConflict, "cannot join network of a non running container")}
			r.removals = []error{errors.New("removal is already in progress"), nil}
		}, "run task ping 8080: start its container: ", true},
		"nobody can tell when it ends": {func(r *taskRun) {
			r.instead = map[string]http.HandlerFunc{"POST /containers/t1/wait": ill}
			r.removals = []error{nil}
		}, "run task ping 8080: wait for the end of its container: ", true},
		"the engine dies meanwhile": {func(r *taskRun) { r.waits = "" }, "run task ping 8080: wait for the end of its container: ", true},
		"the engine cannot remove it": {func(r *taskRun) {
			r.waits = `{"StatusCode":0,"Error":{"Message":"device busy"}}`
		}, "run task ping 8080: wait for the end of its container: device busy", true},
		"what it says is no stream of a container's": {func(r *taskRun) { r.says = [][]byte{[]byte("<html> and more")} }, "run task ping 8080: read what it says: ", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run := newTaskRun(t)
			test.change(run)
			eng, asked := run.serve(newest)
			output, err := eng.RunTask(t.Context(), task())
			assert.ErrorContains(t, err, test.words)
			assert.Check(t, output == nil)
			assert.Equal(t, slices.Contains(asks(asked), "DELETE /containers/t1"), test.removed)
			assert.Check(t, cmp.Len(run.removals, 0))
		})
	}
}

func TestACancelledTaskIsKilledAndRemoved(t *testing.T) {
	run := newTaskRun(t)
	run.lasts, run.removals = true, []error{nil}
	run.says = [][]byte{frame(t, stdcopy.Stdout, "wait")}
	eng, asked := run.serve(newest)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	go func() {
		<-run.started
		cancel(interrupted)
	}()
	_, err := eng.RunTask(ctx, task())
	assert.Error(t, err, "run task ping 8080: interrupted")
	assert.ErrorIs(t, err, interrupted)
	assert.Equal(t, asked.last(), fmt.Sprintf("DELETE /v%s/containers/t1?force=1", newest))

	run = newTaskRun(t)
	eng, asked = run.serve(newest)
	_, err = eng.RunTask(ctx, task())
	assert.ErrorIs(t, err, interrupted)
	assert.Check(t, cmp.Len(asks(asked), 0), "nothing is begun any more")
}

func TestATaskThatHangsAfterTheEngineLostItIsLetGo(t *testing.T) {
	// The engine tells the end and keeps the stream open.
	run := newTaskRun(t)
	run.lasts, run.removals = true, []error{nil}
	eng, _ := run.serve(newest)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	close(run.gone)
	_, err := eng.RunTask(ctx, task())
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Check(t, cmp.Len(run.removals, 0))
}
