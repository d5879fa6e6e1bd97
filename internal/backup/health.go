package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// How long UCP may take to be well again, the pause between two looks, the one that it grows to between two questions to
// the controller, each of which is a container's life, for how long such a question may stay without an answer, and after
// which time it is said what is waited for.
const (
	healthLimit   = 2 * time.Minute
	healthPause   = 500 * time.Millisecond
	longestPause  = 4 * time.Second
	pingLimit     = 20 * time.Second
	healthSilence = 3 * time.Second
)

// controller is the container that answers for UCP as a whole.
const controller = "ucp-controller"

var (
	errNoAnswer = errors.New("the engine gives no answer")
	// errUndecided says that a container's own check has not run yet: it may ask once an hour.
	errUndecided = errors.New("its health check has not run yet")
)

// noteHealth remembers which containers are unhealthy before UCP is touched: nobody waits for their health afterwards.
func (b *backup) noteHealth(ctx context.Context) error {
	b.unwell = nil
	for _, c := range b.instance.Containers {
		if c.State != container.StateRunning {
			continue
		}
		inspected, err := b.engine.API().ContainerInspect(ctx, c.ID)
		switch {
		case cerrdefs.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("look at the health of %s: %w", c.Name, err)
		case healthOf(inspected) == container.Unhealthy:
			b.unwell = append(b.unwell, c.Name)
		}
	}
	return nil
}

// watchHealth waits, beside whatever else is done, until every container of the plan runs, those with a health check are
// healthy, and the controller answers for UCP as a whole; then it sends one error, or nil. It looks once at what is well
// already, and so costs a healthy UCP nothing; what is not well in time is an error of the kind Attention, a line each. When
// ctx ends it gives up with a warning: something else says why.
//
// Not waited for are the containers that the agent has named as not running, which have an error already, those of others
// that are gone or down, which their owners replace, the health of what was unhealthy before, and the peace of what ended
// again and again.
func (b *backup) watchHealth(ctx context.Context, plan *Plan) <-chan error {
	quiesced := &plan.Quiesce
	if b.agent.plan != nil { // it says what the agent found running, and nothing else was brought to rest
		quiesced = b.agent.plan
	}
	checks, done := b.checks(quiesced), make(chan error, 1)
	go func() { done <- b.awaitHealthy(ctx, checks) }()
	return done
}

func (b *backup) awaitHealthy(ctx context.Context, checks []*check) error {
	limited, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	var group sync.WaitGroup
	for _, c := range checks {
		group.Go(func() { c.until(limited) })
	}
	said := time.AfterFunc(healthSilence, func() {
		if names := waitedFor(checks); len(names) > 0 {
			b.talk.Say("waiting until UCP is healthy: %s", strings.Join(names, ", "))
		}
	})
	group.Wait()
	said.Stop()
	if ctx.Err() != nil {
		if names := waitedFor(checks); len(names) > 0 {
			b.talk.Warn("cancelled before these were seen to be healthy: %s", strings.Join(names, ", "))
		}
		return nil
	}
	var unwell []error
	for _, c := range checks {
		switch err := c.outcome(); {
		case errors.Is(err, errUndecided):
			b.talk.Warn("%v", err)
		case err != nil:
			unwell = append(unwell, err)
		}
	}
	return errors.Join(unwell...)
}

// check is one thing that must be well. It is looked at again and again until it is.
type check struct {
	name    string
	longest time.Duration // that the pause between two looks grows to
	look    func(context.Context) error

	mu   sync.Mutex
	well bool
	last error
}

func (c *check) until(ctx context.Context) {
	for length := healthPause; ; length = min(2*length, c.longest) {
		err := c.look(ctx)
		if err != nil && ctx.Err() != nil {
			return // cut short; what was seen before says more
		}
		c.mu.Lock()
		c.well, c.last = err == nil, err
		c.mu.Unlock()
		if err == nil || pause(ctx, length) != nil {
			return
		}
	}
}

// outcome is nil for what is well.
func (c *check) outcome() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.well || c.last != nil {
		return c.last
	}
	return failure.NeedsAttention(fmt.Errorf("%s: %w", c.name, errNoAnswer), "look at: docker ps --all --filter name="+c.name)
}

func waitedFor(checks []*check) (names []string) {
	for _, c := range checks {
		if c.outcome() != nil {
			names = append(names, c.name)
		}
	}
	return names
}

