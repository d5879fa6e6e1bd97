package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// How long a lost connection to the engine is tried again, and the pause between two tries. An engine may take a moment
// from the end of a container's log to the end of the container, which is no loss.
const (
	reconnectLimit = 2 * time.Minute
	reconnectPause = time.Second
	endingPause    = 50 * time.Millisecond
)

// steadyTime is how long a connection must have held to count as made again, even if nothing new was said over it.
const steadyTime = 10 * time.Second

// silenceLimit is how long the log may bring nothing before it is read anew. An agent that waits says nothing, and neither
// does a connection that is half open.
const silenceLimit = 2 * time.Minute

var (
	errSilent   = errors.New("the log brings nothing")
	errNoStream = errors.New("the engine does not answer when it is asked for the agent's log")
)

// errNoLastWord ends a phase that the agent did not end.
var errNoLastWord = errors.New("the agent ended")

// follow reads events until enough says so or the agent has ended for good. A connection that breaks is made anew: the
// log is read again, and what was seen is skipped. An agent that dies is followed into its next life.
func (c *conversation) follow(ctx context.Context, enough func() bool) (err error) {
	defer func() { c.endPhase(errors.Join(err, errNoLastWord)) }()
	var p patience
	for {
		seen, began := c.heard, time.Now()
		connected, broke := c.read(ctx, enough)
		if enough() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		now, unreachable := look(ctx, c.engine, c.agent)
		switch {
		case cerrdefs.IsNotFound(unreachable):
			c.said.WriteString("somebody removed its container")
			return nil
		case unreachable == nil && (now.ended || c.plan == nil && now.died()):
			return c.readRest(ctx) // one that had no order yet has no next life
		case c.heard > seen, connected && !errors.Is(broke, errNoAnswer) && time.Since(began) > steadyTime:
			p.lost, p.length = time.Time{}, 0
		}
		broke = errors.Join(broke, unreachable)
		if p.lose(broke) {
			c.talk.Warn("the connection to the engine broke; the agent goes on there, trying again")
		}
		switch {
		case over(p.lost):
			return c.lost(broke)
		case p.tire(now):
			c.restless = true
			return errors.New("the agent on the manager died, was started again, and does not come to an end")
		}
		if err := pause(ctx, p.next(broke)); err != nil {
			return err
		}
	}
}

// patience is what is left of it.
type patience struct {
	lost   time.Time // since when there is no connection; zero while there is one
	died   time.Time // when the agent was first seen to have died; it then lives again, and says how that ends
	length time.Duration
}

// lose reports whether the connection has just been lost.
func (p *patience) lose(broke error) bool {
	first := broke != nil && p.lost.IsZero()
	if first {
		p.lost = time.Now()
	}
	return first
}

// tire reports whether an agent that died has had time enough to put everything right in its next lives.
func (p *patience) tire(now standing) bool {
	if p.died.IsZero() && now.died() {
		p.died = time.Now()
	}
	return over(p.died)
}

// next is how long to wait: of a container that has just ended, or is about to begin, the engine ends the log early.
func (p *patience) next(broke error) time.Duration {
	p.length = min(max(2*p.length, endingPause), reconnectPause)
	if broke != nil {
		p.length = reconnectPause
	}
	return p.length
}

func over(since time.Time) bool { return !since.IsZero() && time.Since(since) > reconnectLimit }

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(length):
		return nil
	}
}

// read hears the log until enough says so, the agent ends or the connection breaks. It reports whether there was a
// connection: a log that is read again begins with what was said before.
func (c *conversation) read(ctx context.Context, enough func() bool) (connected bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silenceLimit, func() { cancel(errSilent) })
	defer silence.Stop()
	go c.watchEngine(ctx, cancel)
	c.fromTheStart()
	err = c.agent.Log(ctx, &lineWriter{line: func(line []byte) {
		connected = true
		silence.Reset(silenceLimit)
		if c.hear(line); enough() {
			cancel(nil)
		}
	}}, bounded{&c.said}, true)
	return connected, c.whyEnded(ctx, connected, err)
}

// watchEngine ends the reading of the log, with why, when the engine does not say any more how the agent stands.
func (c *conversation) watchEngine(ctx context.Context, end func(error)) {
	for pause(ctx, answerLimit) == nil {
		if _, err := look(ctx, c.engine, c.agent); err != nil {
			end(err)
			return
		}
	}
}

// whyEnded tells what broke a reading of the log that ended with err. A silence is nothing that broke: the log is read
// again, over a new connection. But one that says what it has said before is a log; one that does not is none.
func (c *conversation) whyEnded(ctx context.Context, connected bool, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || errors.Is(cause, context.Canceled):
		return err
	case !errors.Is(cause, errSilent):
		return cause
	case connected || c.heard == 0:
		return nil
	default:
		return errNoStream
	}
}

// readRest reads what was logged between the last line and the end.
func (c *conversation) readRest(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, silenceLimit, errNoStream)
	defer cancel()
	c.fromTheStart()
	return c.agent.Log(ctx, &lineWriter{line: c.hear}, bounded{&c.said}, false)
}

func (c *conversation) fromTheStart() {
	c.said.Reset()
	c.place = 0
}

// lost gives up. What is on the manager is left to the agent, and to whoever comes back.
func (c *conversation) lost(err error) error {
	c.away = true
	return failure.NeedsAttention(
		fmt.Errorf("the engine cannot be reached any more; the agent there brings UCP back by itself, also when its engine is started anew: %w", err),
		"when the engine answers again, to see to UCP and fetch the archive: docker ucp backup --resume FILE")
}

// maxLine bounds a line of an agent's log, and maxSaid what is kept of its other words: a log may be anybody's.
const (
	maxLine = 16 << 20
	maxSaid = 8 << 10
)

var errLongLine = fmt.Errorf("read the agent's log: a line of more than %d bytes", maxLine)

// lineWriter cuts what is written to it into lines.
type lineWriter struct {
	line func([]byte)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if len(w.rest)+len(p) > maxLine {
		return 0, errLongLine
	}
	w.rest = append(w.rest, p...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.line(line)
		w.rest = append(w.rest[:0], rest...)
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ *bytes.Buffer }

func (b bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(maxSaid-b.Len(), 0))])
	return len(p), nil
}
