package backup

import (
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

// Two runs that begin at the same moment have an image of the same name; the one that comes too late for the agent's name
// must not take it from the other.
func TestARunThatComesTooLateLeavesTheImageToTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.at(phase{call: "create docker-ucp-agent"}, func() {
			m.leave(t, "running", DefaultSpool, journal())
		})
		r := m.backUp(t, nil)
		assert.Equal(t, failure.KindOf(r.err), failure.Refused, "%v", r.err)
		assert.ErrorContains(t, r.err, "another backup has just been started on this manager")
		assert.Check(t, cmp.Len(m.images, 2), "its own name for the image, and the other's")
		assert.Check(t, m.inSpool(DefaultSpool, ".docker-ucp-spool/journal"))
	})
}
