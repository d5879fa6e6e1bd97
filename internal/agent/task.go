package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

// cleanSettled tells TaskClean that a journal is settled.
const cleanSettled = "settled"

// pingTimeout bounds the whole of one answer.
const pingTimeout = 5 * time.Second

// PingTask asks /_ping on a port inside a container's network. It fails with what came instead when the answer is not
// 200 OK.
func PingTask(image, startedBy, containerID string, port int) engine.Task {
	return engine.Task{
		Image: image, StartedBy: startedBy, Args: []string{TaskPing, strconv.Itoa(port)},
		Network: containerID,
	}
}

// ShmTask prints how many file systems are mounted on the machine's /dev/shm. It changes nothing.
func ShmTask(image, startedBy string) engine.Task {
	return engine.Task{Image: image, StartedBy: startedBy, Args: []string{TaskShm}, HostPID: true}
}

// FixTask takes all file systems but one off the machine's /dev/shm, and prints how many it took. It needs more than any
// other task, as it goes into the mount namespace of the machine's first process: SYS_PTRACE to find it, which AppArmor
// denies to a container, SYS_ADMIN and SYS_CHROOT to enter.
func FixTask(image, startedBy string) engine.Task {
	return engine.Task{
		Image: image, StartedBy: startedBy, Args: []string{TaskFix}, HostPID: true,
		Capabilities: []string{"SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"},
		SecurityOpt:  []string{"apparmor=unconfined"},
	}
}

// CleanTask empties our folder in a spool that no agent uses. It refuses to while a journal is in it, unless it is told that
// all is put right that the journal names.
func CleanTask(image, startedBy, spool string, settled bool) engine.Task {
	args := []string{TaskClean}
	if settled {
		args = append(args, cleanSettled)
	}
	return engine.Task{
		Image: image, StartedBy: startedBy, Args: args, Spool: spool,
		Capabilities: []string{"DAC_OVERRIDE"}, // the volume may be an operator's own, in which root has no say
	}
}

// runTask does one small task, writes its result to stdout or why there is none to stderr, and returns the exit status.
func runTask(args []string, stdout, stderr io.Writer) int {
	result, err := doTask(strings.Join(args, " "), engine.SpoolPath)
	if err == nil {
		_, err = io.WriteString(stdout, result)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err) // the status says it too
		return 1
	}
	return 0
}

func doTask(asked, spoolRoot string) (result string, err error) {
	port, isPing := strings.CutPrefix(asked, TaskPing+" ")
	nonce, isHand := strings.CutPrefix(asked, TaskHand+" ")
	switch {
	case isHand:
		return jsonLine(HandOver(context.Background(), spoolRoot, engine.OutputPath, nonce))
	case isPing:
		ctx, cancel := context.WithTimeoutCause(context.Background(), pingTimeout, fmt.Errorf("no answer within %s", pingTimeout))
		defer cancel()
		return "", ping(ctx, port)
	case asked == TaskShm:
		return line(machineShm().count())
	case asked == TaskFix:
		return line(fixMachineShm())
	case asked == TaskClean && newSpool(spoolRoot).unsettled():
		return "", errors.New("the spool holds the journal of a backup that has something to put right")
	case asked == TaskClean, asked == TaskClean+" "+cleanSettled:
		return "", newSpool(spoolRoot).remove()
	default:
		return "", fmt.Errorf("there is no task %q", asked)
	}
}

func line(n int, err error) (string, error) { return fmt.Sprintln(n), err }
