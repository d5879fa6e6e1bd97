package progress

import (
	"errors"
	"math"
	"sync/atomic"
	"time"
)

// errStopped ends a phase that nobody ended before the Progress was closed.
var errStopped = errors.New("stopped before its end")

// rateMemory is how far back the rate shown while running looks: long enough to stand still on the screen, short
// enough to follow a wire that became slow.
const rateMemory = 8 * time.Second

// Phase counts one stretch of a run. Its counter may be used from any goroutine.
type Phase struct {
	progress *Progress
	name     string
	unit     Unit
	done     atomic.Int64
	total    atomic.Int64

	ended   atomic.Bool
	stop    chan struct{} // closed by Done: the watcher leaves
	watched chan struct{} // closed by the watcher: nothing draws any more

	// Below: guarded by the lock of progress.
	started time.Time
	seen    int64
	seenAt  time.Time
	recent  float64 // units done lately, and the seconds they took: older ones fade out of both alike
	seconds float64
}

// snapshot is a phase at one moment, as renderers see it.
type snapshot struct {
	phase   *Phase // which phase; its fields are not read
	name    string
	unit    Unit
	done    int64
	total   int64 // 0 when unknown
	rate    float64
	elapsed time.Duration
	left    time.Duration // negative when unknown
}

func newPhase(p *Progress, name string, total int64, unit Unit) *Phase {
	now := time.Now()
	ph := &Phase{
		progress: p, name: name, unit: unit,
		stop: make(chan struct{}), watched: make(chan struct{}),
		started: now, seenAt: now,
	}
	ph.SetTotal(total)
	return ph
}

// Set says how much is done by now.
func (ph *Phase) Set(done int64) { ph.done.Store(done) }

// Add says how much more is done.
func (ph *Phase) Add(n int64) { ph.done.Add(n) }

// SetTotal says how much there is, once it is known or known better. Zero or less makes it unknown.
func (ph *Phase) SetTotal(n int64) { ph.total.Store(max(n, 0)) }

// Done ends the phase and shows how it ended; err is nil where all went well. Nothing is drawn for the phase once
// Done has returned. Only the first call counts, so that a deferred Done may follow a plain one.
func (ph *Phase) Done(err error) {
	if ph.ended.Swap(true) {
		<-ph.watched
		return
	}
	close(ph.stop)
	<-ph.watched
	ph.progress.end(ph, err)
}

// watch draws until Done.
func (ph *Phase) watch(interval time.Duration) {
	defer close(ph.watched)
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ph.stop:
			return
		case <-ticker.C:
			ph.progress.tick(ph)
		}
	}
}

// snapshot reads the counters and keeps the running rate: a mean in which what lies further back counts for less.
func (ph *Phase) snapshot() snapshot {
	now, done := time.Now(), ph.done.Load()
	if passed := now.Sub(ph.seenAt).Seconds(); passed > 0 {
		fade := math.Exp(-passed / rateMemory.Seconds())
		ph.recent = ph.recent*fade + float64(done-ph.seen)
		ph.seconds = ph.seconds*fade + passed
		ph.seen, ph.seenAt = done, now
	}
	if ph.seconds == 0 {
		return ph.at(now, done, 0)
	}
	return ph.at(now, done, max(ph.recent/ph.seconds, 0))
}

// shortest is what a phase must take for a rate to mean something: of one that is reported when it is over, none is known.
const shortest = 100 * time.Millisecond

// final is the last snapshot; its rate is that of the whole phase.
func (ph *Phase) final() snapshot {
	now, done := time.Now(), ph.done.Load()
	rate := 0.0
	if elapsed := now.Sub(ph.started); elapsed >= shortest {
		rate = max(float64(done)/elapsed.Seconds(), 0)
	}
	return ph.at(now, done, rate)
}

func (ph *Phase) at(now time.Time, done int64, rate float64) snapshot {
	s := snapshot{
		phase: ph,
		name:  ph.name, unit: ph.unit, done: done, total: ph.total.Load(),
		rate: rate, elapsed: now.Sub(ph.started), left: -1,
	}
	if s.total > 0 && rate > 0 {
		s.left = timeLeft(s.total-done, rate)
	}
	return s
}

// timeLeft is negative when it is beyond what a duration can say.
func timeLeft(amount int64, rate float64) time.Duration {
	seconds := max(float64(amount), 0) / rate
	if seconds > (1000 * time.Hour).Seconds() {
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}
