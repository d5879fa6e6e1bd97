package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gotest.tools/v3/assert"
)

func TestTheArchiveGoesStraightIntoTheFileWithTheNonce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.output, testNonce)
		before, err := os.Stat(m.output)
		assert.NilError(t, err)
		job, order := m.job(), m.order()
		job.Nonce, order.Direct = testNonce, true
		talk, err := m.backUp(t, job, order)
		assert.NilError(t, err)
		assert.DeepEqual(t, talk.handed, Handed{Direct: true, OneDisk: true})
		content, err := os.ReadFile(m.output)
		assert.NilError(t, err)
		assert.Equal(t, checksumOf(content), talk.last(Finished).Result.CRC32C)
		checkArchive(t, m.output)
		after, err := os.Stat(m.output)
		assert.NilError(t, err)
		assert.Check(t, os.SameFile(before, after), "the plugin holds the file that it made")
		_, err = os.Stat(m.archivePath())
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestAnArchiveOrderedIntoTheSpoolLeavesTheOutputAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.output, testNonce)
		job := m.job()
		job.Nonce = testNonce
		_, err := m.backUp(t, job, m.order())
		assert.NilError(t, err)
		checkArchive(t, m.archivePath())
		assertHolds(t, m.output, testNonce)
	})
}

func TestAFileWithoutTheNonceIsAnotherFile(t *testing.T) {
	tests := map[string]struct{ nonce, content string }{
		"another nonce":            {testNonce, "probe 9876543210"},
		"shorter":                  {testNonce, testNonce[:len(testNonce)-1]},
		"longer":                   {testNonce, testNonce + "\n"},
		"empty":                    {testNonce, ""},
		"no nonce was agreed upon": {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				m.write(t, m.output, test.content)
				job, order := m.job(), m.order()
				job.Nonce, order.Direct = test.nonce, true
				talk, err := m.backUp(t, job, order)
				assert.Error(t, err, "the order wants the archive in a file that the agent does not see")
				assert.DeepEqual(t, talk.handed, Handed{})
				assert.Equal(t, len(m.moved()), 0, "UCP was stopped for nothing")
				assertHolds(t, m.output, test.content)
				m.assertEmptySpool(t)
			})
		})
	}
}

func TestAnOutputThatCannotBeOpenedIsAnotherFile(t *testing.T) {
	tests := map[string]func(tb testing.TB, path string){
		"absent":   func(testing.TB, string) {},
		"a folder": func(tb testing.TB, path string) { tb.Helper(); assert.NilError(tb, os.Mkdir(path, 0o700)) },
		"a loop":   func(tb testing.TB, path string) { tb.Helper(); assert.NilError(tb, os.Symlink(path, path)) },
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := newMachine(t)
				make(t, m.output)
				job := m.job()
				job.Nonce = testNonce
				talk, err := m.backUp(t, job, m.order())
				assert.NilError(t, err)
				assert.DeepEqual(t, talk.handed, Handed{})
				checkArchive(t, m.archivePath())
			})
		})
	}
}

func TestNoWayOutKeepsTheOutputOpen(t *testing.T) {
	tests := map[string]func(m *machine, talk *talk, order *Order){
		"no order":     func(*machine, *talk, *Order) {},
		"half a order": func(_ *machine, talk *talk, _ *Order) { _, _ = talk.stdin.Write([]byte("{")) },
		"a failure": func(m *machine, talk *talk, order *Order) {
			m.before = failNth(1)
			talk.send(order)
		},
		"into the spool": func(_ *machine, talk *talk, order *Order) {
			order.Direct = false
			talk.send(order)
		},
		"into the file": func(_ *machine, talk *talk, order *Order) { talk.send(order) },
	}
	for name, goOn := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write(t, m.output, testNonce)
			job, order := m.job(), m.order()
			job.Nonce, order.Direct = testNonce, true
			talk := m.start(t)
			talk.send(job)
			assert.Check(t, m.hand(t, testNonce).Direct)
			assert.Check(t, isOpen(t, m.output))
			goOn(m, talk, order)
			err := talk.wait()
			assert.Check(t, !isOpen(t, m.output), "%v", err)
		})
	}
}

func isOpen(tb testing.TB, path string) bool {
	tb.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	assert.NilError(tb, err)
	return slices.ContainsFunc(descriptors, func(descriptor os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", descriptor.Name()))
		return err == nil && target == path
	})
}

func assertHolds(tb testing.TB, path, want string) {
	tb.Helper()
	content, err := os.ReadFile(path)
	assert.NilError(tb, err)
	assert.Equal(tb, string(content), want)
}
