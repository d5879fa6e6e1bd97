package engine_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// speaking returns an engine's answers to ping and version.
func speaking(t *testing.T, version, api string) map[string]http.HandlerFunc {
	t.Helper()
	ping := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", api)
		w.WriteHeader(http.StatusOK)
	}
	return map[string]http.HandlerFunc{
		"HEAD /_ping": ping, "GET /_ping": ping,
		"GET /version": document(t, types.Version{Version: version, APIVersion: api}),
	}
}

func TestCheckTellsTheEnginesVersion(t *testing.T) {
	tests := map[string]struct{ version, api, spoken string }{
		"the oldest":          {"17.06.2-ee-16", "1.30", "1.30"},
		"one of UCP 3.1":      {"18.09.2", "1.39", "1.39"},
		"the newest":          {"28.5.2", "1.51", "1.51"},
		"newer than we speak": {"29.0.0", "1.52", "1.51"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &server{t: t, answers: speaking(t, test.version, test.api)}
			eng := connect(t, s, client.WithAPIVersionNegotiation())
			version, err := eng.Check(t.Context())
			assert.NilError(t, err)
			assert.DeepEqual(t, version, engine.Version{Engine: test.version, API: test.api})
			assert.Equal(t, s.last(), "GET /v"+test.spoken+"/version")
		})
	}
}

func TestCheckRefusesWhatItCannotWorkWith(t *testing.T) {
	tests := map[string]struct {
		version, api string
		opt          client.Opt
		words, hint  string
	}{
		"an engine that is too old": {
			"17.03.3-ee", "1.27", client.WithAPIVersionNegotiation(),
			"engine 17.03.3-ee is spoken to with API 1.27; this program needs 1.30 (engine 17.06) or later",
			"upgrade the engine, or back up with the vendor's own image",
		},
		"an API that the operator pinned": {
			"20.10.24", "1.41", client.WithVersion("1.29"),
			"engine 20.10.24 is spoken to with API 1.29; this program needs 1.30 (engine 17.06) or later",
			"the engine can do more: unset DOCKER_API_VERSION",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng := connect(t, &server{t: t, answers: speaking(t, test.version, test.api)}, test.opt)
			_, err := eng.Check(t.Context())
			assert.Error(t, err, test.words)
			assert.Equal(t, failure.KindOf(err), failure.Refused)
			assert.DeepEqual(t, failure.Hints(err), []string{test.hint})
		})
	}
}

func TestCheckRefusesAnEngineOutOfReach(t *testing.T) {
	api, err := client.NewClientWithOpts(client.WithHost("unix://"+t.TempDir()+"/no.sock"), client.WithAPIVersionNegotiation())
	assert.NilError(t, err)
	eng := engine.New(api)
	_, err = eng.Check(t.Context())
	assert.ErrorContains(t, err, "reach the engine at unix://")
	assert.Equal(t, failure.KindOf(err), failure.Refused)
	assert.DeepEqual(t, failure.Hints(err), []string{"look at: docker context ls; then: docker --context NAME version"})

	ctx, cancel := context.WithCancelCause(t.Context())
	signal := errors.New("interrupted")
	cancel(signal)
	_, err = eng.Check(ctx)
	assert.ErrorIs(t, err, signal)
	assert.Equal(t, failure.KindOf(err), failure.Failed, "a cancel is no refusal")
}

func TestOpenSpeaksWhatTheEngineSpeaks(t *testing.T) {
	s := &server{t: t, answers: speaking(t, "17.06.2-ee-16", "1.30")}
	s.answers["GET /info"] = document(t, system.Info{ID: "6BID:R7QS"})
	path := filepath.Join(t.TempDir(), "engine.sock")
	socket, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	assert.NilError(t, err)
	listening := httptest.NewUnstartedServer(s)
	assert.NilError(t, listening.Listener.Close())
	listening.Listener = socket
	listening.Start()
	defer listening.Close()

	eng, err := engine.Open(path)
	assert.NilError(t, err)
	id, err := eng.EngineID(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, id, "6BID:R7QS")
	assert.Equal(t, s.last(), "GET /v1.30/info")
	assert.NilError(t, eng.API().Close())
}

func TestOpenTellsWhatIsNoSocket(t *testing.T) {
	_, err := engine.Open("")
	assert.ErrorContains(t, err, "open the engine's socket : ")
	eng, err := engine.Open(filepath.Join(t.TempDir(), "none"))
	assert.NilError(t, err)
	_, err = eng.EngineID(t.Context())
	assert.Check(t, client.IsErrConnectionFailed(err), "%v", err)
}

