package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// watchAgent looks at the agent's process until the returned function is called, which returns its peak resident
// memory in bytes.
func (b *bench) watchAgent(ctx context.Context) func() int64 {
	ctx, cancel := context.WithCancel(ctx)
	peak := make(chan int64, 1)
	go func() {
		var most int64
		for ctx.Err() == nil {
			most = max(most, b.agentPeak(ctx))
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		peak <- most
	}()
	return func() int64 { cancel(); return <-peak }
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
	status, err := os.ReadFile(filepath.Join(b.node.Root(), "proc", strconv.Itoa(state.State.Pid), "status"))
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
