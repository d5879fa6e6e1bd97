package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// askTimeout bounds a question to the engine while UCP rests. An engine that keeps silent must not keep UCP down.
const askTimeout = time.Minute

// refuseAwake fails when a container runs that could write to what is read, and when the engine does not say. A
// reconciler, an engine that starts anew or a person may have started it.
func (r *runner) refuseAwake(ctx context.Context, order *Order, except []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("the engine does not say within %s which containers run", askTimeout))
	defer cancel()
	names, err := order.Instance.Awake(ctx, r.host.Records, except)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case err != nil || len(names) == 0:
		return err
	}
	return failure.WithHint(fmt.Errorf("somebody started %s", strings.Join(names, ", ")), "try again; who starts it says: docker events")
}

// wake brings UCP back when the volumes have been read, unless somebody woke a part of it while they were.
func (r *runner) wake(ctx context.Context, order *Order, down *downtime) error {
	if err := context.Cause(ctx); err != nil { // with UCP back already, it may be
		return err
	}
	if err := r.refuseAwake(ctx, order, nil); err != nil {
		return fmt.Errorf("%w while the volumes were read, so the copy is not of one moment", err)
	}
	if err := down.resume(); isSilence(err) {
		return err
	}
	return nil // what does not come back is in down, and the archive is worth finishing all the same
}
