package scenarios

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
	"github.com/docker-ucp/docker-ucp/e2e/standin"
	"github.com/docker-ucp/docker-ucp/e2e/tap"
)

// The places in which a secret might show.
const (
	inInspect   = "docker inspect"
	inCmdline   = "command lines of processes"
	inEnviron   = "environments of processes"
	inEngineLog = "the engine's log"
	inLogs      = "containers' logs"
	inEngine    = "the engine's own files"
	inSpool     = "the spool on disk"
	inDebug     = "our debug output"
	inRequests  = "what went to the engine"
	inAnswers   = "what came from the engine"
)

func TestSecretsStayOutOfSight(t *testing.T) {
	for _, version := range []string{lab.Installed, lab.Current} {
		t.Run(version, func(t *testing.T) {
			s := newTapped(t, lab.Options{Version: version}, standin.Options{DataBytes: 16 << 20, Minimal: true})
			s.debugEngine(t)
			s.secretsStayOutOfSight(t)
		})
	}
}

// secretsStayOutOfSight looks everywhere while UCP rests and again while the archive travels, and searches what it saw when
// GnuPG has told the archive's session key. A word that is put into every place first must be found in every place.
func (s *tapped) secretsStayOutOfSight(t *testing.T) {
	t.Helper()
	planted := "planted" + strings.ToLower(hex.EncodeToString([]byte(time.Now().Format("150405.000"))))
	seen := newEvidence(t)
	s.plant(t, planted)
	dir := filepath.Join(t.TempDir(), planted)
	assert.NilError(t, os.Mkdir(dir, 0o700))
	assert.NilError(t, s.node.Hide(t.Context(), dir))
	archive := filepath.Join(dir, "ucp.tar")

	byPlugin, byAgent := s.plugin.Record(t.TempDir()), s.agent.Record(t.TempDir())
	s.callWith(t, planted)
	rest, fetch := s.agent.Hold(tap.After(stopping, listing)), s.plugin.HoldAnswer(fetching, 1<<20)
	variables, flags := s.throughTaps()
	u := run(t, s.command(t.Context(), variables, slices.Concat([]string{"ucp", "backup", "-D", "--passphrase-file", s.pass}, flags, []string{archive})...))
	for _, gate := range []*tap.Gate{rest, fetch} {
		assert.NilError(t, gate.Await(reachLimit))
		if gate == rest { // while a file is copied out of a container, its engine tells nothing about it
			s.ask(t, seen)
		}
		folder := s.spoolFolder(t, "docker-ucp-spool")
		write(t, filepath.Join(folder, "planted"), planted)
		s.collect(t, seen)
		assert.NilError(t, os.Remove(filepath.Join(folder, "planted")))
		gate.Release()
	}
	a := u.end(t, runLimit)
	assert.Equal(t, a.code, 0)
	seen.add(t, inDebug, "standard error", []byte(a.stderr))
	s.ask(t, seen)
	s.collect(t, seen)
	for _, recording := range []*tap.Recording{byPlugin, byAgent} {
		seen.addCalls(t, recording)
	}

	all := []string{inInspect, inCmdline, inEnviron, inEngineLog, inLogs, inEngine, inSpool, inDebug, inRequests, inAnswers}
	slices.Sort(all)
	assert.DeepEqual(t, places(seen.find(t, [][]byte{[]byte(planted)})), all)
	assert.DeepEqual(t, seen.find(t, forms([]byte(passphrase))), []item(nil))
	found := seen.find(t, forms(s.sessionKey(t, archive)))
	assert.Equal(t, len(found), 1, "%v", found)
	assert.Equal(t, found[0].place, inRequests)
	assert.Assert(t, regexp.MustCompile(`POST /v[0-9.]+/containers/[0-9a-f]{64}/attach$`).MatchString(found[0].name), found[0].name)
	s.unseal(t, archive)
}

// debugEngine has the engine log what it can.
func (s *stage) debugEngine(t *testing.T) {
	t.Helper()
	assert.NilError(t, os.WriteFile(filepath.Join(s.node.Dir, "daemon.json"), []byte(`{"debug":true}`), 0o644))
	pid, err := os.ReadFile(filepath.Join(s.node.Root(), "run", "docker.pid"))
	assert.NilError(t, err)
	_, err = s.node.Run(t.Context(), "kill", "-HUP", strings.TrimSpace(string(pid)))
	assert.NilError(t, err)
	within(t, time.Minute, "the engine's debug output", func(ctx context.Context) (bool, string) {
		info, err := s.engine.Info(ctx)
		return err == nil && info.Debug, "it has none"
	})
}

