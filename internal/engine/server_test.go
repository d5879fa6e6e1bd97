package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"

	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// newest is the API of engine 28.5; oldest, that of 17.06, is engine.OldestAPI.
const newest = "1.51"

// server is an engine at the far end of a connection: it answers what a test has set, and fails the test for any other
// request.
type server struct {
	t       *testing.T
	answers map[string]http.HandlerFunc // by method and path without version, such as "GET /info"
	version string                      // that every request must bear; empty for any

	mu    sync.Mutex
	asked []string // method, path and query, in order
}

// answer is a status and a document.
func answer(status int, document string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, document) // a client that has left is no fault of the server
	}
}

// refusal is an engine's error.
func refusal(status int, words string) http.HandlerFunc {
	return answer(status, fmt.Sprintf(`{"message":%q}`, words))
}

var versioned = regexp.MustCompile(`^/v([0-9.]+)(/.*)$`)

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	path := r.URL.Path
	version := ""
	if parts := versioned.FindStringSubmatch(path); parts != nil {
		version, path = parts[1], parts[2]
	}
	if s.version != "" && version != s.version {
		s.t.Errorf("%s %s does not keep to API %s", r.Method, r.URL, s.version)
	}
	handler, known := s.answers[r.Method+" "+path]
	if !known {
		s.t.Errorf("the engine is asked for %s %s", r.Method, r.URL)
		http.Error(w, "not set", http.StatusTeapot)
		return
	}
	handler(w, r)
}

// last returns the last request.
func (s *server) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return ""
	}
	return s.asked[len(s.asked)-1]
}

// serve starts a server that answers as set, and returns an Engine that talks to it with the API version.
func serve(t *testing.T, version string, answers map[string]http.HandlerFunc) (*engine.Engine, *server) {
	t.Helper()
	s := &server{t: t, answers: answers, version: version}
	return connect(t, s, client.WithVersion(version)), s
}

func connect(t *testing.T, s *server, opts ...client.Opt) *engine.Engine {
	t.Helper()
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	opts = append([]client.Opt{client.WithHost("tcp://" + listening.Listener.Addr().String())}, opts...)
	api, err := client.NewClientWithOpts(opts...)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.Check(t, api.Close()) })
	return engine.New(api)
}

// document is what an engine sends as JSON.
func document(t *testing.T, value any) http.HandlerFunc {
	t.Helper()
	text, err := json.Marshal(value)
	assert.NilError(t, err)
	return answer(http.StatusOK, string(text))
}
