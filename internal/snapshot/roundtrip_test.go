//go:build linux

package snapshot

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

// pack writes an archive of the volume "vol" to a file.
func pack(t *testing.T, source Source, totals Totals, path string) {
	t.Helper()
	out, err := os.Create(path)
	assert.NilError(t, err)
	w, err := archive.NewWriter(out, t.TempDir())
	assert.NilError(t, err)
	assert.NilError(t, w.WriteManifest(&archive.Manifest{Volumes: []archive.Volume{{
		Name: "vol", Entries: totals.Entries, Bytes: totals.Bytes, Sockets: totals.Sockets,
	}}}))
	assert.NilError(t, source.Walk(t.Context(), "vol", w.WriteEntry))
	assert.NilError(t, w.WriteReport(&archive.Report{}))
	assert.NilError(t, w.Close())
	assert.NilError(t, out.Close())
}

func checked(t *testing.T, path string) *archive.Summary {
	t.Helper()
	in, err := os.Open(path)
	assert.NilError(t, err)
	s, err := archive.Check(in, nil)
	assert.NilError(t, err)
	assert.NilError(t, s.Err())
	assert.Assert(t, s.HeadersProven)
	assert.NilError(t, in.Close())
	return s
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	assert.NilError(t, err, "%s %q: %.4000s", name, args, out)
	return string(out)
}

// compareTrees holds what was extracted against the volume, file by file, but
// for those that the tool is known to get wrong.
func compareTrees(t *testing.T, want, got string, without ...string) {
	t.Helper()
	t.Chdir(want)
	wanted := describe(t)
	t.Chdir(got)
	found := describe(t)
	for _, path := range slices.Sorted(maps.Keys(wanted)) {
		if wanted[path] != found[path] && !slices.Contains(without, path) {
			t.Errorf("%.80q:\nwant %.600s\ngot  %.600s", path, wanted[path], found[path])
		}
		delete(found, path)
	}
	for path := range found {
		t.Errorf("%q was not in the volume", path)
	}
}

// sources are the ways to read a volume that must come to the same archive.
func sources(t *testing.T, root, volume string) map[string]Source {
	t.Helper()
	cloned, err := Clone(t.Context(), Live{Root: root}, []string{volume}, filepath.Join(root, "clone"), nil)
	assert.NilError(t, err)
	t.Cleanup(func() { assert.NilError(t, cloned.Remove()) })
	return map[string]Source{"live": Live{Root: root}, "cloned": cloned}
}

func TestGNUTarRestoresEveryKindAndAttribute(t *testing.T) {
	needRoot(t)
	for name, root := range fileSystems(t) {
		t.Run(name, func(t *testing.T) {
			tortureTree(t, root)
			totals, err := Survey(t.Context(), Live{Root: root}, "vol")
			assert.NilError(t, err)
			assert.Equal(t, totals.Sockets, int64(1))
			for kind, source := range sources(t, root, "vol") {
				t.Run(kind, func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "ucp.tar")
					pack(t, source, totals, path)
					checked(t, path)
					out := extractDir(t, root)
					run(t, out, "tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-x", "-p", "-f", path)
					run(t, out, "sha256sum", "--check", "--quiet", "docker-ucp/SHA256SUMS")
					compareTrees(t, filepath.Join(root, "vol"), filepath.Join(out, "vol"))
				})
			}
		})
	}
}

// extractDir is a folder on the same file system, so that attributes and holes
// can come out as they were.
func extractDir(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(root, "extracted")
	assert.NilError(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { assert.NilError(t, os.RemoveAll(dir)) })
	return dir
}

func TestBsdtarRestoresTheSameTree(t *testing.T) {
	needRoot(t)
	bsdtar, err := exec.LookPath("bsdtar")
	if err != nil {
		t.Skip("needs bsdtar (libarchive-tools)")
	}
	root := t.TempDir()
	tortureTree(t, root)
	totals, err := Survey(t.Context(), Live{Root: root}, "vol")
	assert.NilError(t, err)
	path := filepath.Join(t.TempDir(), "ucp.tar")
	pack(t, Live{Root: root}, totals, path)
	out := extractDir(t, root)
	// It takes ACLs in a form of its own only, does not decode names of
	// attributes, and mistakes fractions of a second before 1970.
	without := []string{"acl folder", "attributes", "a/b", "before 1970", "long before"}
	run(t, out, bsdtar, "--numeric-owner", "-x", "-p", "-f", path)
	run(t, out, "sha256sum", "--check", "--quiet", "docker-ucp/SHA256SUMS")
	compareTrees(t, filepath.Join(root, "vol"), filepath.Join(out, "vol"), without...)
}
