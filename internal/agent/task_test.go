package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"gotest.tools/v3/assert"
	"gotest.tools/v3/assert/cmp"

	"github.com/docker-ucp/docker-ucp/internal/engine"
)

func TestEachTaskAsksForWhatItNeedsAndNoMore(t *testing.T) {
	const image, by = "docker-ucp/agent:1", "ann@manager1"
	tests := map[string]struct{ task, want engine.Task }{
		"ping":  {PingTask(image, by, "c1", 8080), engine.Task{Image: image, StartedBy: by, Args: []string{"ping", "8080"}, Network: "c1"}},
		"shm":   {ShmTask(image, by), engine.Task{Image: image, StartedBy: by, Args: []string{"shm"}, HostPID: true}},
		"clean": {CleanTask(image, by, "spool", false), engine.Task{Image: image, StartedBy: by, Args: []string{"clean"}, Spool: "spool", Capabilities: []string{"DAC_OVERRIDE"}}},
		"clean what is settled": {CleanTask(image, by, "spool", true), engine.Task{
			Image: image, StartedBy: by, Args: []string{"clean", "settled"}, Spool: "spool", Capabilities: []string{"DAC_OVERRIDE"},
		}},
		"hand": {HandTask(image, by, "spool", "/backup/ucp.tar.part", 0, "n1"), engine.Task{
			Image: image, StartedBy: by, Args: []string{"hand", "n1"}, Spool: "spool", Output: "/backup/ucp.tar.part",
		}},
		"hand somebody's": {HandTask(image, by, "spool", "/backup/ucp.tar.part", 1000, "n1"), engine.Task{
			Image: image, StartedBy: by, Args: []string{"hand", "n1"}, Spool: "spool", Output: "/backup/ucp.tar.part", Capabilities: []string{"DAC_OVERRIDE"},
		}},
		"fix": {FixTask(image, by), engine.Task{
			Image: image, StartedBy: by, Args: []string{"fix"}, HostPID: true,
			Capabilities: []string{"SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"}, SecurityOpt: []string{"apparmor=unconfined"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.DeepEqual(t, test.task, test.want) })
	}
}

func TestWhatIsNoTaskIsRefused(t *testing.T) {
	for _, args := range [][]string{{}, {"backup"}, {"ping"}, {"shm", "all"}, {"fix", "-f"}, {"clean", "/"}, {"hand"}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, runTask(args, &stdout, &stderr), 1)
		assert.Check(t, cmp.Contains(stderr.String(), "there is no task \""))
		assert.Equal(t, stdout.String(), "")
	}
}

func TestCleaningTakesOurFolderAlone(t *testing.T) {
	root := t.TempDir()
	assert.NilError(t, os.MkdirAll(filepath.Join(root, spoolFolder, "clones", "1"), 0o700))
	for _, name := range []string{ReceiptInSpool, ArchiveInSpool, "others"} {
		assert.NilError(t, os.WriteFile(filepath.Join(root, name), []byte("x"), 0o600))
	}
	for range 2 { // the second time nothing is there any more
		result, err := doTask(TaskClean, root)
		assert.NilError(t, err)
		assert.Equal(t, result, "")
		entries, err := os.ReadDir(root)
		assert.NilError(t, err)
		assert.Check(t, cmp.Len(entries, 1))
		assert.Equal(t, entries[0].Name(), "others")
	}
}

func TestCleaningSparesAJournalThatIsNotSettled(t *testing.T) {
	for _, name := range []string{JournalInSpool, OrphanInSpool} {
		root := t.TempDir()
		assert.NilError(t, os.Mkdir(filepath.Join(root, spoolFolder), 0o700))
		assert.NilError(t, os.WriteFile(filepath.Join(root, name), []byte("{}"), 0o600))
		_, err := doTask(TaskClean, root)
		assert.Error(t, err, "the spool holds the journal of a backup that has something to put right")
		assert.Check(t, exists(filepath.Join(root, name)))
		_, err = doTask(TaskClean+" "+cleanSettled, root)
		assert.NilError(t, err)
		assert.Check(t, !exists(filepath.Join(root, name)))
	}
}
