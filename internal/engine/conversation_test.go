package engine_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// agentOn returns the agent's container, c1, of an engine that answers as set.
func agentOn(t *testing.T, answers map[string]http.HandlerFunc) *engine.Agent {
	t.Helper()
	answers["GET /containers/docker-ucp-agent/json"] = document(t, inspected(&container.State{}, nil))
	eng, _ := serve(t, engine.OldestAPI, answers)
	found, err := eng.FindAgent(t.Context())
	assert.NilError(t, err)
	return found.Agent
}

// attaching answers as an engine does that gives the connection over to a container's streams.
func attaching(t *testing.T, given chan<- net.Conn) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		assert.Check(t, r.URL.RawQuery == "stdin=1&stream=1", r.URL.RawQuery)
		conn, _, err := http.NewResponseController(w).Hijack()
		assert.Check(t, err)
		assert.Check(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		given <- conn // and then the word that it is given
		_, err = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		assert.Check(t, err)
	}
}

func TestWhatIsWrittenReachesTheAgentsInputToTheEnd(t *testing.T) {
	given := make(chan net.Conn, 1)
	started := false
	agent := agentOn(t, map[string]http.HandlerFunc{
		"POST /containers/c1/attach": attaching(t, given),
		"POST /containers/c1/start": func(w http.ResponseWriter, r *http.Request) {
			assert.Check(t, len(given) == 1, "attached before it starts, or the first words are lost")
			started = true
			answer(http.StatusNoContent, "")(w, r)
		},
	})
	stdin, err := agent.Start(t.Context())
	assert.NilError(t, err)
	assert.Check(t, started)
	_, err = io.WriteString(stdin, "a job\nan order\n")
	assert.NilError(t, err)
	assert.NilError(t, stdin.Close())
	conn := <-given
	heard, err := io.ReadAll(conn)
	assert.NilError(t, err)
	assert.Equal(t, string(heard), "a job\nan order\n")
	assert.NilError(t, conn.Close())
}

func TestAnAgentThatDoesNotStartIsLetGo(t *testing.T) {
	given := make(chan net.Conn, 1)
	agent := agentOn(t, map[string]http.HandlerFunc{
		"POST /containers/c1/attach": attaching(t, given),
		"POST /containers/c1/start":  refusal(http.StatusInternalServerError, "no cgroup"),
	})
	_, err := agent.Start(t.Context())
	assert.ErrorContains(t, err, "start container docker-ucp-agent: ")
	conn := <-given
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "the connection is closed")
	assert.NilError(t, conn.Close())
}

func TestAnAgentThatCannotBeAttachedToIsNotStarted(t *testing.T) {
	agent := agentOn(t, map[string]http.HandlerFunc{"POST /containers/c1/attach": refusal(http.StatusNotFound, "no such container")})
	_, err := agent.Start(t.Context())
	assert.ErrorContains(t, err, "attach to container docker-ucp-agent: ")
}

// frame is one piece of a log as an engine sends it.
func frame(t *testing.T, stream stdcopy.StdType, words string) []byte {
	t.Helper()
	var piece bytes.Buffer
	_, err := stdcopy.NewStdWriter(&piece, stream).Write([]byte(words))
	assert.NilError(t, err)
	return piece.Bytes()
}

func TestTheLogComesApartIntoItsTwoStreams(t *testing.T) {
	for name, want := range map[string]string{"followed": "follow=1&stderr=1&stdout=1&tail=", "as it stands": "stderr=1&stdout=1&tail="} {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/logs": func(w http.ResponseWriter, r *http.Request) {
				assert.Check(t, r.URL.RawQuery == want, r.URL.RawQuery)
				for _, piece := range [][]byte{
					frame(t, stdcopy.Stdout, `{"seq":1}`+"\n"), frame(t, stdcopy.Stderr, "panic: "), frame(t, stdcopy.Stdout, `{"seq":2}`+"\n"), frame(t, stdcopy.Stderr, "oh"),
				} {
					_, err := w.Write(piece)
					assert.Check(t, err)
					assert.Check(t, http.NewResponseController(w).Flush())
				}
			}})
			var stdout, stderr bytes.Buffer
			assert.NilError(t, agent.Log(t.Context(), &stdout, &stderr, name == "followed"))
			assert.Equal(t, stdout.String(), "{\"seq\":1}\n{\"seq\":2}\n")
			assert.Equal(t, stderr.String(), "panic: oh")
		})
	}
}

