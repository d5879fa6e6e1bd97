package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// resumeTimeout bounds bringing UCP back; it has its own clock, so that nothing that ended the capture can end it.
const resumeTimeout = 15 * time.Minute

// enginePatience is how long a step waits for an engine that gives no answer, and enginePause the time between two
// questions. It is short: the agent then ends with its journal, and the engine starts it again when it is back, with a
// socket that leads to it. An engine that is told to end itself waits for the agent.
const (
	enginePatience = 5 * time.Second
	enginePause    = 500 * time.Millisecond
)

// downtime is the stretch in which UCP rests. It ends with resume, on every way out and once. Any goroutine may call that,
// and returns when UCP is back, whoever was first. The fields are told when it has returned.
type downtime struct {
	from, until time.Time
	err         error // why UCP could not be brought to rest, or be captured
	held        bool  // the node's label could not be taken off
	notResumed  []string
	ends        chan struct{} // closed when resume begins
	resume      func() error
}

func (d *downtime) length() time.Duration { return d.until.Sub(d.from) }

// rest brings UCP to rest; its error is in the downtime returned, which must be resumed all the same. UCP's reconcilers
// are told before, which takes none of the time in which UCP is down.
func (r *runner) rest(ctx context.Context, order *Order) *downtime {
	d := &downtime{ends: make(chan struct{})}
	held := r.hold(ctx, order)
	stopped, end := r.count(Stopping, int64(order.Plan.Len()))
	d.from = time.Now()
	undo, err := order.Plan.Quiesce(ctx, r.host.Engine, func() { stopped.Add(1) })
	end(err)
	d.err = err
	d.resume = sync.OnceValue(func() error {
		close(d.ends)
		return r.resume(ctx, d, undo, held)
	})
	return d
}

// resume brings UCP back, and at once has its reconcilers look after the node again that was held. Its error is a
// *silenceError when the engine gives no answer, and else names what could not be put right.
func (r *runner) resume(ctx context.Context, d *downtime, undo quiesce.Undo, held string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	err := undo(ctx, enginePatience)
	if !isUnanswered(err) {
		d.until = time.Now()
		d.notResumed = notResumed(err)
		r.emit(Event{Type: Resumed, Downtime: MillisOf(d.length()), NotResumed: d.notResumed})
	}
	err = r.settle(ctx, held, err)
	if err != nil && !isSilence(err) {
		d.held = isHeld(err)
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("not everything is as it was: %v", err)})
	}
	return err
}

// notResumed returns the names of the containers that err says do not run.
func notResumed(err error) []string {
	var e *quiesce.NotResumed
	if errors.As(err, &e) {
		return e.Names()
	}
	return nil
}

// isUnanswered tells that err is of bringing UCP back, over an engine that gave no answer.
func isUnanswered(err error) bool {
	var e *quiesce.NotResumed
	return errors.As(err, &e) && e.Unanswered
}
