package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/quiesce"
)

// resumeTimeout bounds bringing UCP back; it has its own clock, so that nothing that ended the capture can end it.
const resumeTimeout = 15 * time.Minute

// enginePatience is how long a step waits for an engine that gives no answer. It is short: the agent then ends with its
// journal, and the engine starts it again when it is back, with a socket that leads to it.
const enginePatience = 5 * time.Second

// downtime is the stretch in which UCP rests. It ends with resume, on every way out and once.
type downtime struct {
	from, until time.Time
	err         error // why UCP could not be brought to rest, or be captured
	notResumed  []string
	resume      func() error
}

func (d *downtime) length() time.Duration { return d.until.Sub(d.from) }

// rest brings UCP to rest; its error is in the downtime returned, which must be resumed all the same.
func (r *runner) rest(ctx context.Context, order *Order) *downtime {
	d := &downtime{}
	stopped, end := r.count(Stopping, int64(order.Plan.Len()))
	d.from = time.Now()
	undo, err := order.Plan.Quiesce(ctx, r.host.Engine, func() { stopped.Add(1) })
	end(err)
	d.err = err
	var resumeErr error
	resumed := false
	d.resume = func() error {
		if resumed {
			return resumeErr
		}
		resumed = true
		resumeErr = r.resume(ctx, d, undo)
		return resumeErr
	}
	return d
}

func (r *runner) resume(ctx context.Context, d *downtime, undo quiesce.Undo) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
	defer cancel()
	err := undo(ctx, enginePatience)
	d.until = time.Now()
	d.notResumed = notResumed(err)
	r.emit(Event{Type: Resumed, Downtime: MillisOf(d.length()), NotResumed: d.notResumed})
	if err != nil {
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("not everything runs again: %v", err)})
		return failure.NeedsAttention(err, "")
	}
	return nil
}

// notResumed returns the names of the containers that err says do not run.
func notResumed(err error) []string {
	var e *quiesce.NotResumed
	if errors.As(err, &e) {
		return e.Names()
	}
	return nil
}
