//go:build linux

package snapshot

import (
	"archive/tar"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"gotest.tools/v3/assert"

	"github.com/docker-ucp/docker-ucp/internal/archive"
)

func entryOf(name string, size int64) archive.Entry {
	return archive.Entry{Name: name, Type: tar.TypeReg, Size: size}
}

func discard(_ *archive.Entry, content io.Reader) error {
	if content == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, content)
	return err
}

func TestClonableIsWhatSharesBlocks(t *testing.T) {
	large := map[string]string{"small": "x", "z/large": strings.Repeat("x", 100_000)}
	for _, kind := range []string{"xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			root := loopMount(t, kind)
			if root == "" {
				t.Skip("needs root, mkfs." + kind + " and a loop device")
			}
			fill(t, root, large)
			assert.NilError(t, Clonable(root, "vol", root))
			assertNoProbe(t, root)
			err := Clonable(root, "vol", t.TempDir())
			assert.ErrorIs(t, err, unix.EXDEV)
			assert.ErrorContains(t, err, "vol/z/large")
			assert.ErrorContains(t, err, "another file system or mount")
		})
	}
	t.Run("tmpfs", func(t *testing.T) {
		root, err := os.MkdirTemp("/dev/shm", "docker-ucp-test-") //nolint:usetesting // it has to be a tmpfs
		if err != nil {
			t.Skip("needs /dev/shm")
		}
		defer func() { assert.NilError(t, os.RemoveAll(root)) }()
		fill(t, root, large)
		err = Clonable(root, "vol", root)
		assert.ErrorContains(t, err, "cannot share blocks")
		assertNoProbe(t, root)
	})
	t.Run("nothing to try", func(t *testing.T) {
		assert.NilError(t, Clonable(volume(t, map[string]string{"d/small": "x"}), "vol", t.TempDir()))
	})
	t.Run("no volume", func(t *testing.T) {
		assert.ErrorIs(t, Clonable(t.TempDir(), "vol", t.TempDir()), unix.ENOENT)
	})
	t.Run("no folder", func(t *testing.T) {
		root := volume(t, large)
		assert.ErrorIs(t, Clonable(root, "vol", root+"/missing"), os.ErrNotExist)
	})
}

func assertNoProbe(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(dir + "/.probe*")
	assert.NilError(t, err)
	assert.Equal(t, len(left), 0)
}

// TestReadingNeedsOneCapability runs a test of this package again, as root with
// CAP_DAC_READ_SEARCH alone, and then with nothing.
func TestReadingNeedsOneCapability(t *testing.T) {
	needRoot(t)
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv (util-linux)")
	}
	root := reflinkRoot(t)
	tortureTree(t, root)
	spool := filepath.Join(root, "spool")
	assert.NilError(t, os.Mkdir(spool, 0o700))
	for kept, want := range map[string]string{"-all,+dac_read_search": "read to its end", "-all": "permission denied"} {
		cmd := exec.CommandContext(t.Context(), setpriv, "--bounding-set="+kept, "--inh-caps=-all",
			os.Args[0], "-test.run=^TestHelperReadsAVolume$", "-test.v")
		cmd.Env = append(os.Environ(), "SNAPSHOT_ROOT="+root)
		out, err := cmd.CombinedOutput()
		assert.Equal(t, err == nil, want == "read to its end", "%s", out)
		assert.Assert(t, strings.Contains(string(out), want), "%s", out)
		assertOnly(t, spool)
	}
}

// TestHelperReadsAVolume is what TestReadingNeedsOneCapability runs.
func TestHelperReadsAVolume(t *testing.T) {
	root := os.Getenv("SNAPSHOT_ROOT")
	if root == "" {
		t.Skip("is run by TestReadingNeedsOneCapability only")
	}
	live := Live{Root: root}
	assert.NilError(t, Clonable(root, "vol", root+"/spool"))
	assert.NilError(t, Flush(t.Context(), live, []string{"vol"}))
	totals, err := Survey(t.Context(), live, "vol")
	assert.NilError(t, err)
	c, err := Clone(t.Context(), live, []string{"vol"}, root+"/spool/clone", nil)
	assert.NilError(t, err)
	for _, source := range []Source{live, c} {
		path := filepath.Join(t.TempDir(), "ucp.tar")
		pack(t, source, totals, path)
		checked(t, path)
	}
	assert.NilError(t, c.Remove())
	t.Log("read to its end")
}

func TestFlushGoesThroughTheVolumes(t *testing.T) {
	root := volume(t, map[string]string{"large": strings.Repeat("x", 1<<20), "small": "x"})
	assert.NilError(t, Flush(t.Context(), Live{Root: root}, []string{"vol"}))
	assert.ErrorIs(t, Flush(t.Context(), Live{Root: root}, []string{"vol", "missing"}), unix.ENOENT)
}
