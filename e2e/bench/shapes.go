package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

// figure is what one run of one shape took.
type figure struct {
	down  time.Duration // UCP at rest
	whole time.Duration
}

// docker runs the docker CLI against the bench's engine.
func (b *bench) docker(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "docker", args...)
	command.Env = append(os.Environ(), "DOCKER_HOST="+b.node.Host())
	return command
}

func run1(command *exec.Cmd) error {
	_, err := timed(context.Background(), command)
	return err
}

// spent is what a run of a program took.
type spent struct {
	wall, cpu time.Duration // cpu with that of its children
	rss       int64         // its peak resident memory, bytes
}

// timed runs a program; its error holds what was said on stderr, unless somebody else takes that.
func timed(ctx context.Context, command *exec.Cmd) (s spent, err error) {
	var stderr bytes.Buffer
	if command.Stderr == nil {
		command.Stderr = &stderr
	}
	from := time.Now()
	if err := command.Start(); err != nil {
		return s, fmt.Errorf("%v: %w", command.Args, err)
	}
	peak := watch(ctx, func(context.Context) int64 { return peakOf(command.Process.Pid) })
	err = command.Wait()
	s = spent{wall: time.Since(from), cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime(), rss: peak()}
	if err != nil {
		return s, fmt.Errorf("%v: %w\n%s", command.Args, err, stderr.String())
	}
	return s, nil
}

// vendor is the shape of the vendor's backup: stop all, tar and gpg in a container whose output is attached to the
// client, start all. Tasks of services are paused, as a stopped one would be replaced.
func (b *bench) vendor(ctx context.Context, volumes []string) (f figure, err error) {
	return b.resting(ctx, func() error {
		file, err := os.Create(b.file("vendor.tar"))
		if err != nil {
			return err
		}
		args := []string{"run", "--rm", "--interactive", "--network", "none", "--log-driver", "none", "--volume", b.passphrase() + ":/passphrase:ro"}
		for _, volume := range volumes {
			args = append(args, "--volume", volume+":/volumes/"+volume+":ro")
		}
		args = append(args, lab.ToolsImage, "sh", "-c",
			"tar --create --directory /volumes . | gpg --homedir /tmp --batch --quiet --pinentry-mode loopback --passphrase-file /passphrase --symmetric --cipher-algo AES256 --compress-algo none")
		tar := b.docker(ctx, args...)
		tar.Stdout = file
		return errors.Join(run1(tar), file.Close())
	})
}

// floor is stopping and starting with nothing in between.
func (b *bench) floor(ctx context.Context) (figure, error) {
	return b.resting(ctx, func() error { return nil })
}

// resting stops UCP's containers, each kind with one command, does the work, and starts them again.
func (b *bench) resting(ctx context.Context, work func() error) (f figure, err error) {
	if err := b.ucp.PauseAgent(ctx, true); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.ucp.PauseAgent(ctx, false)) }()
	plain, tasks, err := b.containers(ctx)
	if err != nil {
		return f, err
	}
	syscall.Sync() // no run pays for what the one before it left to be written
	from := time.Now()
	err = errors.Join(run1(b.docker(ctx, append([]string{"pause"}, tasks...)...)), run1(b.docker(ctx, append([]string{"stop"}, plain...)...)))
	if err == nil {
		err = work()
	}
	err = errors.Join(err, run1(b.docker(ctx, append([]string{"start"}, plain...)...)), run1(b.docker(ctx, append([]string{"unpause"}, tasks...)...)))
	f.down = time.Since(from)
	f.whole = f.down
	return f, errors.Join(err, b.ucp.Healthy(ctx))
}

// containers lists UCP's running containers: plain ones, and those of service tasks.
func (b *bench) containers(ctx context.Context) (plain, tasks []string, err error) {
	states, err := b.ucp.Containers(ctx)
	for _, state := range states {
		switch {
		case state.Status != "running" || state.Labels["com.docker.ucp.InstanceID"] == "":
		case state.Labels["com.docker.swarm.task.id"] != "":
			tasks = append(tasks, state.Name)
		default:
			plain = append(plain, state.Name)
		}
	}
	return plain, tasks, err
}

// ours is docker ucp backup.
type ours struct {
	figure
	capture time.Duration // reading and sealing the volumes
	rss     int64         // the plugin's peak, bytes
}

func (b *bench) backup(ctx context.Context) (o ours, err error) {
	command := exec.CommandContext(ctx, b.plugin, "backup", "--passphrase-file", b.passphrase(), "--yes", "--progress", "json", "--format", "json", b.file("ours.tar"))
	command.Env = append(os.Environ(), "DOCKER_HOST="+b.node.Host())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	syscall.Sync() // as above
	took, err := timed(ctx, command)
	if err != nil {
		return o, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	o.whole, o.rss = took.wall, took.rss
	var result struct {
		Downtime int64 `json:"downtime_ms"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		return o, err
	}
	o.down = time.Duration(result.Downtime) * time.Millisecond
	o.capture, err = captureTime(stderr.String())
	return o, errors.Join(err, b.ucp.Healthy(ctx))
}

// captureTime finds in the plugin's JSON lines how long it took from the last container at rest to the last volume read
// and sealed.
func captureTime(lines string) (time.Duration, error) {
	ended := map[string]time.Time{}
	for line := range strings.Lines(lines) {
		var event struct {
			Time        time.Time
			Type, Phase string
		}
		if json.Unmarshal([]byte(line), &event) == nil && event.Type == "done" {
			ended[event.Phase] = event.Time
		}
	}
	if ended["stop"].IsZero() || ended["capture"].IsZero() {
		return 0, errors.New("the plugin did not say when the capture began and ended")
	}
	return ended["capture"].Sub(ended["stop"]), nil
}
