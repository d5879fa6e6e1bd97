package agent

import (
	"strconv"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

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
// other: it goes into the machine's own mount namespace.
func FixTask(image, startedBy string) engine.Task {
	return engine.Task{
		Image: image, StartedBy: startedBy, Args: []string{TaskFix}, HostPID: true,
		Capabilities: []string{"SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"},
		SecurityOpt:  []string{"apparmor=unconfined"},
	}
}

// CleanTask empties our folder in a spool that no agent uses.
func CleanTask(image, startedBy, spool string) engine.Task {
	return engine.Task{Image: image, StartedBy: startedBy, Args: []string{TaskClean}, Spool: spool}
}
