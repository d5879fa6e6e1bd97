package scenarios

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/volume"
	"gotest.tools/v3/assert"
)

// diskFaults is what happens to disks, folders and volumes.
func diskFaults() []row {
	full := row{fault: "spool disk full", setUp: smallSpool, codes: []int{1}, words: []string{"no space left on device"}, repair: emptyDisk, next: backsUp}
	fills := func(r row, left int64) row {
		r.act = func(t *testing.T, p *play) { p.fill(t, left) }
		return r
	}
	gone := row{fault: "output folder removed", act: removeFolder, repair: makeFolder}
	ends := func(r row, code int, next func(*testing.T, *play), words ...string) row {
		r.codes, r.next, r.words = []int{code}, next, words
		return r
	}
	return slices.Concat(
		in([]phase{ordered().spool()}, "", fills(full, 0)),
		in([]phase{beforeQuiesce().spool(), atRest().spool()}, "at rest into the spool", fills(full, 4<<20)),
		in([]phase{atRest()}, "", fills(row{
			fault: "output disk full", setUp: smallOutput, codes: []int{1}, words: []string{"no space left on device"}, repair: emptyDisk, next: backsUp,
		}, 4<<20)),
		in([]phase{whileFetching()}, "while fetching", fills(row{
			fault: "output disk full", setUp: smallOutputOfItsOwn, codes: []int{2},
			words: []string{"no space left on device", "docker ucp backup --resume"}, repair: elsewhere, next: resumes,
		}, 0)),
		in([]phase{atRest()}, "", ends(gone, 1, backsUp)),
		in([]phase{whileFetching()}, "", ends(gone, 2, resumes, "docker ucp backup --resume")),
		in([]phase{atRest(), atRest().spool()}, "at rest", row{
			fault: "read error in a volume", setUp: brittleVolume, act: breakVolume, codes: []int{1}, words: []string{"input/output error", extraVolume},
			repair: mendVolume, next: backsUp,
		}),
		in([]phase{makingAgent()}, "", row{
			fault: "a volume removed meanwhile", setUp: spareVolume, act: removeSpareVolume, codes: []int{1, 5}, words: []string{spare}, next: backsUp,
		}),
		in([]phase{atRest()}, "", row{
			fault: "a volume's folder removed meanwhile", setUp: addExtra, act: removeVolumeFolder, codes: []int{2}, words: []string{extraVolume},
			help: makeVolumeFolder, next: backsUp,
		}),
	)
}

// hide makes the manager another machine as far as the operator's folder goes.
func (p *play) hide(t *testing.T) {
	t.Helper()
	assert.NilError(t, p.node.Hide(t.Context(), filepath.Dir(p.archive)))
}

// disk makes a file system of so many MiB inside the node, which goes with the row, and returns where it is mounted and
// the image that it is made of.
func (p *play) disk(t *testing.T, name string, mebibytes int) (mounted, image string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	image, mounted = filepath.Join(p.node.Dir, name+".img"), filepath.Join(p.node.Dir, name)
	node := func(args ...string) {
		t.Helper()
		_, err := p.node.Run(ctx, args...)
		assert.NilError(t, err)
	}
	node("mkdir", "-p", mounted)
	node("truncate", "--size", strconv.Itoa(mebibytes)+"M", image)
	node("mkfs.ext4", "-q", "-m", "0", image)
	node("mount", "-o", "loop", image, mounted)
	t.Cleanup(func() { node("rm", "-f", image) })
	t.Cleanup(func() { node("umount", "--lazy", mounted) })
	p.filled = filepath.Join(p.node.Root(), mounted)
	return mounted, image
}

// bound is the options of a volume that lies in a folder.
func bound(dir string) map[string]string {
	return map[string]string{"type": "none", "o": "bind", "device": dir}
}

func smallSpool(t *testing.T, p *play) {
	const name = "small-spool"
	mounted, _ := p.disk(t, name, 384)
	_, err := p.engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: name, DriverOpts: bound(mounted)})
	assert.NilError(t, err)
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { assert.NilError(t, p.engine.VolumeRemove(ctx, name, true)) })
	p.flags = []string{"--spool-volume", name}
}

