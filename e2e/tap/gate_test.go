package tap

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

// call makes a call in the background and returns where its error comes.
func call(ctx context.Context, client *http.Client, method, path string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, _, err := do(ctx, client, method, path, nil)
		done <- err
	}()
	return done
}

func await(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatal("the call did not end")
		return nil
	}
}

func TestTheCallThatIsMeantIsHeldAndOthersAreNot(t *testing.T) {
	s, tap, client := newTap(t)
	gate := tap.Hold(Nth(2, Call(http.MethodPost, "/stop")))
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodPost, "/a/stop")))
	second := call(t.Context(), client, http.MethodPost, "/b/stop")
	assert.NilError(t, gate.Await(limit))
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodPost, "/c/stop")))
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodGet, "/ping")))
	assert.DeepEqual(t, s.came(), []string{"/a/stop", "/c/stop", "/ping"})
	gate.Release()
	assert.NilError(t, await(t, second))
	assert.DeepEqual(t, s.came(), []string{"/a/stop", "/c/stop", "/ping", "/b/stop"})
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodPost, "/d/stop"))) // it holds one
}

func TestADroppedCallNeverReachesTheEngine(t *testing.T) {
	s, tap, client := newTap(t)
	gate := tap.Hold(Call(http.MethodPost, "/stop"))
	done := call(t.Context(), client, http.MethodPost, "/stop")
	assert.NilError(t, gate.Await(limit))
	gate.Drop()
	assert.Assert(t, await(t, done) != nil)
	assert.DeepEqual(t, s.came(), []string{})
}

func TestAClientThatLeavesWhileItsCallIsHeldIsNotForwarded(t *testing.T) {
	s, tap, client := newTap(t)
	gate := tap.Hold(Call(http.MethodPost, "/stop"))
	ctx, leave := context.WithCancel(t.Context())
	done := call(ctx, client, http.MethodPost, "/stop")
	assert.NilError(t, gate.Await(limit))
	leave()
	assert.ErrorIs(t, await(t, done), context.Canceled)
	<-gate.Left()
	gate.Release()
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodGet, "/ping")))
	assert.DeepEqual(t, s.came(), []string{"/ping"})
}

func TestAHeldCallEndsWithTheEngine(t *testing.T) {
	s, tap, client := newTap(t)
	gate := tap.Hold(Call(http.MethodPost, "/stop"))
	done := call(t.Context(), client, http.MethodPost, "/stop")
	assert.NilError(t, gate.Await(limit))
	s.kill(t)
	assert.Assert(t, await(t, done) != nil)
}

func TestAnAnswerIsHeldWhenSoMuchOfItHasGoneBy(t *testing.T) {
	_, tap, client := newTap(t)
	gate := tap.HoldAnswer(Call(http.MethodGet, "/sized"), 100000)
	_, reader := dial(t, tap, "GET /sized HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
	assert.NilError(t, gate.Await(limit))
	_, err := io.CopyN(io.Discard, reader, 100000)
	assert.NilError(t, err)
	gate.Release()
	rest, err := io.Copy(io.Discard, reader)
	assert.NilError(t, err)
	assert.Assert(t, rest > 200000)
	done := call(t.Context(), client, http.MethodGet, "/sized")
	assert.NilError(t, await(t, done))

	gate = tap.HoldAnswer(Call(http.MethodGet, "/sized"), 100000)
	done = call(t.Context(), client, http.MethodGet, "/sized")
	assert.NilError(t, gate.Await(limit))
	gate.Drop()
	assert.Assert(t, await(t, done) != nil)

	gate = tap.HoldAnswer(Call(http.MethodGet, "/sized"), 0)
	ctx, leave := context.WithCancel(t.Context())
	done = call(ctx, client, http.MethodGet, "/sized")
	assert.NilError(t, gate.Await(limit))
	leave()
	assert.ErrorIs(t, await(t, done), context.Canceled)
	<-gate.Left()
}

func TestAfterMatchesOnlyWhatComesBehindItsFirst(t *testing.T) {
	_, tap, client := newTap(t)
	gate := tap.Hold(After(Call(http.MethodPost, "/stop"), Any(Call(http.MethodGet, "/json"), Call(http.MethodGet, "/list"))))
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodGet, "/list")))
	assert.NilError(t, await(t, call(t.Context(), client, http.MethodPost, "/stop")))
	done := call(t.Context(), client, http.MethodGet, "/list")
	assert.NilError(t, gate.Await(limit))
	gate.Release()
	assert.NilError(t, await(t, done))
}

func TestResetLetsGoOfWhatIsHeld(t *testing.T) {
	s, tap, client := newTap(t)
	gate := tap.Hold(Call(http.MethodPost, "/stop"))
	done := call(t.Context(), client, http.MethodPost, "/stop")
	assert.NilError(t, gate.Await(limit))
	tap.Reset()
	assert.NilError(t, await(t, done))
	assert.DeepEqual(t, s.came(), []string{"/stop"})
}
