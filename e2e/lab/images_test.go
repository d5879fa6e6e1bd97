package lab

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

func TestTheToolsImageSealsATarInTheVendorsShape(t *testing.T) {
	node := startLab(t, Options{}).Nodes[0]
	assert.NilError(t, ImportTools(t.Context(), connect(t, node)))
	const gpg = "gpg --batch --quiet --pinentry-mode loopback --passphrase-file "
	seal := exec.CommandContext(t.Context(), "docker", "--host", node.Host(),
		"run", "--rm", "--interactive", "--log-driver", "none", ToolsImage,
		"sh", "-c", "cat >/root/passphrase; tar -c -C / etc | "+gpg+"/root/passphrase --symmetric")
	seal.Stdin = strings.NewReader("a passphrase of a test")
	var sealed, said bytes.Buffer
	seal.Stdout, seal.Stderr = &sealed, &said
	assert.NilError(t, seal.Run(), "%s", &said)

	home := t.TempDir()
	t.Cleanup(func() { assert.NilError(t, run(context.Background(), "gpgconf", "--homedir", home, "--kill", "all")) })
	unseal := exec.CommandContext(t.Context(), "gpg", "--homedir", home, "--batch", "--quiet",
		"--pinentry-mode", "loopback", "--passphrase", "a passphrase of a test", "--decrypt")
	unseal.Stdin = &sealed
	opened, err := unseal.Output()
	assert.NilError(t, err)
	assert.Assert(t, bytes.Contains(opened, []byte("root:x:0:0")))
}
