package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"gotest.tools/v3/assert"
)

// pinged starts a controller that answers as set, and returns its port.
func pinged(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	controller := httptest.NewTLSServer(handler) // with a certificate that nobody here trusts, as a controller's is
	t.Cleanup(controller.Close)
	at, err := url.Parse(controller.URL)
	assert.NilError(t, err)
	return at.Port()
}

func TestAControllerThatIsWellSaysOK(t *testing.T) {
	for _, body := range []string{"OK", "OK\n"} {
		port := pinged(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Check(t, r.Method == http.MethodGet && r.URL.Path == "/_ping", "%s %s", r.Method, r.URL)
			_, err := io.WriteString(w, body)
			assert.Check(t, err)
		})
		result, err := doTask(TaskPing+" "+port, "")
		assert.NilError(t, err)
		assert.Equal(t, result, "")
	}
}

func TestWhatAControllerSaysInsteadIsToldInOneLine(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   string
	}{
		"ill, and says why":                   {500, "etcd does not answer\nat all\n", "/_ping answers 500 Internal Server Error: etcd does not answer"},
		"ill, and says nothing":               {503, "", "/_ping answers 503 Service Unavailable"},
		"ill, and says OK all the same":       {500, "OK", "/_ping answers 500 Internal Server Error: OK"},
		"well, but not with OK":               {200, "starting", "/_ping answers 200 OK: starting"},
		"well, and OK is only how it begins":  {200, "OK, soon", "/_ping answers 200 OK: OK, soon"},
		"well, and more follows":              {200, "OK\nbut", "/_ping answers 200 OK: OK"},
		"sent elsewhere":                      {302, "", "/_ping answers 302 Found"},
		"a status that nobody knows":          {299, "", "/_ping answers 299"},
		"what would move a terminal's cursor": {500, "\x1b[2Jred\a\x00", "/_ping answers 500 Internal Server Error: [2Jred"},
		"a whole page":                        {500, string(make([]byte, 1<<20)) + "late", "/_ping answers 500 Internal Server Error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			port := pinged(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.status == http.StatusFound {
					w.Header().Set("Location", "/login")
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body) // the client leaves early
			})
			assert.Error(t, ping(t.Context(), port), test.want)
		})
	}
}

func TestAControllerThatCannotBeAskedIsNamed(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	assert.NilError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	assert.NilError(t, err)
	assert.NilError(t, listener.Close())
	assert.ErrorContains(t, ping(t.Context(), port), "get https://127.0.0.1:"+port+"/_ping: ")
	for _, none := range []string{"", "http", "80 81", "-1", "65536", "80/etc?"} {
		assert.ErrorContains(t, ping(t.Context(), none), "read the controller's port: ")
	}

	broken := pinged(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		_, err := io.WriteString(w, "O")
		assert.Check(t, err)
		assert.Check(t, http.NewResponseController(w).Flush())
		panic(http.ErrAbortHandler)
	})
	assert.ErrorContains(t, ping(t.Context(), broken), "read the answer of https://127.0.0.1:"+broken+"/_ping: unexpected EOF")
}

func TestAControllerThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	asked := make(chan struct{})
	port := pinged(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(errors.New("no answer within 5s"))
	}()
	assert.Error(t, ping(ctx, port), "get https://127.0.0.1:"+port+"/_ping: no answer within 5s")
}
