package backup

import (
	"errors"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/failure"
)

func TestASpoolOfTheOperatorsThatCannotBeEmptiedIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newManager(t)
		m.add(t, "large-disk", nil)
		m.before = func(call string) error {
			switch call {
			case "copy archive":
				m.kill()
			case "start task clean":
				return errors.New("no space left on device")
			}
			return nil
		}
		r := m.backUp(t, func(r *run) { r.opts.Spool = "large-disk" })
		r.assertArchive(t)
		assert.ErrorContains(t, r.err, "clean up on the manager: empty the spool: ")
		assert.ErrorContains(t, r.err, "no space left on device")
		assert.Equal(t, failure.KindOf(r.err), failure.Attention)
		assert.Check(t, cmp.Contains(strings.Join(failure.Hints(r.err), " "), "docker stop --time 900 docker-ucp-agent"))
	})
}
