package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// watch asks for a peak of resident memory until the returned function is called, which returns the most that was said.
// What the kernel says of a child that has ended does not do: it counts the parent's memory at the fork.
func watch(ctx context.Context, peak func(context.Context) int64) func() int64 {
	ctx, cancel := context.WithCancel(ctx)
	most := make(chan int64, 1)
	go func() {
		var seen int64
		for ctx.Err() == nil {
			seen = max(seen, peak(ctx))
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		most <- seen
	}()
	return func() int64 { cancel(); return <-most }
}

// agentPeak is what the kernel says was the most so far; zero while there is no agent.
func (b *bench) agentPeak(ctx context.Context) int64 {
	client, err := b.node.Client()
	if err != nil {
		return 0
	}
	defer client.Close() //nolint:errcheck // nothing was written
	state, err := client.ContainerInspect(ctx, "docker-ucp-agent")
	if err != nil || state.State.Pid == 0 {
		return 0
	}
	return peakIn(filepath.Join(b.node.Root(), "proc", strconv.Itoa(state.State.Pid), "status"))
}

// peakOf is agentPeak of a process of this machine.
func peakOf(pid int) int64 { return peakIn(filepath.Join("/proc", strconv.Itoa(pid), "status")) }

// peakIn reads it from the process's status file; zero where there is none any more.
func peakIn(path string) int64 {
	status, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
