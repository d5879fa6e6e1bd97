package scenarios

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// clientFaults is what happens to the plugin and the docker CLI around it.
func clientFaults() []row {
	killed := row{fault: "client SIGKILL", act: killClient, codes: []int{-1}, repair: agentEnds, next: resumes}
	terminated := row{
		fault: "client SIGTERM", act: terminateClient, codes: []int{130}, words: []string{"cancelled; UCP runs as before"}, next: backsUp,
	}
	replaced := killed
	replaced.fault, replaced.next = "client SIGKILL, nobody resumes", replaces
	ctrlC := func(times int, words string) row {
		return row{
			fault: "Ctrl-C × " + strconv.Itoa(times), terminal: true, flags: []string{"--yes"},
			act: func(t *testing.T, p *play) { p.interrupt(t, times) }, codes: []int{130}, words: []string{words}, next: backsUp,
		}
	}
	back := "cancelled; UCP runs as before"
	ending := []phase{atRest(), betweenStarts(), whileFetching()}
	return slices.Concat(
		in(slices.Concat(resting(), []phase{atRest().spool(), whileFetching()}), "at rest into the spool", killed),
		in([]phase{atRest(), atRest().spool()}, "", replaced),
		in(slices.Concat(resting(), []phase{whileFetching()}), "between two stops", terminated),
		in(slices.Concat([]phase{beforeQuiesce(), betweenStops()}, ending), "", ctrlC(1, back)),
		in(ending, "", ctrlC(2, back)),
		in(ending, "", ctrlC(3, back)),
		in(ending, "at rest", row{
			fault: "Ctrl-C × 3, output redirected", terminal: true, flags: []string{"--yes"}, setUp: redirect,
			act: func(t *testing.T, p *play) { p.interrupt(t, 3) }, codes: []int{1, 130}, repair: agentEnds, next: backsUp,
		}),
	)
}

func killClient(t *testing.T, p *play) {
	p.running.signal(t, syscall.SIGKILL)
	<-p.running.ended
}

// agentEnds waits for what an agent does alone, behind UCP's return.
func agentEnds(t *testing.T, p *play) { p.awaitAgentEnd(t, settleLimit) }

// terminateClient signals the docker CLI alone, as a supervisor would, and waits until the agent is told.
func terminateClient(t *testing.T, p *play) {
	told := p.telling()
	assert.NilError(t, p.running.command.Process.Signal(syscall.SIGTERM))
	p.awaitTold(t, told)
}

// interrupt types Ctrl-C so many times, each when the one before has arrived.
func (p *play) interrupt(t *testing.T, times int) {
	t.Helper()
	told := p.telling()
	for range times {
		p.running.typing(t, "\x03")
		until := time.Now().Add(10 * time.Second)
		for pending(p.running.command.Process.Pid) && time.Now().Before(until) {
			time.Sleep(time.Millisecond)
		}
	}
	p.awaitTold(t, told)
}

// telling holds the call by which a cancelled plugin tells the agent to put everything back; nil in a phase in which the
// agent has nothing to put back.
func (p *play) telling() *tap.Gate {
	if p.row.at.spooled {
		return nil
	}
	return p.plugin.Hold(tap.Call(http.MethodPost, "/kill"))
}

func (p *play) awaitTold(t *testing.T, told *tap.Gate) {
	t.Helper()
	if told == nil {
		return
	}
	select {
	case <-told.Reached():
	case <-p.running.ended: // a third Ctrl-C may have killed it before
	case <-time.After(30 * time.Second):
		t.Fatalf("the agent was not told to put everything back:\n%s", p.running.said)
	}
	told.Release()
}

// pending tells whether a process has yet to take notice of an interrupt.
func pending(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	mask, err := strconv.ParseUint(strings.TrimSpace(field(string(status), "ShdPnd:")), 16, 64)
	return err == nil && mask&(1<<(uint(syscall.SIGINT)-1)) != 0
}

// redirect sends the plugin's standard output into a file: then the docker CLI kills it at the third Ctrl-C.
func redirect(t *testing.T, p *play) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, file.Close()) })
	p.stdout = file
}

// connectionFaults is what happens between the plugin and the engine. The agent has a connection of its own.
func connectionFaults() []row {
	return slices.Concat(
		in([]phase{atRest(), atRest().spool(), whileFetching()}, "", row{
			fault: "connection cut for good", act: func(_ *testing.T, p *play) { p.plugin.Cut() },
			codes: []int{2}, words: []string{"docker ucp backup --resume"}, repair: reconnect, next: resumes,
		}),
		in(slices.Concat(resting(), []phase{atRest().spool(), whileFetching()}), "at rest into the spool", row{
			fault: "connection cut for 5 s", act: cutForAWhile, codes: []int{0}, next: backsUp,
		}),
	)
}

func cutForAWhile(t *testing.T, p *play) {
	p.plugin.Cut()
	p.hold.release(t)
	time.Sleep(5 * time.Second) // it is the fault
	p.plugin.Heal()
}

func reconnect(t *testing.T, p *play) {
	p.plugin.Heal()
	agentEnds(t, p)
}
