package agent

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"
	"gotest.tools/v3/poll"
)

// asAgent in the environment makes the test's own binary the agent's program. It is sent no whole job, so it never asks
// an engine.
const asAgent = "DOCKER_UCP_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// program is the agent's program with a standard input like a container's: a pipe.
func program(t *testing.T, stdout io.Writer) (cmd *exec.Cmd, stdin *os.File) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asAgent+"=1")
	cmd.Stdout = stdout
	reader, stdin, err := os.Pipe()
	assert.NilError(t, err)
	cmd.Stdin = reader
	assert.NilError(t, cmd.Start())
	assert.NilError(t, reader.Close())
	t.Cleanup(func() { assert.Check(t, stdin.Close()) })
	return cmd, stdin
}

// assertRead waits until the program has read what was written, and so waits for more.
func assertRead(t *testing.T, stdin *os.File) {
	t.Helper()
	poll.WaitOn(t, func(poll.LogT) poll.Result {
		left, err := unix.IoctlGetInt(int(stdin.Fd()), unix.TIOCINQ)
		switch {
		case err != nil:
			return poll.Error(err)
		case left > 0:
			return poll.Continue("%d bytes are not read", left)
		}
		return poll.Success()
	}, poll.WithDelay(5*time.Millisecond))
}

func TestASignalReachesAnAgentThatWaitsForItsJob(t *testing.T) {
	var stdout bytes.Buffer
	cmd, stdin := program(t, &stdout)
	_, err := io.WriteString(stdin, "{")
	assert.NilError(t, err)
	assertRead(t, stdin)
	assert.NilError(t, cmd.Process.Signal(syscall.SIGTERM))
	deaf := time.AfterFunc(10*time.Second, func() { assert.Check(t, cmd.Process.Kill()) })
	defer deaf.Stop()
	assert.NilError(t, cmd.Wait(), "nothing rests, so the engine is not to start it again")
	assert.Check(t, cmp.Contains(stdout.String(), `"message":"read the job: terminated signal received"`))
}

func TestALogThatNobodyTakesDoesNotKillTheAgent(t *testing.T) {
	reader, writer, err := os.Pipe()
	assert.NilError(t, err)
	assert.NilError(t, reader.Close())
	cmd, stdin := program(t, writer)
	assert.NilError(t, writer.Close())
	_, err = io.WriteString(stdin, "no job\n")
	assert.NilError(t, err)
	assert.NilError(t, cmd.Wait())
}
