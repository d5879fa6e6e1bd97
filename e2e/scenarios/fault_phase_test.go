package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// phase is a moment of a backup at which a fault can strike. It is brought about from outside, by holding a call to the
// engine or freezing the agent, so the product has no fault points.
type phase struct {
	name    string
	spooled bool // the manager does not see the operator's folder, so the archive waits in the spool and is fetched
	hold    func(t *testing.T, p *play) *hold
}

// hold keeps a backup in a phase.
type hold struct {
	reach   func(t *testing.T)
	release func(t *testing.T)
}

// reachLimit is far beyond what a backup takes to any phase.
const reachLimit = 2 * time.Minute

func (p *play) held(gate *tap.Gate) *hold {
	reach := func(t *testing.T) {
		select {
		case <-gate.Reached():
		case <-p.running.ended:
			t.Fatalf("the backup ended before this phase:\n%s", p.running.said)
		case <-time.After(reachLimit):
			t.Fatalf("the backup did not come to this phase:\n%s", p.running.said)
		}
	}
	return &hold{reach: reach, release: func(*testing.T) { gate.Release() }}
}

// byAgent is a phase in which a call of the agent's is held.
func byAgent(name string, match func() tap.Match) phase {
	return phase{name: name, hold: func(_ *testing.T, p *play) *hold { return p.held(p.agent.Hold(match())) }}
}

// spool is the same phase of a backup whose archive waits in the spool.
func (p phase) spool() phase {
	p.name, p.spooled = p.name+" into the spool", true
	return p
}

// phases, in their order. A matcher counts, so each play has its own.
func ordered() phase {
	return byAgent("when ordered", func() tap.Match { return records })
}

func beforeQuiesce() phase {
	return byAgent("before quiesce", func() tap.Match { return toRest })
}

func betweenStops() phase {
	return byAgent("between two stops", func() tap.Match { return tap.Nth(2, stopping) })
}

func atRest() phase {
	return byAgent("at rest", func() tap.Match { return tap.After(stopping, listing) })
}

func betweenStarts() phase {
	return byAgent("between two starts", func() tap.Match { return tap.Nth(2, starting) })
}

// whileCapturing freezes the agent when a part of the archive is written.
func whileCapturing() phase {
	const part = 8 << 20
	return phase{name: "while capturing", hold: func(_ *testing.T, p *play) *hold {
		rest := p.held(p.agent.Hold(tap.After(stopping, listing)))
		var frozen *os.Process
		return &hold{
			reach: func(t *testing.T) {
				rest.reach(t)
				frozen = p.agentProcess(t)
				rest.release(t)
				growing := p.growing(t)
				for until := time.Now().Add(reachLimit); time.Now().Before(until); time.Sleep(100 * time.Microsecond) {
					if info, err := os.Stat(growing); err == nil && info.Size() > part {
						assert.NilError(t, frozen.Signal(syscall.SIGSTOP))
						return
					}
				}
				t.Fatalf("%s did not grow", growing)
			},
			release: func(t *testing.T) {
				if err := frozen.Signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
					assert.NilError(t, err)
				}
			},
		}
	}}
}

// growing is what the agent writes the archive into.
func (p *play) growing(t *testing.T) string {
	t.Helper()
	if p.row.at.spooled {
		return filepath.Join(p.spoolFolder(t, "docker-ucp-spool"), "archive")
	}
	return p.seen() + ".part"
}

// whileFetching holds the archive on its way when a part of it has come.
func whileFetching() phase {
	const part = 1 << 20
	return phase{name: "while fetching", spooled: true, hold: func(_ *testing.T, p *play) *hold {
		return p.held(p.plugin.HoldAnswer(fetching, part))
	}}
}

// throughout is no phase: the fault is there all the time.
func throughout() phase {
	nothing := func(*testing.T) {}
	return phase{name: "throughout", hold: func(*testing.T, *play) *hold { return &hold{nothing, nothing} }}
}

// resting is every phase in which UCP may be at rest, or is about to be.
func resting() []phase {
	return []phase{beforeQuiesce(), betweenStops(), atRest(), whileCapturing(), betweenStarts()}
}

// in makes a row for each phase. Make test plays those for which some says so.
func in(phases []phase, some string, r row) []row {
	var rows []row
	for _, at := range phases {
		one := r
		one.at, one.some = at, at.name == some
		rows = append(rows, one)
	}
	return rows
}
