package backup

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// TestALabelIsHandedFromOneBackupToTheNext: each night's backup takes over from the agent of the one before, which was to
// take the node's label off. The duty must not be lost on the way.
func TestALabelIsHandedFromOneBackupToTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.at(phase{call: "unpause ucp-agent"}, func() { m.setLeader(false) })
		m.backUp(t, nil).assertHeld(t)
		for range 2 {
			after(time.Hour)
			m.before = nil
			r := m.backUp(t, nil)
			r.assertHeld(t)
			r.assertArchive(t)
			m.assertRuns(t)
			assert.Equal(t, len(m.node.Spec.Labels), 2)
		}
		m.setLeader(true)
		after(10 * time.Minute)
		assert.Equal(t, len(m.node.Spec.Labels), 0)
		assert.NilError(t, m.backUp(t, nil).err)
		m.assertUntouched(t)
	})
}
