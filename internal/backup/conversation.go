package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// How long a lost connection to the engine is tried again, and the pause between two tries.
const (
	reconnectLimit = 2 * time.Minute
	reconnectPause = time.Second
)

// conversation is the plugin's end of the protocol: orders go in, events come out.
type conversation struct {
	agent *engine.Agent
	stdin io.WriteCloser
	talk  *progress.Progress
	log   *slog.Logger

	seq    int64
	phase  *progress.Phase
	name   agent.Phase
	said   bytes.Buffer // what is no event: the words of an agent that could not even start
	survey *agent.Survey
	last   *agent.Event // Finished or Failed
	died   bool         // it ended without a last word, while UCP may rest
}

func (c *conversation) send(value any) error {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = c.stdin.Write(append(line, '\n'))
		clear(line)
	}
	if err != nil {
		return fmt.Errorf("talk to the agent on the manager: %w", err)
	}
	return nil
}

// surveyed waits for what the agent sees.
func (c *conversation) surveyed(ctx context.Context) (*agent.Survey, error) {
	if err := c.follow(ctx, func() bool { return c.survey != nil }); err != nil {
		return nil, err
	}
	if c.survey == nil {
		return nil, failure.Refuse(c.failed(), "")
	}
	return c.survey, nil
}

// carryOut gives the order and follows the agent to its last word; the agent then waits, and with it the spool. When ctx is cancelled the agent is told to put
// everything back, and is followed all the same: only it can say that UCP runs.
func (c *conversation) carryOut(ctx context.Context, order *agent.Order) (*agent.Event, error) {
	err := c.send(order)
	clear(order.Key)
	if err != nil {
		return nil, err
	}
	unending := context.WithoutCancel(ctx)
	stop := context.AfterFunc(ctx, func() {
		c.talk.Say("cancelled; waiting until UCP runs again")
		if err := c.agent.Terminate(unending); err != nil {
			c.talk.Warn("%v", err)
		}
	})
	defer stop()
	if err := c.follow(unending, func() bool { return c.last != nil }); err != nil {
		return nil, err
	}
	if c.last == nil || c.last.Type != agent.Finished {
		return nil, c.failed()
	}
	return c.last, nil
}

// ended waits until the agent has ended.
func (c *conversation) ended(ctx context.Context) error {
	if err := c.follow(ctx, func() bool { return false }); err != nil {
		return err
	}
	if c.last != nil {
		return c.failed()
	}
	return nil
}

// follow reads events until enough says so or the agent has ended. A connection that breaks is made anew: the log is
// read again, and what was seen is skipped.
func (c *conversation) follow(ctx context.Context, enough func() bool) error {
	defer c.endPhase(nil)
	var lost time.Time
	for {
		reading, cancel := context.WithCancel(ctx)
		events := &lineWriter{line: func(line []byte) {
			if c.hear(line); enough() {
				cancel()
			}
		}}
		err := c.agent.Log(reading, events, &c.said, true)
		cancel()
		if enough() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		_, exited, exitErr := c.agent.Exited(ctx)
		if exitErr == nil && exited {
			return c.readRest(ctx)
		}
		if err = errors.Join(err, exitErr); err == nil {
			lost = time.Time{}
		} else if lost.IsZero() {
			lost = time.Now()
			c.talk.Warn("the connection to the engine broke; the agent goes on there, trying again")
		} else if time.Since(lost) > reconnectLimit {
			return c.lost(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(reconnectPause):
		}
	}
}

// readRest reads what was logged between the last line and the end.
func (c *conversation) readRest(ctx context.Context) error {
	c.said.Reset()
	return c.agent.Log(ctx, &lineWriter{line: c.hear}, &c.said, false)
}

func (c *conversation) lost(err error) error {
	return failure.NeedsAttention(
		fmt.Errorf("the engine cannot be reached any more; the agent on the manager brings UCP back by itself: %w", err),
		"when the engine answers again: docker logs "+engine.AgentName)
}

// failed is the error of an agent that did not finish.
func (c *conversation) failed() error {
	if c.last == nil {
		c.died = true
		words := strings.TrimSpace(c.said.String())
		if words == "" {
			words = "no last word"
		}
		return fmt.Errorf("the agent on the manager ended unexpectedly: %s", words)
	}
	err := errors.New(c.last.Message)
	if c.last.Hint != "" {
		err = failure.WithHint(err, c.last.Hint)
	}
	return errors.Join(err, notResumed(c.last.NotResumed))
}

// hear takes in one line of the agent's log.
func (c *conversation) hear(line []byte) {
	event, ok := agent.ParseEvent(line)
	if !ok || event.Seq <= c.seq {
		return
	}
	c.seq = event.Seq
	c.log.Debug("agent", "event", json.RawMessage(line))
	switch event.Type {
	case agent.Surveyed:
		c.survey = event.Survey
	case agent.Progress:
		c.progress(event)
	case agent.Warning:
		c.talk.Warn("%s", event.Message)
	case agent.Quiescing:
		c.talk.Say("bringing %d containers of UCP to rest", event.Plan.Len())
	case agent.Resumed:
		c.endPhase(nil)
		c.talk.Say("UCP is back after %s", event.Downtime.Duration())
	case agent.Finished, agent.Failed:
		c.endPhase(nil)
		c.last = &event
	}
}

func (c *conversation) progress(event agent.Event) {
	if c.name != event.Phase {
		c.endPhase(nil)
	}
	if c.phase == nil {
		unit := progress.Bytes
		if event.Phase == agent.Stopping {
			unit = progress.Items
		}
		c.name = event.Phase
		c.phase = c.talk.Start(string(event.Phase), event.Total, unit)
	}
	c.phase.Set(event.Done)
}

func (c *conversation) endPhase(err error) {
	if c.phase != nil {
		c.phase.Done(err)
		c.phase, c.name = nil, ""
	}
}

// unfinishedPlan reads out of the log of an agent that has ended what it brought to rest and not back; nil for nothing.
func unfinishedPlan(ctx context.Context, ended *engine.Agent) (*quiesce.Plan, error) {
	var plan *quiesce.Plan
	events := &lineWriter{line: func(line []byte) {
		switch event, _ := agent.ParseEvent(line); {
		case event.Type == agent.Quiescing:
			plan = event.Plan
		case event.Type == agent.Resumed && len(event.NotResumed) == 0:
			plan = nil
		}
	}}
	err := ended.Log(ctx, events, io.Discard, false)
	return plan, err
}

// lineWriter cuts what is written to it into lines.
type lineWriter struct {
	line func([]byte)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
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