// checks are those of the plan's containers, in the order in which they come back. The controller is asked when its
// container is well.
func (b *backup) checks(plan *quiesce.Plan) (checks []*check) {
	var down []string
	if b.agent.last != nil {
		down = b.agent.last.NotResumed
	}
	for _, wave := range slices.Backward(plan.Waves) {
		for _, target := range wave {
			if slices.Contains(down, target.Name) {
				continue
			}
			c := &check{name: target.Name, longest: healthPause, look: func(ctx context.Context) error { return b.examine(ctx, target) }}
			if target.Name == controller && b.instance.ControllerPort > 0 {
				c.longest, c.look = longestPause, func(ctx context.Context) error {
					if err := b.examine(ctx, target); err != nil {
						return err
					}
					return b.ping(ctx, target)
				}
			}
			checks = append(checks, c)
		}
	}
	return checks
}

// examine returns what keeps a container from being well.
func (b *backup) examine(ctx context.Context, target quiesce.Target) error {
	inspected, err := b.engine.API().ContainerInspect(ctx, target.ID)
	gone := cerrdefs.IsNotFound(err)
	switch {
	case gone && target.Owned:
		return nil
	case gone:
		return failure.NeedsAttention(fmt.Errorf("%s is gone since", target.Name), "look at: docker ps --all --filter name="+target.Name)
	case err == nil && (inspected.ContainerJSONBase == nil || inspected.State == nil):
		err = errNoAnswer
	}
	if err != nil {
		return failure.NeedsAttention(fmt.Errorf("%s: %w", target.Name, err), "look at: docker ps --all --filter name="+target.Name)
	}
	logs := "docker logs --tail 50 " + target.Name
	switch state := inspected.State; {
	case state.Paused:
		return failure.NeedsAttention(fmt.Errorf("%s is frozen", target.Name), "docker unpause "+target.Name)
	case state.Restarting && b.wasRestarting(target):
		return nil
	case state.Restarting:
		return failure.NeedsAttention(fmt.Errorf("%s ends again and again, with status %d", target.Name, state.ExitCode), logs)
	case !state.Running && target.Owned:
		return nil
	case !state.Running:
		return failure.NeedsAttention(fmt.Errorf("%s does not run: it ended with status %d", target.Name, state.ExitCode),
			logs+"; docker start "+target.Name)
	case slices.Contains(b.unwell, target.Name):
		return nil
	}
	return judge(target.Name, inspected, logs)
}

// wasRestarting tells of a container that ended again and again before UCP was touched.
func (b *backup) wasRestarting(target quiesce.Target) bool {
	return slices.ContainsFunc(b.instance.Containers, func(c ucp.Container) bool {
		return c.ID == target.ID && c.State == container.StateRestarting
	})
}

// judge goes by the container's own health check.
func judge(name string, inspected container.InspectResponse, logs string) error {
	switch healthOf(inspected) {
	case container.Unhealthy:
		return failure.NeedsAttention(fmt.Errorf("%s is unhealthy", name), logs)
	case container.Starting:
		if inspected.State.Health.FailingStreak == 0 {
			return fmt.Errorf("%s: %w", name, errUndecided)
		}
		return failure.NeedsAttention(fmt.Errorf("%s is not healthy yet: its health check has failed %d times", name, inspected.State.Health.FailingStreak), logs)
	default:
		return nil
	}
}

// healthOf returns what the container's own health check says; empty where it has none.
func healthOf(inspected container.InspectResponse) container.HealthStatus {
	if inspected.ContainerJSONBase == nil || inspected.State == nil || inspected.State.Health == nil {
		return ""
	}
	return inspected.State.Health.Status
}

// ping asks the controller how UCP is, from inside its network: from elsewhere an address of the manager may be out of
// reach.
func (b *backup) ping(ctx context.Context, target quiesce.Target) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	_, err := b.tasks.RunTask(ctx, b.small(agent.PingTask(b.image, b.opts.StartedBy, target.ID, b.instance.ControllerPort)))
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s", pingLimit)
	}
	if err != nil {
		return failure.NeedsAttention(fmt.Errorf("UCP's controller does not say that UCP is healthy: %w", err), "docker logs --tail 50 "+controller)
	}
	return nil
}
