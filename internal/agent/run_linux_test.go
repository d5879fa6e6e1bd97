package agent

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

func TestABackupIsOneConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		assert.DeepEqual(t, talk.types(), []EventType{Surveyed, Quiescing, Resumed, Finished})
		for _, event := range talk.events {
			assert.Check(t, !event.Time.IsZero())
		}
		assert.DeepEqual(t, talk.complete(), []Phase{Stopping, Capturing})
		assert.DeepEqual(t, *talk.last(Quiescing).Plan, m.order().Plan)
		assert.DeepEqual(t, m.moved(), []string{
			"pause c-agent", "stop c-controller", "stop c-kv", "start c-kv", "start c-controller", "unpause c-agent",
		})
		m.assertUCPRuns(t)
	})
}

func TestTheSurveyTellsSizesAndTouchesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		talk.send(m.job())
		synctest.Wait()
		survey := talk.last(Surveyed).Survey
		assert.Equal(t, survey.Volumes[0].Name, "ucp-kv")
		assert.Equal(t, survey.Volumes[0].Entries, int64(5), "two files in two folders in the root")
		assert.Equal(t, survey.Volumes[0].Bytes, int64(200_007))
		length, allocated := survey.Bytes()
		assert.Equal(t, length, int64(200_007+11+13))
		assert.Check(t, allocated > 0)
		assert.Check(t, survey.SpoolFree > 0)
		assert.Check(t, survey.Clone == (survey.NoClone == ""))
		assert.NilError(t, talk.wait())
		assert.DeepEqual(t, m.calls, []string{"who"})
	})
}

func TestAnInputThatEndsBeforeTheOrderLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		input  string // after the job
		failed string // what the last event says; empty for no such event
	}{
		"after the job":          {"", ""},
		"in the order":           {`{"plan":{"wav`, "read the order: unexpected EOF"},
		"an order that is none":  {"[]\n", "read the order: json: cannot unmarshal array into Go value of type agent.Order"},
		"an order without words": {"\n", "read the order: unexpected end of JSON input"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				talk := m.start(t)
				talk.send(m.job())
				_, err := talk.stdin.Write([]byte(test.input))
				assert.NilError(t, err)
				err = talk.wait()
				assert.DeepEqual(t, m.calls, []string{"who"})
				m.assertEmptySpool(t)
				if test.failed == "" {
					assert.NilError(t, err)
					assert.DeepEqual(t, talk.types(), []EventType{Surveyed})
					return
				}
				assert.Error(t, err, test.failed)
				assert.Equal(t, talk.last(Failed).Message, test.failed)
			})
		})
	}
}

func TestAnInputWithoutAJobEndsTheAgent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		assert.Error(t, talk.wait(), "read the job: EOF")
		assert.Equal(t, len(m.calls), 0)
	})
}

func TestALineWithoutAnEndIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		talk := m.start(t)
		block := bytes.Repeat([]byte(" "), 1<<20)
		for range maxLine>>20 + 1 {
			if _, err := talk.stdin.Write(block); err != nil {
				break
			}
		}
		assert.Error(t, talk.wait(), "read the job: a line of more than 16777216 bytes")
	})
}

func TestAnOrderMayBeLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		order := m.order()
		order.Manifest.KVMembers = []string{strings.Repeat("a", 1<<20)}
		_, err := m.backUp(t, m.job(), order)
		assert.NilError(t, err)
	})
}

