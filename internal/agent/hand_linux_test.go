package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
)

// hand is the task that gives the operator's file to the agent. It begins when that listens: in a bubble a pause would
// never end, because there the clock stands still while somebody waits for a connection.
func (m *machine) hand(tb testing.TB, nonce string) Handed {
	tb.Helper()
	for listening := false; !listening; {
		conn, err := (&net.Dialer{}).DialContext(tb.Context(), "unix", newSpool(m.host.Spool).hand())
		if listening = err == nil; listening {
			assert.NilError(tb, conn.Close())
		}
	}
	handed, err := HandOver(tb.Context(), m.host.Spool, m.output, nonce)
	assert.NilError(tb, err)
	return handed
}

// expect is an agent that waits for a file.
func (m *machine) expect(tb testing.TB, nonce string) (r *runner, end func() *os.File) {
	tb.Helper()
	r = &runner{host: m.host, emitter: &emitter{out: io.Discard}, spool: newSpool(m.host.Spool)}
	assert.NilError(tb, r.spool.prepare())
	return r, r.expectFile(tb.Context(), nonce)
}

// send gives open files and words to an agent, and returns whether it took them.
func (m *machine) send(tb testing.TB, files ...*os.File) (taken bool) {
	tb.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: newSpool(m.host.Spool).hand(), Net: "unix"})
	assert.NilError(tb, err)
	defer func() { assert.Check(tb, conn.Close()) }()
	var descriptors []int
	for _, file := range files {
		descriptors = append(descriptors, int(file.Fd()))
	}
	_, _, err = conn.WriteMsgUnix([]byte{0}, unix.UnixRights(descriptors...), nil)
	assert.NilError(tb, err)
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

func (m *machine) open(tb testing.TB, path string, flags int) *os.File {
	tb.Helper()
	file, err := os.OpenFile(path, flags, 0)
	assert.NilError(tb, err)
	tb.Cleanup(func() { assert.Check(tb, file.Close()) })
	return file
}

func TestTheFileThatIsHandedOverIsTheOneThatTheAgentHolds(t *testing.T) {
	m := newMachine(t)
	m.write(t, m.output, testNonce)
	r, end := m.expect(t, testNonce)
	handed := m.hand(t, testNonce)
	assert.DeepEqual(t, handed, Handed{Direct: true, OneDisk: true})
	assert.NilError(t, os.Rename(m.output, m.output+".elsewhere"), "and nobody has to find it again")
	file := end()
	assert.Assert(t, file != nil)
	defer func() { assert.Check(t, file.Close()) }()
	_, err := file.WriteAt([]byte("archive"), 0)
	assert.NilError(t, err)
	assertHolds(t, m.output+".elsewhere", "archive"+testNonce[len("archive"):])
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0)
	assert.NilError(t, err)
	assert.Check(t, flags&unix.FD_CLOEXEC != 0)
	assert.Check(t, !exists(r.spool.hand()), "the socket is left")
	assert.Check(t, end() == file, "asked again it is the same")
}

func TestAFileOnAnotherDiskTakesNoRoomFromTheSpool(t *testing.T) {
	m := newMachine(t)
	m.output = filepath.Join("/dev/shm", filepath.Base(filepath.Dir(m.output)))
	t.Cleanup(func() { assert.Check(t, os.Remove(m.output)) })
	m.write(t, m.output, testNonce)
	if newSpool(m.host.Volumes).shares(m.open(t, m.output, os.O_RDONLY)) {
		t.Skip("there is one disk alone")
	}
	_, end := m.expect(t, testNonce)
	assert.DeepEqual(t, m.hand(t, testNonce), Handed{Direct: true})
	assert.Check(t, end().Close())
}

func TestWhatIsNotTheOneFileIsNotTakenNorKeptOpen(t *testing.T) {
	tests := map[string]func(m *machine) []*os.File{
		"nothing":      func(*machine) []*os.File { return nil },
		"another file": func(m *machine) []*os.File { return []*os.File{m.open(t, "/dev/null", os.O_RDWR)} },
		"a folder":     func(m *machine) []*os.File { return []*os.File{m.open(t, m.host.Volumes, os.O_RDONLY)} },
		"another nonce": func(m *machine) []*os.File {
			m.write(t, m.output, "probe 9")
			return []*os.File{m.open(t, m.output, os.O_RDWR)}
		},
		"two": func(m *machine) []*os.File { f := m.open(t, m.output, os.O_RDWR); return []*os.File{f, f} },
		"many": func(m *machine) (files []*os.File) {
			f := m.open(t, m.output, os.O_RDWR)
			for range 100 {
				files = append(files, f)
			}
			return files
		},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write(t, m.output, testNonce)
			_, end := m.expect(t, testNonce)
			given := files(m)
			before := countOpen(t)
			assert.Check(t, !m.send(t, given...))
			assert.Equal(t, countOpen(t), before)
			m.write(t, m.output, testNonce)
			assert.Check(t, m.send(t, m.open(t, m.output, os.O_RDWR)), "the right one is taken all the same")
			assert.Check(t, end().Close())
		})
	}
}

