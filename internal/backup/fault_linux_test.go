package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// callsOf counts the calls of a run in which nothing fails.
func callsOf(t *testing.T, change func(*run)) (n int) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.add(t, "large-disk", nil)
		assert.NilError(t, m.backUp(t, change).err)
		n = len(m.calls)
	})
	return n
}

// nthCall names it; waiting for the agent's end takes more calls in one run than in another.
func (m *manager) nthCall(n int) string {
	if n > len(m.calls) {
		return "no call"
	}
	return m.calls[n-1]
}

// nth fails the nth call, from 1, and no other.
func (m *manager) nth(n int) {
	count := 0
	m.before = func(call string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if count++; count == n {
			return fmt.Errorf("call %d (%s) failed", n, call)
		}
		return nil
	}
}

func TestUCPRunsWhicheverCallFailsOnce(t *testing.T) {
	for name, change := range map[string]func(*run){
		"over the spool":                  func(*run) {},
		"over a volume of the operator's": func(r *run) { r.opts.Spool = "large-disk" },
	} {
		t.Run(name, func(t *testing.T) {
			for n := range callsOf(t, change) {
				n++
				inBubble(t, func(t *testing.T) {
					m := newManager(t)
					m.add(t, "large-disk", nil)
					m.nth(n)
					r := m.backUp(t, change)
					at := m.nthCall(n)
					assert.DeepEqual(t, m.states, newManager(t).states)
					if r.result != nil { // a second try helped, or what remains to be done is told
						r.assertArchive(t)
					} else {
						r.assertNoFile(t)
					}
					if r.err == nil {
						return
					}
					assert.ErrorContains(t, r.err, fmt.Sprintf("call %d ", n))
					if failure.KindOf(r.err) != failure.Attention {
						delete(m.labels, "large-disk")
						m.assertUntouched(t)
						return
					}
					assert.Check(t, len(failure.Hints(r.err)) > 0, "%s: nothing to type for: %v", at, r.err)
				})
			}
		})
	}
}

// TestUCPRunsWheneverTheRunIsCancelled cancels at each call to the engine, one run after another.
func TestUCPRunsWheneverTheRunIsCancelled(t *testing.T) {
	for name, dryRun := range map[string]bool{"a backup": false, "a dry run": true} {
		t.Run(name, func(t *testing.T) {
			for n := range callsOf(t, func(r *run) { r.opts.DryRun = dryRun }) {
				cancelledAt(t, n+1, dryRun)
			}
		})
	}
}

// cancelledAt cancels a run at its nth call.
func cancelledAt(t *testing.T, n int, dryRun bool) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) {
			r.opts.DryRun = dryRun
			count := 0
			m.before = func(string) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				if count++; count == n {
					r.cancel()
				}
				return nil
			}
		})
		m.assertUntouched(t)
		if r.err == nil {
			if !dryRun {
				r.assertArchive(t)
			}
			return
		}
		assert.Equal(t, failure.KindOf(r.err), failure.Cancelled, "%s: %v", m.nthCall(n), r.err)
		want := "backup cancelled before anything was touched"
		if len(m.moved()) > 0 {
			want = "backup cancelled; UCP runs as before"
		}
		if r.err.Error() != want { // the order was given and had not been read
			assert.Error(t, r.err, "backup cancelled; UCP runs as before")
		}
		r.assertNoFile(t)
	})
}

func TestACancelIsPassedOnToTheAgentAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) {
			m.before = func(call string) error {
				if call != "stop ucp-controller" {
					return nil
				}
				r.cancel()
				for range 60 {
					if slices.Contains(m.seen(), "signal") {
						break
					}
					time.Sleep(time.Second)
				}
				return nil
			}
		})
		assert.Error(t, r.err, "backup cancelled; UCP runs as before")
		assert.Check(t, cmp.Contains(r.talk.String(), "cancelled; waiting until UCP runs again"))
		assert.Check(t, !slices.Contains(m.moved(), "stop ucp-kv"), "the agent went on: %q", m.moved())
		m.assertUntouched(t)
	})
}

