// Package tap stands between a client and an engine's API, on a unix socket of its own, and lets a test hold a call, answer
// it in the engine's place, cut the connection, and keep what crossed.
//
// It dials the engine anew for each connection, so an engine that was killed and started again is found again. It knows as
// much of HTTP as it must to tell one call from the next: streams, connections that turn into raw ones (attach), and an
// end of input that is not the end of the connection come through. A connection that the engine ends is ended for the
// client too, also while a call on it is held. The package does not promise that a message keeps its bytes: header
// fields may change their order, chunks their size.
package tap

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
)

// Match tells the calls that are meant. It is asked for each call in turn, one at a time.
type Match func(*http.Request) bool

// Tap forwards calls from its socket to the engine's.
type Tap struct {
	Socket   string // where it listens
	upstream string
	listener *net.UnixListener
	serving  sync.WaitGroup

	mu        sync.Mutex
	rules     []*rule
	open      map[*connection]struct{}
	cut       bool
	closed    bool
	recording *Recording
}

// rule is what happens to calls that match: they are held, or answered here.
type rule struct {
	match Match
	gate  *Gate // holds one call, and then is done
	after int64 // holds the answer and not the call, when so many bytes of its body have gone by; negative for the call

	status  int // answers the call here
	message string
	times   int // how often still; negative for ever
}

// Listen starts a tap at socket in front of the engine at upstream, which need not be there yet.
func Listen(socket, upstream string) (*Tap, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for calls to the engine: %w", err)
	}
	t := &Tap{Socket: socket, upstream: upstream, listener: listener, open: map[*connection]struct{}{}}
	t.serving.Go(t.accept)
	return t, nil
}

// Host returns the tap's socket in the form of DOCKER_HOST.
func (t *Tap) Host() string { return "unix://" + t.Socket }

// Close ends every connection, those with a held call too, and removes the socket.
func (t *Tap) Close() error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	err := t.listener.Close()
	t.endAll()
	t.serving.Wait()
	return err
}

// Hold holds the first call from now on that matches. A client that leaves, or an engine that dies, while it is held has
// it forgotten: it is never forwarded.
func (t *Tap) Hold(match Match) *Gate { return t.hold(match, -1) }

// HoldAnswer holds the answer to the first call that matches when at least so many bytes of its body have gone by.
func (t *Tap) HoldAnswer(match Match, after int64) *Gate { return t.hold(match, after) }

func (t *Tap) hold(match Match, after int64) *Gate {
	gate := newGate()
	t.add(&rule{match: match, gate: gate, after: after, times: 1})
	return gate
}

// Answer answers calls that match in the engine's place, with an error as an engine words it: so many times, or for ever
// where times is negative.
func (t *Tap) Answer(match Match, status int, message string, times int) {
	t.add(&rule{match: match, status: status, message: message, times: times})
}

func (t *Tap) add(r *rule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = append(t.rules, r)
}

// Reset forgets what Hold, Answer, Cut and Record asked for. What is held goes on.
func (t *Tap) Reset() {
	t.mu.Lock()
	rules := t.rules
	t.rules, t.cut, t.recording = nil, false, nil
	t.mu.Unlock()
	for _, r := range rules {
		if r.gate != nil {
			r.gate.Release()
		}
	}
}

// Cut breaks every connection, and each new one at once, until Heal.
func (t *Tap) Cut() {
	t.mu.Lock()
	t.cut = true
	t.mu.Unlock()
	t.endAll()
}

// Heal ends a Cut.
func (t *Tap) Heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = false
}

func (t *Tap) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.open {
		c.end()
	}
}

// take returns the rule for a call, and counts it; nil for none.
func (t *Tap) take(request *http.Request) *rule {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range t.rules {
		if !r.match(request) {
			continue
		}
		if r.times--; r.times == 0 && r.gate == nil {
			t.rules = slices.Delete(t.rules, i, i+1)
		}
		if r.gate != nil {
			if r.times < 0 { // its one call came already
				continue
			}
		}
		return r
	}
	return nil
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		t.serving.Go(func() { t.serve(client) })
	}
}

// serve forwards one connection. An engine that is not there closes it, as it would refuse it.
func (t *Tap) serve(client *net.UnixConn) {
	engine, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.upstream, Net: "unix"})
	if err != nil {
		_ = client.Close() // there is nobody to tell
		return
	}
	c := newConnection(t, client, engine)
	if t.register(c) {
		c.serve()
	}
	c.end()
	t.mu.Lock()
	delete(t.open, c)
	t.mu.Unlock()
}

// register is false for a connection that comes while there shall be none.
func (t *Tap) register(c *connection) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut || t.closed {
		return false
	}
	t.open[c] = struct{}{}
	return true
}