// plant puts a word into a container's configuration, its process, its log and, by a service without an image, into the
// engine's log.
func (s *stage) plant(t *testing.T, word string) {
	t.Helper()
	assert.NilError(t, lab.ImportTools(t.Context(), s.engine))
	made, err := s.engine.ContainerCreate(t.Context(), &container.Config{
		Image: lab.ToolsImage, Cmd: []string{"sh", "-c", "echo " + word + "; while :; do sleep 100; done"}, Env: []string{"PLANTED=" + word},
	}, nil, nil, nil, "decoy")
	assert.NilError(t, err)
	assert.NilError(t, s.engine.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	replicas := uint64(1)
	_, err = s.engine.ServiceCreate(t.Context(), swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: "decoys"},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: word}, RestartPolicy: &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}},
	}, swarm.ServiceCreateOptions{})
	assert.NilError(t, err)
	within(t, time.Minute, "the engine to log the word", func(context.Context) (bool, string) {
		return strings.Contains(s.node.Log(), word), "it does not"
	})
}

// callWith makes a call with the word in it, and in its answer, through each tap.
func (s *tapped) callWith(t *testing.T, word string) {
	t.Helper()
	for _, through := range []*tap.Tap{s.plugin, s.agent} {
		engine, err := client.NewClientWithOpts(client.WithHost(through.Host()), client.WithAPIVersionNegotiation())
		assert.NilError(t, err)
		_, err = engine.ContainerInspect(t.Context(), word)
		assert.ErrorContains(t, err, word)
		assert.NilError(t, engine.Close())
	}
}

// ask collects what the engine tells of its containers.
func (s *tapped) ask(t *testing.T, seen *evidence) {
	t.Helper()
	list, err := s.engine.ContainerList(t.Context(), container.ListOptions{All: true})
	assert.NilError(t, err)
	for _, c := range list {
		_, raw, err := s.engine.ContainerInspectWithRaw(t.Context(), c.ID, true)
		if isNotFound(err) {
			continue
		}
		assert.NilError(t, err)
		seen.add(t, inInspect, c.Names[0], raw)
		seen.add(t, inLogs, c.Names[0], s.logOf(t, c.ID))
	}
}

// collect looks at processes and files. The calls and our own output are complete only at the end.
func (s *tapped) collect(t *testing.T, seen *evidence) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	assert.NilError(t, err)
	for _, process := range processes {
		seen.addFile(t, inCmdline, filepath.Join(process, "cmdline"))
		if !outOfReach(process) {
			seen.addFile(t, inEnviron, filepath.Join(process, "environ"))
		}
	}
	seen.addFile(t, inEngineLog, filepath.Join(s.node.Dir, "engine.log"))
	seen.addTree(t, inEngine, filepath.Join(s.node.Data(), "containers")) // the logs as they lie there too
	seen.addTree(t, inEngine, filepath.Join(s.node.Data(), "image"))
	seen.addTree(t, inEngine, filepath.Join(s.node.Root(), "run", "docker"))
	seen.addTree(t, inSpool, filepath.Join(s.node.Data(), "volumes", "docker-ucp-spool"))
}

func (s *stage) logOf(t *testing.T, id string) []byte {
	t.Helper()
	stream, err := s.engine.ContainerLogs(t.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if isNotFound(err) {
		return nil
	}
	assert.NilError(t, err)
	content, err := io.ReadAll(stream)
	assert.NilError(t, errors.Join(err, stream.Close()))
	return content
}

// addCalls adds both directions of every call.
func (e *evidence) addCalls(t *testing.T, recording *tap.Recording) {
	t.Helper()
	calls, err := recording.Calls()
	assert.NilError(t, err)
	for _, call := range calls {
		for direction, place := range map[tap.Direction]string{tap.FromClient: inRequests, tap.FromEngine: inAnswers} {
			if file := call.File(direction); file != "" {
				e.refer(place, call.String(), file)
			}
		}
	}
}

// sessionKey asks GnuPG for the key that opens the archive.
func (s *stage) sessionKey(t *testing.T, archive string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase-file", s.pass,
		"--show-session-key", "--status-fd", "2", "--output", os.DevNull, "--yes", "--decrypt", archive)
	command.Env = append(os.Environ(), "GNUPGHOME="+gnupgHome(t))
	var said bytes.Buffer
	command.Stderr = &said
	assert.NilError(t, command.Run(), said.String())
	shown := regexp.MustCompile(`SESSION_KEY 9:([0-9A-F]{64})`).FindStringSubmatch(said.String())
	assert.Assert(t, shown != nil, said.String())
	key, err := hex.DecodeString(shown[1])
	assert.NilError(t, err)
	return key
}

// outOfReach tells a process of the host that even root may not look at, such as the first. Those of the node all are in reach,
// and so is the plugin.
func outOfReach(process string) bool {
	_, err := os.ReadFile(filepath.Join(process, "environ"))
	status, _ := os.ReadFile(filepath.Join(process, "status")) // empty for one that is gone
	return errors.Is(err, fs.ErrPermission) && len(strings.Fields(field(string(status), "NSpid:"))) < 2
}

// gone tells the error of reading a process that has ended meanwhile.
func gone(err error) bool {
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL)
}
