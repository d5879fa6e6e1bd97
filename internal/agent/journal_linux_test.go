package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

func (m *machine) readPaper(tb testing.TB, name string, paper any) {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join(m.host.Spool, name))
	assert.NilError(tb, err)
	assert.Check(tb, strings.HasSuffix(string(content), "}\n") && strings.Count(string(content), "\n") == 1, "JSON on a line of its own: %s", content)
	assert.NilError(tb, json.Unmarshal(content, paper))
}

func TestTheJournalIsThereWhileAnythingRestsOrIsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		var with, without []string
		m.before = func(call string) error {
			if newSpool(m.host.Spool).unsettled() {
				with = append(with, call)
			} else {
				without = append(without, call)
			}
			return nil
		}
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type != Quiescing {
				return
			}
			var journal Journal
			m.readPaper(t, JournalInSpool, &journal)
			assert.DeepEqual(t, journal, Journal{
				EngineID: testEngine, Node: testNode, By: "tester@there", Since: event.Time, Plan: order.Plan,
			})
		}
		talk.send(m.job())
		talk.send(order)
		assert.NilError(t, talk.wait())
		for _, call := range without {
			assert.Check(t, !strings.HasPrefix(call, "label") && !slices.Contains(m.moved(), call), call)
		}
		first := slices.IndexFunc(with, func(call string) bool { return call == "pause c-agent" })
		assert.DeepEqual(t, with[:first+1], []string{"node node-one", "label node-one", "look c-agent", "look c-controller", "look c-kv", "pause c-agent"})
		assert.DeepEqual(t, with[len(with)-3:], []string{"unpause c-agent", "node node-one", "label node-one"})
		assert.Equal(t, without[len(without)-1], "containers", "whether somebody was woken before anything stops")
		m.assertLeft(t, "archive", "receipt")
	})
}

func TestHoldingTheNodeTakesNoneOfTheDownTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.before = func(call string) error {
			switch call {
			case "label node-one":
				time.Sleep(3 * time.Second)
			case "start c-kv":
				time.Sleep(time.Second)
			}
			return nil
		}
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type == Resumed {
				assert.Check(t, len(m.labels) > 0, "it is said at once")
			}
		}
		talk.send(m.job())
		talk.send(m.order())
		assert.NilError(t, talk.wait())
		assert.Equal(t, talk.last(Resumed).Downtime.Duration(), time.Second)
		assert.Equal(t, talk.last(Finished).Result.Downtime.Duration(), time.Second)
		m.assertUCPRuns(t)
	})
}

// fill leaves no room on the spool's disk, which is small.
func (m *machine) fill(tb testing.TB) {
	tb.Helper()
	file, err := os.Create(filepath.Join(m.host.Spool, "of somebody else"))
	assert.NilError(tb, err)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	assert.ErrorIs(tb, err, unix.ENOSPC)
	assert.NilError(tb, file.Close())
}

// smallDisk gives the machine a spool on a disk of its own.
func (m *machine) smallDisk(t *testing.T) {
	t.Helper()
	if err := unix.Mount("none", m.host.Spool, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() { assert.Check(t, unix.Unmount(m.host.Spool, 0)) })
}

func TestNothingIsTouchedWhenTheJournalCannotBeWritten(t *testing.T) {
	m := newMachine(t)
	m.smallDisk(t)
	inBubble(t, func(t *testing.T) {
		talk := m.start(t)
		talk.on = func(event Event) {
			if event.Type == Surveyed {
				m.fill(t)
			}
		}
		talk.send(m.job())
		talk.send(m.order())
		err := talk.wait()
		assert.ErrorContains(t, err, "write the journal into the spool")
		assert.ErrorContains(t, err, "no space left on device; nothing was touched")
		assert.DeepEqual(t, talk.types(), []EventType{Surveyed, Failed})
		assert.Equal(t, len(m.moved()), 0)
		m.assertUCPRuns(t)
		_, err = os.Stat(filepath.Join(m.host.Spool, spoolFolder))
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestADiskThatFillsUpAfterwardsTakesNothingAway(t *testing.T) {
	for name, dies := range map[string]bool{"the agent lives": false, "the agent dies": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.smallDisk(t)
			inBubble(t, func(t *testing.T) {
				dead := false
				m.before = func(call string) error {
					if call == "stop c-kv" {
						m.fill(t)
						dead = dies
					}
					if dead {
						return errors.New("connection refused") // nothing that a dead agent does has an effect
					}
					return nil
				}
				talk := m.start(t)
				talk.send(m.job())
				talk.send(m.order())
				failed := talk.wait()
				if dead {
					assert.NilError(t, failed, "no last word")
					m.before = nil
					assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
				} else {
					assert.ErrorContains(t, failed, "no space left on device")
				}
				m.assertUCPRuns(t)
				_, err := os.Stat(filepath.Join(m.host.Spool, spoolFolder))
				assert.ErrorIs(t, err, os.ErrNotExist)
			})
		})
	}
}

func TestASilentEngineIsLeftWithinItsPatience(t *testing.T) {
	tests := map[string]string{
		"while UCP is brought to rest": "stop c-kv",
		"while the volumes are read":   "containers",
		"while UCP is brought back":    "start c-controller",
		"before the node is released":  "node node-one",
	}
	for name, call := range tests {
		for _, clone := range []bool{false, true} {
			for _, signal := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, with a clone: %t, told to end: %t", name, clone, signal), func(t *testing.T) {
					inBubble(t, func(t *testing.T) { fallsSilentAt(t, call, clone, signal) })
				})
			}
		}
	}
}

// fallsSilentAt has the engine end at a call after the first container was stopped, and the agent with it or not.
func fallsSilentAt(t *testing.T, call string, clone, signal bool) {
	t.Helper()
	m := newMachine(t)
	order := m.order()
	order.Clone = clone
	talk := m.start(t)
	var since time.Time
	stopped := false
	m.before = func(now string) error {
		if stopped = stopped || now == "stop c-kv"; stopped && now == call && since.IsZero() {
			since = time.Now()
			if signal {
				talk.cancel(errors.New("terminated"))
			}
		}
		if !since.IsZero() {
			return errors.New("connection refused")
		}
		return nil
	}
	talk.send(m.job())
	talk.send(order)
	assert.NilError(t, talk.end(), "no last word")
	assert.Check(t, time.Since(since) <= enginePatience, "it took %s", time.Since(since))
	assert.Check(t, !slices.Contains(talk.types(), Finished))
	assert.Check(t, cmp.Contains(talk.last(Warning).Message, "the engine gives no answer"))
	assert.Check(t, newSpool(m.host.Spool).unsettled())

	m.before = nil
	assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
	m.assertUCPRuns(t)
	m.assertEmptySpool(t)
}