func TestAStopIsSentWithTheTimeThatWasGiven(t *testing.T) {
	tests := map[string]struct {
		timeout *time.Duration
		want    string
	}{
		"left to the container":          {nil, "/stop"},
		"none":                           {duration(0), "/stop?t=0"},
		"less than a second is not none": {duration(time.Millisecond), "/stop?t=1"},
		"whole seconds":                  {duration(90 * time.Second), "/stop?t=90"},
		"rounded up":                     {duration(1100 * time.Millisecond), "/stop?t=2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, asked := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{"POST /containers/c1/stop": answer(http.StatusNoContent, "")})
			assert.NilError(t, eng.StopContainer(t.Context(), "c1", test.timeout))
			assert.Equal(t, asked.last(), "POST /v1.30/containers/c1"+test.want)
		})
	}
}

func duration(d time.Duration) *time.Duration { return &d }

func TestWhatIsAlreadySoIsNoError(t *testing.T) {
	type state = container.State
	tests := map[string]struct {
		act    string
		answer http.HandlerFunc
		state  *state
		fails  bool
	}{
		"stopped already":                    {"stop", answer(http.StatusNotModified, ""), nil, false},
		"started already":                    {"start", answer(http.StatusNotModified, ""), nil, false},
		"stop refused":                       {"stop", refusal(http.StatusInternalServerError, "ill"), nil, true},
		"start refused":                      {"start", refusal(http.StatusInternalServerError, "ill"), nil, true},
		"frozen":                             {"pause", answer(http.StatusNoContent, ""), nil, false},
		"frozen already, 20.10":              {"pause", refusal(http.StatusConflict, "already paused"), &state{Running: true, Paused: true}, false},
		"frozen already, 17.06":              {"pause", refusal(http.StatusInternalServerError, "already paused"), &state{Running: true, Paused: true}, false},
		"ended, so at rest":                  {"pause", refusal(http.StatusConflict, "is not running"), &state{}, false},
		"between two starts, so not at rest": {"pause", refusal(http.StatusConflict, "is restarting"), &state{Running: true, Restarting: true}, true},
		"not frozen, and nobody knows why":   {"pause", refusal(http.StatusInternalServerError, "freezer"), &state{Running: true}, true},
		"unfrozen":                           {"unpause", answer(http.StatusNoContent, ""), nil, false},
		"unfrozen already":                   {"unpause", refusal(http.StatusInternalServerError, "is not paused"), &state{Running: true}, false},
		"still frozen":                       {"unpause", refusal(http.StatusInternalServerError, "freezer"), &state{Running: true, Paused: true}, true},
		"gone while it was to be frozen":     {"pause", refusal(http.StatusNotFound, "no such container"), nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{"POST /containers/c1/" + test.act: test.answer}
			answers["GET /containers/c1/json"] = refusal(http.StatusNotFound, "no such container")
			if test.state != nil {
				answers["GET /containers/c1/json"] = document(t, inspected(test.state, nil))
			}
			eng, _ := serve(t, engine.OldestAPI, answers)
			err := map[string]func() error{
				"stop":    func() error { return eng.StopContainer(t.Context(), "c1", nil) },
				"start":   func() error { return eng.StartContainer(t.Context(), "c1") },
				"pause":   func() error { return eng.PauseContainer(t.Context(), "c1") },
				"unpause": func() error { return eng.UnpauseContainer(t.Context(), "c1") },
			}[test.act]()
			assert.Equal(t, err != nil, test.fails, "%v", err)
		})
	}
}

func TestContainerState(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   quiesce.State
		fails  bool
		gone   bool
	}{
		"running":            {document(t, inspected(&container.State{Running: true}, nil)), quiesce.State{Running: true}, false, false},
		"paused":             {document(t, inspected(&container.State{Running: true, Paused: true}, nil)), quiesce.State{Running: true, Paused: true}, false, false},
		"between two starts": {document(t, inspected(&container.State{Running: true, Restarting: true}, nil)), quiesce.State{Running: true}, false, false},
		"exited":             {document(t, inspected(&container.State{Status: container.StateExited}, nil)), quiesce.State{}, false, false},
		"gone":               {refusal(http.StatusNotFound, "no such container"), quiesce.State{}, true, true},
		"the engine is ill":  {refusal(http.StatusInternalServerError, "ill"), quiesce.State{}, true, false},
		"an empty answer":    {answer(http.StatusOK, "{}"), quiesce.State{}, true, false},
		"no state":           {document(t, inspected(nil, nil)), quiesce.State{}, true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			eng, _ := serve(t, engine.OldestAPI, map[string]http.HandlerFunc{"GET /containers/c1/json": test.answer})
			state, err := eng.ContainerState(t.Context(), "c1")
			assert.Equal(t, err != nil, test.fails, "%v", err)
			assert.Equal(t, eng.IsGone(err), test.gone)
			assert.Equal(t, state, test.want)
		})
	}
}
