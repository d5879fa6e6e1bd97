package scenarios

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/creack/pty"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/e2e/lab"
)

// refusals are told, with what to type next, before anything is touched.
func refusals(t *testing.T, s *stage) {
	states, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	short := write(t, filepath.Join(t.TempDir(), "short"), "secret\n")
	readOnly := t.TempDir()
	for _, c := range []struct {
		name      string
		variables []string
		args      []string
		code      int
		words     []string
	}{
		{"another instance", nil, []string{"--id", "abcdefghijklmnopqrstuvwxy"}, 5, []string{"not abcdefghijklmnopqrstuvwxy", "--id " + s.ucp.InstanceID}},
		{"an engine that is not there", []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}, nil, 5, []string{"reach the engine", "docker context ls"}},
		{"an engine that is too old", []string{"DOCKER_HOST=" + s.node.Host(), "DOCKER_API_VERSION=1.29"}, nil, 5, []string{"1.29", "1.30"}},
		{"UCP's own controller", s.throughController(t), nil, 5, []string{"UCP's own controller"}},
		{"a folder that is not there", nil, []string{filepath.Join(readOnly, "none", "ucp.tar")}, 5, []string{"does not exist", "mkdir -p"}},
		{"a folder that is a read-only file system", nil, []string{"/proc/ucp.tar"}, 5, []string{"/proc"}},
		{"a short passphrase", nil, []string{"--passphrase-file", short}, 5, []string{"6 characters", "at least 12"}},
		{"a passphrase file that is not there", nil, []string{"--passphrase-file", "/nowhere/pass"}, 5, []string{"/nowhere/pass", "no such file"}},
		{"a recipient that is no key", nil, []string{"--recipient", short}, 5, []string{"gpg --export"}},
		{"a volume that UCP does not have", nil, []string{"--exclude-volume", "nonesuch"}, 5, []string{"nonesuch", "ucp-kv"}},
		{"a clone where there is none", nil, []string{"--clone", "always"}, 5, []string{"--clone auto"}},
		{"another engine's socket", nil, []string{"--engine-socket", "/nowhere/docker.sock"}, 5, []string{"--engine-socket PATH"}},
		{"two keys that exclude each other", nil, []string{"--no-passphrase", "--recipient", short}, 125, []string{"--no-passphrase"}},
		{"a flag that is none", nil, []string{"--nonesuch"}, 125, []string{"--nonesuch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			archive := output(t)
			variables, args := c.variables, []string{"ucp", "backup", "--passphrase-file", s.pass}
			if variables == nil {
				variables = s.local()
			}
			if c.code == 125 {
				args = args[:2]
			}
			args = append(args, c.args...)
			if len(c.args) != 1 {
				args = append(args, archive)
			}
			a := s.dockerWith(t, variables, args...)
			assert.Equal(t, a.code, c.code, a.stderr)
			mentions(t, a.stderr, c.words...)
			assert.DeepEqual(t, files(t, filepath.Dir(archive)), []string{})
		})
	}
	t.Run("a terminal as output", func(t *testing.T) { refuseTerminal(t, s) })
	after, err := s.ucp.Containers(t.Context())
	assert.NilError(t, err)
	assert.DeepEqual(t, after, states)
}

func (s *stage) throughController(t *testing.T) []string {
	t.Helper()
	return []string{"DOCKER_HOST=tcp://" + s.ucp.Address + ":443", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + s.ucp.BundleDir}
}

func refuseTerminal(t *testing.T, s *stage) {
	master, terminal, err := pty.Open()
	assert.NilError(t, err)
	defer func() { assert.NilError(t, master.Close()) }()
	defer func() { assert.NilError(t, terminal.Close()) }()
	command := s.command(t.Context(), s.local(), "ucp", "backup", "--passphrase-file", s.pass)
	errors, err := os.CreateTemp(t.TempDir(), "stderr")
	assert.NilError(t, err)
	command.Stdout, command.Stderr = terminal, errors
	assert.ErrorContains(t, command.Run(), "exit status 5")
	said, err := os.ReadFile(errors.Name())
	assert.NilError(t, err)
	mentions(t, string(said), "it is a terminal", "name a file")
}

func TestAnEngineWithoutUCPIsRefused(t *testing.T) {
	s := newEngine(t, lab.Options{Nodes: 2})
	outside := s.docker(t, "ucp", "backup", "--passphrase-file", s.pass, output(t))
	assert.Equal(t, outside.code, 5, outside.stderr)
	mentions(t, outside.stderr, "is in no swarm")

	assert.NilError(t, s.lab.FormSwarm(t.Context(), 1))
	empty := s.docker(t, "ucp", "backup", "--passphrase-file", s.pass, output(t))
	assert.Equal(t, empty.code, 5, empty.stderr)
	mentions(t, empty.stderr, "no UCP on this engine")

	worker := s.dockerWith(t, []string{"DOCKER_HOST=" + s.lab.Nodes[1].Host()}, "ucp", "backup", "--passphrase-file", s.pass, output(t))
	assert.Equal(t, worker.code, 5, worker.stderr)
	mentions(t, worker.stderr, "is a worker", s.node.Address)
}