func TestARefusalOfACancelledRunIsACancel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) {
			r.opts.Lock = func(context.Context) (*seal.Lock, error) {
				r.cancel()
				return nil, failure.Refuse(errors.New("read the passphrase: interrupted"), "name a file")
			}
		})
		assert.Error(t, r.err, "backup cancelled before anything was touched")
		assert.Equal(t, failure.KindOf(r.err), failure.Cancelled)
		m.assertUntouched(t)
	})
}

func TestAnAgentThatFailsNamesWhatItCouldNotBringBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "stop ucp-kv" || call == "start ucp-controller" {
				return errors.New("the engine is ill")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "stop ucp-kv: the engine is ill")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker start ucp-controller"})
		r.assertNoFile(t)
	})
}

func TestAnAgentThatCannotBeRemovedIsToBeEndedGently(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "remove" {
				return errors.New("device or resource busy")
			}
			return nil
		}
		r := m.backUp(t, nil)
		r.assertArchive(t)
		assert.ErrorContains(t, r.err, "clean up on the manager: remove container docker-ucp-agent: device or resource busy")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.DeepEqual(t, failure.Hints(r.err), []string{"docker stop --time 900 docker-ucp-agent; docker rm docker-ucp-agent"})
	})
}

func TestAPhaseEndsBeforeTheNextThingIsSaid(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		said := newManager(t).backUp(t, nil).talk.String()
		last := 0
		for _, words := range []string{
			"bringing 3 containers of UCP to rest", "stop: done", "capture: done", "UCP is back after", "fetch: done",
		} {
			at := strings.Index(said, words)
			assert.Check(t, at > last, "%q in %s", words, said)
			last = at
		}
	})
}

func TestAContainerThatStaysDownIsToldBesideAWholeArchive(t *testing.T) {
	noStart := func(call string) error {
		if call == "start ucp-controller" || call == "start ucp-kv" {
			return errors.New("port is taken")
		}
		return nil
	}
	t.Run("which arrives", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			m.before = noStart
			r := m.backUp(t, nil)
			r.assertArchive(t)
			assert.Error(t, r.err, "these containers of UCP do not run again: ucp-kv, ucp-controller")
			assert.Equal(t, failure.KindOf(r.err), failure.Attention)
			assert.DeepEqual(t, failure.Hints(r.err), []string{"docker start ucp-kv ucp-controller"})
			assert.Check(t, cmp.Contains(r.talk.String(), "not everything is as it was: start ucp-kv again: port is taken\n  start ucp-controller again: port is taken"))
		})
	})
	t.Run("which does not arrive", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := newManager(t)
			m.before = noStart
			m.spoil = func([]byte) []byte { return nil }
			r := m.backUp(t, nil)
			r.assertNoFile(t)
			assert.ErrorContains(t, r.err, "the archive changed on its way")
			assert.Equal(t, failure.KindOf(r.err), failure.Attention, "a script must not take UCP for whole")
			assert.Check(t, slices.Contains(failure.Hints(r.err), "docker start ucp-kv ucp-controller"))
			m.end() // it goes on trying
		})
	})
}

func TestAFailedPhaseIsNotSaidToBeDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.before = func(call string) error {
			if call == "stop ucp-kv" {
				return errors.New("it does not listen")
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "stop ucp-kv: it does not listen")
		assert.Check(t, cmp.Contains(r.talk.String(), "\nstop: failed after"))
		assert.Check(t, !strings.Contains(r.talk.String(), "stop: done"))
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}

func TestAnOutputThatCannotBeWrittenIsRefusedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) { r.opts.Path = filepath.Join(filepath.Dir(r.opts.Path), "missing", "ucp.tar") })
		assert.Equal(t, failure.KindOf(r.err), failure.Refused)
		assert.Check(t, !slices.Contains(m.calls, "import"))
		m.assertUntouched(t)
	})
}
