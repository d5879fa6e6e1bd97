package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

func TestAJournalOfAnotherEngineIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		journal := filepath.Join(m.host.Spool, JournalInSpool)
		content, err := os.ReadFile(journal)
		assert.NilError(t, err)
		m.write(t, journal, strings.ReplaceAll(string(content), testEngine, "ENGINE:TWO"))
		resting := m.now()
		talk := m.start(t)
		assert.NilError(t, <-talk.ended, "starting it again would help nobody")
		failed := talk.last(Failed)
		assert.Equal(t, failed.Message, "the spool holds the journal of a backup on engine ENGINE:TWO, started by tester@there, and this is engine ENGINE:ONE")
		assert.Equal(t, failed.Hint, "use a volume that this manager has for itself: docker ucp backup --spool-volume NAME FILE")
		assert.DeepEqual(t, m.now(), resting)
		assert.DeepEqual(t, m.calls, []string{"who"})
		m.assertLeft(t, "archive", "journal")
	})
}

func TestADamagedJournalIsKeptAndNotTriedAgain(t *testing.T) {
	tests := map[string]string{
		"empty":         "",
		"cut off":       `{"engine_id":"ENGINE:ONE","plan":{"waves":[[{"id":"c-`,
		"another thing": `{"hello":"world"}`,
		"zeros":         string(make([]byte, 4096)),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := orphaned(t)
				m.write(t, filepath.Join(m.host.Spool, JournalInSpool), content)
				for range 2 {
					talk := m.start(t)
					assert.NilError(t, <-talk.ended)
					assert.Check(t, cmp.Contains(talk.last(Failed).Message, "its content is damaged"))
					assert.Check(t, cmp.Contains(talk.last(Failed).Hint, "docker logs docker-ucp-agent"))
					m.assertLeft(t, "archive", "orphan")
					assertHolds(t, filepath.Join(m.host.Spool, OrphanInSpool), content)
					assert.Equal(t, len(m.calls), 0)
				}
			})
		})
	}
}

func TestAJournalThatCannotBeReadNowIsReadLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := orphaned(t)
		journal := filepath.Join(m.host.Spool, JournalInSpool)
		assert.NilError(t, os.Rename(journal, journal+".away"))
		assert.NilError(t, os.Mkdir(journal, 0o700))
		talk := m.start(t)
		assert.NilError(t, talk.end(), "no last word")
		assert.Check(t, cmp.Contains(talk.last(Warning).Message, "read the journal in the spool"))

		assert.NilError(t, os.Remove(journal))
		assert.NilError(t, os.Rename(journal+".away", journal))
		assert.ErrorContains(t, m.start(t).end(), "UCP runs again")
		m.assertUCPRuns(t)
		m.assertEmptySpool(t)
	})
}
