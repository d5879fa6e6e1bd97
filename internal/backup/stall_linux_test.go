package backup

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/agent"
	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// halfOpen is the plugin's way to a manager on which, from some moment on, some answers never come.
type halfOpen struct {
	*manager
	stuck func(call string) bool
}

// never is an answer that begins and does not go on.
type never struct {
	ctx context.Context //nolint:containedctx // a reader has no other way to learn of it.
}

func (n never) Read([]byte) (int, error) { <-n.ctx.Done(); return 0, n.ctx.Err() }
func (n never) Close() error             { return nil }

func (h *halfOpen) CopyFromContainer(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error) {
	if h.stuck("copy") && strings.HasSuffix(path, agent.ArchiveInSpool) {
		return never{ctx}, container.PathStat{}, nil
	}
	stream, stat, err := h.manager.CopyFromContainer(ctx, id, path)
	return pieces{stream, ctx}, stat, err
}

// pieces is what comes over a wire, for as long as its context lives.
type pieces struct {
	io.ReadCloser

	ctx context.Context //nolint:containedctx // as above.
}

func (p pieces) Read(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, p.ctx.Err()
	}
	return p.ReadCloser.Read(b[:min(len(b), 64<<10)])
}

func (h *halfOpen) ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error) {
	if h.stuck("inspect") {
		<-ctx.Done()
		return container.InspectResponse{}, ctx.Err()
	}
	return h.manager.ContainerInspect(ctx, id)
}

func (h *halfOpen) ContainerLogs(ctx context.Context, id string, options container.LogsOptions) (io.ReadCloser, error) {
	if h.stuck("logs") {
		return never{ctx}, nil
	}
	return h.manager.ContainerLogs(ctx, id, options)
}

func TestAFetchThatBringsNothingIsTriedAgain(t *testing.T) {
	for name, times := range map[string]int{"and goes well": 1, "until it is given up": fetchTries} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m, tries, began := newManager(t), 0, time.Now()
				r := backUpOver(t, &halfOpen{m, func(call string) bool {
					if call == "copy" {
						tries++
					}
					return call == "copy" && tries <= times
				}}, func(r *run) { time.AfterFunc(time.Hour, r.cancel) })
				assert.Check(t, time.Since(began) < 30*time.Minute)
				assert.Check(t, cmp.Contains(r.talk.String(), "fetch the archive: nothing came for 2m0s; fetching it again"))
				if times == 1 {
					assert.NilError(t, r.err)
					r.assertArchive(t)
					m.assertUntouched(t)
					return
				}
				assert.ErrorContains(t, r.err, "nothing came for 2m0s; the archive is whole, and waits on the manager")
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
				r.assertNoFile(t)
				m.assertResumable(t)
			})
		})
	}
}

// slow is standard output that is read as slowly as can be.
type slow struct{ io.Writer }

func (s slow) Write(p []byte) (int, error) {
	after(time.Hour)
	return s.Writer.Write(p)
}

func TestWhoeverReadsTheArchiveMayTakeHisTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := backUpOver(t, &halfOpen{m, func(string) bool { return false }}, func(r *run) { r.opts.Path = ""; r.opts.Stdout = slow{&r.stdout} })
		assert.NilError(t, r.err)
		m.assertUntouched(t)
	})
}

func TestAnEngineThatGivesNoAnswerIsGivenUpOn(t *testing.T) {
	tests := map[string]struct {
		breaks bool
		stuck  []string
	}{
		"when it is asked how the agent stands":              {true, []string{"inspect"}},
		"when it is asked for the log":                       {true, []string{"logs"}},
		"to anything":                                        {true, []string{"inspect", "logs"}},
		"when it is asked how the agent stands, log or none": {false, []string{"inspect"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				var dead atomic.Bool
				m.before = func(call string) error {
					if call == "configs" { // at which the agent is busy, and reports nothing
						dead.Store(true)
						if test.breaks {
							m.breakStreams()
						}
						time.Sleep(time.Hour)
					}
					return nil
				}
				began := time.Now()
				r := backUpOver(t, &halfOpen{m, func(call string) bool {
					return dead.Load() && strings.Contains(strings.Join(test.stuck, " "), call)
				}}, nil)
				assert.ErrorContains(t, r.err, "the engine cannot be reached any more; the agent there brings UCP back by itself")
				assert.Equal(t, failure.KindOf(r.err), failure.Attention)
				assert.Check(t, time.Since(began) < 30*time.Minute)
				dead.Store(false)
				m.assertResumable(t)
			})
		})
	}
}

// mute is a way to a manager on which a log that is being read falls silent for good.
type mute struct {
	*manager
	silent atomic.Bool
}

func (m *mute) ContainerLogs(ctx context.Context, id string, options container.LogsOptions) (io.ReadCloser, error) {
	stream, err := m.manager.ContainerLogs(ctx, id, options)
	return muted{stream, ctx, m}, err
}

type muted struct {
	io.ReadCloser

	ctx context.Context //nolint:containedctx // as above.
	way *mute
}

func (s muted) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.way.silent.Load() {
		return never{s.ctx}.Read(p)
	}
	return n, err
}

func TestALogThatFallsSilentIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		h := &mute{manager: m}
		m.at(phase{event: atRestNow}, func() {
			h.silent.Store(true)
			time.AfterFunc(time.Minute, func() { h.silent.Store(false) })
		})
		r := backUpOver(t, h, nil)
		assert.NilError(t, r.err)
		assert.Check(t, !strings.Contains(r.talk.String(), broke))
		r.assertArchive(t)
		m.assertUntouched(t)
	})
}
