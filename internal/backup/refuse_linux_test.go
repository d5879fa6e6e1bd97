package backup

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/seal"
)

// approve asks the test before anything is touched.
func (r *run) approve(ask func(*Plan) error) {
	r.opts.Approve = func(_ context.Context, plan *Plan) error { return ask(plan) }
}

func assertRefused(tb testing.TB, err error, hint string) {
	tb.Helper()
	assert.Equal(tb, failure.KindOf(err), failure.Refused, "%v", err)
	assert.Check(tb, slices.Contains(failure.Hints(err), hint), "%v: %q", err, failure.Hints(err))
}

func TestWhatIsRefusedTouchesNothing(t *testing.T) {
	tests := map[string]struct {
		change func(*run)
		want   string
		hint   string
	}{
		"a volume to leave out that is none": {
			func(r *run) { r.opts.Exclude = []string{"ucp-metrics-data"} },
			"leave out volume ucp-metrics-data: UCP has no such volume on this manager",
			"its volumes are: ucp-kv ucp-node-certs",
		},
		"a spool that is a volume of UCP": {
			func(r *run) { r.opts.Spool = "ucp-kv" },
			"use volume ucp-kv as the spool: it is one of UCP's own", "name another with: --spool-volume NAME",
		},
		"every volume left out": {
			func(r *run) { r.opts.Exclude = []string{"ucp-kv", "ucp-node-certs"} },
			"every volume is left out; nothing remains to back up", "",
		},
		"no passphrase": {
			func(r *run) {
				r.opts.Lock = func(context.Context) (*seal.Lock, error) {
					return nil, failure.Refuse(errors.New("no passphrase given"), "give one")
				}
			},
			"no passphrase given", "give one",
		},
		"a lock without a key": {
			func(r *run) { r.opts.Lock = func(context.Context) (*seal.Lock, error) { return &seal.Lock{}, nil } },
			"lock the session key: neither a passphrase nor a recipient", "",
		},
		"another instance": {
			func(r *run) { r.opts.ID = "UCP:TWO" },
			"this manager holds UCP instance UCP:ONE, not UCP:TWO", "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newManager(t)
				r := m.backUp(t, test.change)
				assert.Error(t, r.err, test.want)
				assert.Equal(t, failure.KindOf(r.err), failure.Refused)
				if test.hint != "" {
					assertRefused(t, r.err, test.hint)
				}
				r.assertNoFile(t)
				m.assertUntouched(t)
				assert.Equal(t, len(m.moved()), 0)
			})
		})
	}
}

func TestAPlanThatIsNotApprovedTouchesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		no := failure.Cancel(errors.New("not confirmed"))
		r := m.backUp(t, func(r *run) { r.approve(func(*Plan) error { return no }) })
		assert.ErrorIs(t, r.err, no)
		r.assertNoFile(t)
		m.assertUntouched(t)
		assert.Equal(t, len(m.moved()), 0)
	})
}

func TestAnAgentThatCannotLookIsARefusal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		infos := 0
		m.before = func(call string) error {
			if call == "info" {
				if infos++; infos == 4 { // host, discover, create, and then the agent
					return errors.New("permission denied")
				}
			}
			return nil
		}
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "ask the engine who it is, over the socket mounted into the agent: permission denied")
		assertRefused(t, r.err, "if its socket lies elsewhere on the manager: docker ucp backup --engine-socket PATH; if a security module denies it: --security-opt label=disable")
		m.assertUntouched(t)
	})
}

func TestAnAgentThatCannotStartTellsItsWords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.program = dies("exec format error")
		r := m.backUp(t, nil)
		assert.ErrorContains(t, r.err, "the agent on the manager ended unexpectedly: exec format error")
		assert.Equal(t, failure.KindOf(r.err), failure.Refused)
		r.assertNoFile(t)
		m.assertUntouched(t)
	})
}
