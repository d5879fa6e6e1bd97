package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/standin/layout"
)

// world is what a backup must leave as it found it.
type world struct {
	containers map[string]string   // name and ID → status, of all but the tasks of services
	tasks      map[string][]string // service → status and ID, of those that have not ended: the swarm may keep some that have
	ours       []string            // containers that a backup made
	volumes    []string
	images     []string
	labels     map[string]string // of the swarm's node
}

// labelStartedBy is on every container that a backup makes.
const labelStartedBy = "io.docker-ucp.started-by"

// labelService is the engine's own, on a container that is the task of a service.
const labelService = "com.docker.swarm.service.name"

func (s *stage) look(t *testing.T) world {
	t.Helper()
	w, err := s.tryLook(t.Context())
	assert.NilError(t, err)
	return w
}

func (s *stage) tryLook(ctx context.Context) (world, error) {
	w := world{containers: map[string]string{}, tasks: map[string][]string{}}
	states, err := s.ucp.Containers(ctx)
	if err != nil {
		return w, err
	}
	for _, state := range states {
		service := state.Labels[labelService]
		_, ours := state.Labels[labelStartedBy]
		switch {
		case ours:
			w.ours = append(w.ours, state.Name+" "+state.Status)
		case service == "":
			w.containers[state.Name+" "+state.ID] = state.Status
		case state.Status != "exited" && state.Status != "dead" && state.Status != "created":
			w.tasks[service] = append(w.tasks[service], state.Status+" "+state.ID)
		}
	}
	for _, tasks := range w.tasks {
		slices.Sort(tasks)
	}
	volumes, err := s.engine.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return w, err
	}
	for _, v := range volumes.Volumes {
		w.volumes = append(w.volumes, v.Name)
	}
	slices.Sort(w.volumes)
	images, err := s.engine.ImageList(ctx, image.ListOptions{All: true})
	if err != nil {
		return w, err
	}
	for _, i := range images {
		w.images = append(w.images, i.RepoTags...)
		if len(i.RepoTags) == 0 {
			w.images = append(w.images, i.ID)
		}
	}
	slices.Sort(w.images)
	w.labels, err = s.nodeLabels(ctx)
	return w, err
}

func (s *stage) nodeLabels(ctx context.Context) (map[string]string, error) {
	info, err := s.engine.Info(ctx)
	if err != nil {
		return nil, err
	}
	node, _, err := s.engine.NodeInspectWithRaw(ctx, info.Swarm.NodeID)
	return node.Spec.Labels, err
}

// unchanged fails the test unless the same containers run that ran before, nothing of ours is left, and UCP is well.
func (s *stage) unchanged(t *testing.T, before world) {
	t.Helper()
	after := s.look(t)
	assert.DeepEqual(t, after.containers, before.containers)
	assert.DeepEqual(t, after.tasks, before.tasks)
	assert.DeepEqual(t, after.ours, before.ours)
	assert.DeepEqual(t, after.volumes, before.volumes)
	assert.DeepEqual(t, after.images, before.images)
	assert.DeepEqual(t, after.labels, before.labels)
	assert.NilError(t, s.ucp.Healthy(t.Context()))
}

// unseal opens an archive with GnuPG and unpacks it with tar, as an operator would, and returns the folder.
func (s *stage) unseal(t *testing.T, archive string, gpg ...string) string {
	t.Helper()
	if gpg == nil {
		gpg = []string{"--pinentry-mode", "loopback", "--passphrase-file", s.pass}
	}
	dir := t.TempDir()
	home := gnupgHome(t)
	script := `set -o pipefail; archive=$1; dir=$2; shift 2; gpg --batch --quiet "$@" --decrypt "$archive" |
		tar --extract --preserve-permissions --numeric-owner --xattrs --xattrs-include='*' --directory "$dir"`
	command := exec.CommandContext(t.Context(), "bash", append([]string{"-c", script, "unseal", archive, dir}, gpg...)...)
	command.Env = append(os.Environ(), "GNUPGHOME="+home)
	if slices.Contains(gpg, "--homedir") {
		command.Env = os.Environ()
	}
	out, err := command.CombinedOutput()
	assert.NilError(t, err, string(out))
	return dir
}

func gnupgHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // short: GnuPG's agent has a socket in it
	assert.NilError(t, err)
	assert.NilError(t, os.Chmod(home, 0o700))
	t.Cleanup(func() {
		_ = exec.CommandContext(context.Background(), "gpgconf", "--homedir", home, "--kill", "all").Run() // none may have been started
		assert.NilError(t, os.RemoveAll(home))
	})
	return home
}

// sound fails the test unless the unpacked archive is whole by its own checksums and by the stand-in's checks, and holds
// every key that etcd held before.
func (s *stage) sound(t *testing.T, dir string, before layout.Keys) {
	t.Helper()
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--quiet", "--strict", "docker-ucp/SHA256SUMS")
	sums.Dir = dir
	out, err := sums.CombinedOutput()
	assert.NilError(t, err, string(out))
	keys, err := s.ucp.CheckTree(t.Context(), dir)
	assert.NilError(t, err)
	assert.Assert(t, keys.Revision >= before.Revision, "etcd went back from revision %d to %d", before.Revision, keys.Revision)
	for key := range before.Values {
		_, found := keys.Values[key]
		assert.Assert(t, found, "etcd lost key %s", key)
	}
}

func (s *stage) keys(t *testing.T) layout.Keys {
	t.Helper()
	keys, err := s.ucp.Keys(t.Context())
	assert.NilError(t, err)
	assert.Assert(t, len(keys.Values) > 0)
	return keys
}

// files lists the files of a folder by name.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	assert.NilError(t, err)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func (s *stage) stop(t *testing.T, name string) {
	t.Helper()
	assert.NilError(t, s.engine.ContainerStop(t.Context(), name, container.StopOptions{}))
}

func output(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "ucp.tar")
}

func mentions(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		assert.Assert(t, strings.Contains(text, word), "%q is not in:\n%s", word, text)
	}
}
