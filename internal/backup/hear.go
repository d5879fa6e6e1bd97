package backup

import (
	"encoding/json"
	"errors"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/progress"
)

// hear takes in one line of the agent's log.
func (c *conversation) hear(line []byte) {
	event, ok := agent.ParseEvent(line)
	if !ok {
		return
	}
	if c.place++; c.place <= c.heard {
		return // this reading of the log has not come further than an earlier one
	}
	c.heard = c.place
	c.log.Debug("agent", "event", json.RawMessage(line))
	switch event.Type {
	case agent.Surveyed:
		c.survey = event.Survey
	case agent.Progress:
		c.progress(event)
	case agent.Warning:
		c.talk.Warn("%v", errors.New(event.Message)) // as an error it may span lines
	case agent.Quiescing:
		c.back = false
		if c.plan = event.Plan; c.plan != nil {
			c.talk.Say("bringing %d containers of UCP to rest", c.plan.Len())
		}
	case agent.Resumed:
		c.back = true
		c.talk.Say("UCP is back after %s", event.Downtime.Duration())
	case agent.Finished:
		if event.Result == nil {
			return // no agent of ours says so
		}
		c.endPhase(nil)
		c.last = &event
	case agent.Failed:
		c.endPhase(errors.New(event.Message))
		c.last, c.back = &event, true // it names what does not run
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
	if event.Complete {
		c.endPhase(nil)
	}
}

func (c *conversation) endPhase(err error) {
	if c.phase != nil {
		c.phase.Done(err)
		c.phase, c.name = nil, ""
	}
}
