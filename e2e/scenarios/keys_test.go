package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

func backupForRecipients(t *testing.T, s *stage) {
	keys := s.keys(t)
	rsa, curve := makeKey(t, "rsa@example.test", "rsa3072"), makeKey(t, "curve@example.test", "future-default")
	archive := output(t)
	a := s.docker(t, "ucp", "backup", "--recipient", rsa.public, "--recipient", curve.public, archive)
	assert.Equal(t, a.code, 0, a.stderr)
	for _, key := range []keyPair{rsa, curve} {
		s.sound(t, s.unseal(t, archive, "--homedir", key.home), keys)
	}
}

type keyPair struct{ home, public string }

// makeKey makes a key pair with GnuPG and exports its public half.
func makeKey(t *testing.T, name, kind string) keyPair {
	t.Helper()
	home := gnupgHome(t)
	gpg := func(args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "gpg", append([]string{"--homedir", home, "--batch", "--quiet"}, args...)...).Output()
		assert.NilError(t, err)
		return out
	}
	usage := "default"
	if kind == "rsa3072" {
		usage = "encrypt,sign,cert"
	}
	gpg("--passphrase", "", "--quick-generate-key", name, kind, usage, "1d")
	public := filepath.Join(t.TempDir(), "key.asc")
	assert.NilError(t, os.WriteFile(public, gpg("--armor", "--export", name), 0o600))
	return keyPair{home, public}
}
