package tap

import (
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// state is where a connection is with its call.
type state int

// The states, each with whose leaving ends the connection.
const (
	idle      state = iota // no call has come: the engine's; what a client sent before it left is still a call
	held                   // at a gate: either's
	busy                   // something is on its way to the engine: nobody's, who reads and writes notices
	answering              // the engine has all of the call: the client's, as the engine would notice itself
	raw                    // both write what they like: nobody's
)

// stage is a connection's state, and counts its changes.
type stage struct {
	mu      sync.Mutex
	now     state
	changes int
}

func (s *stage) set(to state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = to
	s.changes++
}

// advance changes the state unless another has been set meanwhile.
func (s *stage) advance(from, to state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == from {
		s.now = to
		s.changes++
	}
}

func (s *stage) get() (now state, changes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.changes
}

// watchPause is short beside anything that a test waits for.
const watchPause = 5 * time.Millisecond

// watch ends the connection when somebody leaves whom nobody is reading from or writing to just then.
func (c *connection) watch() {
	ticker := time.NewTicker(watchPause)
	defer ticker.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-ticker.C:
		}
		now, before := c.stage.get()
		left := (now == idle || now == held) && hungUp(c.engine) || (now == held || now == answering) && hungUp(c.client)
		if _, after := c.stage.get(); left && before == after { // or the answer has gone out meanwhile, and whoever had it left
			c.end()
			return
		}
	}
}

// hungUp tells a connection that its other end has closed from one whose other end only says no more.
func hungUp(conn *net.UnixConn) bool {
	connected, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	var events int16
	err = connected.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, _ = unix.Poll(poll, 0) // interrupted: the next look tells
		events = poll[0].Revents
	})
	return err != nil || events&unix.POLLHUP != 0
}