func countOpen(tb testing.TB) (n int) {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	assert.NilError(tb, err)
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err == nil && filepath.IsAbs(target) && target != "/proc/self/fd" {
			n++ // neither sockets nor what the runtime polls with
		}
	}
	return n
}

func TestAnAgentThatIsDoneWaitsForNobodyWhoSaysNothing(t *testing.T) {
	m := newMachine(t)
	r, end := m.expect(t, testNonce)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", r.spool.hand())
	assert.NilError(t, err)
	defer func() { assert.Check(t, conn.Close()) }()
	began := time.Now()
	assert.Check(t, end() == nil)
	assert.Check(t, time.Since(began) < handTimeout/2)
	_, err = io.ReadAll(conn)
	assert.Check(t, err == nil || errors.Is(err, unix.ECONNRESET), "it is hung up on: %v", err)
}

func TestTheTaskWaitsForAnAgentThatDoesNotListenYet(t *testing.T) {
	m := newMachine(t)
	m.write(t, m.output, testNonce)
	listening := make(chan func() *os.File, 1)
	time.AfterFunc(2*handPause, func() {
		_, end := m.expect(t, testNonce)
		listening <- end
	})
	handed, err := HandOver(t.Context(), m.host.Spool, m.output, testNonce)
	assert.NilError(t, err)
	assert.Check(t, handed.Direct)
	assert.Check(t, (<-listening)().Close())
}

func TestTheTaskSaysWhyNobodyTookTheFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.output, testNonce)
		began := time.Now()
		_, err := HandOver(t.Context(), m.host.Spool, m.output, testNonce)
		assert.ErrorContains(t, err, "hand the file to the agent: ")
		assert.ErrorIs(t, err, os.ErrNotExist)
		assert.Equal(t, time.Since(began), handPatience)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = HandOver(ctx, m.host.Spool, m.output, testNonce)
		assert.ErrorContains(t, err, "hand the file to the agent: ")

		_, end := m.expect(t, "probe of another run")
		_, err = HandOver(t.Context(), m.host.Spool, m.output, testNonce)
		assert.ErrorContains(t, err, "hand the file to the agent: it was not taken: ")
		assert.Check(t, end() == nil)
	})
}

func TestTheTaskPrintsWhatCameOfIt(t *testing.T) {
	result, err := doTask(TaskHand+" "+testNonce, t.TempDir()) // no file is where a task has it
	assert.NilError(t, err)
	assert.Equal(t, result, `{"direct":false,"one_disk":false}`+"\n")
}

func TestASpoolThatHoldsNoSocketMeansThatTheArchiveIsFetched(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		deep := filepath.Join(m.host.Spool, "a-name-so-long-that-no-socket-has-room-for-it-in-its-address", "and-another-one-of-the-same-kind")
		assert.NilError(t, os.MkdirAll(deep, 0o700))
		m.host.Spool = deep
		talk := m.start(t)
		job := m.job()
		job.Nonce = testNonce
		talk.send(job)
		talk.send(m.order())
		assert.NilError(t, talk.wait())
		assert.Check(t, cmp.Contains(talk.last(Warning).Message, "the archive has to be fetched, as nothing can be handed to the agent: "))
		checkArchive(t, m.archivePath())
	})
}

func TestTheNextLifeNeedsNoFileOfTheOperators(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := newMachine(t)
		m.write(t, m.output, testNonce)
		job, order := m.job(), m.order()
		job.Nonce, order.Direct = testNonce, true
		var left *machine
		m.before = func(call string) error {
			if call == "start c-kv" && left == nil {
				left = m.copied(t)
			}
			return nil
		}
		_, err := m.backUp(t, job, order)
		assert.NilError(t, err)
		assert.NilError(t, os.Remove(m.output))
		talk := left.start(t)
		assert.ErrorContains(t, talk.end(), "UCP runs again")
		left.assertUCPRuns(t)
		left.assertEmptySpool(t)
	})
}
