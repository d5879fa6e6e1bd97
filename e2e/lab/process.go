package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process names a process for good: a number alone may belong to another one tomorrow.
type process struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks between boot and its start, from /proc
	Boot  string `json:"boot"`  // which boot that was
}

// identify looks up the running process pid.
func identify(pid int) (process, error) {
	start, _, err := readStat(pid)
	if err != nil {
		return process{}, err
	}
	boot, err := bootID()
	if err != nil {
		return process{}, err
	}
	return process{Pid: pid, Start: start, Boot: boot}, nil
}

// alive tells whether p still runs. A zombie does not: all that it had is gone.
func (p process) alive() bool {
	state := p.state()
	return state != "" && state != "Z" && state != "X"
}

// state returns the letter that ps shows, or nothing when p is no more.
func (p process) state() string {
	if p.Pid == 0 {
		return ""
	}
	start, state, err := readStat(p.Pid)
	if err != nil || start != p.Start {
		return ""
	}
	if boot, err := bootID(); err != nil || boot != p.Boot {
		return ""
	}
	return state
}

// end kills p and waits until nothing is left of it. A process that is gone already is no error. What release does,
// between the signal and the wait, lets the processes below p end.
func (p process) end(release func() error) error {
	if p.state() == "" {
		return nil
	}
	handle, err := os.FindProcess(p.Pid) // holds a pidfd, so what is true of it below stays true
	if err != nil {
		return err
	}
	if p.state() == "" {
		return handle.Release()
	}
	if err := handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end process %d: %w", p.Pid, err)
	}
	if err := release(); err != nil {
		return fmt.Errorf("end process %d: %w", p.Pid, err)
	}
	// A child of ours must be reaped. When it is somebody else's, Wait says so at once.
	if _, err := handle.Wait(); err != nil && !errors.Is(err, syscall.ECHILD) && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("wait for process %d: %w", p.Pid, err)
	}
	return p.awaitGone(30 * time.Second)
}

// awaitGone polls, since only a parent is told of a death.
func (p process) awaitGone(limit time.Duration) error {
	for deadline := time.Now().Add(limit); p.alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d did not end within %s", p.Pid, limit)
		}
	}
	return nil
}

// readStat returns the start time and the state letter of a process.
func readStat(pid int) (uint64, string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", err
	}
	// The second field is the program's name in brackets and may hold anything: count from its end.
	_, rest, found := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return 0, "", fmt.Errorf("process %d: unreadable /proc entry", pid)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0], err
}

func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(raw)), err
}