func TestAnotherEngineBehindTheSocketIsLeftAlone(t *testing.T) {
	tests := map[string]struct {
		job    string
		before func(string) error
		want   string
		hint   string
	}{
		"another": {
			"ENGINE:TWO", nil,
			"the socket mounted into the agent belongs to engine ENGINE:ONE, not to ENGINE:TWO",
			"name the right one with: docker ucp backup --engine-socket PATH",
		},
		"none": {
			testEngine, func(string) error { return errors.New("permission denied") },
			"ask the engine who it is, over the socket mounted into the agent: permission denied",
			"if its socket lies elsewhere on the manager: docker ucp backup --engine-socket PATH; if a security module denies it: --security-opt label=disable",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.before = test.before
				job := m.job()
				job.EngineID = test.job
				talk, err := m.backUp(t, job, m.order())
				assert.Error(t, err, test.want)
				assert.Equal(t, talk.last(Failed).Message, test.want)
				assert.Equal(t, talk.last(Failed).Hint, test.hint)
				assert.DeepEqual(t, m.calls, []string{"who"})
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestAVolumeThatIsNotThereIsFoundBeforeAnythingStops(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		job := m.job()
		job.Volumes = append(job.Volumes, "ucp-gone")
		talk, err := m.backUp(t, job, m.order())
		assert.ErrorContains(t, err, "no such file")
		assert.Check(t, cmp.Contains(talk.last(Failed).Message, "ucp-gone"))
		assert.Equal(t, len(m.moved()), 0)
		m.assertEmptySpool(t)
	})
}

func TestACleanJobTakesOnlyWhatIsOurs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, filepath.Join(m.host.Spool, spoolFolder, "clones", "1"), "left by an earlier run")
		m.write(t, filepath.Join(m.host.Spool, "precious"), "the operator's own")
		talk := m.start(t)
		talk.send(Job{Clean: true})
		assert.NilError(t, talk.wait())
		left, err := os.ReadDir(m.host.Spool)
		assert.NilError(t, err)
		assert.Equal(t, len(left), 1)
		assert.Equal(t, left[0].Name(), "precious")
		assert.Equal(t, len(m.calls), 0)
		assert.Equal(t, len(talk.events), 0)
	})
}

func TestWhatAnEarlierRunLeftIsNoHindrance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.archivePath(), "half an archive")
		m.write(t, filepath.Join(m.host.Spool, spoolFolder, "clones", "index"), "half a clone")
		_, err := m.backUp(t, m.job(), m.order())
		assert.NilError(t, err)
		checkArchive(t, m.archivePath())
	})
}

func TestAFinishedAgentStaysUntilItIsDismissed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tests := map[string]func(*talk){
			"by the end of its input": func(talk *talk) { talk.hangUp() },
			"by a signal":             func(talk *talk) { talk.cancel(errors.New("terminated")) },
		}
		for name, dismiss := range tests {
			m := newMachine(t)
			talk := m.start(t)
			talk.send(m.job())
			talk.send(m.order())
			synctest.Wait()
			talk.last(Finished)
			assert.Equal(t, len(talk.ended), 0, "it has ended and given up the lock against a second backup")
			dismiss(talk)
			assert.NilError(t, <-talk.ended, name)
			assert.Equal(t, talk.seen()[len(talk.seen())-1].Type, Finished)
			checkArchive(t, m.archivePath())
		}
	})
}

func TestEventsAreToldFromOtherLines(t *testing.T) {
	tests := map[string]bool{
		`{"time":"2026-01-02T03:04:05Z","type":"surveyed"}`:        true,
		`{"time":"2026-01-02T03:04:05Z","type":"warning"}`:         true,
		`{"time":"2026-01-02T03:04:05Z","type":"unheard of"}`:      false,
		`{"time":"2026-01-02T03:04:05Z"}`:                          false,
		`{"time":"0001-01-01T00:00:00Z","type":"surveyed"}`:        false,
		`{"type":"surveyed"}`:                                      false,
		`{"time":"yesterday","type":"surveyed"}`:                   false,
		`panic: runtime error`:                                     false,
		``:                                                         false,
		`{"time":"2026-01-02T03:04:05Z","type":"surveyed"} behind`: false,
	}
	for line, want := range tests {
		_, got := ParseEvent([]byte(line))
		assert.Equal(t, got, want, line)
	}
}