// smallOutput has the operator sit on the manager itself, whose disk for backups is small.
func smallOutput(t *testing.T, p *play) {
	mounted, _ := p.disk(t, "small-output", 384)
	p.archive = filepath.Join(mounted, "backups", "ucp.tar")
	p.host = filepath.Join(p.node.Root(), p.archive)
	assert.NilError(t, os.Mkdir(filepath.Dir(p.host), 0o700))
	p.prefix = []string{"nsenter", "--target", filepath.Base(filepath.Dir(p.node.Root())), "--mount", "--pid", "--"}
}

// smallOutputOfItsOwn gives the operator a small disk that the manager does not see.
func smallOutputOfItsOwn(_ *testing.T, p *play) {
	const script = `mount -t tmpfs -o size=384m tmpfs "$1" && shift && exec "$@"`
	p.prefix = []string{"unshare", "--mount", "sh", "-c", script, "sh", filepath.Dir(p.archive)}
}

// fill leaves so many bytes of a disk.
func (p *play) fill(t *testing.T, left int64) {
	t.Helper()
	dir := p.filled
	if dir == "" { // the one that only the plugin sees
		dir = filepath.Join("/proc", strconv.Itoa(p.running.command.Process.Pid), "root", filepath.Dir(p.archive))
	}
	file, err := os.Create(filepath.Join(dir, "filler"))
	assert.NilError(t, err)
	defer func() { assert.NilError(t, file.Close()) }()
	var stat syscall.Statfs_t
	assert.NilError(t, syscall.Fstatfs(int(file.Fd()), &stat))
	// What the file system needs for itself is not told: the last of the room is taken by writing.
	const last = 2 << 20
	assert.NilError(t, syscall.Fallocate(int(file.Fd()), 0, 0, int64(stat.Bavail)*stat.Bsize-max(left, last)))
	if left > 0 {
		return
	}
	_, err = file.Seek(0, io.SeekEnd)
	for err == nil {
		_, err = file.Write(make([]byte, 64<<10))
	}
	assert.ErrorIs(t, err, syscall.ENOSPC)
}

func emptyDisk(t *testing.T, p *play) {
	assert.NilError(t, os.Remove(filepath.Join(p.filled, "filler")))
}

// elsewhere is where the operator has room.
func elsewhere(t *testing.T, p *play) { p.prefix, p.archive = nil, output(t) }

func removeFolder(t *testing.T, p *play) { assert.NilError(t, os.RemoveAll(filepath.Dir(p.archive))) }

func makeFolder(t *testing.T, p *play) {
	assert.NilError(t, os.MkdirAll(filepath.Dir(p.archive), 0o700))
}

// brittleVolume is a volume on a disk whose end can be cut off. Nothing of the file in it is in memory.
func brittleVolume(t *testing.T, p *play) {
	mounted, image := p.disk(t, "brittle", 64)
	const script = `dd if=/dev/urandom of="$1/large" bs=1M count=32 status=none && sync "$1/large" && umount "$1" && mount -o loop "$2" "$1"`
	_, err := p.node.Run(t.Context(), "sh", "-c", script, "sh", mounted, image)
	assert.NilError(t, err)
	p.brittle = image
	p.extra(t, bound(mounted))
}

func breakVolume(t *testing.T, p *play) { assert.NilError(t, os.Truncate(p.brittle, 16<<20)) }

func mendVolume(t *testing.T, p *play) { assert.NilError(t, os.Truncate(p.brittle, 64<<20)) }

// spare is a volume that UCP is known to have and no container uses.
const spare = "ucp-backup"

func spareVolume(t *testing.T, p *play) {
	_, err := p.engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: spare})
	assert.NilError(t, err)
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { _ = p.engine.VolumeRemove(ctx, spare, true) })
}

func removeSpareVolume(t *testing.T, p *play) {
	assert.NilError(t, p.engine.VolumeRemove(t.Context(), spare, false))
	p.before.volumes = slices.DeleteFunc(p.before.volumes, func(name string) bool { return name == spare })
}

func removeVolumeFolder(t *testing.T, p *play) {
	assert.NilError(t, exec.CommandContext(t.Context(), "rm", "-rf", p.mountpoint(t, extraVolume)).Run())
}

func makeVolumeFolder(t *testing.T, p *play) {
	assert.NilError(t, os.MkdirAll(p.mountpoint(t, extraVolume), 0o755))
}
