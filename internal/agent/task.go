package agent

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

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

// CleanTask empties our folder in a spool that no agent uses.
func CleanTask(image, startedBy, spool string) engine.Task {
	return engine.Task{
		Image: image, StartedBy: startedBy, Args: []string{TaskClean}, Spool: spool,
		Capabilities: []string{"DAC_OVERRIDE"}, // the volume may be an operator's own, in which root has no say
	}
}

// runTask does one small task, writes its result to stdout or why there is none to stderr, and returns the exit status.
func runTask(args []string, stdout, stderr io.Writer) int {
	result, err := doTask(args, engine.SpoolPath)
	if err == nil {
		_, err = io.WriteString(stdout, result)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func doTask(args []string, spoolRoot string) (result string, err error) {
	switch {
	case len(args) == 2 && args[0] == TaskPing:
		ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
		defer cancel()
		return "", ping(ctx, args[1])
	case len(args) == 1 && args[0] == TaskShm:
		return line(machineShm().count())
	case len(args) == 1 && args[0] == TaskFix:
		return line(fixMachineShm())
	case len(args) == 1 && args[0] == TaskClean:
		return "", newSpool(spoolRoot).remove()
	default:
		return "", fmt.Errorf("there is no task %q", strings.Join(args, " "))
	}
}

func line(n int, err error) (string, error) { return fmt.Sprintln(n), err }
