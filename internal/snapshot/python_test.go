//go:build linux

package snapshot

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
)

// tarfileScript reads an archive with Python's own module and holds each file
// against SHA256SUMS, which it parses by itself.
const tarfileScript = `
import hashlib, sys, tarfile
tar = tarfile.open(sys.argv[1], errors="surrogateescape")
found, sums = {}, {}
for member in tar:
    if not member.isreg():
        continue
    content = tar.extractfile(member).read()
    if not member.name.endswith("/SHA256SUMS"):
        found[member.name] = hashlib.sha256(content).hexdigest()
        continue
    for line in content.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        escaped, line = line.startswith("\\"), line.removeprefix("\\")
        digest, name = line.split("  ", 1)
        if escaped:
            name = name.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
        sums[name] = digest
for name in sorted(set(found) | set(sums)):
    if found.get(name) != sums.get(name):
        sys.exit("%r: %s is not %s" % (name, found.get(name), sums.get(name)))
print(len(sums), "files")
`

func TestPythonReadsTheSameContents(t *testing.T) {
	needRoot(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	root := t.TempDir()
	tortureTree(t, root)
	totals, err := Survey(t.Context(), Live{Root: root}, "vol")
	assert.NilError(t, err)
	path := filepath.Join(t.TempDir(), "ucp.tar")
	pack(t, Live{Root: root}, totals, path)
	out := run(t, "/", python, "-c", tarfileScript, path)
	assert.Equal(t, out, fmt.Sprintf("%d files\n", checked(t, path).Files))
}
