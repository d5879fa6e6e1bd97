package scenarios

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// extraName is a container of UCP's that a row adds: nothing depends on it. It has a volume of its own.
const (
	extraName   = "ucp-extra"
	extraVolume = "ucp-extra-data"
)

// containerFaults is what happens to a container of UCP's.
func containerFaults() []row {
	gone := row{fault: "a container removed meanwhile", setUp: addExtra, act: removeExtra, codes: []int{2}, words: []string{extraName}, next: backsUp}
	whole := gone
	whole.file = true
	// The swarm makes another in its place some time later: should that one write to what is being read, there is no archive.
	task := row{
		fault: "a task's container removed meanwhile", act: removeTask, replaced: true, codes: []int{0, 1}, words: []string{"ucp-auth-api"}, next: backsUp,
	}
	return slices.Concat(
		in([]phase{throughout()}, "throughout", row{
			fault: "a container that ignores SIGTERM", setUp: deafExtra, flags: []string{"--stop-timeout", "2s"}, codes: []int{0}, next: backsUp,
		}),
		in([]phase{throughout()}, "throughout", row{
			fault: "a container that does not start twice", setUp: refuseStart(2), codes: []int{0}, next: backsUp,
		}),
		in([]phase{throughout()}, "", row{
			fault: "a container that never starts", setUp: refuseStart(-1), codes: []int{2}, file: true,
			words: []string{"do not run again: " + extraName, "docker start " + extraName}, repair: startExtra, next: backsUp,
		}),
		in([]phase{atRest(), betweenStarts()}, "", row{
			fault: "a container that never starts, and the agent SIGKILL", setUp: refuseStart(-1), act: killAgent, codes: []int{2},
			words: []string{extraName, "docker start " + extraName}, repair: startExtra, next: backsUp,
		}),
		in([]phase{beforeQuiesce()}, "", gone),
		in([]phase{atRest(), whileCapturing(), betweenStarts()}, "at rest", whole),
		in([]phase{beforeQuiesce(), atRest(), whileCapturing()}, "", task),
	)
}

// extra adds the container on a volume made with these options.
func (p *play) extra(t *testing.T, options map[string]string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	_, err := p.engine.VolumeCreate(ctx, volume.CreateOptions{Name: extraVolume, DriverOpts: options})
	assert.NilError(t, err)
	t.Cleanup(func() { _ = p.engine.VolumeRemove(ctx, extraVolume, true) }) // a row may have done so
	labels := map[string]string{layout.LabelInstance: p.ucp.InstanceID, layout.LabelVersion: p.ucp.Version}
	made, err := p.engine.ContainerCreate(ctx,
		&container.Config{Image: "docker/ucp-dsinfo:" + p.ucp.Version, Cmd: []string{"idle"}, Labels: labels},
		&container.HostConfig{Binds: []string{extraVolume + ":/data"}}, nil, nil, extraName)
	assert.NilError(t, err)
	t.Cleanup(func() { _ = p.engine.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) })
	assert.NilError(t, p.engine.ContainerStart(ctx, made.ID, container.StartOptions{}))
	return made.ID
}

func addExtra(t *testing.T, p *play) { p.extra(t, nil) }

// removeExtra takes the container out of what must run again.
func removeExtra(t *testing.T, p *play) {
	assert.NilError(t, p.engine.ContainerRemove(t.Context(), extraName, container.RemoveOptions{Force: true}))
	for name := range p.before.containers {
		if strings.HasPrefix(name, extraName+" ") {
			delete(p.before.containers, name)
		}
	}
}

// deafExtra freezes the process: a signal other than SIGKILL waits.
func deafExtra(t *testing.T, p *play) {
	process, err := os.FindProcess(hostPid(t, p.extra(t, nil)))
	assert.NilError(t, err)
	assert.NilError(t, process.Signal(syscall.SIGSTOP))
}

// refuseStart has the engine refuse the agent to start the container so many times.
func refuseStart(times int) func(t *testing.T, p *play) {
	return func(t *testing.T, p *play) {
		p.agent.Answer(of(p.extra(t, nil), starting), http.StatusInternalServerError, "no such network", times)
	}
}

// startExtra is what the last words say to type. UCP's own reconciler may have been faster.
func startExtra(t *testing.T, p *play) {
	p.agent.Reset()
	assert.Equal(t, p.docker(t, "start", extraName).code, 0)
}

// removeTask removes the container of a task that the backup has paused or is about to.
func removeTask(t *testing.T, p *play) {
	for _, task := range p.before.tasks["ucp-auth-api"] {
		_, id, _ := strings.Cut(task, " ")
		assert.NilError(t, p.engine.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
	}
}

// rivalFaults is a second backup at the same time.
func rivalFaults() []row {
	refused := row{fault: "a second backup", act: secondIsRefused, codes: []int{0}, next: backsUp}
	return slices.Concat(
		in(slices.Concat(resting(), []phase{whileFetching()}), "between two stops", refused),
		in([]phase{makingAgent()}, "making the agent", row{
			fault: "a second backup into the same file", act: sameFileIsRefused, codes: []int{0}, next: backsUp,
		}),
		in([]phase{throughout()}, "", row{
			fault: "a second backup at the same moment", act: startRival, codes: []int{0, 5}, words: []string{"another backup"}, next: oneOfTwo,
		}),
	)
}

// makingAgent is the moment in which the plugin has begun its file and has no agent yet.
func makingAgent() phase {
	return phase{name: "making the agent", hold: func(_ *testing.T, p *play) *hold {
		return p.held(p.plugin.Hold(tap.Call(http.MethodPost, "/containers/create")))
	}}
}

func secondIsRefused(t *testing.T, p *play) {
	second := run(t, p.command(t.Context(), p.local(), "ucp", "backup", "--passphrase-file", p.pass, output(t)))
	a := second.end(t, 30*time.Second)
	assert.Equal(t, a.code, 5)
	mentions(t, a.lastWords(), "another backup is running on this manager since", "started by")
}

func sameFileIsRefused(t *testing.T, p *play) {
	a := p.docker(t, "ucp", "backup", "--passphrase-file", p.pass, p.archive)
	assert.Equal(t, a.code, 5)
	mentions(t, a.lastWords(), p.archive)
}

// startRival starts a second backup at once, past the taps.
func startRival(t *testing.T, p *play) {
	p.rivalArchive = output(t)
	p.rival = run(t, p.command(t.Context(), p.local(), "ucp", "backup", "--passphrase-file", p.pass, "--progress", "plain", p.rivalArchive))
}

// oneOfTwo: of two that start at the same moment one is done and the other refused.
func oneOfTwo(t *testing.T, p *play) {
	first, second := p.running.end(t, runLimit), p.rival.end(t, runLimit)
	codes := []int{first.code, second.code}
	slices.Sort(codes)
	assert.DeepEqual(t, codes, []int{0, 5})
	if second.code == 0 {
		p.archive = p.rivalArchive
	}
	p.isWhole(t)
}
