package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/rogpeppe/go-internal/testscript"
	"gotest.tools/v3/assert"
)

// TestMain makes this test's own binary the plugin, and the agent, when it is started under their names: what the
// scripts run is the program as it is.
func TestMain(m *testing.M) {
	version = "1.2.3-test"
	testscript.Main(m, map[string]func(){"docker-ucp": main, "docker-ucp-agent": main})
}

func TestScripts(t *testing.T) {
	needDocker(t)
	runScripts(t, "testdata/script")
}

func TestScriptsWithoutDocker(t *testing.T) { runScripts(t, "testdata/alone") }

func runScripts(t *testing.T, folder string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: folder,
		Setup: func(env *testscript.Env) error {
			env.Values[testKey{}] = t
			return installPlugin(env)
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "engine": startEngine},
		RequireExplicitExec: true,
	})
}

func needDocker(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("the docker CLI is not installed, and this test runs the plugin through it")
	}
}

// installPlugin gives a script a docker CLI of its own, that knows the plugin and no engine.
func installPlugin(env *testscript.Env) error {
	config, err := pluginConfig(env.WorkDir)
	env.Setenv("DOCKER_CONFIG", config)
	env.Setenv("DOCKER_HOST", "unix://"+filepath.Join(env.WorkDir, "no-engine.sock"))
	return err
}

func pluginConfig(folder string) (string, error) {
	config := filepath.Join(folder, ".docker")
	plugins := filepath.Join(config, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o700); err != nil {
		return "", err
	}
	program, err := exec.LookPath("docker-ucp")
	if err != nil {
		return "", err
	}
	return config, os.Symlink(program, filepath.Join(plugins, "docker-ucp"))
}

// exits runs a command that must end with a status: exits 5 docker ucp backup FILE.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	switch {
	case err == nil && want != 0:
		ts.Fatalf("status 0, want %d", want)
	case errors.As(err, &ended):
		if ended.ExitCode() != want {
			ts.Fatalf("status %d, want %d", ended.ExitCode(), want)
		}
	default:
		ts.Check(err)
	}
}

func TestThePluginTellsItsMetadata(t *testing.T) {
	program, err := exec.LookPath("docker-ucp")
	assert.NilError(t, err)
	told, err := exec.CommandContext(t.Context(), program, "docker-cli-plugin-metadata").Output()
	assert.NilError(t, err)
	var got metadata.Metadata
	assert.NilError(t, json.Unmarshal(told, &got))
	assert.DeepEqual(t, got, metadata.Metadata{
		SchemaVersion: "0.1.0", Vendor: "docker-ucp", Version: "1.2.3-test",
		ShortDescription: "Back up Docker Universal Control Plane, and check its backups", URL: "https://github.com/docker-ucp/docker-ucp",
	})
}
