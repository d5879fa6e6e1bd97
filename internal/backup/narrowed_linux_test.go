package backup

import (
	"context"
	"testing"

	"gotest.tools/v3/assert"
)

func TestNobodyWaitsForWhatHadEndedBeforeTheAgentGotItsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		r := m.backUp(t, func(r *run) {
			r.opts.Approve = func(context.Context, *Plan) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.states["ucp-kv"] = "exited"
				return nil
			}
		})
		assert.NilError(t, r.err)
		r.assertArchive(t)
		m.states["ucp-kv"] = "running"
		m.assertUntouched(t)
	})
}
