package seal

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// gnupg is the real program with a home of its own.
type gnupg struct {
	home string
}

// newGPG needs a short path, since the agent's socket lies in it.
func newGPG(tb testing.TB) *gnupg {
	tb.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		tb.Skip("gpg is not installed")
	}
	home, err := os.MkdirTemp("", "g") //nolint:usetesting // TempDir has a long path
	assert.NilError(tb, err)
	tb.Cleanup(func() {
		kill := exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent") //nolint:noctx // the test's context has ended
		assert.Check(tb, kill.Run())
		assert.Check(tb, os.RemoveAll(home))
	})
	return &gnupg{home}
}

// run gives what gpg wrote; its talk goes to the test's log when it fails.
func (g *gnupg) run(tb testing.TB, stdin []byte, args ...string) ([]byte, error) {
	tb.Helper()
	args = append([]string{"--homedir", g.home, "--batch", "--yes", "--quiet", "--no-tty", "--trust-model", "always", "--pinentry-mode", "loopback"}, args...)
	cmd := exec.CommandContext(tb.Context(), "gpg", args...)
	var talk bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &talk
	out, err := cmd.Output()
	if err != nil {
		tb.Logf("gpg %q: %v\n%s", args, err, &talk)
	}
	return out, err
}

func (g *gnupg) must(tb testing.TB, stdin []byte, args ...string) []byte {
	tb.Helper()
	out, err := g.run(tb, stdin, args...)
	assert.NilError(tb, err)
	return out
}

// with imports keys of testdata.
func (g *gnupg) with(tb testing.TB, names ...string) *gnupg {
	tb.Helper()
	for _, name := range names {
		g.must(tb, nil, "--import", filepath.Join("testdata", "keys", name))
	}
	return g
}

// passphraseFile keeps it off the command line.
func passphraseFile(tb testing.TB, passphrase string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "passphrase")
	assert.NilError(tb, os.WriteFile(path, []byte(passphrase), 0o600))
	return path
}
