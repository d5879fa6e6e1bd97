package scenarios

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"gotest.tools/v3/assert"
)

// seen is the archive as the test sees it.
func (p *play) seen() string {
	if p.host != "" {
		return p.host
	}
	return p.archive
}

// files lists what is in the operator's folder; nothing when it is gone.
func (p *play) files(t *testing.T) []string {
	t.Helper()
	dir := filepath.Dir(p.seen())
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil
	}
	return files(t, dir)
}

// isWhole fails the test unless the archive is there, alone, and sound.
func (p *play) isWhole(t *testing.T) {
	t.Helper()
	assert.DeepEqual(t, p.files(t), []string{"ucp.tar"})
	p.sound(t, p.unseal(t, p.seen()), p.keys)
}

// differences says what of the containers and of the node's labels is not as it was. Where the swarm makes its tasks anew
// they are counted. What a backup made is the next one's to remove.
func (p *play) differences(now world) []string {
	var all []string
	for name, status := range p.before.containers {
		if now.containers[name] != status {
			all = append(all, fmt.Sprintf("%s was %s and is %q", name, status, now.containers[name]))
		}
	}
	for name, status := range now.containers {
		if _, found := p.before.containers[name]; !found {
			all = append(all, fmt.Sprintf("%s was not there and is %s", name, status))
		}
	}
	for _, service := range slices.Sorted(maps.Keys(p.before.tasks)) {
		was, is := p.before.tasks[service], now.tasks[service]
		if p.row.replaced {
			was, is = withoutIDs(was), withoutIDs(is)
		}
		if !slices.Equal(was, is) {
			all = append(all, fmt.Sprintf("tasks of %s were %v and are %v", service, was, is))
		}
	}
	if !maps.Equal(now.labels, p.before.labels) {
		all = append(all, fmt.Sprintf("the node's labels were %v and are %v", p.before.labels, now.labels))
	}
	slices.Sort(all)
	return all
}

func withoutIDs(tasks []string) []string {
	short := make([]string, 0, len(tasks))
	for _, task := range tasks {
		status, _, _ := strings.Cut(task, " ")
		short = append(short, status)
	}
	return short
}

// settles fails the test unless all that ran before runs again within the limit, nothing more, and UCP is well, without
// anybody's help.
func (p *play) settles(t *testing.T) {
	t.Helper()
	within(t, settleLimit, "UCP to be as before", func(ctx context.Context) (bool, string) {
		now, err := p.tryLook(ctx)
		if err != nil {
			return false, err.Error()
		}
		if all := p.differences(now); len(all) > 0 {
			return false, strings.Join(all, "; ")
		}
		if err := p.ucp.Healthy(ctx); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	keys := p.stage.keys(t)
	assert.Assert(t, keys.Revision >= p.keys.Revision, "etcd went back from revision %d to %d", p.keys.Revision, keys.Revision)
	for key := range p.keys.Values {
		_, found := keys.Values[key]
		assert.Assert(t, found, "etcd lost key %s", key)
	}
	_, err := p.ucp.Store(t.Context())
	assert.NilError(t, err)
}

// isAsBefore fails the test unless nothing of ours is left.
func (p *play) isAsBefore(t *testing.T) {
	t.Helper()
	p.settles(t)
	now := p.look(t)
	assert.DeepEqual(t, now.ours, p.before.ours)
	assert.DeepEqual(t, now.volumes, p.before.volumes)
	assert.DeepEqual(t, now.images, p.before.images)
}

// again takes a backup where nobody can be asked, and returns how that went.
func (p *play) again(t *testing.T, args ...string) answer {
	t.Helper()
	return run(t, p.through(t, args...)).end(t, runLimit)
}

// backsUp is a next run that takes a new backup.
func backsUp(t *testing.T, p *play) {
	archive := output(t)
	a := p.again(t, "--passphrase-file", p.pass, archive)
	assert.Equal(t, a.code, 0)
	p.sound(t, p.unseal(t, archive), p.keys)
}

// resumes is a next run that brings the archive which the first has left.
func resumes(t *testing.T, p *play) {
	a := p.again(t, "--resume", p.archive)
	assert.Equal(t, a.code, 0)
	p.isWhole(t)
}

// replaces is a next run that finds an archive waiting, is refused, and is told from when on it goes.
func replaces(t *testing.T, p *play) {
	t.Helper()
	archive := output(t)
	a := p.again(t, "--passphrase-file", p.pass, archive)
	assert.Equal(t, a.code, 5)
	mentions(t, a.lastWords(), "archive waits", "docker ucp backup --resume", "take a new one, which loses that archive: docker ucp backup --yes FILE")
	for until := time.Now().Add(4 * time.Minute); a.code == 5 && time.Now().Before(until); time.Sleep(5 * time.Second) {
		a = p.again(t, "--passphrase-file", p.pass, "--yes", archive)
	}
	assert.Equal(t, a.code, 0)
	p.sound(t, p.unseal(t, archive), p.keys)
}

// tidy tells what a failed row leaves, and takes it away so that the next row means something.
func (p *play) tidy(t *testing.T) {
	t.Helper()
	p.plugin.Reset()
	p.agent.Reset()
	if !t.Failed() {
		return
	}
	p.trace(t)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), settleLimit)
	defer cancel()
	if _, err := p.engine.Ping(ctx); err != nil {
		t.Logf("the engine is started anew: %v, %v", p.node.Kill(ctx), p.node.StartEngine(ctx))
	}
	if said, err := p.node.Run(ctx, "docker", "logs", agentName); err == nil {
		for line := range strings.Lines(said) {
			t.Logf("the agent said %.400s", line)
		}
	}
	now, err := p.tryLook(ctx)
	if p.before.containers == nil {
		return // nothing has been touched, and nothing is known
	}
	t.Logf("the world now (%v): %s", err, strings.Join(p.differences(now), "\n"))
	for _, ours := range now.ours { // each may be gone
		name, _, _ := strings.Cut(ours, " ")
		_ = p.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true})
	}
	_ = p.engine.VolumeRemove(ctx, "docker-ucp-spool", true)
	for _, name := range now.images {
		if strings.HasPrefix(name, "docker-ucp/agent:") {
			_, _ = p.engine.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
		}
	}
	_ = p.ucp.PauseAgent(ctx, false)
	for name, status := range p.before.containers {
		if _, id, _ := strings.Cut(name, " "); status == "running" {
			_ = p.engine.ContainerUnpause(ctx, id)
			_ = p.engine.ContainerStart(ctx, id, container.StartOptions{})
		}
	}
	for name := range now.containers {
		_, id, _ := strings.Cut(name, " ")
		_ = p.engine.ContainerUnpause(ctx, id)
		if _, found := p.before.containers[name]; !found {
			_ = p.engine.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
		}
	}
	for _, tasks := range now.tasks {
		for _, task := range tasks {
			_, id, _ := strings.Cut(task, " ")
			_ = p.engine.ContainerUnpause(ctx, id)
		}
	}
}

// trace tells what the agent asked of the engine.
func (p *play) trace(t *testing.T) {
	t.Helper()
	calls, err := p.calls.Calls()
	t.Logf("%d calls of the agent, kept with %v", len(calls), err)
	for _, call := range calls {
		t.Log(call.Trace())
	}
}
