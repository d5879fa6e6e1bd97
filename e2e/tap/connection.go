package tap

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// connection is one client's connection and the one to the engine that was made for it.
type connection struct {
	tap            *Tap
	client, engine *net.UnixConn
	fromClient     *bufio.Reader
	fromEngine     *bufio.Reader
	call           atomic.Pointer[Recorded]

	gone   chan struct{} // closed when the connection is at its end
	ending sync.Once
	stage  stage
}

func newConnection(t *Tap, client, engine *net.UnixConn) *connection {
	c := &connection{tap: t, client: client, engine: engine, gone: make(chan struct{})}
	c.fromClient = bufio.NewReader(clientEnd{c})
	c.fromEngine = bufio.NewReader(engine)
	return c
}

// clientEnd keeps what it reads and writes with the call that is under way.
type clientEnd struct{ *connection }

// Read implements io.Reader.
func (e clientEnd) Read(p []byte) (int, error) {
	n, err := e.client.Read(p)
	e.call.Load().keep(FromClient, p[:n])
	return n, err
}

// Write implements io.Writer.
func (e clientEnd) Write(p []byte) (int, error) {
	n, err := e.client.Write(p)
	e.call.Load().keep(FromEngine, p[:n])
	return n, err
}

func (c *connection) end() {
	c.ending.Do(func() {
		close(c.gone)
		_, _ = c.client.Close(), c.engine.Close() // either may be closed already
	})
}

func (c *connection) serve() {
	c.tap.serving.Go(c.watch)
	for c.one() {
	}
}

// one forwards one call and its answer; false when the connection is at its end.
func (c *connection) one() bool {
	recorded := c.tap.newCall()
	defer recorded.close()
	c.call.Store(recorded)
	c.stage.set(idle)
	request, err := http.ReadRequest(c.fromClient)
	if err != nil {
		return false
	}
	recorded.name(request)
	r := c.tap.take(request)
	if r != nil && r.status != 0 {
		c.answer(request, r)
		return false
	}
	if r != nil && r.after < 0 && !c.pass(r.gate) {
		return false
	}
	recorded.forwarded()
	return c.forward(request, r)
}

// pass waits at a gate; false when the call is not to go on.
func (c *connection) pass(gate *Gate) bool {
	c.stage.set(held)
	defer c.stage.set(busy)
	return gate.pass(c.gone)
}

// answer says no in the engine's place and ends the connection, as an engine may at any time.
func (c *connection) answer(request *http.Request, r *rule) {
	c.stage.set(busy)
	c.call.Load().answered(r.status)
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	body := fmt.Sprintf("{\"message\":%q}\n", r.message)
	_, _ = fmt.Fprintf(clientEnd{c}, // who has left need not be told
		"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		r.status, http.StatusText(r.status), len(body), body)
}

func (c *connection) forward(request *http.Request, r *rule) (more bool) {
	c.stage.set(busy)
	sent := make(chan bool, 1)
	c.tap.serving.Go(func() {
		ok := request.Write(c.engine) == nil
		if ok {
			c.stage.advance(busy, answering)
		}
		sent <- ok
	})
	defer func() {
		if !more {
			c.end() // or the sender might still wait for the client
		}
		more = <-sent && more
	}()
	response, err := http.ReadResponse(c.fromEngine, request)
	if err != nil {
		return false
	}
	c.call.Load().answered(response.StatusCode)
	if turnsRaw(response) {
		c.stage.set(raw)
		c.raw(response)
		return false
	}
	if r != nil && r.after >= 0 {
		response.Body = &heldBody{ReadCloser: response.Body, after: r.after, pass: func() bool {
			defer c.stage.advance(busy, answering)
			return c.pass(r.gate)
		}}
	}
	written := response.Write(clientEnd{c})
	return written == nil && response.Body.Close() == nil && !response.Close && !request.Close
}

// heldBody stops at a gate when enough has gone by.
type heldBody struct {
	io.ReadCloser

	after int64
	pass  func() bool
	seen  int64
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	if b.pass != nil && b.seen >= b.after {
		passed := b.pass()
		if b.pass = nil; !passed {
			return 0, net.ErrClosed
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.seen += int64(n)
	return n, err
}

// turnsRaw tells an answer behind which both sides write what they like.
func turnsRaw(response *http.Response) bool {
	kind := response.Header.Get("Content-Type")
	return response.StatusCode == http.StatusSwitchingProtocols ||
		response.Request.Method == http.MethodPost && response.ContentLength < 0 && len(response.TransferEncoding) == 0 &&
			strings.HasPrefix(kind, "application/vnd.docker.") && strings.HasSuffix(kind, "-stream")
}

// raw copies both ways until both have ended. The end of one way is passed on and leaves the other open.
func (c *connection) raw(response *http.Response) {
	from := io.Reader(c.fromEngine)
	if response.StatusCode != http.StatusSwitchingProtocols {
		from = response.Body
	}
	response.Body = http.NoBody
	if response.Write(clientEnd{c}) != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { c.oneWay(c.engine, c.engine, c.fromClient) })
	ways.Go(func() { c.oneWay(clientEnd{c}, c.client, from) })
	ways.Wait()
}

func (c *connection) oneWay(to io.Writer, end *net.UnixConn, from io.Reader) {
	_, err := io.Copy(to, from)
	if err != nil || end.CloseWrite() != nil {
		c.end()
	}
}
