package engine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestAnAgentIsToldToEndOrHasEnded(t *testing.T) {
	working := document(t, inspected(&container.State{Running: true}, nil))
	ended := document(t, inspected(&container.State{Status: container.StateExited}, nil))
	gone := refusal(http.StatusNotFound, "no such container")
	tests := map[string]struct {
		kill, state http.HandlerFunc
		fails       bool
	}{
		"told":                        {answer(http.StatusNoContent, ""), working, false},
		"gone":                        {gone, gone, false},
		"ended already, 20.10":        {refusal(http.StatusConflict, "is not running"), ended, false},
		"ended already, 17.06":        {refusal(http.StatusInternalServerError, "is not running"), ended, false},
		"gone between the two":        {refusal(http.StatusInternalServerError, "is not running"), gone, false},
		"frozen, so it does not hear": {refusal(http.StatusConflict, "is paused"), working, true},
		"the engine is ill":           {refusal(http.StatusInternalServerError, "ill"), working, true},
		"the engine answers no more":  {refusal(http.StatusInternalServerError, "ill"), refusal(http.StatusInternalServerError, "ill"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{
				"POST /containers/c1/kill": func(w http.ResponseWriter, r *http.Request) {
					assert.Check(t, r.URL.RawQuery == "signal=SIGTERM", r.URL.RawQuery)
					test.kill(w, r)
				},
				"GET /containers/c1/json": test.state,
			})
			err := agent.Terminate(t.Context())
			if test.fails {
				assert.ErrorContains(t, err, "signal container docker-ucp-agent: ")
			} else {
				assert.NilError(t, err)
			}
		})
	}
}

// removing is an engine that answers one removal after the other.
type removing struct {
	client.APIClient
	answers []error // the last one again and again
	asked   int
}

func (r *removing) ContainerInspect(context.Context, string) (container.InspectResponse, error) {
	return inspected(&container.State{}, nil), nil
}

func (r *removing) ContainerRemove(_ context.Context, id string, options container.RemoveOptions) error {
	if id != "c1" || options != (container.RemoveOptions{}) {
		return errors.New("asked to remove something else, or by force")
	}
	r.asked++
	return r.answers[min(r.asked, len(r.answers))-1]
}

func TestRemovingTheAgentIsTriedUntilTheEngineIsReady(t *testing.T) {
	busy, conflict, gone := errors.New("device or resource busy"), cerrdefs.ErrConflict, cerrdefs.ErrNotFound
	const pause = 300 * time.Millisecond
	tests := map[string]struct {
		answers []error
		fails   error
		takes   time.Duration
	}{
		"at once":                 {[]error{nil}, nil, 0},
		"gone":                    {[]error{gone}, nil, 0},
		"still ending":            {[]error{conflict, conflict, nil}, nil, 2 * pause},
		"being removed by others": {[]error{conflict, gone}, nil, pause},
		"its file system is busy": {[]error{busy, busy, busy, nil}, nil, 3 * pause},
		"it never ends":           {[]error{conflict}, conflict, 10 * pause},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &removing{answers: test.answers}
				found, err := engine.New(api).FindAgent(t.Context())
				assert.NilError(t, err)
				began := time.Now()
				err = found.Remove(t.Context())
				assert.Equal(t, time.Since(began), test.takes)
				if test.fails == nil {
					assert.NilError(t, err)
					return
				}
				assert.ErrorIs(t, err, test.fails)
				assert.ErrorContains(t, err, "remove container docker-ucp-agent: ")
				assert.Equal(t, api.asked, 10)
			})
		})
	}
}

func TestRemovingTheAgentEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found, err := engine.New(&removing{answers: []error{cerrdefs.ErrConflict}}).FindAgent(t.Context())
		assert.NilError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = found.Remove(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, cerrdefs.ErrConflict)
	})
}

// copied is what an engine sends for a file: a tar with it.
func copied(t *testing.T, header *tar.Header, content string) []byte {
	t.Helper()
	var stream bytes.Buffer
	out := tar.NewWriter(&stream)
	assert.NilError(t, out.WriteHeader(header))
	_, err := io.WriteString(out, content)
	assert.NilError(t, err)
	assert.NilError(t, out.Close())
	return stream.Bytes()
}

// sending answers with a stream, and with what an engine says of the file beside it.
func sending(t *testing.T, stream []byte) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		assert.Check(t, r.URL.RawQuery == "path=%2Fspool%2Farchive", r.URL.RawQuery)
		w.Header().Set("X-Docker-Container-Path-Stat", "e30=") // {}
		_, err := w.Write(stream)
		assert.Check(t, err)
	}
}

func TestFetchCopiesTheFile(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "small": "sealed", "larger than any buffer": strings.Repeat("sealed!", 1<<18)} {
		t.Run(name, func(t *testing.T) {
			stream := copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: int64(len(content))}, content)
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/archive": sending(t, stream)})
			var got strings.Builder
			size, err := agent.Fetch(t.Context(), "/spool/archive", &got)
			assert.NilError(t, err)
			assert.Equal(t, size, int64(len(content)))
			assert.Check(t, got.String() == content)
		})
	}
}

func TestFetchRefusesWhatIsNotTheWholeFile(t *testing.T) {
	const content = "sealed"
	file := copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: int64(len(content))}, content)
	tests := map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"no such file":                  {refusal(http.StatusNotFound, "Could not find the file"), "Could not find the file"},
		"nothing comes":                 {sending(t, nil), "EOF"},
		"the stream ends in the header": {sending(t, file[:300]), "unexpected EOF"},
		"the stream ends in the file":   {sending(t, file[:515]), "unexpected EOF"},
		"a folder":                      {sending(t, copied(t, &tar.Header{Name: "archive/", Typeflag: tar.TypeDir, Mode: 0o700}, "")), "not a regular file"},
		"a link to somewhere":           {sending(t, copied(t, &tar.Header{Name: "archive", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, "")), "not a regular file"},
		"what comes is no tar":          {sending(t, bytes.Repeat([]byte("x"), 1024)), "invalid tar header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/archive": test.answer})
			_, err := agent.Fetch(t.Context(), "/spool/archive", io.Discard)
			assert.ErrorContains(t, err, "copy /spool/archive out of container docker-ucp-agent: ")
			assert.ErrorContains(t, err, test.words)
		})
	}
}

func TestFetchEndsWhereItCannotWrite(t *testing.T) {
	content := strings.Repeat("sealed!", 1<<19)
	stream := copied(t, &tar.Header{Name: "archive", Mode: 0o600, Size: int64(len(content))}, content)
	agent := agentOn(t, map[string]http.HandlerFunc{"GET /containers/c1/archive": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Docker-Container-Path-Stat", "e30=")
		_, _ = w.Write(stream) // the client leaves early
	}})
	full := errors.New("disk is full")
	for _, room := range []int{0, 1 << 20} {
		size, err := agent.Fetch(t.Context(), "/spool/archive", &disk{room: room, full: full})
		assert.ErrorIs(t, err, full)
		assert.Equal(t, size, int64(room))
	}
}

// disk has room for so many bytes.
type disk struct {
	room int
	full error
}

func (d *disk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, d.full
	}
	d.room -= len(p)
	return len(p), nil
}
