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

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/engine"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/progress"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// conversation is the plugin's end of the protocol: orders go in, events come out.
type conversation struct {
	engine *engine.Engine
	agent  *engine.Agent
	stdin  io.WriteCloser // nil while nobody is attached to it
	talk   *progress.Progress
	log    *slog.Logger

	heard  int // events taken in
	place  int // events passed in this reading of the log, which begins with the first
	phase  *progress.Phase
	name   agent.Phase
	said   bytes.Buffer // what is no event: the words of an agent that could not even start
	survey *agent.Survey
	plan   *quiesce.Plan // what the agent brings to rest
	last   *agent.Event  // Finished or Failed: of several lives' the last
	back   bool          // nothing rests: the agent said so, or the plugin brought it back

	restarts int  // how often the engine had started the agent again when this conversation began, or was taken up again
	restless bool // it died, lives again, and has no last word
	waits    bool // the agent has been told to hold its name
	deaf     bool // it finds a journal when it starts, and then does not listen
	away     bool // the connection is lost for good
}

// hangUp ends the agent's input.
func (c *conversation) hangUp() error {
	if c.stdin == nil {
		return nil
	}
	return c.stdin.Close()
}

func (c *conversation) send(value any) error {
	if c.stdin == nil {
		return errors.New("talk to the agent on the manager: it has ended")
	}
	line, err := json.Marshal(value)
	if err == nil {
		line = append(line, '\n')
		_, err = c.stdin.Write(line)
		clear(line) // an order holds the session key
	}
	if err != nil {
		return fmt.Errorf("talk to the agent on the manager: %w", err)
	}
	return nil
}

// gone says why the agent did not take its job.
func (c *conversation) gone(ctx context.Context, sending error) error {
	if err := errors.Join(c.hangUp(), c.follow(ctx, c.lastWord)); err != nil {
		return errors.Join(sending, err)
	}
	return failure.Refuse(errors.Join(sending, c.failed()), "")
}

// surveyed waits for what the agent sees. One that finds a journal in its spool surveys nothing, and may go on for long after
// its last word.
func (c *conversation) surveyed(ctx context.Context) (*agent.Survey, error) {
	if err := c.follow(ctx, func() bool { return c.survey != nil || c.last != nil }); err != nil {
		return nil, err
	}
	if c.survey == nil {
		return nil, failure.Refuse(c.failed(), "")
	}
	return c.survey, nil
}

// carryOut gives the order and follows the agent to its last word; the agent then waits, and with it the spool. When
// ctx is cancelled the agent is told to put everything back, and is followed all the same: only it can say that UCP runs.
func (c *conversation) carryOut(ctx context.Context, order *agent.Order) (*agent.Event, error) {
	unending := context.WithoutCancel(ctx)
	err := c.send(order)
	clear(order.Key)
	if err != nil {
		return nil, errors.Join(err, c.recall(unending))
	}
	stop := context.AfterFunc(ctx, func() {
		c.talk.Say("cancelled; waiting until UCP runs again")
		if err := c.agent.Terminate(unending); err != nil {
			c.talk.Warn("%v", err)
		}
	})
	defer stop()
	if err := c.follow(unending, c.lastWord); err != nil {
		return nil, err
	}
	if c.last == nil || c.last.Type != agent.Finished {
		return nil, c.failed()
	}
	return c.last, nil
}

// recall has an agent put everything back that may have got its order, or a part of it, on a connection that then broke.
func (c *conversation) recall(ctx context.Context) error {
	told := errors.Join(c.hangUp(), c.agent.Terminate(ctx)) // either is enough
	if err := c.follow(ctx, c.lastWord); err != nil {
		return errors.Join(told, err)
	}
	if c.last != nil && c.last.Type == agent.Finished {
		return notResumed(c.plan, c.last.NotResumed)
	}
	return c.failed()
}

func (c *conversation) lastWord() bool { return c.last != nil }

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

// failed is the error of an agent that did not finish.
func (c *conversation) failed() error {
	if c.last == nil {
		return fmt.Errorf("the agent on the manager ended unexpectedly: %s", c.words())
	}
	err := errors.New(c.last.Message)
	if c.last.Hint != "" {
		err = failure.WithHint(err, c.last.Hint)
	}
	if c.plan == nil { // what an earlier run brought to rest, that one's journal tells
		return err
	}
	return errors.Join(err, notResumed(c.plan, c.last.NotResumed))
}

func (c *conversation) words() string {
	if words := strings.TrimSpace(c.said.String()); words != "" {
		return words
	}
	return "no last word"
}
