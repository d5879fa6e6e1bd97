package agent

import (
	"context"
	"fmt"
	"time"
)

// How long the capture may stand still while UCP rests, how long it may take to end when it is told to, and how often it
// is looked at.
const (
	stillLimit    = 5 * time.Minute
	endLimit      = 30 * time.Second
	watchInterval = 5 * time.Second
)

// moves says that the capture goes on.
func (r *runner) moves() { r.moved.Add(1) }

// watch brings UCP back in the capture's stead when that stands still or does not end: a read or a write on a disk that
// gives no answer cannot be interrupted, and UCP is not to wait for it. The capture gets the context returned, which ends
// with it. Watching is over when UCP is brought back, whoever does it; watched waits for that, and tells why the watch
// had to.
func (r *runner) watch(ctx context.Context, down *downtime) (captures context.Context, watched func() error) {
	captures, giveUp := context.WithCancelCause(ctx)
	var stalled error
	over := make(chan struct{})
	go func() {
		defer close(over)
		if stalled = r.stalls(ctx, down.ends); stalled == nil {
			return
		}
		giveUp(stalled)
		_ = down.resume() // the capture hears of it, if it ever ends
		r.emit(Event{Type: Warning, Message: fmt.Sprintf("UCP was brought back before the volumes were read: %v", stalled)})
	}()
	return captures, func() error {
		<-over
		giveUp(nil)
		return stalled
	}
}

// stalls waits until the capture is over, or tells why it is not to be waited for any longer.
func (r *runner) stalls(ctx context.Context, ends <-chan struct{}) error {
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	told := ctx.Done()
	var late <-chan time.Time
	moved, since := r.moved.Load(), time.Now()
	for {
		select {
		case <-ends:
			return nil
		case <-told:
			told, late = nil, time.After(endLimit)
		case <-late:
			return fmt.Errorf("the capture did not end within %s: %w", endLimit, context.Cause(ctx))
		case <-look.C:
			switch now := r.moved.Load(); {
			case now != moved:
				moved, since = now, time.Now()
			case time.Since(since) >= stillLimit:
				return fmt.Errorf("no byte could be read or written for %s", stillLimit)
			}
		}
	}
}
