package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/snapshot"
)

// mute gives no answer when it is asked what runs while UCP rests.
type mute struct {
	*engines
	asked int
}

func (e *mute) ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error) {
	if e.asked++; e.asked == 2 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return e.engines.ContainerList(ctx, options)
}

func TestUCPDoesNotRestForAQuestionThatIsNeverAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.host.Records = &mute{engines: m.engines}
		talk := m.start(t)
		began := time.Now()
		talk.send(m.job())
		talk.send(m.order())
		assert.ErrorContains(t, talk.end(), "the engine does not say within 1m0s which containers run")
		assert.Equal(t, time.Since(began), askTimeout)
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}

// slowFile takes what is written when next returns, as a file on a disk whose machine is gone for a while.
type slowFile struct{ next func() }

func (f *slowFile) Write(p []byte) (int, error) { f.next(); return len(p), nil }
func (f *slowFile) Sync() error                 { return nil }
func (f *slowFile) Close() error                { return nil }

// logged is an agent's log that is read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// captureInto has UCP captured into a file, and returns at once.
func (m *machine) captureInto(ctx context.Context, t *testing.T, file archiveFile, log *logged) (r *runner, ended <-chan error) {
	t.Helper()
	r = &runner{host: m.host, emitter: &emitter{out: log}, spool: newSpool(m.host.Spool)}
	assert.NilError(t, r.spool.prepare())
	order := m.order()
	way, err := newPipeline(file, r.spool.dir, order)
	assert.NilError(t, err)
	result := make(chan error, 1)
	go func() {
		_, err := r.atRest(ctx, order, capture{live: snapshot.Live{Root: m.host.Volumes}, way: way})
		result <- errors.Join(err, way.abort())
	}()
	return r, result
}

func TestUCPDoesNotRestForAWriteThatNeverEnds(t *testing.T) {
	tests := map[string]struct {
		ends  bool // somebody ends the agent
		limit time.Duration
		want  string
	}{
		"nobody is there":          {false, stillLimit + watchInterval, "no byte could be read or written for 5m0s"},
		"the agent is told to end": {true, endLimit, "the capture did not end within 30s: terminated"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				back := make(chan struct{})
				var log logged
				r, ended := m.captureInto(ctx, t, &slowFile{func() { <-back }}, &log)
				time.Sleep(time.Minute)
				assert.Check(t, !m.now()["c-kv"].Running, "it is being captured")
				if test.ends {
					cancel(errors.New("terminated"))
				}
				time.Sleep(test.limit + time.Second)
				m.assertUCPRuns(t)
				assert.Check(t, !r.spool.unsettled())
				assert.Equal(t, len(ended), 0, "the write has not ended")
				assert.Check(t, cmp.Contains(log.String(), "UCP was brought back before the volumes were read: "+test.want))
				assert.Equal(t, strings.Count(log.String(), `"type":"resumed"`), 1)

				close(back)
				assert.ErrorContains(t, <-ended, test.want)
				assert.Equal(t, strings.Count(log.String(), `"type":"resumed"`), 1)
				assert.Equal(t, len(m.moved()), 6)
			})
		})
	}
}

func TestACaptureThatIsSlowIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		var log logged
		began := time.Now()
		_, ended := m.captureInto(t.Context(), t, &slowFile{func() { time.Sleep(stillLimit - time.Minute) }}, &log)
		assert.NilError(t, <-ended)
		assert.Check(t, time.Since(began) > stillLimit, "it took %s", time.Since(began))
		assert.Check(t, !strings.Contains(log.String(), "brought back before"))
		m.assertUCPRuns(t)
	})
}
