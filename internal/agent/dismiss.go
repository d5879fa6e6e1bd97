package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
)

// awaitDismissal keeps the agent until its input ends. Its name on the engine is the lock against a second backup, which
// would remove the spool while the plugin still fetches from it. A plugin that has delivered and said everything says
// so, and the spool is emptied; one that is gone leaves an archive that nobody has fetched, and its receipt.
func (r *runner) awaitDismissal(ctx context.Context, in *bufio.Reader) {
	var last Job
	if err := readLine(ctx, in, &last); err != nil || !last.Clean {
		return // however the input ends, nobody is there any more
	}
	if err := r.clean(ctx); err != nil {
		r.emit(Event{Type: Warning, Message: err.Error()})
	}
}

// clean empties the spool. Of what could not be put right, a container that does not run goes with it, because a person
// has been told; a label goes on being the agent's to take off.
func (r *runner) clean(ctx context.Context) error {
	if r.held != "" {
		if err := r.release(context.WithoutCancel(ctx), r.held); err != nil {
			return errors.Join(err, r.spool.discard())
		}
	}
	return r.spool.remove()
}

// promise is what the exit status says: an error while something may be at rest, or a node told to hold still. The
// engine then starts the agent again.
func (r *runner) promise() error {
	if !r.spool.unsettled() {
		return nil
	}
	return fmt.Errorf("what is still to be put right is in the spool, in %s", JournalInSpool)
}
