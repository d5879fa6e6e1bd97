package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// emitter writes events, one line each, from any goroutine.
type emitter struct {
	mu  sync.Mutex
	out io.Writer
	err error
}

// emit writes the event. An engine that no longer takes the log must not keep UCP down, so the error waits in e.err
// until the work is done.
func (e *emitter) emit(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	event.Time = time.Now().UTC()
	line, err := json.Marshal(event)
	if err == nil {
		_, err = e.out.Write(append(line, '\n'))
	}
	if err != nil && e.err == nil {
		e.err = fmt.Errorf("report event %s: %w", event.Type, err)
	}
}

func (e *emitter) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// progressInterval is how often progress is reported: often enough for a bar, seldom enough for a log.
const progressInterval = 500 * time.Millisecond

// count reports a phase until the returned function is called with how it ended: the data path adds to the counter, and
// a ticker looks at it. The last report is always made.
func (e *emitter) count(phase Phase, total int64) (done *atomic.Int64, end func(error)) {
	done = new(atomic.Int64)
	report := func(complete bool) {
		e.emit(Event{Type: Progress, Phase: phase, Done: done.Load(), Total: total, Complete: complete})
	}
	stop, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				report(false)
			case err := <-stop:
				report(err == nil)
				return
			}
		}
	}()
	return done, func(err error) {
		stop <- err
		<-ended
	}
}
