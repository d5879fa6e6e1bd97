package tap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// server is an engine as far as a tap can see one.
type server struct {
	socket string
	http   *http.Server

	mu    sync.Mutex
	paths []string // of the calls that came
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "tap") //nolint:usetesting // short, as the address of a socket must be
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, os.RemoveAll(dir)) })
	s := &server{socket: filepath.Join(dir, "engine.sock")}
	s.start(t)
	t.Cleanup(func() { s.kill(t) })
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", s.socket) //nolint:noctx // ends with the test
	assert.NilError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/1 can
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("GET /lines", s.lines)
	mux.HandleFunc("GET /sized", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "300000")
		_, _ = w.Write(make([]byte, 300000))
	})
	mux.HandleFunc("POST /attach", attach)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") })
	s.http = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	})}
	go func() { _ = s.http.Serve(listener) }()
}

// kill ends the server and its connections, as SIGKILL does an engine.
func (s *server) kill(t *testing.T) {
	t.Helper()
	assert.NilError(t, s.http.Close())
}

func (s *server) came() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.paths...)
}

// lines is what following a log looks like: one line now, the next when the client has left or asks with another call.
func (s *server) lines(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "first\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paths = append(s.paths, "the reader of lines left")
}

// attach echoes what it hears, and when that ends says so and ends as well.
func attach(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
	} else {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	}
	n, _ := io.Copy(conn, rw)
	_, _ = fmt.Fprintf(conn, "heard %d", n)
}

// newTap returns a tap before a server, and a client of it.
func newTap(t *testing.T) (*server, *Tap, *http.Client) {
	t.Helper()
	s := newServer(t)
	tap, err := Listen(filepath.Join(filepath.Dir(s.socket), "tap.sock"), s.socket)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, tap.Close()) })
	return s, tap, newClient(t, tap)
}

func newClient(t *testing.T, tap *Tap) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", tap.Socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// do calls and returns the answer's status and body.
func do(ctx context.Context, client *http.Client, method, path string, body io.Reader) (status int, said string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

// dial returns a connection to the tap on which a request has been written.
func dial(t *testing.T, tap *Tap, request string) (*net.UnixConn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: tap.Socket, Net: "unix"})
	assert.NilError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, request)
	assert.NilError(t, err)
	return conn, bufio.NewReader(conn)
}
