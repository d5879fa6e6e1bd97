package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gotest.tools/v3/assert"
)

// talk is the plugin's end of a conversation with an agent that runs beside the test.
type talk struct {
	tb     testing.TB
	m      *machine
	stdin  *io.PipeWriter
	cancel context.CancelCauseFunc
	ended  chan error // what Run returned
	handed Handed

	mu     sync.Mutex
	log    bytes.Buffer      // all that the agent wrote
	events []Event           // as it was read
	write  func(n int) error // called for the nth line, from 1; its error fails the write
	on     func(event Event) // called for each event, by the agent's own goroutine
}

// start runs an agent; the hooks may be set before it is sent anything.
func (m *machine) start(tb testing.TB) *talk {
	tb.Helper()
	ctx, cancel := context.WithCancelCause(tb.Context())
	in, out := io.Pipe()
	t := &talk{tb: tb, m: m, stdin: out, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		err := Run(ctx, m.host, in, t)
		assert.Check(tb, in.Close()) // as the end of a process closes its input
		t.ended <- err
	}()
	return t
}

// Write is the agent's standard output.
func (t *talk) Write(line []byte) (int, error) {
	var event Event
	assert.Check(t.tb, json.Unmarshal(line, &event) == nil, "not JSON: %s", line)
	t.mu.Lock()
	t.log.Write(line)
	t.events = append(t.events, event)
	n, write, on := len(t.events), t.write, t.on
	t.mu.Unlock()
	if on != nil {
		on(event)
	}
	if write != nil {
		if err := write(n); err != nil {
			return 0, err
		}
	}
	return len(line), nil
}

// send writes a Job or an Order; an agent that has ended does not read it.
func (t *talk) send(value any) {
	t.tb.Helper()
	line, err := json.Marshal(value)
	assert.NilError(t.tb, err)
	_, _ = t.stdin.Write(append(line, '\n')) // refused by an agent that has ended: that is for wait to tell
}

// hangUp ends the agent's input.
func (t *talk) hangUp() { assert.Check(t.tb, t.stdin.Close()) }

// wait ends the conversation and returns what the agent says has failed.
func (t *talk) wait() error {
	t.tb.Helper()
	t.hangUp()
	return t.end()
}

// end waits for the agent's end, and holds its exit status against what it promises.
func (t *talk) end() error {
	t.tb.Helper()
	status := <-t.ended
	assert.Equal(t.tb, status != nil, newSpool(t.m.host.Spool).unsettled(), "it ended with %v", status)
	for _, event := range slices.Backward(t.seen()) {
		if event.Type == Failed {
			return errors.New(event.Message)
		}
	}
	return nil
}

// goesOn holds a later life to going on by itself while there is something to put right, ends it with a signal and
// returns what it said has failed.
func (t *talk) goesOn() error {
	t.tb.Helper()
	time.Sleep(10 * time.Minute)
	assert.Equal(t.tb, len(t.ended), 0, "an engine may forget to start it again")
	t.cancel(errors.New("terminated"))
	return t.end()
}

// seen lists the events without progress.
func (t *talk) seen() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.events), func(e Event) bool { return e.Type == Progress })
}

func (t *talk) types() []EventType {
	var types []EventType
	for _, event := range t.seen() {
		types = append(types, event.Type)
	}
	return types
}

// complete lists the phases that went well.
func (t *talk) complete() []Phase {
	var phases []Phase
	for _, event := range t.events {
		if event.Complete {
			phases = append(phases, event.Phase)
		}
	}
	return phases
}

// last returns the last event of a type, and fails the test if there is none.
func (t *talk) last(kind EventType) Event {
	t.tb.Helper()
	for _, event := range slices.Backward(t.seen()) {
		if event.Type == kind {
			return event
		}
	}
	t.tb.Fatalf("no event %s among %v", kind, t.types())
	return Event{}
}

// inBubble runs a test with a clock of its own, so that pauses between tries take no time, and fails it if a goroutine
// outlives it.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// backUp has a whole conversation.
func (m *machine) backUp(tb testing.TB, job Job, order *Order) (*talk, error) {
	tb.Helper()
	t := m.start(tb)
	t.send(job)
	if job.Nonce != "" {
		t.handed = m.hand(tb, job.Nonce)
	}
	t.send(order)
	return t, t.wait()
}