func TestALogThatBreaksIsAnErrorAfterWhatCame(t *testing.T) {
	whole := frame(t, stdcopy.Stdout, "one\n")
	tests := map[string]struct {
		sent   []byte
		breaks bool
		words  string // of the error; empty for none
	}{
		"the connection breaks between two pieces": {whole, true, "EOF"},
		"the connection breaks inside a piece":     {append(bytes.Clone(whole), whole[:9]...), true, "EOF"},
		"the connection breaks inside a header":    {append(bytes.Clone(whole), whole[:3]...), true, "EOF"},
		"the engine tells its own error":           {append(bytes.Clone(whole), frame(t, stdcopy.Systemerr, "log file is gone")...), false, "log file is gone"},
		"what comes is no log":                     {append(bytes.Clone(whole), "<html> and more"...), false, "Unrecognized input header"},
		"the engine ends it, even inside a piece":  {append(bytes.Clone(whole), whole[:9]...), false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/logs": func(w http.ResponseWriter, _ *http.Request) {
				_, err := w.Write(test.sent)
				assert.Check(t, err)
				assert.Check(t, http.NewResponseController(w).Flush())
				if test.breaks {
					panic(http.ErrAbortHandler)
				}
			}})
			var stdout bytes.Buffer
			err := agent.Log(t.Context(), &stdout, io.Discard, true)
			assert.Equal(t, stdout.String(), "one\n")
			if test.words == "" {
				assert.NilError(t, err)
			} else {
				assert.ErrorContains(t, err, test.words)
			}
		})
	}
}

func TestALogThatCannotBeHadIsNamed(t *testing.T) {
	agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/logs": refusal(http.StatusNotFound, "no such container")})
	assert.ErrorContains(t, agent.Log(t.Context(), io.Discard, io.Discard, true), "read the log of container docker-ucp-agent: ")
}

func TestOnlyAnAgentThatHasEndedHasAStatus(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		status int
		exited bool
		fails  string
	}{
		"created":         {document(t, inspected(&container.State{Status: container.StateCreated}, nil)), 0, false, ""},
		"at work":         {document(t, inspected(&container.State{Status: container.StateRunning, Running: true}, nil)), 0, false, ""},
		"frozen":          {document(t, inspected(&container.State{Status: container.StatePaused, Running: true, Paused: true}, nil)), 0, false, ""},
		"ended well":      {document(t, inspected(&container.State{Status: container.StateExited}, nil)), 0, true, ""},
		"ended badly":     {document(t, inspected(&container.State{Status: container.StateExited, ExitCode: 137}, nil)), 137, true, ""},
		"dead":            {document(t, inspected(&container.State{Status: container.StateDead, ExitCode: 1}, nil)), 1, true, ""},
		"gone":            {refusal(http.StatusNotFound, "no such container"), 0, false, "inspect container docker-ucp-agent: "},
		"an empty answer": {answer(http.StatusOK, "{}"), 0, false, "the engine does not say in which state"},
		"no state":        {document(t, inspected(nil, nil)), 0, false, "the engine does not say in which state"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/json": test.answer})
			status, exited, err := agent.Exited(t.Context())
			assert.Equal(t, status, test.status)
			assert.Equal(t, exited, test.exited)
			if test.fails == "" {
				assert.NilError(t, err)
			} else {
				assert.ErrorContains(t, err, test.fails)
			}
		})
	}
}
