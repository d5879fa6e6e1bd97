package backup

import (
	"fmt"
	"strings"

	"github.com/docker-ucp/docker-ucp/internal/failure"
	"github.com/docker-ucp/docker-ucp/internal/ucp"
)

// refuseQuorumLoss refuses to take UCP down on every manager, when that is because managers are down that could be
// repaired first. Where nothing of UCP runs here, its quorum does without this manager already.
func (b *backup) refuseQuorumLoss() error {
	quorum := b.instance.Quorum()
	if !quorum.Breaks() || b.opts.Force || !b.hasRunning() {
		return nil
	}
	return failure.Refuse(fmt.Errorf("UCP would be down on every manager while this one rests: %s", without(quorum)),
		"repair them (docker node ls), or accept that UCP is down meanwhile: docker ucp backup --force FILE")
}

// hasRunning tells that there is something to bring to rest.
func (b *backup) hasRunning() bool {
	quiet := b.instance.QuiescePlan(b.mode())
	return quiet.Len() > 0
}

// without says how few managers remain.
func without(quorum ucp.Quorum) string {
	others := fmt.Sprintf("without this one %d are up", quorum.Others)
	switch quorum.Others {
	case 0:
		others = "without this one none is up"
	case 1:
		others = "without this one only 1 is up"
	}
	return fmt.Sprintf("it needs %d of its %d managers, and %s%s", quorum.Needed, quorum.Managers, others, down(quorum))
}

func down(quorum ucp.Quorum) string {
	if len(quorum.Down) == 0 {
		return ""
	}
	return "; down: " + strings.Join(quorum.Down, ", ")
}

// quorumWarning says what becomes of UCP's quorum where a backup is not refused; empty when the other managers keep it.
func quorumWarning(quorum ucp.Quorum) string {
	switch {
	case quorum.Lost():
		return fmt.Sprintf("UCP has no quorum: it needs %d of its %d managers%s; the archive holds what this one knew last",
			quorum.Needed, quorum.Managers, down(quorum))
	case quorum.Breaks():
		return "UCP is down on every manager while this one rests, which you accept with --force: " + without(quorum)
	case quorum.Managers == 2:
		return "UCP has two managers and needs both: it is down on the other one too while this one rests"
	default:
		return ""
	}
}
