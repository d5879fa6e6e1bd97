package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"
)

func TestWhatTheTableSaysOfAMountCanBeAskedForAgain(t *testing.T) {
	tests := map[string]struct {
		options string
		flags   uintptr
		data    string
	}{
		"plain":              {"rw", 0, ""},
		"as systemd has it":  {"rw,nosuid,nodev,inode64", unix.MS_NOSUID | unix.MS_NODEV, "inode64"},
		"with SELinux":       {"rw,seclabel,nosuid,nodev,noexec,relatime,size=65536k", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME, "size=65536k"},
		"of several amounts": {"ro,size=1k,nr_inodes=7,mode=1777", unix.MS_RDONLY, "size=1k,nr_inodes=7,mode=1777"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			flags, data := mountFlags(test.options)
			assert.Equal(t, flags, test.flags)
			assert.Equal(t, data, test.data)
		})
	}
}

// asMachine in the environment makes the test's own binary the first process of a machine with its own mounts.
const asMachine = "DOCKER_UCP_TEST_AS_MACHINE"

// taskOnMachine runs the agent's program as a task that sees this machine's processes, and has mounts of its own.
func taskOnMachine(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asAgent+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	output, err := cmd.CombinedOutput()
	assert.NilError(t, err, string(output))
	return string(output)
}

func TestAMachinesPileIsTakenAwayFromOutside(t *testing.T) {
	if os.Getenv(asMachine) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), asMachine+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
		output, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("takes root")
		}
		assert.NilError(t, err, string(output))
		return
	}
	assert.Assert(t, os.Getpid() == 1, "what follows must not reach the machine that this test runs on")
	assert.NilError(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	for range 5 {
		assert.NilError(t, unix.Mount("tmpfs", shmPath, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k,mode=1777"))
	}
	pile, err := machineShm().read()
	assert.NilError(t, err)
	assert.Check(t, len(pile) >= 5)
	top := pile[len(pile)-1]

	assert.Equal(t, taskOnMachine(t, TaskShm), fmt.Sprintln(len(pile)))
	assert.Equal(t, taskOnMachine(t, TaskFix), fmt.Sprintln(len(pile)-1))
	assert.Equal(t, taskOnMachine(t, TaskShm), "1\n")
	assert.Equal(t, taskOnMachine(t, TaskFix), "0\n")

	assert.NilError(t, machineShm().mount(top))
	pile, err = machineShm().read()
	assert.NilError(t, err)
	assert.Equal(t, len(pile), 2)
	assert.Equal(t, pile[1], top, "it has the options that it had")
}

func TestMountsThatCannotBeEnteredAreNamed(t *testing.T) {
	assert.ErrorContains(t, enterMounts("/proc/1/ns/none"), "open /proc/1/ns/none: ")
}
