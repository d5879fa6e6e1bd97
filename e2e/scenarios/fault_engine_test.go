package scenarios

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// agentFaults is what happens to the agent. One that docker kill ends is not started again by the engine. While a file is
// copied out of it, as while fetching, docker kill waits.
func agentFaults() []row {
	byName := row{
		fault: "agent SIGKILL by docker kill", act: killAgentByName, codes: []int{1}, words: []string{"ended unexpectedly"}, next: backsUp,
	}
	byNumber := row{
		fault: "agent SIGKILL by its pid", act: killAgent, codes: []int{1}, words: []string{"was interrupted", "UCP runs again"}, next: backsUp,
	}
	delivered := func(r row) row {
		r.codes, r.words = []int{0}, nil
		return r
	}
	return slices.Concat(
		in(resting(), "between two starts", byName),
		in(slices.Concat(resting(), []phase{atRest().spool()}), "while capturing", byNumber),
		in([]phase{whileFetching()}, "", delivered(byNumber)),
	)
}

func killAgentByName(t *testing.T, p *play) { assert.Equal(t, p.docker(t, "kill", agentName).code, 0) }

func killAgent(t *testing.T, p *play) {
	assert.NilError(t, p.agentProcess(t).Signal(syscall.SIGKILL))
}

// engineFaults is what happens to the engine, and so to every container: the swarm makes its tasks anew.
func engineFaults() []row {
	killed := row{
		fault: "engine SIGKILL, started again", act: killEngine, replaced: true,
		codes: []int{1}, words: []string{"was interrupted", "UCP runs again"}, next: backsUp,
	}
	stopped := killed
	stopped.fault, stopped.act = "engine SIGTERM, started again", stopEngine
	stopped.words = []string{"UCP runs"} // by the agent's next life, or by the plugin, which saw the agent end before the engine
	delivered := func(r row) row {
		r.codes, r.words = []int{0}, nil
		return r
	}
	return slices.Concat(
		in(slices.Concat(resting(), []phase{atRest().spool()}), "at rest", killed),
		in([]phase{whileFetching()}, "", delivered(killed)),
		in(slices.Concat(resting(), []phase{atRest().spool()}), "at rest", stopped),
		in([]phase{whileFetching()}, "", delivered(stopped)),
	)
}

// killEngine lets a frozen agent go on before there is a new engine, which tells it to end and waits for that.
func killEngine(t *testing.T, p *play) {
	assert.NilError(t, p.node.Kill(t.Context()))
	p.hold.release(t)
	assert.NilError(t, p.node.StartEngine(t.Context()))
}

// stopEngine lets the agent go on as soon as the engine ends: then it is the engine that gives no answer, and no tap.
func stopEngine(t *testing.T, p *play) {
	log := filepath.Join(p.node.Dir, "engine.log")
	before, err := os.ReadFile(log)
	assert.NilError(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- p.node.Stop(context.WithoutCancel(t.Context())) }()
	within(t, time.Minute, "the engine to take the signal", func(context.Context) (bool, string) {
		now, err := os.ReadFile(log)
		return err == nil && bytes.Contains(now[len(before):], []byte("Processing signal 'terminated'")), "it does not say so"
	})
	p.hold.release(t)
	assert.NilError(t, <-stopped)
	assert.NilError(t, p.node.StartEngine(t.Context()))
}
