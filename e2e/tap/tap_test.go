package tap

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/poll"
)

const limit = 10 * time.Second

func TestCallsComeThroughOneAfterTheOther(t *testing.T) {
	s, _, client := newTap(t)
	for range 3 {
		status, said, err := do(t.Context(), client, http.MethodGet, "/ping", nil)
		assert.NilError(t, err)
		assert.Equal(t, status, http.StatusOK)
		assert.Equal(t, said, "OK")
	}
	status, said, err := do(t.Context(), client, http.MethodHead, "/sized", nil)
	assert.NilError(t, err)
	assert.Equal(t, status, http.StatusOK)
	assert.Equal(t, said, "")
	assert.DeepEqual(t, s.came(), []string{"/ping", "/ping", "/ping", "/sized"})
}

func TestABodyOfAnyLengthComesThroughWhole(t *testing.T) {
	_, _, client := newTap(t)
	body := make([]byte, 5<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	for _, reader := range []io.Reader{bytes.NewReader(body), io.MultiReader(bytes.NewReader(body))} { // with its length told, and in chunks
		_, said, err := do(t.Context(), client, http.MethodPost, "/echo", reader)
		assert.NilError(t, err)
		assert.Assert(t, said == string(body))
	}
}

func TestALineOfAStreamComesAtOnceAndTheEngineLearnsThatItsReaderLeft(t *testing.T) {
	s, tap, _ := newTap(t)
	conn, reader := dial(t, tap, "GET /lines HTTP/1.1\r\nHost: engine\r\n\r\n")
	awaitLine(t, reader, "first")
	assert.NilError(t, conn.Close())
	awaitCall(t, s, "the reader of lines left")
}

func TestARawConnectionEndsEachWayByItself(t *testing.T) {
	for name, header := range map[string]string{"switched": "Connection: Upgrade\r\nUpgrade: tcp\r\n", "as old clients ask": ""} {
		t.Run(name, func(t *testing.T) {
			_, tap, _ := newTap(t)
			conn, reader := dial(t, tap, "POST /attach HTTP/1.1\r\nHost: engine\r\n"+header+"\r\n")
			awaitLine(t, reader, "\r\n") // the end of the header
			_, err := io.WriteString(conn, "hello\n")
			assert.NilError(t, err)
			awaitLine(t, reader, "hello")
			assert.NilError(t, conn.CloseWrite())
			rest, err := io.ReadAll(reader)
			assert.NilError(t, err)
			assert.Equal(t, string(rest), "heard 6")
		})
	}
}

func TestAnEngineStartedAgainIsFoundAgain(t *testing.T) {
	s, tap, client := newTap(t)
	_, _, err := do(t.Context(), client, http.MethodGet, "/ping", nil)
	assert.NilError(t, err)
	_, idle := dial(t, tap, "")
	s.kill(t)
	_, err = idle.ReadByte()
	assert.ErrorIs(t, err, io.EOF) // an idle connection ends with its engine
	_, _, err = do(t.Context(), client, http.MethodPost, "/ping", strings.NewReader("x"))
	assert.Assert(t, err != nil)
	s.start(t)
	_, said, err := do(t.Context(), client, http.MethodGet, "/ping", nil)
	assert.NilError(t, err)
	assert.Equal(t, said, "OK")
}

func TestACutBreaksWhatIsUnderWayAndWhatIsNew(t *testing.T) {
	_, tap, client := newTap(t)
	_, reader := dial(t, tap, "GET /lines HTTP/1.1\r\nHost: engine\r\n\r\n")
	awaitLine(t, reader, "first")
	tap.Cut()
	_, err := io.Copy(io.Discard, reader)
	assert.NilError(t, err)
	_, _, err = do(t.Context(), client, http.MethodGet, "/ping", nil)
	assert.Assert(t, err != nil)
	tap.Heal()
	_, _, err = do(t.Context(), client, http.MethodGet, "/ping", nil)
	assert.NilError(t, err)
}

func TestAnAnswerIsGivenAsOftenAsAsked(t *testing.T) {
	s, tap, client := newTap(t)
	tap.Answer(Call(http.MethodPost, "/start"), http.StatusInternalServerError, `no "start"`, 2)
	for _, want := range []int{500, 500, 200} {
		status, said, err := do(t.Context(), client, http.MethodPost, "/start", strings.NewReader("body"))
		assert.NilError(t, err)
		assert.Equal(t, status, want)
		if want == 500 {
			assert.Equal(t, said, `{"message":"no \"start\""}`+"\n")
		}
	}
	assert.DeepEqual(t, s.came(), []string{"/start"})
	tap.Answer(Call(http.MethodGet, "/never"), http.StatusInternalServerError, "no", -1)
	for range 5 {
		status, _, err := do(t.Context(), client, http.MethodGet, "/never", nil)
		assert.NilError(t, err)
		assert.Equal(t, status, 500)
	}
	tap.Reset()
	status, _, err := do(t.Context(), client, http.MethodGet, "/never", nil)
	assert.NilError(t, err)
	assert.Equal(t, status, 200)
}

func TestWhatCrossedIsKeptByCallAndDirection(t *testing.T) {
	_, tap, client := newTap(t)
	recording := tap.Record(t.TempDir())
	_, _, err := do(t.Context(), client, http.MethodPost, "/echo", strings.NewReader("a word"))
	assert.NilError(t, err)
	conn, reader := dial(t, tap, "POST /attach HTTP/1.1\r\nHost: engine\r\nUpgrade: tcp\r\n\r\n")
	_, err = io.WriteString(conn, "secret")
	assert.NilError(t, err)
	assert.NilError(t, conn.CloseWrite())
	_, err = io.Copy(io.Discard, reader)
	assert.NilError(t, err)

	calls, err := recording.Calls()
	assert.NilError(t, err)
	i := slices.IndexFunc(calls, func(c *Recorded) bool { return c.Path == "/echo" })
	assert.Assert(t, i >= 0)
	assert.Assert(t, strings.HasSuffix(read(t, calls[i], FromClient), "\r\n\r\na word"))
	assert.Assert(t, strings.HasSuffix(read(t, calls[i], FromEngine), "\r\n\r\na word"))
	i = slices.IndexFunc(calls, func(c *Recorded) bool { return c.Path == "/attach" })
	assert.Assert(t, i >= 0)
	assert.Assert(t, calls[i].Forwarded)
	assert.Assert(t, strings.Contains(calls[i].Trace(), "POST /attach: 101, "), calls[i].Trace())
	assert.Assert(t, strings.HasSuffix(read(t, calls[i], FromClient), "\r\n\r\nsecret"))
	assert.Assert(t, strings.HasSuffix(read(t, calls[i], FromEngine), "\r\n\r\nsecretheard 6"))
}

func read(t *testing.T, call *Recorded, direction Direction) string {
	t.Helper()
	content, err := os.ReadFile(call.File(direction))
	assert.NilError(t, err)
	return string(content)
}

// awaitLine reads up to a line with the word in it.
func awaitLine(t *testing.T, reader *bufio.Reader, word string) {
	t.Helper()
	for {
		line, err := reader.ReadString('\n')
		assert.NilError(t, err)
		if line == word || len(word) > 2 && strings.Contains(line, word) {
			return
		}
	}
}

func awaitCall(t *testing.T, s *server, path string) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		if slices.Contains(s.came(), path) {
			return poll.Success()
		}
		return poll.Continue("%v came", s.came())
	}, poll.WithTimeout(limit), poll.WithDelay(time.Millisecond))
}
